"""Where the money of an event went: double entries between named ledger accounts, and the day's totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from operator import attrgetter
from typing import Any, Final

from actors.account.events import Event, Opened, Purchased, Reversed, ToppedUp
from actors.account.purses import MAIN, Amounts
from actors.account.state import Account
from actors.ledger import PURSES, LedgerAccount
from actors.policy import Service
from actors.totals import Counted, TotalsKey

Posting = tuple[LedgerAccount, int]
"""A change of one ledger account in minor units; the postings of an event sum to zero."""

Booking = tuple[TotalsKey | None, int, tuple[Posting, ...]]
"""Which total it counts in (None: in no terminal's), with what amount, and its postings.

A reversal counts on its own day, as the reversal of what it reversed.
"""

MERCHANTS: Final = "merchant"
CHANNELS: Final = "channel"
SUSPENSE: Final[LedgerAccount] = ("suspense", 0)
OPENING: Final[LedgerAccount] = ("opening", 0)
MAIN_PURSE: Final[LedgerAccount] = (PURSES, MAIN)

_PURCHASE: Final = Service.PURCHASE.value
_TOP_UP: Final = Service.TOP_UP.value
_REVERSAL_OF: Final = f"{Service.REVERSAL.value}-of-"


_purses: Final = attrgetter("purses")


def holdings(accounts: Iterable[Account]) -> int:
    """The money in the purses of all these accounts, in minor units."""
    return sum(chain.from_iterable(map(_purses, accounts)))


def _purse_postings(changes: Amounts, sign: int = 1) -> tuple[Posting, ...]:
    return tuple(((PURSES, purse), sign * change) for purse, change in enumerate(changes) if change)


def _book_purchase(event: Purchased) -> Booking:
    return (
        (event.business_day, event.merchant, event.terminal, _PURCHASE, event.period),
        event.amount,
        (*_purse_postings(event.paid, -1), ((MERCHANTS, event.merchant), event.amount)),
    )


def _book_top_up(event: ToppedUp) -> Booking:
    amount = event.amount
    return (
        (event.business_day, event.merchant, event.terminal, _TOP_UP, event.period),
        amount,
        ((MAIN_PURSE, amount), ((CHANNELS, event.channel), -amount)),
    )


def _book_reversal(event: Reversed) -> Booking:
    totals = (event.business_day, event.merchant, event.terminal, _REVERSAL_OF + event.service, event.period)
    returned = _purse_postings(event.returned)
    if event.service == _PURCHASE:
        return totals, event.amount, (*returned, ((MERCHANTS, event.original_merchant), -event.amount))
    back = ((CHANNELS, event.channel), event.amount)
    owed = (SUSPENSE, -event.shortfall)
    return totals, event.amount, (*returned, back, owed) if event.shortfall else (*returned, back)


def _book_opening(event: Opened) -> Booking:
    return None, 0, (*_purse_postings(event.balances), (OPENING, -sum(event.balances)))


BOOK: Final[dict[type, Callable[[Any], Booking]]] = {
    Purchased: _book_purchase,
    ToppedUp: _book_top_up,
    Reversed: _book_reversal,
    Opened: _book_opening,
}
"""By event: where its money is booked; an event that is not here moved nothing."""


def book(events: Iterable[Event], first: int) -> tuple[list[Counted], list[Posting]]:
    """What successive events, the first at position `first`, count in totals, and all their postings.

    Purchases are nearly all of the traffic: what they pay is added up by merchant and by purse before it is posted.
    """
    counted: list[Counted] = []
    posted: list[Posting] = []
    paid: dict[int, int] = {}
    drawn: list[Amounts] = []
    for position, event in enumerate(events, first):
        if type(event) is Purchased:
            amount, merchant = event.amount, event.merchant
            paid[merchant] = paid.get(merchant, 0) + amount
            drawn.append(event.paid)
            counted.append(((event.business_day, merchant, event.terminal, _PURCHASE, event.period), amount, position))
        elif (book_one := BOOK.get(type(event))) is not None:
            key, amount, changes = book_one(event)
            posted += changes
            if key is not None:
                counted.append((key, amount, position))
    if paid:
        posted += _purse_postings(tuple(map(sum, zip_longest(*drawn, fillvalue=0))), -1)
        posted += [((MERCHANTS, merchant), amount) for merchant, amount in paid.items()]
    return counted, posted


def postings(event: Event) -> tuple[Posting, ...]:
    """The double entry of an event: changes that sum to zero."""
    book = BOOK.get(type(event))
    return book(event)[2] if book else ()
