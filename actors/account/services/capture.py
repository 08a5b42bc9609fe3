"""Capture (ISO 8583 0220): what was used of a hold is paid for; the rest of the hold is free again.

It tells what has already happened. So it asks nothing of card, hours, limits or funds, and one that comes after its
hold has expired is posted as well, but is suspicious. So is one that finds less in the purses than it took: the rest is
suspense's.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import limits_of, range_check
from actors.account.checks.original import hold_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.counting import count
from actors.account.due import with_due
from actors.account.events import Captured, CaptureDeclined, CapturedShort, Event, Held, HoldExpired
from actors.account.family import with_drawn
from actors.account.holds import available, drawn, freed
from actors.account.postings import MERCHANTS, Booking, purse_postings, suspense_postings
from actors.account.purses import FAMILY, held_in, left
from actors.account.service import DECLINED, EventRow, ServiceRow
from actors.account.state import Account
from actors.account.suspicion import LATE_CAPTURE, Suspicion
from actors.calendar import Moment
from actors.effect import Effect, EffectName
from actors.policy import Policy, Service, Terminal
from wire.codes import APPROVED, NO_REASON, Code, Reason
from wire.messages import Answer, Capture

_MORE_THAN_HELD: Final = Refusal(Code.INVALID_AMOUNT, Reason.MORE_THAN_HELD)


def _refusal(request: Capture, terminal: Terminal, original: Event | None) -> Refusal | None:
    return (
        service_check(terminal, Service.CAPTURE)
        or range_check(request.amount)
        or hold_check(request, original)
        or _amount_check(request, original)
    )


def _amount_check(request: Capture, original: Event | None) -> Refusal | None:
    assert isinstance(original, Held | HoldExpired), "nothing else passes the check before"
    return _MORE_THAN_HELD if request.amount > original.amount else None


def _decide(
    account: Account, request: Capture, original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Captured | CaptureDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = _refusal(request, terminal, original)
    if refusal is not None:
        return CaptureDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, request.amount, terminal.merchant, moment.business_day,
            moment.period, refusal.code, refusal.reason, account.purses,
        )  # fmt: skip
    assert isinstance(original, Held | HoldExpired), "nothing else passes the checks"
    if isinstance(original, HoldExpired):
        late, day, period = True, original.original_business_day, original.original_period
    else:
        late, day, period = False, original.business_day, original.period
    # What other holds reserve is promised to others, and stays.
    taken = min(request.amount, available(freed(account, request.original_terminal, request.original_stan)))
    balance_min = limits_of(account, policy).balance_min
    paid = drawn(account, taken, moment.business_day, policy.spending_order, balance_min)
    shortfall = request.amount - taken
    captured = CapturedShort if shortfall and not late else Captured
    return captured(
        account.number, moment.time_us, account.position, request.terminal, request.stan,
        request.original_terminal, request.original_stan, request.amount, original.amount, original.merchant,
        day, period, moment.business_day, moment.period, paid, shortfall, late or shortfall > 0,
        left(account.purses, paid), authorization,
    )  # fmt: skip


def _apply(account: Account, event: Captured, position: int) -> Account:
    """It counts like a purchase of the day and period of its hold, which counts no more."""
    after = freed(account, event.original_terminal, event.original_stan)
    after = count(after, event.original_business_day, event.original_period, event.amount, 1)
    after = with_drawn(after, event.business_day, held_in(event.paid, FAMILY))
    return with_due(replace(after, position=position, purses=event.balances))


def _effect(event: Captured) -> Effect | None:
    return _suspicious(event, LATE_CAPTURE) if event.suspicious else None


def _suspicious(event: Captured, reason: str) -> Effect:
    details = {"amount": event.amount, "shortfall": event.shortfall}
    return Effect(EffectName.SUSPICIOUS, {"reason": reason, **details})


def _answer(event: Captured) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, event.paid)


def _book(event: Captured) -> Booking:
    """It counts on its own day, for the merchant of the hold."""
    totals = (event.business_day, event.merchant, event.terminal, Service.CAPTURE.value, event.period)
    postings = (*purse_postings(event.paid, -1), ((MERCHANTS, event.merchant), event.amount))
    return totals, event.amount, (*postings, *suspense_postings(-event.shortfall))


_CAPTURED: Final = EventRow(_apply, _answer, lambda event: -sum(event.paid), _book, _effect, uses_original=True)

CAPTURE: Final = ServiceRow(
    service=Service.CAPTURE,
    request=Capture,
    content=("original_terminal", "original_stan", "amount"),
    decide=_decide,
    events={
        Captured: _CAPTURED,
        CapturedShort: _CAPTURED._replace(effect=lambda event: _suspicious(event, Suspicion.FUNDS.value)),
        CaptureDeclined: DECLINED,
    },
    names_original=True,
)
