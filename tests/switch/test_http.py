"""The pages for operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from controlled_store import ControlledStore
from running_switch import samples
from station_client import StationClient
from switch_in_process import GatewayInProcess, gateway_in_process, purchase

from switch.clock import Clock
from switch.http import HttpServer, metrics_page, readyz
from switch.metric_sources import of_shards
from switch.metrics import Metrics
from switch.readiness import Readiness


@pytest.fixture
def store():
    return ControlledStore()


@pytest.fixture
async def switch(tmp_path, store) -> AsyncIterator[GatewayInProcess]:
    async with gateway_in_process(tmp_path, store, connections_max=100) as made:
        yield made


@asynccontextmanager
async def pages(switch: GatewayInProcess, clock: Clock | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    clock = clock or switch.inside.clock
    readiness = Readiness(switch.gateway.shards, switch.gateway, clock, Path.cwd())
    metrics = Metrics(lambda: of_shards(switch.inside.meters, {0: switch.inside.embedded}, switch.gateway.campus))
    server = HttpServer(readyz(readiness.checks, clock), metrics_page(metrics))
    host, port = await server.listen("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(f"http://{host}:{port}", timeout=aiohttp.ClientTimeout(20)) as session:
            yield session
    finally:
        await server.stop()


async def test_alive(switch):
    async with pages(switch) as client, client.get("/healthz") as response:
        assert (response.status, await response.text()) == (200, "alive\n")


async def test_ready(switch):
    async with pages(switch) as client, client.get("/readyz") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        body = await response.json()
    assert body["ready"] is True
    assert body["simulated_clock"] is False
    assert 0 <= switch.inside.clock.now_us() - body["time_us"] < 60_000_000
    assert {check["name"] for check in body["checks"]} == {"serving", "shard-0", "map-0", "disk", "open-files", "clock"}
    assert all(check["ok"] for check in body["checks"])


async def test_not_ready_says_why(switch, store):
    async with pages(switch) as client, StationClient(switch.address) as station:
        store.refuse()
        await station.ask(purchase(1))
        async with client.get("/readyz") as response:
            assert response.status == 503
            body = await response.json()
        async with client.get("/healthz") as response:
            assert response.status == 200
        store.mend()
    assert body["ready"] is False
    (failed,) = [check for check in body["checks"] if not check["ok"]]
    assert failed["name"] == "shard-0"
    assert "full" in failed["explanation"]


async def test_a_simulated_clock_is_shown(switch):
    clock = Clock(switch.inside.clock.now_us() + 86_400_000_000, 10)
    async with pages(switch, clock) as client, client.get("/readyz") as response:
        body = await response.json()
    assert body["simulated_clock"] is True
    assert body["time_us"] > switch.inside.clock.now_us() + 86_000_000_000


async def test_metrics(switch):
    async with pages(switch) as client, client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert samples(await response.text())["tapswitch_journal_position", (("shard", "0"),)] == 20


async def test_nothing_else(switch):
    async with pages(switch) as client:
        async with client.get("/") as response:
            assert response.status == 404
        async with client.post("/metrics") as response:
            assert response.status == 405
