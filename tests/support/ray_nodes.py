"""Machines of a Ray cluster on this one: each has a loopback address of its own, and data of its own."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

from processes import descendants

LOST_SOON = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "4",
}
"""Ray notices a lost machine within about 3 seconds, instead of 15."""

STARTED = "Ray runtime started"


class RayNode:
    """`tapswitch cluster node`, from the moment it has joined."""

    def __init__(self, host: str, environment: dict[str, str], log: Path, *options: object) -> None:
        self.host = host
        self._environment = environment
        self._log = log
        self._options = options
        self._process = self._start()

    def kill(self) -> None:
        """As if the machine lost its power."""
        for pid in [self._process.pid, *descendants(self._process.pid)]:
            os.kill(pid, signal.SIGKILL)
        self._end()

    def start_again(self) -> None:
        """What systemd would do."""
        self._process = self._start()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        self._end()

    def _end(self) -> None:
        self._process.wait(60)
        assert self._process.stdout is not None, "asked for as a pipe"
        self._process.stdout.close()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "switch.command_line", "cluster", "node", *map(str, self._options)]
        with self._log.open("a") as errors:
            process = subprocess.Popen(
                command, env=os.environ | self._environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert process.stdout is not None, "asked for as a pipe"
        for line in process.stdout:
            if STARTED in line:
                return process
        raise AssertionError(f"{self.host} did not start:\n{self._log.read_text()}")


class RayNodes:
    """A head and workers, stopped at the end of their `with`."""

    def __init__(self, folder: Path, offered: list[tuple[object, ...]]) -> None:
        """`offered`: for each worker the options that say what it has."""
        self.environment = {"RAY_AUTH_TOKEN": secrets.token_hex(32), **LOST_SOON}
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", 0))
            self.address = f"127.0.0.2:{probe.getsockname()[1]}"
        log = folder / "nodes.log"
        self._head = RayNode("127.0.0.2", self.environment, log, "--head", self.address)
        self.workers: list[RayNode] = []
        # One after the other: two that start at the same moment on one machine take each other's names.
        for number, options in enumerate(offered, start=3):
            host = f"127.0.0.{number}"
            joining = "--join", self.address, "--host", host
            self.workers.append(RayNode(host, self.environment, log, *joining, *options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for node in (*self.workers, self._head):
            node.stop()
