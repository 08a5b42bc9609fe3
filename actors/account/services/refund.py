"""Refund (ISO 8583 0200/20): goods come back, and what was paid for them goes back to the purses that paid it.

What was posted whatever the purses held, a capture or an offline purchase, may have fallen short. Then suspense gets
its money back first, as if less had been taken.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from actors.account.checks.amounts import range_check
from actors.account.checks.card import open_check
from actors.account.checks.original import NOT_FOUND, ORIGINAL_REVERSED, ORIGINAL_SETTLED, names_same_original
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.counting import uncount
from actors.account.due import with_due
from actors.account.events import (
    UNCOUNTED,
    AdviceDeclined,
    Advised,
    Captured,
    CaptureDeclined,
    Event,
    HoldReversed,
    PostedRefunded,
    Purchased,
    PurchaseDeclined,
    PurchasedUncounted,
    RefundDeclined,
    Refunded,
    Reversed,
    SuspicionSettled,
    Tombstoned,
)
from actors.account.family import with_returned
from actors.account.postings import MERCHANTS, Booking, purse_postings, suspense_postings
from actors.account.purses import FAMILY, Amounts, change, draw, held_in, left
from actors.account.service import DECLINED, EventRow, ServiceRow, approved
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.codes import Code, Reason
from wire.messages import Refund

Payment = Purchased | Captured | Advised
"""What may be refunded."""

_NOT_REFUNDABLE: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NOT_REFUNDABLE)
_ORIGINAL_DECLINED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.ORIGINAL_DECLINED)
_OTHER_MERCHANT: Final = Refusal(Code.NOT_PERMITTED_TO_TERMINAL, Reason.OTHER_MERCHANT)
_MORE_THAN_LEFT: Final = Refusal(Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT)


def _refusal(account: Account, request: Refund, terminal: Terminal, original: Event | None) -> Refusal | None:
    """Why not. It asks nothing of the card, which may be lost by now, and neither of hours, limits nor caps."""
    return (
        service_check(terminal, Service.REFUND)
        or range_check(request.amount)
        or open_check(account)
        or _original_check(request, terminal, original)
    )


class _Refundable(NamedTuple):
    """What may still be given back of a payment, and where it counts."""

    purses: Amounts
    shortfall: int
    """What suspense is owed."""

    business_day: int
    period: int
    """May be UNCOUNTED."""

    drawn_on: int
    """The business day on which it drew from the family purse."""


def _original_check(request: Refund, terminal: Terminal, original: Event | None) -> Refusal | None:
    """What the request names is a payment to the same merchant that stands, and of which so much is left."""
    match original:
        case None:
            return NOT_FOUND
        case PurchaseDeclined() | CaptureDeclined() | AdviceDeclined():
            return _ORIGINAL_DECLINED
        case Reversed() | HoldReversed() | Tombstoned() if names_same_original(request, original):
            return ORIGINAL_REVERSED
        case SuspicionSettled() if names_same_original(request, original):
            return ORIGINAL_SETTLED  # what it owed was collected since, or written off
        case Captured() if names_same_original(request, original):
            return _NOT_REFUNDABLE  # a hold: what was captured of it is refunded
        case Purchased() | Captured() | Advised():
            pass
        case Refunded() if names_same_original(request, original):
            pass
        case _:
            return _NOT_REFUNDABLE
    if original.merchant != terminal.merchant:
        return _OTHER_MERCHANT
    refundable = _refundable(original)
    return _MORE_THAN_LEFT if request.amount > sum(refundable.purses) + refundable.shortfall else None


def _refundable(original: Payment | Refunded) -> _Refundable:
    if isinstance(original, Captured | Refunded):
        day, period = original.original_business_day, original.original_period
    else:
        day, period = original.business_day, original.period
    match original:
        case PostedRefunded():
            return _Refundable(original.left, original.shortfall_left, day, period, original.drawn_on)
        case Refunded():
            return _Refundable(original.left, 0, day, period, day)
        case Captured() | Advised():
            return _Refundable(original.paid, original.shortfall, day, period, original.business_day)
        case PurchasedUncounted():
            return _Refundable(original.paid, 0, day, UNCOUNTED, day)
        case _:
            return _Refundable(original.paid, 0, day, period, day)


def _decide(
    account: Account, request: Refund, original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Refunded | RefundDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = _refusal(account, request, terminal, original)
    if refusal is not None:
        return RefundDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, request.amount, terminal.merchant, moment.business_day,
            moment.period, refusal.code, refusal.reason, account.purses,
        )  # fmt: skip
    assert isinstance(original, Payment | Refunded), "nothing else passes the checks"
    purses, shortfall, day, period, drawn_on = _refundable(original)
    settled = min(request.amount, shortfall)
    # The purse that was drawn on last is repaid first: what then is left of the purchase is what a smaller one would
    # have drawn.
    returned = draw(purses, request.amount - settled, reversed(policy.spending_order))
    refunded = (
        account.number, moment.time_us, account.position, request.terminal, request.stan,
        request.original_terminal, request.original_stan, request.amount, terminal.merchant, day, period,
        moment.business_day, moment.period, returned, left(purses, returned), change(account.purses, returned),
        authorization,
    )  # fmt: skip
    if isinstance(original, Captured | Advised | PostedRefunded):
        return PostedRefunded(*refunded, drawn_on, settled, shortfall - settled)
    return Refunded(*refunded)


def _apply(account: Account, event: Refunded, position: int) -> Account:
    after = _uncounted(account, event, position, rest=any(event.left))
    if event.original_period == UNCOUNTED:
        return after
    return with_returned(after, event.original_business_day, held_in(event.returned, FAMILY))


def _apply_posted(account: Account, event: PostedRefunded, position: int) -> Account:
    after = _uncounted(account, event, position, rest=any(event.left) or event.shortfall_left > 0)
    return with_returned(after, event.drawn_on, held_in(event.returned, FAMILY))


def _uncounted(account: Account, event: Refunded, position: int, *, rest: bool) -> Account:
    """What is given back no longer counts in money; in number, the purchase counts until there is no `rest` of it."""
    after = replace(account, position=position, purses=event.balances)
    purchases = 0 if rest or event.original_period == UNCOUNTED else 1
    return with_due(uncount(after, event.original_business_day, event.original_period, event.amount, purchases))


def _book(event: Refunded) -> Booking:
    return (
        (event.business_day, event.merchant, event.terminal, Service.REFUND.value, event.period),
        event.amount,
        (*purse_postings(event.returned), ((MERCHANTS, event.merchant), -event.amount)),
    )


def _book_posted(event: PostedRefunded) -> Booking:
    totals, amount, postings = _book(event)
    return totals, amount, (*postings, *suspense_postings(event.settled))


_REFUNDED: Final = EventRow(_apply, approved, lambda event: sum(event.returned), _book, uses_original=True)

REFUND: Final = ServiceRow(
    service=Service.REFUND,
    request=Refund,
    content=("original_terminal", "original_stan", "amount"),
    decide=_decide,
    events={
        Refunded: _REFUNDED,
        PostedRefunded: _REFUNDED._replace(apply=_apply_posted, book=_book_posted),
        RefundDeclined: DECLINED,
    },
    names_original=True,
)
