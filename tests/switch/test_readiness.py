"""Why a switch is not ready."""

from __future__ import annotations

import resource
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from controlled_store import ControlledStore
from station_client import StationClient
from switch_in_process import GatewayInProcess, gateway_in_process, purchase

from actors.store import Usage
from switch.clock import Clock
from switch.data_folder import FILES_PER_SHARD
from switch.readiness import (
    DESCRIPTORS_BESIDE_CONNECTIONS,
    DISK_FREE_BYTES_MIN,
    DISK_FREE_WARNING_BYTES,
    Check,
    Readiness,
)

NAMES = ["serving", "shard-0", "map-0", "disk", "open-files", "clock"]


@pytest.fixture
def store():
    return ControlledStore()


@pytest.fixture
async def switch(tmp_path, store) -> AsyncIterator[GatewayInProcess]:
    async with gateway_in_process(tmp_path, store, connections_max=100) as made:
        yield made


def checks(switch: GatewayInProcess, clock: Clock | None = None) -> dict[str, Check]:
    found = Readiness(switch.gateway.shards, switch.gateway, clock or switch.inside.clock, Path.cwd()).checks()
    assert [check.name for check in found] == NAMES
    assert all(check.explanation for check in found)
    return {check.name: check for check in found}


def not_ok(switch: GatewayInProcess, clock: Clock | None = None) -> list[str]:
    return [name for name, check in checks(switch, clock).items() if not check.ok]


async def test_ready(switch):
    assert not_ok(switch) == []
    assert checks(switch)["shard-0"].explanation == "journal at position 20"
    async with StationClient(switch.address):
        assert checks(switch)["serving"].explanation == "1 connections"


async def test_stopping(switch):
    await switch.gateway.stop()
    assert not_ok(switch) == ["serving"]
    assert checks(switch)["serving"].explanation == "stopping"


async def test_a_full_store_until_a_commit_succeeds(switch, store):
    async with StationClient(switch.address) as client:
        store.refuse()
        await client.ask(purchase(1))
        assert not_ok(switch) == ["shard-0"]
        assert "full" in checks(switch)["shard-0"].explanation
        store.mend()
        await client.ask(purchase(1))
        assert not_ok(switch) == []


@pytest.mark.parametrize(
    ("used", "ok", "hint"), [(0.5, True, False), (0.81, True, True), (0.95, True, True), (0.96, False, True)]
)
async def test_the_map(switch, store, used, ok, hint):
    limit = 100 * 2**20
    store.usage = lambda: Usage(int(used * limit), limit)
    check = checks(switch)["map-0"]
    assert check.ok is ok
    assert ("make room" in check.explanation) is hint
    assert check.warning is hint
    assert "100 MiB" in check.explanation


@pytest.mark.parametrize(
    ("free", "ok", "warning"),
    [
        (DISK_FREE_WARNING_BYTES, True, False),
        (DISK_FREE_WARNING_BYTES - 1, True, True),
        (DISK_FREE_BYTES_MIN, True, True),
        (DISK_FREE_BYTES_MIN - 1, False, True),
    ],
)
async def test_the_disk(switch, monkeypatch, free, ok, warning):
    monkeypatch.setattr(
        shutil, "disk_usage", lambda folder: SimpleNamespace(free=free) if folder == Path.cwd() else None
    )
    check = checks(switch)["disk"]
    assert (check.ok, check.warning) == (ok, warning)
    assert ("make room" in check.explanation) is warning


async def test_the_open_file_limit(switch, monkeypatch):
    needed = 100 + DESCRIPTORS_BESIDE_CONNECTIONS + FILES_PER_SHARD
    for limit, ok in ((needed, True), (needed - 1, False), (resource.RLIM_INFINITY, True)):
        monkeypatch.setattr(resource, "getrlimit", lambda _which, limit=limit: (limit, limit))
        check = checks(switch)["open-files"]
        assert check.ok is ok
        assert ("ulimit -n" in check.explanation) is not ok


async def test_the_clock(switch):
    assert checks(switch)["clock"].explanation == "system clock"
    behind = Clock(switch.inside.clock.now_us() - 7_200_000_000)
    assert not_ok(switch, behind) == ["clock"]
    assert "behind" in checks(switch, behind)["clock"].explanation
    ahead = Clock(switch.inside.clock.now_us() + 7_200_000_000, 60)
    assert not_ok(switch, ahead) == []
    assert checks(switch, ahead)["clock"].explanation == "simulated, 60 seconds a second"
