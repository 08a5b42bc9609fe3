"""Asks every process of the cluster how it is, gives each the newest registry, and remembers what they said."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

import structlog
from msgspec.structs import replace

from actors.placement import slots_of
from switch.cluster_status import SILENT, ClusterStatus, GatewayStatus, NodeStatus, ShardStatus
from switch.registry import Registry

ROUND_S: Final = 0.5
"""How often a process that serves is asked."""

ROUND_UNTIL_SERVING_S: Final = 0.1
NODES_ROUND_S: Final = 2.0
SILENT_ROUNDS_MAX: Final = 20
"""When no process at all has answered for so many rounds, Ray itself is gone: nothing would be started again. Rounds
and not seconds, because a supervisor that was suspended has not listened meanwhile."""

Status = TypeVar("Status", ShardStatus, GatewayStatus)
Status_co = TypeVar("Status_co", ShardStatus, GatewayStatus, covariant=True)

log = structlog.get_logger()


class Process(Protocol[Status_co]):
    """A process as the supervisor reaches it. Neither method raises; both wait only so long."""

    name: str

    def status(self, newest_registry: int) -> Awaitable[Status_co | None]:
        """What it says of itself; None if it does not answer."""
        ...

    def change_registry(self, registry: Registry, position_seen: int) -> Awaitable[None]:
        """See ClusterProcess."""
        ...


class Cluster(Protocol):
    """All that is watched."""

    @property
    def shards(self) -> Sequence[Process[ShardStatus]]:
        """By number."""
        ...

    @property
    def gateways(self) -> Sequence[Process[GatewayStatus]]:
        """By number."""
        ...

    @property
    def log_folder(self) -> str:
        """Where the processes of this machine write."""
        ...

    async def nodes(self) -> list[NodeStatus]:
        """The machines, those that were lost among them."""
        ...


class Supervisor:
    """Each process is asked on its own, so that one that does not answer keeps nobody waiting."""

    def __init__(self, cluster: Cluster, registry: Registry) -> None:
        self.registry = registry
        """What all processes are to go by."""

        self.stopping = False
        self.nobody_left = False
        """Whether Ray itself is gone."""

        self._cluster = cluster
        self._restarts: Counter[str] = Counter()
        self._positions: Counter[str] = Counter()
        """The newest position of each shard, over all its processes: no successor's journal may end before."""

        self._answers = 0
        self._nodes: list[NodeStatus] = []
        shards = len(cluster.shards)
        self._shards = [
            ShardStatus(
                name=process.name,
                problem=SILENT,
                first_slot=slots_of(number, shards)[0],
                last_slot=slots_of(number, shards)[-1],
            )
            for number, process in enumerate(cluster.shards)
        ]
        self._gateways = [GatewayStatus(name=process.name, problem=SILENT) for process in cluster.gateways]

    @property
    def status(self) -> ClusterStatus:
        """Not older than a round and the longest wait for an answer."""
        return ClusterStatus(
            self.registry.version,
            self._nodes,
            [self._with_reason(number, shard) for number, shard in enumerate(self._shards)],
            list(self._gateways),
            dict(self._restarts),
            self._cluster.log_folder,
            self.stopping,
        )

    async def run(self) -> None:
        """Ask round by round, until cancelled or until nobody is left."""
        async with asyncio.TaskGroup() as group:
            watching = [
                group.create_task(self._watch_nodes()),
                *(group.create_task(self._watch(n, shard, self._shards)) for n, shard in self._numbered_shards()),
                *(group.create_task(self._watch(n, gate, self._gateways)) for n, gate in self._numbered_gateways()),
            ]
            await self._until_nobody_is_left()
            for task in watching:
                task.cancel()
        self.nobody_left = True
        log.critical("no process answers: Ray is gone", rounds=SILENT_ROUNDS_MAX)

    async def ask(self) -> None:
        """One round."""
        await asyncio.gather(
            self._look_at_nodes(),
            *(self._ask(n, shard, self._shards) for n, shard in self._numbered_shards()),
            *(self._ask(n, gate, self._gateways) for n, gate in self._numbered_gateways()),
        )

    def _numbered_shards(self) -> Iterable[tuple[int, Process[ShardStatus]]]:
        return enumerate(self._cluster.shards)

    def _numbered_gateways(self) -> Iterable[tuple[int, Process[GatewayStatus]]]:
        return enumerate(self._cluster.gateways)

    async def _watch(self, number: int, process: Process[Status], statuses: list[Status]) -> None:
        while True:
            await self._ask(number, process, statuses)
            await asyncio.sleep(ROUND_S if statuses[number].problem is None else ROUND_UNTIL_SERVING_S)

    async def _watch_nodes(self) -> None:
        while True:
            await self._look_at_nodes()
            await asyncio.sleep(NODES_ROUND_S)

    async def _look_at_nodes(self) -> None:
        self._nodes = await self._cluster.nodes()

    async def _until_nobody_is_left(self) -> None:
        silent, answers = 0, self._answers
        while silent < SILENT_ROUNDS_MAX:
            await asyncio.sleep(ROUND_S)
            silent = silent + 1 if self._answers == answers else 0
            answers = self._answers

    async def _ask(self, number: int, process: Process[Status], statuses: list[Status]) -> None:
        before, now = statuses[number], await process.status(self.registry.version)
        if now is not None:
            self._answers += 1
            self._positions[now.name] = max(self._positions[now.name], getattr(now, "position", 0))
            if before.pid not in {0, now.pid}:
                self._restarts[now.name] += 1
        statuses[number] = now or replace(before, problem=SILENT, checks=[])
        problem = statuses[number].problem
        if problem != before.problem:
            tell = log.info if problem is None else log.warning
            tell("serving" if problem is None else "not serving", process=process.name, problem=problem)
        if now is not None and now.registry != self.registry.version:
            await process.change_registry(self.registry, self._positions[now.name])

    def _with_reason(self, number: int, shard: ShardStatus) -> ShardStatus:
        if not shard.is_silent or any(number in node.shards for node in self._nodes if node.alive):
            return shard
        return replace(shard, problem=f"{SILENT}: no node has its data now")
