"""Structured logs: one JSON object a line on standard error, in bounded number, so that a flood does not fill them."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter, deque
from typing import Any, Final

import structlog
from msgspec import Struct

LINES_PER_SECOND_MAX: Final = 200
"""Of one event below `warning`; what is dropped is counted and said in its first line of a later second."""

PROBLEMS_MAX: Final = 20
"""Lines of `warning` and above that are remembered."""

TEXT_MAX: Final = 300
"""Characters of a remembered line, and of its details."""

_PROBLEMS: Final = frozenset({"warning", "error", "critical"})
_NO_DETAILS: Final = frozenset({"event", "level", "timestamp", "exc_info", "exception"})


class LogLine(Struct, frozen=True):
    """One line of the log, short."""

    time: str
    """ISO 8601, UTC."""

    level: str
    event: str
    details: str


class _Limit:
    """Drops lines past LINES_PER_SECOND_MAX in a second, event by event: a flood of one does not hide another."""

    def __init__(self) -> None:
        self._second = 0
        self._lines: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def __call__(self, _logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if method in _PROBLEMS:
            return event
        second, name = int(time.monotonic()), str(event["event"])
        if second != self._second:
            self._second = second
            self._lines.clear()
        self._lines[name] += 1
        if self._lines[name] > LINES_PER_SECOND_MAX:
            self._dropped[name] += 1
            raise structlog.DropEvent
        if dropped := self._dropped.pop(name, 0):
            event["lines_dropped_before"] = dropped
        return event


class _Keep:
    """Remembers the newest lines that somebody should look at."""

    def __init__(self) -> None:
        self.lines: deque[LogLine] = deque(maxlen=PROBLEMS_MAX)

    def __call__(self, _logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if method in _PROBLEMS:
            details = ", ".join(f"{name}={value}" for name, value in event.items() if name not in _NO_DETAILS)
            text = str(event["event"])[:TEXT_MAX]
            self.lines.append(LogLine(str(event["timestamp"]), method, text, details[:TEXT_MAX]))
        return event


_keep: Final = _Keep()


def problems() -> list[LogLine]:
    """The newest warnings and errors of this process, oldest first."""
    return list(_keep.lines)


def configure(level: str) -> None:
    """Log from `level` ("debug", "info", "warning", "error") on, to standard error."""
    structlog.configure(
        processors=[
            _Limit(),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _keep,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
