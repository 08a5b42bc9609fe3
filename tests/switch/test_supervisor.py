"""Who is serving, who was restarted, and when there is nobody left."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from switch import supervisor as supervisor_module
from switch.gateway_process import GatewayStatus
from switch.shard_process import ShardStatus
from switch.supervisor import Supervisor

SHARDS = [ShardStatus(0, 10, 0, 2047, None, 7, 99), ShardStatus(1, 11, 2048, 4095, None)]
GATEWAYS = [GatewayStatus(0, 20, None, 3)]


class Cluster(SimpleNamespace):
    """Processes that answer as the test says."""

    def __init__(self) -> None:
        super().__init__(shards=[None, None], gateways=[None], log_folder="/logs", said=(SHARDS, GATEWAYS))

    async def shard_statuses(self) -> Any:
        return self.said[0]

    async def gateway_statuses(self) -> Any:
        return self.said[1]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_nobody_serves_before_anybody_was_asked(cluster):
    assert set(Supervisor(cluster).status.problems) == {"shard-0", "shard-1", "gateway-0"}


async def test_everybody_serves(cluster):
    supervisor = Supervisor(cluster)
    assert await supervisor.ask()
    assert (supervisor.status.shards, supervisor.status.gateways) == (SHARDS, GATEWAYS)
    assert (supervisor.status.problems, supervisor.status.restarts) == ({}, {})


async def test_a_silent_process_is_a_problem_and_keeps_what_is_known_of_it(cluster):
    supervisor = Supervisor(cluster)
    await supervisor.ask()
    cluster.said = ([None, SHARDS[1]], [None])
    assert await supervisor.ask()
    assert supervisor.status.problems == {"shard-0": "does not answer", "gateway-0": "does not answer"}
    assert (supervisor.status.shards[0].position, supervisor.status.shards[0].pid) == (7, 10)


async def test_another_process_under_a_name_is_a_restart(cluster):
    supervisor = Supervisor(cluster)
    await supervisor.ask()
    for pid in (12, 12, 13):
        cluster.said = ([SHARDS[0], replace(SHARDS[1], pid=pid, problem="recovering")], GATEWAYS)
        await supervisor.ask()
    assert supervisor.status.restarts == {"shard-1": 2}
    assert supervisor.status.problems == {"shard-1": "recovering"}


async def test_a_stopping_switch_is_not_ready(cluster):
    supervisor = Supervisor(cluster)
    await supervisor.ask()
    supervisor.stopping()
    assert supervisor.status.problems == {"switch": "stopping"}


async def test_ends_when_nobody_at_all_answers(cluster, monkeypatch):
    monkeypatch.setattr(supervisor_module, "ROUND_S", 0.001)
    monkeypatch.setattr(supervisor_module, "LOST_S", 0.05)
    supervisor = Supervisor(cluster)
    running = asyncio.create_task(supervisor.run())
    cluster.said = ([None, None], GATEWAYS)
    done, _ = await asyncio.wait([running], timeout=0.2)
    assert not done, "one that answers is enough"
    cluster.said = ([None, None], [None])
    async with asyncio.timeout(20):
        await running
