"""A real Prometheus scrapes a switch under a short peak with an outage, a flood and an emergency in it.

Then every expression of every panel and rule is asked: none fails, all metrics exist, and there are data.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_tools import RULES, needs, run
from running_cluster import until
from running_prometheus import RunningPrometheus
from running_switch import RunningSwitch, command
from station_client import StationClient

from dashboards.__main__ import ALL, written
from simulators.campus_files import Sizes, write_campus
from simulators.population import make_population
from switch.metric_catalogue import CATALOGUE, PREFIX, Owner
from wire.messages import BalanceInquiry, Emergency

pytestmark = [needs("prometheus"), needs("promtool")]

CARDS = 1_500
FLOODER, FLOODING = "flooder-1", 60_001
PEAK_SECONDS = 30
WEEK = 7 * 86_400
ON_RAY_ONLY = {f"{PREFIX}{metric.name}" for metric in CATALOGUE.values() if metric.owner is Owner.SUPERVISOR}
WEEK_AGO = {
    "job:tapswitch_requests:rate5m": '{job="tapswitch"}',
    "tapswitch_volume_minor_units_total": '{job="tapswitch",instance="switch",kind="canteen",service="purchase"}',
}
"""What panels ask of the week before."""


class Watched(NamedTuple):
    prometheus: RunningPrometheus
    start: float
    end: float

    def over(self, expression: str) -> list[dict[str, Any]]:
        return self.prometheus.over(expression.replace("$__rate_interval", "10s"), self.start, self.end)


def panel_expressions() -> list[Any]:
    return [
        pytest.param(target["expr"], id=f"{name}-{panel['title']}-{target['refId']}")
        for name in ALL
        for panel in json.loads(written(name))["panels"]
        for target in panel["targets"]
    ]


def rules() -> list[Any]:
    return [
        pytest.param(rule, id=rule.get("alert") or rule["record"])
        for path in RULES
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


def metrics_of(expression: str) -> set[str]:
    plain = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:\w+:)?(?:tapswitch|process)_[a-z_]+(?::\w+)?", plain))


def with_flooder(campus: Path, folder: Path) -> tuple[Path, bytes]:
    """The campus of the peak, and a station more, of which the peak knows nothing."""
    key = secrets.token_bytes(32)
    folder.mkdir()
    copy = folder / "campus.toml"
    copy.write_text(
        campus.read_text("utf-8")
        + f'\n[[stations]]\nname = "{FLOODER}"\nsite = "north"\n'
        + f'\n[[terminals]]\nnumbers = "{FLOODING}"\nstation = "{FLOODER}"\nmerchant = 1\nkind = "canteen"\n'
    )
    secrets_file = folder / "secrets.toml"
    secrets_file.touch(0o600)
    secrets_file.write_text(
        (campus.parent / "secrets.toml").read_text("utf-8") + f'\n[stations.{FLOODER}]\n1 = "{key.hex()}"\n'
    )
    return copy, key


def remember_the_week_before(prometheus: RunningPrometheus, folder: Path) -> None:
    """Counters and rates of that week, as blocks of Prometheus's own store."""
    now = int(time())
    lines = [
        f"{name}{labels} {100 + second} {now - WEEK - 7200 + second}"
        for name, labels in WEEK_AGO.items()
        for second in range(0, 9000, 15)
    ]
    history = folder / "week-before.txt"
    history.write_text("\n".join([*lines, "# EOF", ""]))
    run("promtool", "tsdb", "create-blocks-from", "openmetrics", history, prometheus.data)


async def flood(address: tuple[str, int], key: bytes, stop: asyncio.Event) -> None:
    """More in flight than a session may have, an unreadable message and one for help, again and again."""
    stan = int(time() * 1e6)
    async with StationClient(address, FLOODER, key) as station:
        await station.ask(Emergency(FLOODING, stan := stan + 1, 5_000))
        while not stop.is_set():
            requests = [BalanceInquiry(FLOODING, stan + n, 5_000, "0", "nobody") for n in range(600)]
            stan += len(requests)
            station.send_plaintext(b"\x91\x01")
            await station.ask(*requests)
            await asyncio.sleep(0.3)  # the pace of the flood


async def lunch(switch: RunningSwitch, campus: Path, accounts: Path, report: Path, key: bytes) -> None:
    stop = asyncio.Event()
    flooding = asyncio.ensure_future(flood(switch.address, key, stop))
    peak = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switch.command_line", "peak", "--connect", ":".join(map(str, switch.address)),
        "--http", switch.http, "--campus", str(campus), "--accounts", str(accounts), "--scenario", "outage",
        "--minutes", str(PEAK_SECONDS / 60), "--report", str(report),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await peak.communicate()
    stop.set()
    await flooding
    # The flood is not the peak's: the switch has counted more than the peak has seen.
    assert "Report: " in output.decode(), output.decode()
    found = json.loads((report / "report.json").read_bytes())
    assert found["faults"] == {}
    assert found["approved"] > 0
    assert found["sold_offline"] > 0


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    files = write_campus(folder, make_population(CARDS, 1), Sizes(40.0, 0.0, 1.0, 1.0))
    data = folder / "data"
    assert command("import", "--data", data, files.accounts).exit_code == 0
    campus, key = with_flooder(files.campus, folder / "served")
    with RunningSwitch(data, campus, "--simulated-clock", "2030-09-02T11:00:00,1") as switch:
        prometheus = RunningPrometheus(folder, "prometheus.yml", {"switch:7180": switch.http})
        remember_the_week_before(prometheus, folder)
        with prometheus:
            asyncio.run(until(prometheus.is_ready))
            asyncio.run(until(lambda: prometheus.now("tapswitch_ready")))
            start = time()
            asyncio.run(lunch(switch, files.campus, files.accounts, folder / "report", key))
            asyncio.run(until(lambda: prometheus.now("tapswitch_offline_gaps")))
            yield Watched(prometheus, start, time())


@pytest.mark.parametrize("expression", panel_expressions())
def test_each_panel_has_data(watched, expression):
    found = watched.over(expression)
    assert found or metrics_of(expression) & {f"{name}_total" for name in ON_RAY_ONLY}


@pytest.mark.parametrize("rule", rules())
def test_each_rule_was_evaluated_and_knows_its_metrics(watched, rule):
    evaluated = [
        found
        for group in watched.prometheus.ask("rules")["groups"]
        for found in group["rules"]
        if found["name"] == (rule.get("alert") or rule["record"])
    ]
    assert [(found["health"], found.get("lastError")) for found in evaluated] == [("ok", None)]
    if "record" in rule:
        assert watched.over(rule["record"])
    for metric in metrics_of(rule["expr"]) - ON_RAY_ONLY:
        # Also those of faults that did not happen: their series are there from the start.
        assert watched.over(metric), metric


def test_all_the_names_of_the_panels_exist(watched):
    known = set(watched.prometheus.ask("label/__name__/values"))
    named = set().union(*(metrics_of(parameter.values[0]) for parameter in panel_expressions()))
    assert named - known == {f"{PREFIX}process_restarts_total"}


def test_what_went_wrong_is_seen(watched):
    """By the alerts' own expressions; how long each must hold is proved by promtool."""
    seen = {
        rule.values[0]["alert"]: [series["metric"] for series in watched.over(rule.values[0]["expr"])]
        for rule in rules()
        if "alert" in rule.values[0]
    }
    assert {labels["site"] for labels in seen["TapswitchSiteGone"]} == {"north"}
    assert "busy-session" in {labels["reason"] for labels in seen["TapswitchSenderFloods"]}
    assert {labels["reason"] for labels in seen["TapswitchInputRejected"]} == {"unreadable-message"}
    assert seen["TapswitchEmergency"]
    quiet = {"TapswitchImbalance", "TapswitchUnreachable", "TapswitchNotReady", "TapswitchProcessLost"}
    quiet |= {"TapswitchCommitsRefused", "TapswitchMapNearlyFull", "TapswitchSnapshotLag", "TapswitchClockJump"}
    quiet |= {"TapswitchAvailabilityBurnsFast", "TapswitchAvailabilityBurnsSlowly"}
    assert not {alert for alert in quiet if seen[alert]}
