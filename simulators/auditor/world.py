"""One possible past of one account. A world is a value; `model.outcomes` says what may happen to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from simulators.accounts import Card, CardState, Purses
from simulators.auditor.requests import Key, content_of, identity_of, key_of
from simulators.campus import Limits, PriceRule, Terminal
from wire.codes import Code, Reason
from wire.messages import AccountRequest, Advice, Capture

NOTHING: Purses = (0, 0, 0)
_SHOW_BALANCES = frozenset({Code.APPROVED, Code.INSUFFICIENT_FUNDS, Code.OVER_AMOUNT_LIMIT})


class Rules(Struct, frozen=True):
    """What the campus decides."""

    limits: Limits
    spending_order: tuple[int, ...]
    """Which purses a purchase draws on, by their places in a list of balances."""

    terminals: Mapping[int, Terminal]
    today: int
    """The business day, such as 20260901."""

    whole_day: bool = True
    """Whether everything spent on that business day was seen, and no other day is touched."""

    class_limits: Mapping[str, Limits] = {}
    """Of the classes of people that have other limits."""

    pin_keys: Mapping[int, bytes] = {}
    """Under which terminals seal PINs; of those where a PIN can be used."""

    period: int | None = None
    """The meal period, if it is known that everything falls into it from here on; None: any."""

    replacement_fee: int = 0
    """What a new card in place of a lost one costs, in minor units."""

    day_starts_us: int = 0
    """When the business day began, microseconds since the Unix epoch: what happened offline before is of another."""

    period_starts_us: int = 0
    """When `period` began."""

    prices: Mapping[tuple[str, int], tuple[PriceRule, ...]] = {}
    """By person class and merchant."""

    hold_lifetime_us: int = 3 * 3_600_000_000
    """How long a hold stands."""

    review_due_us: int = 0
    """When the review of a loss that is reported now will be overdue; 0: that is not known."""


class Outcome(NamedTuple):
    """An answer as the model expects it. `balances` None: any will do."""

    code: Code
    reason: Reason
    change: Purses = NOTHING
    """Of each purse, in minor units."""

    balances: tuple[int, ...] | None = ()
    paid: Purses = NOTHING
    authorized: bool = False
    """Whether there is an authorization number: it was approved with an effect."""


class FamilyPolicy(NamedTuple):
    """What purchases may draw from the family purse: minor units, 0 for no limit."""

    day_max: int
    purchase_max: int


class Decision(NamedTuple):
    """What this world decided for a key; `outcome` is None if it was reversed before it came."""

    request: AccountRequest | None
    outcome: Outcome | None
    is_reversed: bool = False
    period: int | None = None
    """The meal period in which it was decided, or happened, if that is known."""

    day: int = 0
    """The business day on which it was decided, or happened; 0: one that was over, or none."""

    given_back: Purses = NOTHING
    """What refunds of it have returned to each purse, in minor units."""

    settled: int = 0
    """What refunds of it have returned of what its account never paid."""

    @property
    def owed(self) -> int:
        """What its account should have paid and did not, and no refund has taken off."""
        if not isinstance(self.request, Capture | Advice) or self.outcome is None or not self.outcome.authorized:
            return 0
        return self.request.amount - sum(self.outcome.paid) - self.settled

    @property
    def is_refunded(self) -> bool:
        """At least in part."""
        return self.given_back != NOTHING or self.settled > 0


class HoldState(Enum):
    """What has become of a hold. It ends once."""

    OUTSTANDING = "outstanding"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"
    REVERSED = "reversed"


class Hold(NamedTuple):
    """An amount that was reserved, in minor units."""

    amount: int
    expires_us: int
    state: HoldState = HoldState.OUTSTANDING


class World(Struct, frozen=True):
    """One possible present: `purses` in minor units."""

    card: Card
    purses: Purses
    decided: dict[Key, Decision]
    """By what requests are known by; an offline purchase by its STAN too."""

    opened: bool = True
    """Whether there is such an account."""

    uploaded: bool = False
    """Whether an offline purchase was posted to it: then it keeps its answers, whether or not it was opened."""

    state_when_found: CardState = CardState.ACTIVE
    """What a lost card was before the loss, or what an operator made of it since."""

    loss_reviewed: bool = False
    review_due_us: int = 0
    """When operators are to be told of a loss, unless somebody reviews it before; 0: never, or that is not known."""

    dead_cards: frozenset[str] = frozenset()
    """Serials of the account's earlier cards."""

    pin: str = ""
    """As it was set; empty: none was."""

    is_initial_pin: bool = False
    """Whether it has to be changed before it counts."""

    wrong_tries: int = 0
    """In a row."""

    grants: tuple[tuple[int, int], ...] = ()
    """Amount and last day of each subsidy that waits to be claimed."""

    batches: frozenset[str] = frozenset()
    """All that were ever granted."""

    subsidy_last_day: int = 0
    """When that is over, what is in the subsidy purse is taken back; 0: it stays."""

    family: FamilyPolicy | None = None
    """Of the account's guardian, if it has one."""

    own_limits: Mapping[str, int] = {}
    """The holder's, by the names that the school's have; what is not here is not limited."""

    holds: Mapping[Key, Hold] = {}
    suspicious: Mapping[Key, int] = {}
    """What was posted although it was not clean, and what each item of it owes in suspense, in minor units."""

    settled: frozenset[Key] = frozenset()
    """Those that an operator has settled."""

    now_us: int = 0
    """The time, if anybody told it."""

    @property
    def balance(self) -> int:
        """All that the purses hold."""
        return sum(self.purses)

    def decision(self, request: AccountRequest) -> Decision | None:
        """What settled the request; None if it is new."""
        known = self.decided.get(identity_of(request))
        if known is None or (known.request is not None and content_of(known.request) != content_of(request)):
            return self.decided.get(key_of(request), known)
        return known

    @property
    def held(self) -> int:
        """What holds reserve of it."""
        return sum(hold.amount for hold in self.holds.values() if hold.state is HoldState.OUTSTANDING)

    @property
    def available(self) -> int:
        """What may be spent of it: nothing where a subsidy has expired on which a hold counts."""
        return max(0, self.balance - self.held)


def first_world(card: Card) -> World:
    """Before the first request."""
    return World(card, card.purses, {})


def unopened_world(account: str) -> World:
    """Before there was such an account."""
    return World(Card(account, "", CardState.CLOSED, date.min, "", NOTHING), NOTHING, {}, opened=False)


def at_time(world: World, now_us: int) -> World:
    """The world then: holds end when their time has come."""
    holds = {
        key: hold._replace(state=HoldState.EXPIRED)
        if hold.state is HoldState.OUTSTANDING and hold.expires_us <= now_us
        else hold
        for key, hold in world.holds.items()
    }
    return replace(world, holds=holds, now_us=now_us)


def decide(
    world: World, request: AccountRequest, outcome: Outcome, rules: Rules | None = None, **changes: Any
) -> tuple[World, Outcome]:
    """The world in which `request` had this outcome; its purses change as the outcome says, other fields as given.

    `rules`: of the day and meal period in which it counts; None if it counts in none.
    """
    period, day = (None, 0) if rules is None else (rules.period, rules.today)
    decided = {
        **world.decided,
        identity_of(request): Decision(request, outcome, period=period, day=day),
        **changes.pop("decided", {}),
    }
    return replace(world, purses=added(world.purses, outcome.change), decided=decided, **changes), outcome


def refuse(world: World, request: AccountRequest, code: Code, reason: Reason, **changes: Any) -> tuple[World, Outcome]:
    """The world in which `request` was declined; fields change as given."""
    return decide(world, request, Outcome(code, reason, NOTHING, shown(code, world.purses)), **changes)


def shown(code: Code, purses: Purses) -> tuple[int, ...]:
    """Balances are told with an approval, or where the card was found good and the amount was not."""
    return purses if code in _SHOW_BALANCES else ()


def added(purses: Purses, change: Purses) -> Purses:
    """The purses after a change."""
    return purses[0] + change[0], purses[1] + change[1], purses[2] + change[2]


def negative(change: Purses) -> Purses:
    """The opposite change."""
    return -change[0], -change[1], -change[2]
