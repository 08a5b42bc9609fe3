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
    review_due_us: int = 0
    """From this time on its review is overdue, if operators were not told of that yet; 0: never."""


class Pin(Struct, array_like=True, frozen=True, gc=False):
    """What an account keeps of its PIN."""

    keyed_hash: bytes
    is_initial: bool
    """The card office gave it: it counts only when it was changed."""

    wrong_tries: int = 0
    """In a row."""


class Grant(Struct, array_like=True, frozen=True, gc=False):
    """A subsidy that was granted and waits for the card's next tap."""

    batch: str
    amount: int
    expires_us: int
    """From this time on nothing of it can be claimed, or spent: microseconds since the Unix epoch."""


class Family(Struct, array_like=True, frozen=True, gc=False):
    """Whose money is in the family purse, and what purchases may draw from it: minor units, 0 for no limit."""

    guardian: str
    day_max: int = 0
    """In a business day."""

    purchase_max: int = 0
    alert_above: int = 0
    """A purchase that draws more is told to the guardian; 0: none is."""


class OwnLimits(Struct, array_like=True, frozen=True, gc=False):
    """What the holder allows of purchases, beside what the school does: minor units and counts, 0 for no limit."""

    purchase_max: int = 0
    day_max: int = 0
    period_max: int = 0
    day_count_max: int = 0
    period_count_max: int = 0


class OutstandingHold(Struct, array_like=True, frozen=True, gc=False):
    """An amount that is reserved for the merchant of the terminal that asked.

    Until it is captured, released, reversed or overdue.
    """

    terminal: int
    stan: int
    amount: int
    expires_us: int
    """From this time on it is overdue: microseconds since the Unix epoch."""

    merchant: int
    business_day: int
    period: int
    """Meal period. It counts in the limits of the day and period in which it was asked for."""


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
    unclaimed: tuple[Grant, ...] = ()
    """What the next tap claims; some of it may be past its time."""

    batches: str = ""
    """Identifiers of all batches that were ever granted, with blanks between: one string is unpacked at once."""

    subsidy_expires_us: int = 0
    """From this time on what is in the subsidy purse is taken back; 0: it stays."""

    due_us: int = 0
    """When a hold or the review of a loss is overdue, or what is in the subsidy purse is taken back.

    Whichever comes first; 0: never.
    """

    family: Family | None = None
    family_day: int = 0
    """The business day that `family_drawn` is of."""

    family_drawn: int = 0
    """What that day's purchases drew from the family purse."""

    holds: tuple[OutstandingHold, ...] = ()
    own_limits: OwnLimits | None = None


def new_account(number: str) -> Account:
    """The account before its first event."""
    return Account(number, 0, 0, "", CardState.CLOSED, 0, PersonClass.VISITOR, (0,), 0, 0)


def with_wrong_tries(pin: Pin | None, wrong_tries: int | None) -> Pin | None:
    """The PIN after a request in which it was compared; with None it was not."""
    return pin if pin is None or wrong_tries is None else replace(pin, wrong_tries=wrong_tries)
