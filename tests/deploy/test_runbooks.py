"""Each alert has a runbook, and each runbook an alert; panels point to what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from prometheus_tools import REPOSITORY, RULES

from dashboards.__main__ import ALL, written

RUNBOOKS = REPOSITORY / "docs" / "operations" / "runbooks"


def pages() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in RUNBOOKS.iterdir()}


def by_alert() -> dict[str, Path]:
    return {
        rule["alert"]: REPOSITORY / rule["annotations"]["runbook"]
        for path in RULES
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def test_each_alert_has_its_page_and_each_page_an_alert():
    titles = {alert: path.read_text("utf-8").splitlines()[0] for alert, path in by_alert().items()}
    assert not {alert for alert, title in titles.items() if alert not in title.removeprefix("# ").split(", ")}
    assert {path.stem for path in by_alert().values()} == set(pages())


def test_pages_say_what_how_and_what_to_do_and_lead_to_pages():
    for name, text in pages().items():
        assert re.findall(r"^## (.+)$", text, re.MULTILINE)[:3] == ["What it means", "How to look", "What to do"], name
        for link in re.findall(r"\]\(([^)]+)\)", text):
            assert (RUNBOOKS / link).is_file(), (name, link)


def test_panels_name_runbooks_that_there_are():
    named = {
        word
        for name in ALL
        for panel in json.loads(written(name))["panels"]
        for word in re.findall(r"`([a-z]+(?:-[a-z]+)*)`", panel["description"])
    }
    assert named
    assert named <= set(pages())
