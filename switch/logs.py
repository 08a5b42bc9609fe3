"""Structured logs: one JSON object a line on standard error, in bounded number, so that a flood does not fill them."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Final

import structlog

LINES_PER_SECOND_MAX: Final = 200
"""Of lines below `warning`; what is dropped is counted and said in the next second's first line."""


class _Limit:
    """Drops lines past LINES_PER_SECOND_MAX in a second."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._dropped = 0

    def __call__(self, _logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if method in {"warning", "error", "critical"}:
            return event
        second = int(time.monotonic())
        if second != self._second:
            if self._dropped:
                event["lines_dropped_before"] = self._dropped
            self._second, self._lines, self._dropped = second, 0, 0
        self._lines += 1
        if self._lines > LINES_PER_SECOND_MAX:
            self._dropped += 1
            raise structlog.DropEvent
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
