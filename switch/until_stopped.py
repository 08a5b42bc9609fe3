"""A command that goes on until it is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Event


def until_stopped(step: Callable[[], object], every_s: float) -> None:
    """Take a step every so many seconds until SIGTERM or SIGINT; the one that is being taken is finished."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(every_s):
        step()
