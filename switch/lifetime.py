"""How long a switch serves: until it is told to stop, or cannot go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any


class Lifetime:
    """SIGTERM and SIGINT end it with status 0, each SIGHUP has `on_hang_up` run, one after the other."""

    def __init__(self, on_hang_up: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_hang_up = on_hang_up
        self._running: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        """The exit status, once it is known."""

        self.heed_signals()

    def heed_signals(self) -> None:
        """Also once more, after a library has put handlers of its own in their place."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.end)
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def end(self, status: int = 0) -> None:
        """Let `ended` come true; the first status counts."""
        if not self.ended.done():
            self.ended.set_result(status)

    def _hang_up(self) -> None:
        task = self._loop.create_task(self._after_earlier_ones())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _after_earlier_ones(self) -> None:
        # Two that read files at the same time could end in the wrong order: then what is older would hold.
        async with self._one_at_a_time:
            await self._on_hang_up()
