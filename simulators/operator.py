"""One command of an operator, from its first copy to an answer: a time-out or a lost connection brings another copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from simulators.auditor.auditor import is_decided
from simulators.campus import StationKey
from simulators.retry import pause
from simulators.station import Address, AnyReply, Station
from wire.codes import Code
from wire.messages import Answer, ExplainGap, OfficeRequest, Rejected, SignedOn

OperatorRequest = OfficeRequest | ExplainGap
"""What an operator may ask."""

WAIT_MS = 5_000
"""What a command says that its operator will still wait."""

TIME_OUT_SECONDS = 6.0
"""Of one copy: longer than it says, so that the switch's own "too late" can still reach it."""

CONNECT_SECONDS = 10.0
COPIES_MAX = 3
RETRY_SECONDS_MIN = 0.2
_NEVER = frozenset({Code.FORMAT_ERROR, Code.SECURITY})
"""Another copy would be answered in the same way."""


class OperatorError(Exception):
    """The switch could not be reached, or did not let the station sign on."""


class Given(NamedTuple):
    """What became of a command. `reply` None: no copy was answered."""

    request: OperatorRequest
    reply: AnyReply | None
    copies: int

    @property
    def is_certain(self) -> bool:
        """Whether it is known that it was approved, was declined, or had no effect."""
        if self.reply is None:
            return False
        if is_decided(self.reply):
            return True
        without_effect = isinstance(self.reply, Answer | Rejected) and self.reply.code is not Code.SYSTEM_MALFUNCTION
        return without_effect and self.copies == 1


async def give(
    address: Address, name: str, key: StationKey, request_with: Callable[[int], OperatorRequest], stan: int | None
) -> Given:
    """Sign on as the station, send the request with this STAN (None: the switch's time) until it is decided, sign off.

    Every copy has the same STAN, so it has one effect. Raises OperatorError before anything was sent.
    """
    replies: asyncio.Queue[AnyReply] = asyncio.Queue()
    station = Station(address, name, key, replies.put_nowait)
    async with connected(station) as signed_on:
        request = request_with(signed_on.time_us if stan is None else stan)
        return await _until_decided(station, request, replies)


@asynccontextmanager
async def connected(station: Station) -> AsyncIterator[SignedOn]:
    """Signed on while inside, and signed off at the end. Raises OperatorError if it cannot sign on."""
    connection = asyncio.create_task(station.run())
    try:
        try:
            signed_on = await asyncio.wait_for(station.ready(), CONNECT_SECONDS)
        except TimeoutError:
            raise OperatorError(station.last_trouble) from None
        yield signed_on
    finally:
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)


async def _until_decided(station: Station, request: OperatorRequest, replies: asyncio.Queue[AnyReply]) -> Given:
    last: AnyReply | None = None
    copies = waits = 0
    while copies < COPIES_MAX and waits < COPIES_MAX:
        reply: AnyReply | None = None
        try:
            async with asyncio.timeout(TIME_OUT_SECONDS):
                while not station.send(request):
                    await station.ready()
                copies += 1
                reply = await replies.get()
        except TimeoutError:
            waits += 1
            if not copies:
                break
            continue
        last = reply
        if is_decided(reply) or (isinstance(reply, Answer | Rejected) and reply.code in _NEVER):
            break
        await pause(reply, RETRY_SECONDS_MIN)
    return Given(request, last, copies)
