"""Is the switch ready, and if not, why: every check with what was found and what to do."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import Final

from msgspec import Struct

from switch.clock import Clock
from switch.embedded import EmbeddedShard
from switch.gateway import UNSIGNED_MAX, Gateway
from switch.shards import Shards

MAP_USED_WARNING: Final = 0.8
MAP_USED_MAX: Final = 0.95
DISK_FREE_WARNING_BYTES: Final = 4 << 30
DISK_FREE_BYTES_MIN: Final = 512 << 20
DESCRIPTORS_BESIDE_CONNECTIONS: Final = UNSIGNED_MAX + 64
"""Connections that have not signed on, files, listeners and HTTP clients need descriptors as well."""


def descriptors_needed(connections_max: int) -> int:
    """How many open files a process needs that answers so many connections."""
    return connections_max + DESCRIPTORS_BESIDE_CONNECTIONS


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    explanation: str
    warning: bool = False
    """Still ok, but not for long."""


class Readiness:
    """Looks at everything each time it is asked."""

    def __init__(self, shards: Shards[EmbeddedShard], gateway: Gateway, clock: Clock, data: Path) -> None:
        self._shards = shards
        self._gateway = gateway
        self._clock = clock
        self._data = data

    def checks(self) -> list[Check]:
        """All checks; the switch is ready if every one is ok."""
        return [
            self._serving(),
            *(self._of_shard(number, shard) for number, shard in enumerate(self._shards.handles)),
            *(self._of_map(number, shard) for number, shard in enumerate(self._shards.handles)),
            self._of_disk(),
            self._of_open_files(),
            self._of_clock(),
        ]

    def _serving(self) -> Check:
        stopping = self._gateway.stopping
        return Check("serving", not stopping, "stopping" if stopping else f"{len(self._gateway.sessions)} connections")

    def _of_shard(self, number: int, embedded: EmbeddedShard) -> Check:
        problem = embedded.problem()
        position = embedded.shard.head.position
        return Check(f"shard-{number}", problem is None, problem or f"journal at position {position}")

    def _of_map(self, number: int, embedded: EmbeddedShard) -> Check:
        usage = embedded.shard.usage()
        used = usage.used / usage.limit if usage.limit else 0.0
        text = f"{usage.used / 2**20:.0f} MiB used of a map of {usage.limit / 2**20:.0f} MiB ({used:.1%})"
        if used > MAP_USED_WARNING:
            text += "; make room now: move to a larger map or a new data folder before it is full"
        return Check(f"map-{number}", used <= MAP_USED_MAX, text, used > MAP_USED_WARNING)

    def _of_disk(self) -> Check:
        free = shutil.disk_usage(self._data).free
        text = f"{free / 2**20:,.0f} MiB free for the data folder"
        if free < DISK_FREE_WARNING_BYTES:
            text += "; make room now: without it, every commit is refused"
        return Check("disk", free >= DISK_FREE_BYTES_MIN, text, free < DISK_FREE_WARNING_BYTES)

    def _of_open_files(self) -> Check:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = descriptors_needed(self._gateway.campus.sessions.connections_max)
        enough = soft == resource.RLIM_INFINITY or soft >= needed
        text = f"open-file limit {soft}, needed for sessions.connections_max {needed}"
        return Check("open-files", enough, text if enough else f"{text}: raise `ulimit -n` or lower connections_max")

    def _of_clock(self) -> Check:
        problem = self._clock.problem(self._shards.time_us)
        kind = f"simulated, {self._clock.speed:g} seconds a second" if self._clock.simulated else "system clock"
        return Check("clock", problem is None, problem or kind)
