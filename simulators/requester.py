"""How a terminal asks: no request is left in doubt.

No answer within the time-out: the same STAN is sent again, or a reversal is queued and sent until it is answered; the
window goes on meanwhile, and only the same card waits. A terminal that sent more than one copy of a STAN ends it only
with a decided answer or an accepted reversal.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from simulators.auditor.auditor import is_decided
from simulators.errands import WAIT_MS, Reversible
from simulators.line import Line, OnDecided
from simulators.plan import Mishap
from simulators.retry import pause
from simulators.station import AnyReply, Station
from wire.codes import Code
from wire.messages import AccountRequest, Answer, Rejected, Reversal, TerminalRequest

COPIES_MAX = 3
"""Of one STAN, before a terminal gives up and reverses."""

RETRY_SECONDS_MIN = 0.05
"""Before a further copy after 91, 96 or 68, unless the answer names a longer time."""


class Ending(Enum):
    """How one customer's business ended."""

    ANSWERED = auto()
    NOT_SERVED = auto()
    """Refused for now (91) or too late (68) with certainty: nothing happened."""

    TO_REVERSE = auto()
    """Given up in doubt."""

    SOLD_OFFLINE = auto()
    TURNED_AWAY = auto()
    """The terminal is cut off, and may not do it alone."""


class Served(NamedTuple):
    """What became of a customer: the last request that was sent, and its answer, if the terminal has it."""

    ending: Ending
    request: AccountRequest | None = None
    reply: AnyReply | None = None


class Requester:
    """One terminal's requests. Its STANs continue from the switch's time, as those of one that lost its counter."""

    def __init__(self, number: int, station: Station, line: Line, on_retry: Callable[[], None]) -> None:
        """`on_retry` is called when a further copy of a STAN is sent to a customer's request."""
        self.number = number
        self.station = station
        self._line = line
        self._on_retry = on_retry
        self._stan = 0

    async def take_stan(self) -> int:
        """A STAN that this terminal never used before."""
        signed_on = await self.station.ready()
        self._stan = self._stan + 1 if self._stan else signed_on.time_us
        return self._stan

    async def ask(self, request: AccountRequest, mishap: Mishap, on_decided: OnDecided) -> Served:
        """Some copies; then the customer is told that it does not work, and what is in doubt must be reversed.

        `on_decided` is told the first decided answer that reaches the station, even if it is lost after that.
        """
        reply: AnyReply | None = None
        tell_once = _once(on_decided)
        for copy in range(1, COPIES_MAX + 1):
            if copy > 1:
                self._on_retry()
            drop = copy == 1 and mishap is not Mishap.NONE
            reply = await self._line.ask(self.station, request, drop_reply=drop, on_decided=tell_once)
            if reply is not None and is_decided(reply):
                return Served(Ending.ANSWERED, request, reply)
            if gives_up(reply, mishap) or self.station.is_cut_off:
                break
            if copy < COPIES_MAX and reply is not None:  # after a time-out there was waiting enough
                await pause(reply, RETRY_SECONDS_MIN)
        certain = copy == 1 and isinstance(reply, Answer) and reply.code in {Code.TRY_AGAIN, Code.TOO_LATE}
        return Served(Ending.NOT_SERVED if certain else Ending.TO_REVERSE, request)

    async def insist(self, request: AccountRequest | TerminalRequest, on_decided: OnDecided | None = None) -> AnyReply:
        """One copy after the other, however long that takes, until one is decided."""
        tell_once = None if on_decided is None else _once(on_decided)
        while True:
            reply = await self._line.ask(self.station, request, on_decided=tell_once)
            if reply is not None and is_decided(reply):
                return reply
            if reply is not None:
                await pause(reply, RETRY_SECONDS_MIN)

    async def reverse(self, original: Reversible) -> AnyReply:
        """Send a reversal until it is answered. Returns the decided answer."""
        stan = await self.take_stan()
        return await self.insist(
            Reversal(self.number, stan, WAIT_MS, original.account, self.number, original.stan, original.amount)
        )


def _once(on_decided: OnDecided) -> OnDecided:
    """Several copies may be answered; only the first answer is told."""
    told = False

    def tell(reply: AnyReply, now: float) -> None:
        nonlocal told
        if not told:
            told = True
            on_decided(reply, now)

    return tell


def gives_up(reply: AnyReply | None, mishap: Mishap) -> bool:
    """Whether no further copy of the STAN is sent: its outcome is unknown (96), it is late (68), or nobody waits."""
    if reply is None:
        return mishap is Mishap.LOST_THEN_REVERSED
    return isinstance(reply, Answer | Rejected) and reply.code in {
        Code.SYSTEM_MALFUNCTION,
        Code.TOO_LATE,
        Code.FORMAT_ERROR,
        Code.SECURITY,
    }
