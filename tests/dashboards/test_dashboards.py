"""Grafana's dashboards: what is committed is what the code makes, and every panel says what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboards.__main__ import ALL, main, written

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"


def panels() -> list[Any]:
    return [
        pytest.param(panel, id=f"{name}-{panel['title']}")
        for name in ALL
        for panel in json.loads(written(name))["panels"]
    ]


def test_what_is_committed_is_current(tmp_path):
    main(tmp_path)
    made = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == made, "run `make dashboards`"


@pytest.mark.parametrize("panel", panels())
def test_each_panel_has_a_unit_a_use_and_one_line_for_each_expression(panel):
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert len(panel["description"]) > 60
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_dashboards_are_few_and_fit_a_screen():
    for name in ALL:
        page = json.loads(written(name))
        assert page["uid"] == f"tapswitch-{name}"
        assert len(page["panels"]) <= 18
        for panel in page["panels"]:
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
