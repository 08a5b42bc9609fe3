"""The pages of a switch on Ray as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from campus_folder import write_campus
from example_status import ON_RAY
from msgspec.structs import replace
from running_switch import samples

from switch.addresses import Address
from switch.clock import Clock
from switch.cluster_http import cluster_http
from switch.cluster_status import SILENT, ClusterStatus
from switch.readiness import Check
from switch.registry import Registry, RegistryFiles
from switch.switch_status import SwitchStatus


class Supervisor:
    """Knows what the test says."""

    def __init__(self, registry: Registry) -> None:
        self.status = ON_RAY
        self.registry = registry


@pytest.fixture
def supervisor(tmp_path) -> Supervisor:
    return Supervisor(RegistryFiles(write_campus(tmp_path), Address("127.0.0.1", 0)).newest)


@asynccontextmanager
async def pages(supervisor: Supervisor) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    server = cluster_http(supervisor, Clock())
    address = await server.listen("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(f"http://{address}", timeout=aiohttp.ClientTimeout(20)) as session:
            yield str(address), session
    finally:
        await server.stop()


async def test_ready_when_every_process_is(supervisor):
    async with pages(supervisor) as (_, client):
        async with client.get("/readyz") as response:
            assert response.status == 200
            names = [check["name"] for check in (await response.json())["checks"]]
        assert names == ["serving", "shard-0", "shard-0 disk", "gateway-0"]
        supervisor.status = replace(ON_RAY, gateways=[replace(ON_RAY.gateways[0], problem=SILENT)])
        async with client.get("/readyz") as response:
            assert response.status == 503
            (failed,) = [check for check in (await response.json())["checks"] if not check["ok"]]
        assert (failed["name"], failed["explanation"]) == ("gateway-0", SILENT)


async def test_a_failed_check_of_a_process_that_serves(supervisor):
    full = replace(ON_RAY.shards[0], checks=[Check("disk", ok=False, explanation="1 MiB free")])
    supervisor.status = replace(ON_RAY, shards=[full])
    async with pages(supervisor) as (_, client), client.get("/readyz") as response:
        assert response.status == 503
    assert supervisor.status.serving, "it is not well, but it answers"


async def test_status(supervisor):
    async with pages(supervisor) as (_, client), client.get("/status.json") as response:
        body = await response.read()
    assert msgspec.json.decode(body, type=ClusterStatus) == ON_RAY
    assert msgspec.json.decode(body, type=SwitchStatus).campus == "Test campus"


async def test_the_page_for_people(supervisor):
    async with pages(supervisor) as (_, client), client.get("/") as response:
        assert (response.status, response.content_type) == (200, "text/html")


async def test_targets_are_the_processes_that_answer(supervisor):
    async with pages(supervisor) as (address, client):
        async with client.get("/targets") as response:
            assert response.content_type == "application/json"
            assert await response.json() == [
                {"targets": [address], "labels": {"process": "supervisor"}},
                {"targets": ["10.0.0.2:4100"], "labels": {"process": "shard-0", "node": "10.0.0.2"}},
                {"targets": ["10.0.0.2:4300"], "labels": {"process": "gateway-0", "node": "10.0.0.2"}},
            ]
        supervisor.status = replace(ON_RAY, shards=[replace(ON_RAY.shards[0], problem=f"{SILENT}: no node")])
        async with client.get("/targets") as response:
            assert [target["labels"]["process"] for target in await response.json()] == ["supervisor", "gateway-0"]


async def test_metrics(supervisor):
    supervisor.status = replace(ON_RAY, shards=[replace(ON_RAY.shards[0], problem="recovering")])
    async with pages(supervisor) as (_, client), client.get("/metrics") as response:
        found = samples(await response.text())
    assert found["tapswitch_process_serving", (("process", "shard-0"),)] == 0
    assert found["tapswitch_process_serving", (("process", "gateway-0"),)] == 1
    assert found["tapswitch_process_restarts_total", (("process", "shard-0"),)] == 5
    assert found["tapswitch_nodes_alive", ()] == 1
