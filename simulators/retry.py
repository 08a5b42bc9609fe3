"""How long to wait before a further copy of a request."""

from __future__ import annotations

import asyncio

from simulators.station import AnyReply
from wire.messages import Answer


async def pause(reply: AnyReply, seconds_min: float) -> None:
    """As long as the answer asks for, and at least `seconds_min`."""
    asked = reply.retry_after_ms / 1_000 if isinstance(reply, Answer) else 0.0
    await asyncio.sleep(max(asked, seconds_min))
