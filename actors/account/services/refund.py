"""Refund (ISO 8583 0200/20): goods come back, and what was paid for them goes back to the purses that paid it."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import range_check
from actors.account.checks.card import open_check
from actors.account.checks.original import names_same_original
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.counting import uncount
from actors.account.due import with_due
from actors.account.events import (
    UNCOUNTED,
    Event,
    HoldReversed,
    Purchased,
    PurchaseDeclined,
    PurchasedUncounted,
    RefundDeclined,
    Refunded,
    Reversed,
    Tombstoned,
)
from actors.account.family import with_returned
from actors.account.postings import MERCHANTS, Booking, purse_postings
from actors.account.purses import FAMILY, Amounts, change, draw, held_in, left
from actors.account.service import DECLINED, EventRow, ServiceRow, approved
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.codes import Code, Reason
from wire.messages import Refund

_NOT_FOUND: Final = Refusal(Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND)
_NOT_REFUNDABLE: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NOT_REFUNDABLE)
_ORIGINAL_DECLINED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.ORIGINAL_DECLINED)
_ORIGINAL_REVERSED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED)
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


def _original_check(request: Refund, terminal: Terminal, original: Event | None) -> Refusal | None:
    """What the request names is a purchase of the same merchant's that stands, and of which so much is left."""
    match original:
        case None:
            return _NOT_FOUND
        case PurchaseDeclined():
            return _ORIGINAL_DECLINED
        case Reversed() | HoldReversed() | Tombstoned() if names_same_original(request, original):
            return _ORIGINAL_REVERSED
        case Purchased():
            pass
        case Refunded() if names_same_original(request, original):
            pass
        case _:
            return _NOT_REFUNDABLE
    if original.merchant != terminal.merchant:
        return _OTHER_MERCHANT
    return _MORE_THAN_LEFT if request.amount > sum(_refundable(original)) else None


def _refundable(original: Purchased | Refunded) -> Amounts:
    """What may still be given back, by purse."""
    return original.left if isinstance(original, Refunded) else original.paid


def _counts_in(original: Purchased | Refunded) -> tuple[int, int]:
    """Business day and meal period in which the purchase counts."""
    if isinstance(original, Refunded):
        return original.original_business_day, original.original_period
    return original.business_day, UNCOUNTED if isinstance(original, PurchasedUncounted) else original.period


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
    assert isinstance(original, Purchased | Refunded), "nothing else passes the checks"
    refundable = _refundable(original)
    # The purse that was drawn on last is repaid first: what then is left of the purchase is what a smaller one would
    # have drawn.
    returned = draw(refundable, request.amount, reversed(policy.spending_order))
    return Refunded(
        account.number, moment.time_us, account.position, request.terminal, request.stan,
        request.original_terminal, request.original_stan, request.amount, terminal.merchant, *_counts_in(original),
        moment.business_day, moment.period, returned, left(refundable, returned), change(account.purses, returned),
        authorization,
    )  # fmt: skip


def _apply(account: Account, event: Refunded, position: int) -> Account:
    """What is given back no longer counts in money; in number, the purchase counts until nothing of it is left."""
    after = replace(account, position=position, purses=event.balances)
    purchases = 0 if any(event.left) or event.original_period == UNCOUNTED else 1
    after = with_due(uncount(after, event.original_business_day, event.original_period, event.amount, purchases))
    if event.original_period == UNCOUNTED:
        return after
    return with_returned(after, event.original_business_day, held_in(event.returned, FAMILY))


def _book(event: Refunded) -> Booking:
    return (
        (event.business_day, event.merchant, event.terminal, Service.REFUND.value, event.period),
        event.amount,
        (*purse_postings(event.returned), ((MERCHANTS, event.merchant), -event.amount)),
    )


REFUND: Final = ServiceRow(
    service=Service.REFUND,
    request=Refund,
    content=("original_terminal", "original_stan", "amount"),
    decide=_decide,
    events={
        Refunded: EventRow(_apply, approved, lambda event: event.amount, _book, uses_original=True),
        RefundDeclined: DECLINED,
    },
    names_original=True,
)
