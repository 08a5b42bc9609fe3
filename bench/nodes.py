"""Machines of a Ray cluster, all on this one: for Ray, each address of 127.0.0.0/8 is a machine of its own."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Self

from bench.processes import family, is_alive, kill_family

START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 30.0
LOST_SOON: Final = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "4",
}
"""In the environment of the head: Ray gives a lost machine up after about 2 seconds, instead of 14."""

STARTED: Final = "Ray runtime started"
"""What `ray start` prints when its daemons run and have joined."""


def fresh_token() -> str:
    """For RAY_AUTH_TOKEN, the same in the environment of all nodes and of the switch."""
    return secrets.token_hex(32)


def free_port(host: str) -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


class Node:
    """`tapswitch cluster node` and everything that it starts; it runs within its `with`.

    Only one may be starting at a time: raylets that start at the same moment on one machine get in each other's way.
    """

    def __init__(self, options: list[str], log: Path, environment: Mapping[str, str]) -> None:
        """`options`: those of the command. What it prints is appended to `log`."""
        self._command = [sys.executable, "-m", "switch.command_line", "cluster", "node", *options]
        self._log = log
        self._environment = environment
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.stop()
        else:
            self.kill()

    def start(self) -> None:
        """Start it, also after it was killed, and return when it has joined. Raises RuntimeError if it cannot."""
        with self._log.open("ab") as output:
            printed_before = output.tell()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment
            )

        def joined() -> bool:
            return STARTED.encode() in self._log.read_bytes()[printed_before:]

        if not _wait(lambda: joined() or self.has_ended, START_S_MAX) or not joined():
            self.kill()
            raise RuntimeError(f"{' '.join(self._command)} does not join:\n{self._log.read_text()}")

    def members(self) -> list[int]:
        """The command's process, and every one that it started."""
        return family(self._process.pid)

    @property
    def has_ended(self) -> bool:
        """Whether the command's process has."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL for the command and everything that it started, as if the machine had lost its power."""
        if not self.has_ended:
            self._until_gone(kill_family(self._process.pid))

    def stop(self) -> None:
        """SIGTERM; returns when nothing is left of it. Raises RuntimeError if something had to be killed."""
        if self.has_ended:
            raise RuntimeError(f"{' '.join(self._command)} had ended already:\n{self._log.read_text()}")
        members = self.members()
        self._process.terminate()
        try:
            self._until_gone(members)
        except RuntimeError:
            for pid in filter(is_alive, members):
                kill_family(pid)
            self._process.wait()
            raise

    def _until_gone(self, pids: list[int]) -> None:
        """Raises RuntimeError if they stay."""
        _wait(lambda: self.has_ended and not any(map(is_alive, pids)), STOP_S_MAX)
        if left := [_name(pid) for pid in pids if is_alive(pid)]:
            raise RuntimeError(f"{' '.join(self._command)} left behind: {'; '.join(left)}")


def _name(pid: int) -> str:
    try:
        return f"{pid} {Path(f'/proc/{pid}/cmdline').read_bytes().replace(bytes(1), b' ').decode()[:80]}"
    except OSError:
        return str(pid)


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    began = monotonic()
    while not condition():
        if monotonic() - began > seconds:
            return False
        sleep(0.02)
    return True
