"""What an embedded switch says of itself, and a switch on Ray."""

from __future__ import annotations

import msgspec
import pytest
from campus_folder import NORTH, SOUTH, SOUTH_TILL
from controlled_store import ControlledStore
from example_status import ON_RAY
from msgspec.structs import replace
from station_client import StationClient
from switch_in_process import GatewayInProcess, gateway_in_process, purchase

from switch import switch_status
from switch.activity import Busy, Pulse, Window
from switch.busiest import Busiest
from switch.clock import Clock
from switch.cluster_status import SILENT, ClusterStatus
from switch.gateway import ASKED_SECONDS
from switch.logs import LogLine
from switch.readiness import Check
from switch.switch_status import SwitchStatus, of_cluster, of_embedded


@pytest.fixture
async def switch(tmp_path):
    async with gateway_in_process(tmp_path, ControlledStore()) as made:
        yield made


def status_of(switch: GatewayInProcess, window: Window, *checks: Check) -> SwitchStatus:
    return of_embedded(list(checks), window, switch.gateway, switch.gateway.shards, switch.inside.clock)


async def test_an_embedded_switch(switch):
    pulse, busiest = Pulse(switch.inside.meters), Busiest(switch.gateway)
    async with StationClient(switch.address) as north, StationClient(switch.address, SOUTH) as south:
        await north.ask(purchase(1), purchase(2))
        await south.ask(purchase(1, terminal=SOUTH_TILL, amount=20_001))
        switch.tick()
        switch.tick()
        found = status_of(switch, pulse.window(busiest.now()))
        pulse.stop()
        assert (found.ready, found.campus, found.registry, found.stopping) == (True, "Test campus", 1, False)
        assert [(code.code, code.meaning) for code in found.activity.codes] == [
            ("00", "approved"), ("61", "over amount limit"),
        ]  # fmt: skip
        assert found.activity.latency_ms.keys() == {"queue", "decide", "commit", "total"}
        assert found.activity.slowest_stage in {"queue", "decide", "commit"}
        assert found.activity.merchants == [Busy("North canteen", 1.5)]
        assert found.activity.stations == [Busy(NORTH, 1.0), Busy(SOUTH, 0.5)]
        (shard,), (gateway,) = found.shards, found.gateways
        assert (shard.name, shard.problem, shard.position, shard.first_slot, shard.last_slot) == (
            "shard-0", None, 23, 0, 4095,
        )  # fmt: skip
        assert (gateway.name, gateway.problem, gateway.connections, gateway.stations) == ("gateway-0", None, 2, 2)
        assert msgspec.json.decode(msgspec.json.encode(found), type=SwitchStatus) == found


async def test_who_asked_is_forgotten_after_some_seconds(switch):
    busiest = Busiest(switch.gateway)
    async with StationClient(switch.address) as client:
        await client.ask(purchase(1))
        switch.tick()
        assert busiest.now() == ({1: 1.0}, {NORTH: 1.0})
        for _ in range(ASKED_SECONDS):
            switch.tick()
        assert busiest.now() == ({}, {})


async def test_a_terminal_that_is_not_registered_any_more_is_nobody(switch):
    busiest = Busiest(switch.gateway)
    async with StationClient(switch.address) as client:
        await client.ask(purchase(1))
        switch.tick()
        campus = switch.gateway.campus
        switch.gateway.campus = replace(campus, policy=replace(campus.policy, terminals={}), stations={})
        assert busiest.now() == ({}, {})


async def test_an_embedded_switch_that_is_not_ready(switch):
    found = status_of(switch, Window(), Check("disk", ok=False, explanation="none left"))
    assert not found.ready
    assert [check.explanation for check in found.checks] == ["none left"]
    assert status_of(switch, Window(), Check("disk", ok=True, explanation="little left", warning=True)).ready


async def test_a_switch_on_ray(switch, monkeypatch):
    monkeypatch.setattr(switch_status, "problems", list)  # what other tests have logged in this process
    window = Window(seconds=10, codes={"00": 5.0}, merchants={1: 5.0})
    older, newer = (
        LogLine("2026-01-01T00:00:01Z", "error", "older", ""),
        LogLine("2026-01-01T00:00:02Z", "error", "n", ""),
    )
    shards = [replace(shard, window=window, problems=[newer]) for shard in ON_RAY.shards]
    gateways = [replace(gateway, window=window, problems=[older]) for gateway in ON_RAY.gateways]
    status = replace(ON_RAY, shards=shards, gateways=gateways)
    found = of_cluster(status, switch.gateway.campus, Clock())
    assert (found.ready, found.log_folder, found.restarts) == (True, "/logs", ON_RAY.restarts)
    assert found.activity.answered_per_s == 10
    assert found.activity.merchants == [Busy("North canteen", 10.0)]
    assert found.problems == [older, newer]
    assert msgspec.json.decode(msgspec.json.encode(found), type=ClusterStatus) == status
    silent = replace(status, gateways=[replace(gateways[0], problem=SILENT)])
    found = of_cluster(silent, switch.gateway.campus, Clock())
    assert not found.ready
    assert found.activity.answered_per_s == 5, "what it did is not known"
