"""A sender that keeps the answers it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from wire.codec import reply_decoder


class Recorder:
    """Decoded answers in the order in which they came."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.deliveries: list[int] = []
        """How many answers each delivery had."""

        self.on_answers: Callable[[], None] = lambda: None
        self._came = asyncio.Event()

    def deliver(self, _parcel: Any, answers: Any) -> None:
        """See switch.mailbox.Sender."""
        self.on_answers()
        self.answers += map(reply_decoder.decode_message, answers)
        self.deliveries.append(len(answers))
        self._came.set()

    async def wait_for(self, count: int) -> list[Any]:
        """All answers, once there are `count`."""
        async with asyncio.timeout(20):
            while len(self.answers) < count:
                self._came.clear()
                await self._came.wait()
        return self.answers
