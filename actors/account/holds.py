"""What is reserved in an account: it lies in the purses, and only its capture may spend it.

A hold is on no purse in particular: the purses must hold all of them together, and a capture draws on the purses in the
campus's order, as it then finds them. No function here looks at the time: before anything is decided, the shard turns
each overdue hold into an event (`actors.account.expiry`), so that what stands here is outstanding.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from actors.account.counting import count, count_now
from actors.account.due import with_due
from actors.account.events import Captured, Held, HoldExpired, HoldReversed, Released
from actors.account.family import spendable
from actors.account.purses import Amounts, draw_deposit
from actors.account.state import Account, OutstandingHold

Reserving = Held | Captured | Released | HoldExpired | HoldReversed
"""The events that make a hold, or end one."""


def held(account: Account) -> int:
    """All that is reserved, in minor units."""
    return sum(hold.amount for hold in account.holds)


def reserved(accounts: Iterable[Account]) -> tuple[int, int]:
    """How many holds stand in all these accounts, and of how many minor units."""
    amounts = [hold.amount for account in accounts for hold in account.holds]
    return len(amounts), sum(amounts)


def available(account: Account) -> int:
    """What may be spent: all that the purses have and no hold reserves. Not below 0."""
    return max(0, sum(account.purses) - held(account))


def drawn(account: Account, amount: int, business_day: int, spending_order: Iterable[int], balance_min: int) -> Amounts:
    """What each purse gives towards `amount`, which was used already and which they hold together.

    A guardian's policy holds while the other purses suffice; the deposit of `balance_min` pays last, if it must.
    """
    purses = spendable(account, business_day)
    if sum(purses) < amount:
        purses = account.purses
    return draw_deposit(purses, amount, spending_order, balance_min)


def with_hold(account: Account, hold: OutstandingHold) -> Account:
    """The account with one more hold, which counts as a purchase of its amount."""
    return count_now(_with_holds(account, (*account.holds, hold)), hold.business_day, hold.period, hold.amount)


def freed(account: Account, terminal: int, stan: int) -> Account:
    """The account without the hold that this terminal asked for under this STAN, for which nothing is counted any more.

    As it is if it has no such hold.
    """
    for hold in account.holds:
        if (hold.terminal, hold.stan) == (terminal, stan):
            others = tuple(other for other in account.holds if other is not hold)
            return count(_with_holds(account, others), hold.business_day, hold.period, -hold.amount, -1)
    return account


def _with_holds(account: Account, holds: tuple[OutstandingHold, ...]) -> Account:
    return with_due(replace(account, holds=holds))
