"""Asks every process of the cluster how it is, which also starts one that was restarted, and remembers the answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from actors.placement import slots_of
from switch.cluster_status import ClusterStatus
from switch.gateway_process import GatewayStatus
from switch.ray_cluster import RayCluster
from switch.shard_process import ShardStatus

ROUND_S: Final = 0.25
LOST_S: Final = 10.0
"""When no process at all has answered for so long, Ray itself is gone: nothing would be started again."""

_SILENT: Final = "does not answer"

Status = TypeVar("Status", ShardStatus, GatewayStatus)

log = structlog.get_logger()


class Supervisor:
    """`status` is never older than a round and the longest wait for an answer."""

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster
        self._pids: dict[str, int] = {}
        self._restarts: Counter[str] = Counter()
        shards = len(cluster.shards)
        self.status = ClusterStatus(
            [
                ShardStatus(number, 0, slots_of(number, shards)[0], slots_of(number, shards)[-1], _SILENT)
                for number in range(shards)
            ],
            [GatewayStatus(number, 0, _SILENT) for number in range(len(cluster.gateways))],
            {},
            cluster.log_folder,
        )

    async def run(self) -> None:
        """Ask round by round, until cancelled or until Ray is lost."""
        heard = monotonic()
        while monotonic() - heard < LOST_S:
            if await self.ask():
                heard = monotonic()
            await asyncio.sleep(ROUND_S)
        log.critical("no process answers: Ray is gone", seconds=LOST_S)

    def stopping(self) -> None:
        """The switch is not ready any more, because it stops."""
        self.status = replace(self.status, stopping=True)

    async def ask(self) -> bool:
        """One round; returns whether anybody answered."""
        before = self.status
        shards, gateways = await asyncio.gather(self._cluster.shard_statuses(), self._cluster.gateway_statuses())
        self._count_restarts("shard", shards)
        self._count_restarts("gateway", gateways)
        self.status = ClusterStatus(
            [
                now
                or ShardStatus(was.shard, was.pid, was.first_slot, was.last_slot, _SILENT, was.position, was.time_us)
                for was, now in zip(before.shards, shards, strict=True)
            ],
            [
                now or GatewayStatus(was.gateway, was.pid, _SILENT)
                for was, now in zip(before.gateways, gateways, strict=True)
            ],
            dict(self._restarts),
            before.log_folder,
        )
        for name in before.problems.keys() | self.status.problems.keys():
            was, now = before.problems.get(name), self.status.problems.get(name)
            if was != now:
                tell = log.info if now is None else log.warning
                tell("serving" if now is None else "not serving", process=name, problem=now, was=was)
        return any((*shards, *gateways))

    def _count_restarts(self, kind: str, statuses: Sequence[ShardStatus | GatewayStatus | None]) -> None:
        for number, status in enumerate(statuses):
            name = f"{kind}-{number}"
            if status is not None and self._pids.setdefault(name, status.pid) != status.pid:
                self._pids[name] = status.pid
                self._restarts[name] += 1
