"""What an account is: an immutable value, replaced by `apply` and by nothing else."""

from __future__ import annotations

from msgspec import Struct

from actors.account.card import CardState, PersonClass


class Account(Struct, array_like=True, frozen=True, gc=False):
    """`position` 0 is an account that was never opened. `purses`: see `actors.account.purses`."""

    number: str
    position: int
    """Of its last event in the journal: the head of its chain."""

    opened_at: int
    """Position of its first event: the foot of its chain."""

    card: str
    card_state: CardState
    expires: int
    """Last valid business day, as 20300731."""

    person_class: PersonClass
    purses: tuple[int, ...]
    spending_day: int
    """The business day that `spent` is of."""

    spent: int
    purchases: int = 0
    """How many of that day count, reversed ones not."""

    spending_period: int = 0
    """The meal period of that day that `period_spent` and `period_purchases` are of."""

    period_spent: int = 0
    period_purchases: int = 0


def new_account(number: str) -> Account:
    """The account before its first event."""
    return Account(number, 0, 0, "", CardState.CLOSED, 0, PersonClass.VISITOR, (0,), 0, 0)
