"""What the rules need from configuration. A Policy is a value: a change of configuration is a new one."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from actors.account.card import PersonClass
from actors.calendar import Calendar, Moment


class Service(StrEnum):
    """What a terminal may ask for. A closed set: each value is also a metric label and stands in declines."""

    __hash__ = str.__hash__  # an enumeration's own hash is Python code, and this one is looked up for every request

    PURCHASE = "purchase"
    TOP_UP = "top-up"
    BALANCE_INQUIRY = "balance-inquiry"
    MINI_STATEMENT = "mini-statement"
    REVERSAL = "reversal"
    ADVICE = "advice"
    REFUND = "refund"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    CHANGE_PIN = "change-pin"
    REPORT_LOSS = "report-loss"
    OPEN_ACCOUNT = "open"
    ISSUE_CARD = "issue"
    ACTIVATE_CARD = "activate"
    REVIEW_LOSS = "review-loss"
    FIND_CARD = "found"
    FREEZE_CARD = "freeze"
    UNFREEZE_CARD = "unfreeze"
    REPLACE_CARD = "replace"
    CLOSE_ACCOUNT = "close"
    SET_EXPIRY = "set-expiry"
    RESET_PIN = "reset-pin"
    CORRECT_ENTRY = "correct"
    SUBSIDY_CLAIM = "subsidy-claim"
    GRANT_SUBSIDY = "grant-subsidy"
    BIND_FAMILY = "bind-family"
    UNBIND_FAMILY = "unbind-family"
    SET_FAMILY_POLICY = "set-family-policy"
    CREDIT_FAMILY = "credit-family"
    SET_LIMITS = "set-limits"
    SETTLE = "settle"
    EXPLAIN_GAP = "explain-gap"


OPERATOR_COMMANDS: Final = (
    Service.OPEN_ACCOUNT,
    Service.ISSUE_CARD,
    Service.ACTIVATE_CARD,
    Service.REPORT_LOSS,
    Service.REVIEW_LOSS,
    Service.FIND_CARD,
    Service.FREEZE_CARD,
    Service.UNFREEZE_CARD,
    Service.REPLACE_CARD,
    Service.CLOSE_ACCOUNT,
    Service.SET_EXPIRY,
    Service.RESET_PIN,
    Service.CORRECT_ENTRY,
    Service.GRANT_SUBSIDY,
    Service.BIND_FAMILY,
    Service.UNBIND_FAMILY,
    Service.SET_FAMILY_POLICY,
    Service.CREDIT_FAMILY,
    Service.SET_LIMITS,
    Service.SETTLE,
    Service.EXPLAIN_GAP,
)
"""What a role may permit."""


class Purse(StrEnum):
    """Where money lies in an account, in the order in which balances are listed."""

    MAIN = "main"
    SUBSIDY = "subsidy"
    FAMILY = "family"


HOLD_LIFETIME_US: Final = 3 * 3_600_000_000
"""How long a hold stands, unless the campus says otherwise: longer than a bath, a charge or a print takes."""

REVIEW_WORKING_DAYS: Final = 3
"""How many working days a loss may wait for its review, unless the campus says otherwise."""

SPENDING_ORDER: Final = (1, 2, 0)
"""Which purses a purchase draws on, by their places in `Purse`: subsidy, then family, then main."""


class Limits(Struct, frozen=True):
    """Amounts in minor units, and counts of purchases; 0 means no limit. Day and period are those of purchases."""

    purchase_max: int
    day_max: int
    top_up_max: int
    balance_max: int
    period_max: int = 0
    day_count_max: int = 0
    period_count_max: int = 0
    balance_min: int = 0
    """What purchases leave in the main purse: a deposit."""


class OfflineLimits(Struct, frozen=True):
    """What a terminal may accept while it is offline, in minor units; 0: nothing."""

    floor: int = 5_000
    """With one card."""

    total: int = 200_000
    """With all cards together."""


class Terminal(Struct, frozen=True):
    """A registered terminal: whose it is and what it may do."""

    number: int
    merchant: int
    services: frozenset[Service]
    open_periods: frozenset[int] | None
    """Meal periods in which its merchant sells; None: always."""

    role: str | None = None
    """Of an operator's terminal: the role whose commands are its services."""


class Price(Struct, frozen=True):
    """What a purchase costs where a rule applies: a share of what is asked, and a fixed part. One of them is 0."""

    percent: int
    """Of the amount that is asked: 80 is a discount of a fifth."""

    fixed: int
    """Minor units."""

    def of(self, asked: int) -> int:
        """What is paid instead of `asked`, in minor units; half a unit is rounded up."""
        return self.fixed + (asked * self.percent + 50) // 100


class PinKeys(Struct, frozen=True):
    """The keys for PINs, 32 bytes each: empty where no PINs are used."""

    hash_key: bytes = b""
    """Under which accounts keep their PINs."""

    terminals: dict[int, bytes] = {}
    """Under which each terminal seals them."""

    def __repr__(self) -> str:
        return f"PinKeys(those of {len(self.terminals)} terminals)"


class Policy(Struct, frozen=True):
    """Everything that `decide` may read besides state, command and moment."""

    limits: Limits
    terminals: dict[int, Terminal]
    calendar: Calendar
    spending_order: tuple[int, ...] = SPENDING_ORDER
    """Every purse, by its place in `Purse`."""

    class_limits: dict[PersonClass, Limits] = {}
    """Of the classes that have other limits than `limits`."""

    replacement_fee: int = 0
    """What a new card in place of a lost one costs, in minor units."""

    offline: OfflineLimits = OfflineLimits()
    """What terminals are told; the switch refuses no advice for it."""

    prices: dict[tuple[PersonClass, int, int], Price] = {}
    """By person class, merchant and meal period. Where there is none, what is asked is paid."""

    pin_keys: PinKeys = PinKeys()
    hold_lifetime_us: int = HOLD_LIFETIME_US
    """After so many microseconds a hold that is still outstanding expires."""

    review_working_days: int = REVIEW_WORKING_DAYS
    """A loss that nobody has reviewed when so many working days after its own are over is told to operators."""

    own_calendars: dict[int, Calendar] = {}
    """By terminal: where its merchant's meal periods end at other times than those of `calendar`. They are the same
    otherwise, so a period's index means the same period everywhere."""

    def calendar_at(self, terminal: int) -> Calendar:
        """By which this terminal goes."""
        return self.own_calendars.get(terminal, self.calendar)

    def moment_at(self, terminal: int, moment: Moment) -> Moment:
        """What a moment of `calendar` means at this terminal."""
        calendar = self.own_calendars.get(terminal)
        return moment if calendar is None else calendar.moment(moment.time_us)
