"""What an account is: an immutable value, replaced by `apply` and by nothing else."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from actors.account.card import CardState, PersonClass


class Loss(Struct, array_like=True, frozen=True, gc=False):
    """A loss that was reported, and what the card will be when it is found."""

    reported_us: int
    """Microseconds since the Unix epoch; 0: before the account was opened here."""

    found_state: CardState
    reviewed: bool = False


class Pin(Struct, array_like=True, frozen=True, gc=False):
    """What an account keeps of its PIN."""

    keyed_hash: bytes
    is_initial: bool
    """The card office gave it: it counts only when it was changed."""

    wrong_tries: int = 0
    """In a row."""


class Account(Struct, array_like=True, frozen=True, gc=False):
    """`position` 0 is an account of which nothing was ever heard. `purses`: see `actors.account.purses`."""

    number: str
    position: int
    """Of its last event in the journal: the head of its chain."""

    opened_at: int
    """Position of its opening; 0 if it was never opened, and only offline purchases named it."""

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
    loss: Loss | None = None
    """While the card is lost. None of a lost card: it was lost, and active before that, when the account was opened."""

    dead_cards: tuple[str, ...] = ()
    """The serials of earlier cards, which are never good again."""

    pin: Pin | None = None


def new_account(number: str) -> Account:
    """The account before its first event."""
    return Account(number, 0, 0, "", CardState.CLOSED, 0, PersonClass.VISITOR, (0,), 0, 0)


def with_wrong_tries(pin: Pin | None, wrong_tries: int | None) -> Pin | None:
    """The PIN after a request in which it was compared; with None it was not."""
    return pin if pin is None or wrong_tries is None else replace(pin, wrong_tries=wrong_tries)
