"""Processes under measurement: started, their CPU time read from the kernel, ended by pid with what they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

STOP_SECONDS_MAX: Final = 30
PAGE_SECONDS_MAX: Final = 10


class Measured(Struct, frozen=True):
    """A running process."""

    pid: int
    terminals: tuple[str, int]
    http: tuple[str, int] | None

    def cpu_s(self) -> float:
        """User and system time so far, of all its threads and of every process that it started, in seconds."""
        found = _processes()
        return sum(found[pid][1] for pid in _family(self.pid, found))

    def page(self, path: str) -> bytes | None:
        """A page of its HTTP address; None if it has no such page, or is not ready to say 200 there."""
        assert self.http is not None, "it has pages"
        host, port = self.http
        try:
            with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=PAGE_SECONDS_MAX) as page:
                content: bytes = page.read()
        except urllib.error.HTTPError as error:
            error.close()
            return None
        return content


def family(pid: int) -> list[int]:
    """The process, every process that it started, and those they started: parents first."""
    return _family(pid, _processes())


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_family(pid: int) -> list[int]:
    """SIGKILL for the process and everything that it started; returns who they were."""
    found: list[int] = []
    # Stopped first: what is left running could start another one, which would outlive them all.
    while new := [member for member in family(pid) if member not in found]:
        _send(signal.SIGSTOP, new)
        found += new
    _send(signal.SIGKILL, found)
    return found


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _family(pid: int, found: dict[int, tuple[int, float]]) -> list[int]:
    members = [pid]
    for ancestor in members:
        members += [child for child, (parent, _) in found.items() if parent == ancestor]
    return members


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
def running(
    arguments: list[str], core: int | None, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Measured]:
    """Run `python arguments...`, on one core if one is named, from its `ready` line until the block ends.

    Raises RuntimeError if it does not start, or does not end well.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
    assert process.stdout is not None, "it was asked for"
    try:
        words = process.stdout.readline().decode().split()
        if not words or words[0] != "ready":
            raise RuntimeError(f"{arguments[1]} did not start:\n{log.read_text()}")
        addresses = {name: _address(text) for name, text in (word.split("=") for word in words[1:])}
        yield Measured(process.pid, addresses["terminals"], addresses.get("http"))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{arguments[1]} ended with status {process.returncode}:\n{log.read_text()}")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
