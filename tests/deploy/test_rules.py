"""Recording and alert rules: valid, proved by promtool, and made of metrics that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_tools import PROMETHEUS, RULES, needs, run

from switch.metric_catalogue import CATALOGUE, PREFIX, Sort

TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
SUFFIXES = {Sort.COUNTER: ("_total",), Sort.GAUGE: ("",), Sort.HISTOGRAM: ("_bucket", "_count", "_sum")}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text("utf-8"))


def rules(of: str) -> Iterator[dict[str, Any]]:
    """All rules of a sort, `alert` or `record`."""
    for path in RULES:
        for group in read(path)["groups"]:
            yield from (rule for rule in group["rules"] if of in rule)


def served() -> set[str]:
    return {
        f"{PREFIX}{described.name}{suffix}" for described in CATALOGUE.values() for suffix in SUFFIXES[described.sort]
    }


@needs("promtool")
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-cluster.yml"])
def test_prometheus_reads_its_configuration_and_all_rules(name):
    said = run("promtool", "check", "config", PROMETHEUS / name)
    for rule_file in RULES:
        assert f"Checking {rule_file}" in said


@needs("amtool")
def test_alertmanager_reads_its_configuration():
    assert "SUCCESS" in run("amtool", "check-config", PROMETHEUS / "alertmanager.yml")


@needs("promtool")
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_are_quiet_when_they_should(path):
    assert "SUCCESS" in run("promtool", "test", "rules", path)


def test_each_alert_was_seen_firing():
    fired = {
        name
        for path in TESTS
        for test in read(path)["tests"]
        for expected in test["promql_expr_test"]
        for sample in expected["exp_samples"]
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fired == {rule["alert"] for rule in rules("alert")}


def test_each_metric_of_a_rule_is_served_or_recorded():
    recorded = {rule["record"] for rule in rules("record")}
    for rule in [*rules("alert"), *rules("record")]:
        named = set(re.findall(r"(?:job(?:_site)?:)?tapswitch_[a-z_]+(?::\w+)?", rule["expr"]))
        assert named <= served() | recorded | {"tapswitch_"}, rule["expr"]


def test_alerts_reach_somebody():
    assert {rule["labels"]["severity"] for rule in rules("alert")} == {"page", "ticket"}
    configured = read(PROMETHEUS / "alertmanager.yml")
    receivers = {receiver["name"] for receiver in configured["receivers"]}
    routes = [configured["route"], *configured["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers


def test_alertmanager_speaks_of_alerts_that_there_are():
    alerts = {rule["alert"] for rule in rules("alert")}
    configured = read(PROMETHEUS / "alertmanager.yml")
    matchers = [matcher for route in configured["route"]["routes"] for matcher in route["matchers"]]
    for rule in configured["inhibit_rules"]:
        matchers += rule["source_matchers"] + rule["target_matchers"]
    for matcher in matchers:
        label, operator, value = re.fullmatch(r'(\w+) (=~?) "?([^"]+)"?', matcher).groups()
        if label == "alertname":
            for alternative in [value] if operator == "=" else re.split(r"\|(?![^(]*\))", value):
                assert any(re.fullmatch(alternative, alert) for alert in alerts), alternative
