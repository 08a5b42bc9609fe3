"""Who is serving, who was restarted, who has which registry, and when there is nobody left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from campus_folder import write_campus
from msgspec.structs import replace

from switch import supervisor as supervisor_module
from switch.addresses import Address
from switch.cluster_status import SILENT, GatewayStatus, NodeStatus, ShardStatus
from switch.registry import Registry, RegistryFiles
from switch.supervisor import Supervisor

SHARDS = [
    ShardStatus(name="shard-0", pid=10, problem=None, registry=1, first_slot=0, last_slot=2047, position=7, time_us=99),
    ShardStatus(name="shard-1", pid=11, problem=None, registry=1, first_slot=2048, last_slot=4095),
]
GATEWAY = GatewayStatus(name="gateway-0", pid=20, problem=None, registry=1, connections=3)
NODE = NodeStatus(node="aa", address="10.0.0.1", alive=True, shards=[0, 1], gateways=1)


class Process:
    """Says what the test lets it say, and remembers what it was told."""

    def __init__(self, says: Any) -> None:
        self.name = says.name
        self.says = says
        self.asked_with: list[int] = []
        self.given: list[tuple[Registry, int]] = []

    async def status(self, newest_registry: int) -> Any:
        self.asked_with.append(newest_registry)
        return self.says

    async def change_registry(self, registry: Registry, position_seen: int) -> None:
        self.given.append((registry, position_seen))
        self.says = replace(self.says, registry=registry.version)


class Cluster:
    log_folder = "/logs"

    def __init__(self) -> None:
        self.shards = [Process(status) for status in SHARDS]
        self.gateways = [Process(GATEWAY)]
        self.alive = [NODE]

    async def nodes(self) -> list[NodeStatus]:
        return self.alive


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def registry(tmp_path) -> Registry:
    return RegistryFiles(write_campus(tmp_path), Address("127.0.0.1", 0)).newest


@pytest.fixture
def supervisor(cluster, registry) -> Supervisor:
    return Supervisor(cluster, registry)


def problems(supervisor: Supervisor) -> dict[str, str]:
    return {process.name: process.problem for process in supervisor.status.processes if process.problem is not None}


def test_nobody_serves_before_anybody_was_asked(supervisor):
    assert set(problems(supervisor)) == {"shard-0", "shard-1", "gateway-0"}
    assert not supervisor.status.serving


async def test_everybody_serves(supervisor, cluster):
    await supervisor.ask()
    status = supervisor.status
    assert (status.shards, status.gateways, status.nodes) == (SHARDS, [GATEWAY], [NODE])
    assert (status.serving, status.restarts, status.registry) == (True, {}, 1)
    assert [process.given for process in (*cluster.shards, *cluster.gateways)] == [[], [], []]


async def test_a_silent_process_is_a_problem_and_keeps_what_is_known_of_it(supervisor, cluster):
    await supervisor.ask()
    cluster.shards[0].says = cluster.gateways[0].says = None
    await supervisor.ask()
    assert problems(supervisor) == {"shard-0": SILENT, "gateway-0": SILENT}
    assert (supervisor.status.shards[0].position, supervisor.status.shards[0].pid) == (7, 10)
    cluster.alive = [replace(NODE, alive=False), replace(NODE, node="bb", shards=[1])]
    await supervisor.ask()
    assert problems(supervisor)["shard-0"] == f"{SILENT}: no node has its data now"


async def test_another_process_under_a_name_is_a_restart(supervisor, cluster):
    await supervisor.ask()
    for pid in (12, 12, 13):
        cluster.shards[1].says = replace(SHARDS[1], pid=pid, problem="recovering")
        await supervisor.ask()
    assert supervisor.status.restarts == {"shard-1": 2}
    assert problems(supervisor) == {"shard-1": "recovering"}


async def test_a_process_without_the_newest_registry_is_given_it(supervisor, cluster, registry):
    await supervisor.ask()
    cluster.shards[0].says = replace(SHARDS[0], pid=12, registry=0, position=0, problem="waits for the registry")
    await supervisor.ask()
    assert cluster.shards[0].given == [(registry, 7)], "with the position at which its predecessor was seen"
    supervisor.registry = newer = replace(registry, version=2)
    await supervisor.ask()
    for process in (*cluster.shards, *cluster.gateways):
        assert process.asked_with[-1] == 2
        assert process.given[-1][0] is newer
        assert process.says.registry == 2


async def test_a_stopping_switch_does_not_serve(supervisor):
    await supervisor.ask()
    supervisor.stopping = True
    assert not supervisor.status.serving
    assert [check.name for check in supervisor.status.checks() if not check.ok] == ["serving"]


async def test_ends_when_nobody_at_all_answers(supervisor, cluster, monkeypatch):
    monkeypatch.setattr(supervisor_module, "ROUND_S", 0.001)
    monkeypatch.setattr(supervisor_module, "ROUND_UNTIL_SERVING_S", 0.001)
    running = asyncio.create_task(supervisor.run())
    cluster.shards[0].says = cluster.shards[1].says = None
    asked = len(cluster.shards[0].asked_with)
    async with asyncio.timeout(20):
        while len(cluster.shards[0].asked_with) < asked + 2 * supervisor_module.SILENT_ROUNDS_MAX:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert not running.done(), "one that answers is enough"
    cluster.gateways[0].says = None
    async with asyncio.timeout(20):
        await running
