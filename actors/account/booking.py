"""Booking many events at once, and what accounts hold: the two numbers whose difference must be zero."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, zip_longest
from operator import attrgetter
from typing import Final

from actors.account.events import Event, Purchased
from actors.account.postings import MERCHANTS, Posting, purse_postings
from actors.account.purses import Amounts
from actors.account.state import Account
from actors.account.tables import BOOK
from actors.kind import Booked
from actors.policy import Service
from actors.totals import Counted

_PURCHASE: Final = Service.PURCHASE.value
_purses: Final = attrgetter("purses")


def holdings(accounts: Iterable[Account]) -> int:
    """The money in the purses of all these accounts, in minor units."""
    return sum(chain.from_iterable(map(_purses, accounts)))


def book(events: Iterable[Event], first: int) -> Booked:
    """What successive events, the first at position `first`, count in totals, and all their postings.

    Purchases are nearly all of the traffic: what they pay is added up by merchant and by purse before it is posted.
    """
    counted: list[Counted] = []
    posted: list[Posting] = []
    volume: dict[tuple[int, str], int] = {}
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
                of = key[1], key[3]
                volume[of] = volume.get(of, 0) + abs(amount)
    if paid:
        posted += purse_postings(tuple(map(sum, zip_longest(*drawn, fillvalue=0))), -1)
        posted += [((MERCHANTS, merchant), amount) for merchant, amount in paid.items()]
    purchases = [((merchant, _PURCHASE), amount) for merchant, amount in paid.items()]
    return Booked(counted, posted, [*purchases, *volume.items()])


def postings(event: Event) -> tuple[Posting, ...]:
    """The double entry of an event: changes that sum to zero."""
    book = BOOK.get(type(event))
    return book(event)[2] if book else ()
