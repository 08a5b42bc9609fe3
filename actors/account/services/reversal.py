"""Reversal (ISO 8583 0400): what a terminal cannot learn the end of is undone, or never happens."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from actors.account.checks.original import HOLD_CAPTURED, ORIGINAL_REFUNDED, ORIGINAL_SETTLED, names_same_original
from actors.account.checks.refusal import Refusal
from actors.account.checks.suspicious import is_of_spent_top_up
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.counting import uncount
from actors.account.due import with_due
from actors.account.events import (
    Captured,
    CaptureDeclined,
    CaptureReversed,
    Event,
    Held,
    HoldDeclined,
    HoldExpired,
    HoldReversed,
    PricedPurchase,
    PricedPurchaseReversed,
    Purchased,
    PurchaseDeclined,
    PurchasedUncounted,
    PurchaseReturned,
    PurchaseReversed,
    Refunded,
    Released,
    ReversalDeclined,
    Reversed,
    SuspicionSettled,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.family import with_returned
from actors.account.holds import available, freed
from actors.account.postings import CHANNELS, MERCHANTS, Booking, purse_postings, suspense_postings
from actors.account.pricing import at_price
from actors.account.purses import FAMILY, MAIN, Amounts, change, held_in
from actors.account.service import DECLINED, EventRow, ServiceRow, approved, unchanged
from actors.account.state import Account
from actors.account.suspicion import TOP_UP_WAS_SPENT
from actors.calendar import Moment
from actors.effect import Effect, EffectName
from actors.policy import Policy, Service
from wire.codes import APPROVED, NO_REASON, Code, Reason
from wire.messages import Answer, Reversal

_PURCHASE: Final = Service.PURCHASE.value
_TOP_UP: Final = Service.TOP_UP.value
_AMOUNT_DIFFERS: Final = Refusal(Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS)
_NOT_REVERSIBLE: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)


class _Undone(NamedTuple):
    """What undoing an original means."""

    service: Service
    channel: int
    returned: Amounts
    """The change of each purse."""

    shortfall: int = 0
    """What should be taken and is not there any more: it is owed in suspense. Of a capture: what it owed there."""


def _undo(original: Purchased | ToppedUp | Captured, account: Account) -> _Undone:
    if isinstance(original, Purchased):
        return _Undone(Service.PURCHASE, 0, original.paid)
    if isinstance(original, Captured):
        return _Undone(Service.CAPTURE, 0, original.paid, original.shortfall)
    # What is held is promised to merchants, and stays.
    taken = min(original.amount, account.purses[MAIN], available(account))
    return _Undone(Service.TOP_UP, original.channel, (-taken,), original.amount - taken)


def _counted(original: Purchased | ToppedUp | Captured) -> tuple[int, int]:
    """The business day and meal period that it counts in."""
    if isinstance(original, Captured):
        return original.original_business_day, original.original_period
    return original.business_day, original.period


def _decide(
    account: Account, request: Reversal, original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Reversed | HoldReversed | Tombstoned | ReversalDeclined:
    """It asks nothing of the card, and neither of hours nor of limits: what happened is undone."""
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = service_check(terminal, Service.REVERSAL) or _original_check(request, original)
    if refusal is not None:
        return ReversalDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, request.amount, terminal.merchant, moment.business_day,
            moment.period, refusal.code, refusal.reason, account.purses,
        )  # fmt: skip
    if isinstance(original, Held):
        return HoldReversed(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, request.amount, original.merchant, moment.business_day,
            moment.period, account.purses, authorization,
        )  # fmt: skip
    if not isinstance(original, Purchased | ToppedUp | Captured):
        return Tombstoned(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, request.amount, terminal.merchant, moment.business_day,
            moment.period, account.purses,
        )  # fmt: skip
    service, channel, returned, shortfall = _undo(original, account)
    day, period = _counted(original)
    undone = (
        account.number, moment.time_us, account.position, request.terminal, request.stan,
        request.original_terminal, request.original_stan, request.amount, service.value, channel, terminal.merchant,
        original.merchant, day, moment.business_day, moment.period, returned, shortfall,
        change(account.purses, returned), authorization,
    )  # fmt: skip
    if isinstance(original, ToppedUp | PurchasedUncounted):
        return Reversed(*undone)
    if isinstance(original, Captured):
        return CaptureReversed(*undone, period, original.business_day)
    return PurchaseReturned(*undone, period, original.adjustment if isinstance(original, PricedPurchase) else 0)


def _original_check(request: Reversal, original: Event | None) -> Refusal | None:
    """What the request names can be reversed by it. An unknown original can be, and so can a refused one."""
    if (request.original_terminal, request.original_stan) == (request.terminal, request.stan):
        return _NOT_REVERSIBLE
    match original:
        case None:
            return None
        case Captured() if names_same_original(request, original):
            return HOLD_CAPTURED  # goods were taken on its strength: their payment has to be reversed
        case Released() if not names_same_original(request, original):
            return _NOT_REVERSIBLE
        case (
            Purchased() | PurchaseDeclined() | ToppedUp() | TopUpDeclined() | Held() | HoldDeclined() | HoldExpired()
            | Released() | Captured() | CaptureDeclined()
        ):  # fmt: skip
            return None if original.amount == request.amount else _AMOUNT_DIFFERS
        case Reversed() | HoldReversed() | Tombstoned() if names_same_original(request, original):
            return None if original.amount == request.amount else _AMOUNT_DIFFERS
        case Refunded() if names_same_original(request, original):
            return ORIGINAL_REFUNDED
        case SuspicionSettled() if names_same_original(request, original):
            return ORIGINAL_SETTLED  # what it owed is owed no more
        case _:
            return _NOT_REVERSIBLE


def _apply_reversed(account: Account, event: Reversed, position: int) -> Account:
    counted = event.service == _PURCHASE and account.spending_day == event.original_business_day
    spent = account.spent - event.amount if counted else account.spent
    return with_due(replace(account, position=position, purses=event.balances, spent=spent))


def _apply_purchase_reversed(account: Account, event: PurchaseReversed, position: int) -> Account:
    return _given_back(account, event, event.original_business_day, position)


def _apply_capture_reversed(account: Account, event: CaptureReversed, position: int) -> Account:
    return _given_back(account, event, event.drawn_on, position)


def _given_back(account: Account, event: PurchaseReversed, drawn_on: int, position: int) -> Account:
    """`drawn_on`: the business day on which the original drew from the family purse."""
    after = replace(account, position=position, purses=event.balances)
    after = uncount(after, event.original_business_day, event.original_period, event.amount, 1)
    return with_due(with_returned(after, drawn_on, held_in(event.returned, FAMILY)))


def _apply_hold_reversed(account: Account, event: HoldReversed, position: int) -> Account:
    return replace(freed(account, event.original_terminal, event.original_stan), position=position)


def _apply_priced(account: Account, event: PricedPurchaseReversed, position: int) -> Account:
    return _apply_purchase_reversed(account, at_price(event), position)


def _answer_returned(event: PurchaseReturned | CaptureReversed) -> Answer:
    return replace(approved(event), paid=tuple(-part for part in event.returned))


def _answer_tombstoned(event: Tombstoned) -> Answer:
    # Whoever sends a reversal of nothing has shown no card.
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, 0, (), ())


def _effect(event: Reversed) -> Effect | None:
    if not is_of_spent_top_up(event):
        return None
    return Effect(EffectName.SUSPICIOUS, {"reason": TOP_UP_WAS_SPENT, "shortfall": event.shortfall})


def _book(event: Reversed) -> Booking:
    """It counts on its own day, as the reversal of what it reversed."""
    totals = (event.business_day, event.merchant, event.terminal, f"reversal-of-{event.service}", event.period)
    returned = purse_postings(event.returned)
    if event.service == _TOP_UP:
        back, owed = ((CHANNELS, event.channel), event.amount), -event.shortfall
    else:
        back, owed = ((MERCHANTS, event.original_merchant), -event.amount), event.shortfall
    return totals, event.amount, (*returned, back, *suspense_postings(owed))


_REVERSED: Final = EventRow(
    _apply_reversed, approved, lambda event: sum(event.returned), _book, _effect, settles_original=True
)

_PRICED: Final = _REVERSED._replace(apply=_apply_priced, book=lambda event: _book(at_price(event)))

REVERSAL: Final = ServiceRow(
    service=Service.REVERSAL,
    request=Reversal,
    content=("original_terminal", "original_stan", "amount"),
    decide=_decide,
    events={
        Reversed: _REVERSED,
        PurchaseReversed: _REVERSED._replace(apply=_apply_purchase_reversed),
        PricedPurchaseReversed: _PRICED,
        PurchaseReturned: _PRICED._replace(answer=_answer_returned),
        CaptureReversed: _REVERSED._replace(apply=_apply_capture_reversed, answer=_answer_returned),
        HoldReversed: EventRow(_apply_hold_reversed, approved, settles_original=True),
        Tombstoned: EventRow(unchanged, _answer_tombstoned, settles_original=True),
        ReversalDeclined: DECLINED,
    },
    names_original=True,
)
