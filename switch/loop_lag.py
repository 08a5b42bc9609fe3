"""How long the event loop keeps its callers waiting: a timer of its own notices what no request may live to tell."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from switch.meters import Histogram

INTERVAL_S: Final = 0.1


class LoopLag:
    """Counts how late a timer of the running loop comes, again and again until it is stopped."""

    def __init__(self, counted_in: Histogram) -> None:
        self._counted_in = counted_in
        self._loop = asyncio.get_running_loop()
        self._wind()

    def stop(self) -> None:
        """Count no more."""
        self._timer.cancel()

    def _wind(self) -> None:
        self._due = monotonic() + INTERVAL_S
        self._timer = self._loop.call_later(INTERVAL_S, self._ring)

    def _ring(self) -> None:
        self._counted_in.observe(max(0.0, monotonic() - self._due))
        self._wind()
