"""Processes under measurement: started on a core of their own, their CPU time read from the kernel, ended by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

STOP_SECONDS_MAX: Final = 30


class Measured(Struct, frozen=True):
    """A running process."""

    pid: int
    terminals: tuple[str, int]
    http: tuple[str, int] | None

    def cpu_s(self) -> float:
        """User and system time so far, of all its threads and of every process that it started, in seconds."""
        found = _processes()
        family = [self.pid]
        for ancestor in family:
            family += [pid for pid, (parent, _) in found.items() if parent == ancestor]
        return sum(found[pid][1] for pid in family)


def _processes() -> dict[int, tuple[int, float]]:
    """Every process's parent and CPU time in seconds (proc(5), stat fields 4, 14 and 15)."""
    ticks = os.sysconf("SC_CLK_TCK")
    found: dict[int, tuple[int, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        found[int(stat.parent.name)] = int(fields[1]), (int(fields[11]) + int(fields[12])) / ticks
    return found


def cores() -> tuple[int, int]:
    """The core for what is measured and the core for its load; the same one where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


@contextmanager
def running(arguments: list[str], core: int, log: Path) -> Iterator[Measured]:
    """Run `python arguments...` on one core, from its `ready` line until the block ends."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    assert process.stdout is not None, "it was asked for"
    try:
        words = process.stdout.readline().decode().split()
        if not words or words[0] != "ready":
            raise RuntimeError(f"{arguments[1]} did not start:\n{log.read_text()}")
        addresses = {name: _address(text) for name, text in (word.split("=") for word in words[1:])}
        yield Measured(process.pid, addresses["terminals"], addresses.get("http"))
    finally:
        process.stdout.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
