"""Ends `ray start --block` when its raylet has ended.

Ray does so by itself only when a raylet ended badly. One that loses an agent of its own, or is told to stop, ends in
good order: then `ray start` would stay, a node without processes that nobody starts again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import click

ROUND_S: Final = 0.5
START_S_MAX: Final = 60.0
"""How long `ray start` may take until it has started its raylet."""


def start_watching() -> None:
    """Watch this process, which is to become `ray start --block`, from another one that ends with it."""
    subprocess.Popen([sys.executable, "-m", __name__, str(os.getpid())])  # noqa: S603 - no input in it


def watch(node: int) -> None:
    """Return when the process `node`, this one's parent, has ended; end it by SIGTERM when its raylet has.

    Also if it has started none in time.
    """
    began, raylet, reason = monotonic(), None, ""
    while os.getppid() == node:
        if raylet is None and (raylet := _raylet_of(node)) is not None:
            click.echo(f"Process {raylet} is this node's raylet: the node ends with it.", err=True)
        if raylet is None and monotonic() - began > START_S_MAX:
            reason = f"No raylet has started within {START_S_MAX:.0f} s"
        elif raylet is not None and not _is_raylet(raylet):
            reason = "The raylet has ended"
        if reason:
            click.echo(f"{reason}, so this node ends; whoever started it starts it again.", err=True)
            os.kill(node, signal.SIGTERM)
            return
        sleep(ROUND_S)


def _raylet_of(node: int) -> int | None:
    """The raylet among the children of a process, if there is one."""
    for thread in Path(f"/proc/{node}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended meanwhile
            for child in map(int, thread.read_text().split()):
                if _is_raylet(child):
                    return child
    return None


def _is_raylet(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "raylet\n"
    except OSError:
        return False


if __name__ == "__main__":
    watch(int(sys.argv[1]))
