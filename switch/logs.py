"""Structured logs: one JSON object a line on standard error, in bounded number, so that a flood does not fill them."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from typing import Any, Final

import structlog

LINES_PER_SECOND_MAX: Final = 200
"""Of one event below `warning`; what is dropped is counted and said in its first line of a later second."""


class _Limit:
    """Drops lines past LINES_PER_SECOND_MAX in a second, event by event: a flood of one does not hide another."""

    def __init__(self) -> None:
        self._second = 0
        self._lines: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def __call__(self, _logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if method in {"warning", "error", "critical"}:
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


def configure(level: str) -> None:
    """Log from `level` ("debug", "info", "warning", "error") on, to standard error."""
    structlog.configure(
        processors=[
            _Limit(),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
