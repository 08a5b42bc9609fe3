"""A subsidy's life: granted, claimed by the card's first tap, spent, and what is left of it taken back.

The subsidy purse has one last day, the latest of the batches in it, and not a day for each part: what a receipt calls
subsidy is then one sum with one day, which never comes earlier for what is in it than its holder was told, and no
purchase, refund or reversal has to carry which batch paid. The price: what is left of an older batch lives as long as
the newest, and beside a subsidy that stays, all of it stays. The day of a purse that was spent to nothing counts no
more once something else is claimed. What comes back into the purse ends with it, at once if its day is over.
"""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.due import with_due
from actors.account.events import SubsidyClaimed, SubsidyClaimedAtTap, SubsidyExpired
from actors.account.postings import SUBSIDIES, Booking, Posting
from actors.account.purses import SUBSIDY, Amounts, change, held_in, into
from actors.account.state import Account, Grant
from actors.calendar import Moment
from actors.ledger import PURSES


def claimable(account: Account, moment: Moment) -> tuple[Grant, ...]:
    """The grants that a tap claims now."""
    return tuple(grant for grant in account.unclaimed if moment.time_us < grant.expires_us)


def claimed(account: Account, grants: tuple[Grant, ...]) -> tuple[tuple[str, ...], int, int, Amounts]:
    """What comes of a claim of these, at least one: batches, amount, when the purse then expires, and the balances."""
    amount = sum(grant.amount for grant in grants)
    balances = change(account.purses, into(SUBSIDY, amount))
    return tuple(grant.batch for grant in grants), amount, _expires_us(account, grants), balances


def _expires_us(account: Account, grants: tuple[Grant, ...]) -> int:
    """When the purse ends with these in it: never earlier than what is in it already, and never if that stays."""
    latest_us = max(grant.expires_us for grant in grants)
    if not held_in(account.purses, SUBSIDY):
        return latest_us
    return max(account.subsidy_expires_us, latest_us) if account.subsidy_expires_us else 0


def apply_claimed(account: Account, event: SubsidyClaimed | SubsidyClaimedAtTap, position: int) -> Account:
    """The account with what was granted in its purse."""
    after = replace(
        account, position=position, purses=event.balances, unclaimed=(), subsidy_expires_us=event.expires_us
    )
    return with_due(after)


def book_claimed_at_tap(event: SubsidyClaimedAtTap) -> Booking:
    """No terminal took it: nobody asked for it."""
    return None, 0, subsidy_postings(event.amount)


def apply_expired(account: Account, event: SubsidyExpired, position: int) -> Account:
    """The account without what was taken back."""
    return with_due(replace(account, position=position, purses=event.balances))


def book_expired(event: SubsidyExpired) -> Booking:
    """It goes back to where it came from."""
    return None, 0, subsidy_postings(-event.amount)


def subsidy_postings(amount: int) -> tuple[Posting, ...]:
    """The school pays `amount` into the subsidy purse, or takes it back from there if it is below zero."""
    return ((PURSES, SUBSIDY), amount), (SUBSIDIES, -amount)
