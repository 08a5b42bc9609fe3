"""Is the switch ready, and if not, why: every check with what was found and what to do."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import Final

from msgspec import Struct

from actors.store import Usage
from switch.clock import Clock
from switch.data_folder import FILES_PER_SHARD
from switch.embedded import EmbeddedShard
from switch.gateway import UNSIGNED_MAX, Gateway
from switch.shards import Shards

MAP_USED_WARNING: Final = 0.8
MAP_USED_MAX: Final = 0.95
DISK_FREE_WARNING_BYTES: Final = 4 << 30
DISK_FREE_BYTES_MIN: Final = 512 << 20
DESCRIPTORS_BESIDE_CONNECTIONS: Final = UNSIGNED_MAX + 64
"""Connections that have not signed on, other files, listeners and HTTP clients need descriptors as well."""


def descriptors_needed(connections_max: int, shards: int = 0) -> int:
    """How many open files a process needs that answers so many connections and has so many shards."""
    return connections_max + DESCRIPTORS_BESIDE_CONNECTIONS + shards * FILES_PER_SHARD


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    ok: bool
    explanation: str
    warning: bool = False
    """Still ok, but not for long."""


class Readiness:
    """Of the embedded switch. Looks at everything each time it is asked."""

    def __init__(self, shards: Shards[EmbeddedShard], gateway: Gateway, clock: Clock, data: Path) -> None:
        self._shards = shards
        self._gateway = gateway
        self._clock = clock
        self._data = data

    def checks(self) -> list[Check]:
        """All checks; the switch is ready if every one is ok."""
        gateway = self._gateway
        connections = f"{len(gateway.sessions)} connections"
        return [
            Check("serving", not gateway.stopping, "stopping" if gateway.stopping else connections),
            *(self._of_shard(number, shard) for number, shard in enumerate(self._shards.handles)),
            *(check_map(f"map-{number}", shard.shard.usage()) for number, shard in enumerate(self._shards.handles)),
            check_disk(self._data),
            check_open_files(gateway.campus.sessions.connections_max, len(self._shards.handles)),
            check_clock(self._clock, self._shards.time_us),
        ]

    def _of_shard(self, number: int, embedded: EmbeddedShard) -> Check:
        problem = embedded.problem()
        well = f"journal at position {embedded.shard.head.position}"
        return Check(f"shard-{number}", problem is None, problem or well)


def check_map(name: str, usage: Usage) -> Check:
    """Has the store room?"""
    used = usage.used / usage.limit if usage.limit else 0.0
    text = f"{usage.used / 2**20:.0f} MiB used of a map of {usage.limit / 2**20:.0f} MiB ({used:.1%})"
    if used > MAP_USED_WARNING:
        text += "; make room now: move to a larger map or a new data folder before it is full"
    return Check(name, used <= MAP_USED_MAX, text, used > MAP_USED_WARNING)


def free_bytes(data: Path) -> int:
    """How much room its disk has."""
    return shutil.disk_usage(data).free


def check_disk(data: Path) -> Check:
    """Has the disk room?"""
    free = free_bytes(data)
    text = f"{free / 2**20:,.0f} MiB free for the data folder"
    if free < DISK_FREE_WARNING_BYTES:
        text += "; make room now: without it, every commit is refused"
    return Check("disk", free >= DISK_FREE_BYTES_MIN, text, free < DISK_FREE_WARNING_BYTES)


def check_open_files(connections_max: int, shards: int = 0) -> Check:
    """May this process open so many connections beside the data of its shards?"""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = descriptors_needed(connections_max, shards)
    enough = soft == resource.RLIM_INFINITY or soft >= needed
    text = f"open-file limit {soft}, needed for sessions.connections_max {needed}"
    return Check("open-files", enough, text if enough else f"{text}: raise `ulimit -n` or lower connections_max")


def check_clock(clock: Clock, newest_event_us: int) -> Check:
    """May events be stamped with this time?"""
    problem = clock.problem(newest_event_us)
    kind = f"simulated, {clock.speed:g} seconds a second" if clock.simulated else "system clock"
    return Check("clock", problem is None, problem or kind)
