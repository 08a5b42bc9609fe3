"""Random histories of everything that may be asked, on a real shard, against the auditor's own model of it.

Every answer is judged at once; at the end, and after each restart, so is the whole journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, time
from itertools import count
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from actors.account.card import CardState as SwitchCardState
from actors.account.card import PersonClass
from actors.account.events import Unasked
from actors.account.hot_cards import HOT
from actors.account.kind import ACCOUNT
from actors.account.postings import SUSPENSE
from actors.calendar import Calendar, MealPeriod, Moment
from actors.effect import EffectName
from actors.hot_list import GOOD
from actors.journal import Journal
from actors.memory_store import MemoryStore
from actors.opening import Opening, open_accounts
from actors.placement import slot_of
from actors.policy import OPERATOR_COMMANDS, PinKeys, Policy, Price, Service
from actors.policy import Limits as SwitchLimits
from actors.policy import Terminal as SwitchTerminal
from actors.recovery import recover
from actors.shard import Shard, Turn
from actors.suspicious import find_suspicious
from actors.verification import verify
from simulators.accounts import Card, CardState, purses_told
from simulators.auditor.auditor import Auditor
from simulators.auditor.world import Rules
from simulators.campus import SERVICES_BY_KIND as SIMULATED_SERVICES
from simulators.campus import Limits, PriceRule, Terminal
from switch.campus import SERVICES_BY_KIND
from wire.codec import reply_decoder
from wire.codes import Code, Reason
from wire.messages import (
    ActivateCard,
    Advice,
    Answer,
    BalanceInquiry,
    BindFamily,
    Capture,
    ChangePin,
    CloseAccount,
    CorrectEntry,
    CorrectionReason,
    CreditFamily,
    Emergency,
    ExplainGap,
    FeePayment,
    FindCard,
    FreezeCard,
    GrantSubsidy,
    Hold,
    IssueCard,
    MiniStatement,
    OpenAccount,
    Purchase,
    Reconciliation,
    Refund,
    Release,
    ReplaceCard,
    ReportLoss,
    ResetPin,
    Reversal,
    ReviewLoss,
    SetExpiry,
    SetFamilyPolicy,
    SetLimits,
    Settlement,
    SettleSuspicion,
    SubsidyClaim,
    TopUp,
    UnbindFamily,
    UnfreezeCard,
)
from wire.pin import PinContext, PinUse, seal_pin

EXAMPLES, STEPS, STEPS_MIN = 130, 250, 20_000
"""Most examples go to the last step, some end early: together they are at least 20,000 steps."""

TILL, OTHER_TILL, SHOP_TILL, BUFFET_TILL, TOP_UP_MACHINE = 1001, 1002, 1101, 1201, 2001
KIOSK, DESK, SMALL_DESK, BATH = 3001, 4001, 4002, 5001
KINDS = {
    TILL: "canteen", OTHER_TILL: "canteen", SHOP_TILL: "shop", BUFFET_TILL: "canteen", TOP_UP_MACHINE: "top-up",
    KIOSK: "kiosk", BATH: "bath",
}  # fmt: skip
CANTEEN, SHOP, BUFFET = 1, 2, 3
MERCHANTS = {SHOP_TILL: SHOP, BUFFET_TILL: BUFFET}
"""Of the terminals that are not the canteen's."""

ROLES = {DESK: OPERATOR_COMMANDS, SMALL_DESK: (Service.REPORT_LOSS, Service.REVIEW_LOSS, Service.ACTIVATE_CARD)}
ACTIVE, FROZEN, STAFF, UNOPENED, WORN_OUT = "20260001", "20260002", "30000001", "20260003", "20260004"
FEE = 1_500
PIN_KEYS = {TILL: bytes([1]) * 32, KIOSK: bytes([3]) * 32, DESK: bytes([4]) * 32, BATH: bytes([5]) * 32}
"""The other till has none."""

HASH_KEY = bytes(range(32))
PINS = st.sampled_from(["314159", "271828", "161803"])
PIN_AMOUNTS = st.sampled_from([500, 1_100, 2_001, 2_050, 2_100, 2_200])
TYPED = st.sampled_from(["", "", "", "000000", "271828"])
"""Empty: the right one."""

UNASKED = get_args(Unasked)
TYPED_ONE_AFTER_THE_OTHER = st.lists(TYPED, min_size=1, max_size=3) | st.just(["000000", "000000", "000000", ""])
NEW_PINS = st.sampled_from(
    ["314159", "271828", "161803", "314159", "271828", "111111", "987654", "010203", "31415", ""]
)
SEAL_FAULTS = st.sampled_from([*["none"] * 8, "other account", "altered", "short", "not sealed"])
ONE_IN_FOUR = st.sampled_from([False, False, False, True])
SNAPSHOT_LAG, ACTIVE_MAX = 20, 2
PURSES = (5_000, 700, 300)
LIMITS = {
    "purchase_max": 2_000, "day_max": 5_000, "top_up_max": 10_000, "balance_max": 20_000, "period_max": 4_000,
    "day_count_max": 7, "period_count_max": 4, "balance_min": 150,
}  # fmt: skip
STAFF_LIMITS = {**LIMITS, "purchase_max": 1_000, "day_max": 2_500, "top_up_max": 0, "period_max": 0, "day_count_max": 3}
NOON_US = 1_788_235_200_000_000
TODAY = 20260901
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
PERIOD_ENDS = (14 * HOUR_US, 16 * HOUR_US, DAY_US)
"""Of lunch, dinner, and what is after them, from midnight."""

PERIODS = len(PERIOD_ENDS)
DAYS_MAX = 3

HOLD_LIFETIME_US = 60_000_000
REVIEWS_DUE_US = tuple(NOON_US + hours * HOUR_US for hours in (84, 156, 180, 204))
"""It is Tuesday: when Friday is over. And of losses of the days after: Monday, Tuesday, Wednesday."""

CALENDAR = Calendar(ZoneInfo("Asia/Shanghai"), time(0), (MealPeriod("lunch", time(14)), MealPeriod("dinner", time(16))))
POLICY = Policy(
    SwitchLimits(**LIMITS),
    {
        number: SwitchTerminal(number, MERCHANTS.get(number, CANTEEN), SERVICES_BY_KIND[kind], None)
        for number, kind in KINDS.items()
    }
    | {number: SwitchTerminal(number, 1, frozenset(role), None, "role") for number, role in ROLES.items()},
    CALENDAR,
    class_limits={PersonClass.STAFF: SwitchLimits(**STAFF_LIMITS)},
    replacement_fee=FEE,
    prices={
        **{(PersonClass.STUDENT, SHOP, period): Price(67, 0) for period in range(PERIODS)},
        (PersonClass.STUDENT, BUFFET, 0): Price(0, 450),
        (PersonClass.STAFF, BUFFET, 0): Price(0, 0),
        (PersonClass.STAFF, BUFFET, 1): Price(120, 0),
    },
    pin_keys=PinKeys(HASH_KEY, PIN_KEYS),
    hold_lifetime_us=HOLD_LIFETIME_US,
)
RULES = Rules(
    Limits(**LIMITS),
    (1, 2, 0),
    {
        number: Terminal(number, "s", MERCHANTS.get(number, CANTEEN), SIMULATED_SERVICES[kind])
        for number, kind in KINDS.items()
    }
    | {
        number: Terminal(number, "s", 1, frozenset(command.value for command in role), role="role")
        for number, role in ROLES.items()
    },
    TODAY,
    class_limits={"staff": Limits(**STAFF_LIMITS)},
    pin_keys=PIN_KEYS,
    period=0,
    hold_lifetime_us=HOLD_LIFETIME_US,
    review_due_us=REVIEWS_DUE_US[0],
    replacement_fee=FEE,
    day_starts_us=NOON_US - 12 * HOUR_US,
    prices={
        ("student", SHOP): (PriceRule(percent=-33),),
        ("student", BUFFET): (PriceRule(fixed=450, period=0),),
        ("staff", BUFFET): (PriceRule(percent=-100, period=0), PriceRule(percent=20, period=1)),
    },
)
ACCOUNTS = st.sampled_from([ACTIVE, ACTIVE, ACTIVE, STAFF, STAFF, FROZEN, UNOPENED, WORN_OUT])
TERMINALS = st.sampled_from([TILL, TILL, OTHER_TILL, SHOP_TILL, BUFFET_TILL, TOP_UP_MACHINE, BATH])
WHEN = st.sampled_from([half * HOUR_US // 2 for half in (-50, -26, -2, 0, 5, 10, 40)])
"""From noon, or from now: yesterday, each meal period of today, and tomorrow, which no clock that is right can say."""

DESKS = st.sampled_from([DESK, DESK, DESK, DESK, SMALL_DESK, TILL])
CLERKS = st.sampled_from(["wu", "wu", "li-2"])
SERIALS = st.integers(1, 40).map("N{}".format)
EXPIRIES = st.sampled_from([20991231, 20300229, TODAY, TODAY + 1, TODAY - 1])
NEW_CARDS = {
    OpenAccount: (SERIALS, EXPIRIES, st.just("student")),
    IssueCard: (SERIALS, EXPIRIES),
    ReplaceCard: (SERIALS, st.sampled_from(FeePayment)),
}
CHANGES_OF_CARDS = (ActivateCard, ReviewLoss, FindCard, FindCard, FreezeCard, UnfreezeCard, UnfreezeCard)
RECONCILED_AS = {Purchase: "purchase", TopUp: "top-up", Capture: "capture", Refund: "refund"}
RECONCILED = (
    "purchase", "top-up", "capture", "refund", "reversal-of-purchase", "reversal-of-top-up", "reversal-of-capture",
)  # fmt: skip
_ENDS = ("capture", "release", "reversal", "purchase", "as much", "free meal", "hold", "inquiry", "sweep", "refund")
ENDS = st.lists(st.sampled_from(_ENDS), max_size=3) | st.sampled_from(
    [
        ["free meal", "capture"],
        ["capture", "reversal", "as much"],
        ["capture", "refund", "as much"],
        ["sweep", "capture"],
    ]
)
"""What may become of a hold, and what else is asked of its account at the bath."""

BATCHES = st.sampled_from(["2026-09", "2026-10", "extra.1"])
FAMILY_LIMITS = st.sampled_from([0, 0, 200, 500, 1_000, -1])
OWN_AMOUNTS = st.sampled_from([0, 0, 0, 400, 1_500, 3_000, 100_000_000])
OWN_COUNTS = st.sampled_from([0, 0, 2, 5])
IMPOSSIBLE = st.sampled_from([-1, 100_000_001])
METERS = st.sampled_from([BATH, BATH, BATH, TILL])
AMOUNTS = st.integers(1, 1_500) | st.sampled_from([-1, 0, 2_000, 2_001, 10_000, 10_001, 100_000_001])


def card_of(account: str) -> str:
    """The serial of an account's first card."""
    return f"C{account}"


_steps: list[int] = []
"""Of each example that was run."""


@pytest.fixture(scope="module", autouse=True)
def enough_is_tried() -> Iterator[None]:
    yield
    assert sum(_steps) >= STEPS_MIN


class Histories(RuleBasedStateMachine):
    """One shard with four accounts and room for a fifth, and everything that was ever asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.shard = self.recovered()
        openings = [
            Opening(ACTIVE, card_of(ACTIVE), SwitchCardState.ACTIVE, 20991231, PersonClass.STUDENT, PURSES),
            Opening(FROZEN, card_of(FROZEN), SwitchCardState.FROZEN, 20991231, PersonClass.STUDENT, PURSES),
            Opening(STAFF, card_of(STAFF), SwitchCardState.ACTIVE, 20991231, PersonClass.STAFF, PURSES),
            Opening(WORN_OUT, card_of(WORN_OUT), SwitchCardState.EXPIRED, TODAY - 1, PersonClass.STUDENT, PURSES),
        ]
        open_accounts(self.shard, openings, CALENDAR.moment(NOON_US - 1))
        expires = date(2099, 12, 31)
        self.auditor = Auditor(
            [
                Card(ACTIVE, card_of(ACTIVE), CardState.ACTIVE, expires, "student", PURSES),
                Card(FROZEN, card_of(FROZEN), CardState.FROZEN, expires, "student", PURSES),
                Card(STAFF, card_of(STAFF), CardState.ACTIVE, expires, "staff", PURSES),
                Card(WORN_OUT, card_of(WORN_OUT), CardState.EXPIRED, date(2026, 8, 31), "student", PURSES),
            ],
            RULES,
        )
        self.steps = 0
        self.stans = count(1)
        self.offline_numbers = count(1)
        self.asked: list[Any] = []
        self.authorized: dict[int, tuple[Any, int, int]] = {}
        """What was approved with an effect, how much money it was, and on which business day, by authorization."""

        self.now_us = NOON_US
        self.auditor.time_is(NOON_US)
        self.cards = {account: [card_of(account)] for account in (ACTIVE, FROZEN, STAFF, UNOPENED, WORN_OUT)}
        """By account: the serials of all cards that it ever had, the current one last."""
        self.pins: dict[str, str] = {}
        self.give_first_pin(ACTIVE, "141421")
        self.ask_for_another_pin(KIOSK, ACTIVE, "141421", "314159")
        self.give_first_pin(STAFF, "314159")

    @rule(account=ACCOUNTS, terminal=TERMINALS, amount=AMOUNTS, data=st.data())
    def purchase(self, account: str, terminal: int, amount: int, data: st.DataObject) -> None:
        cards = self.cards[account]
        serial = data.draw(st.sampled_from([cards[-1], cards[-1], cards[-1], *cards[:-1], "another"]))
        self.ask(Purchase(terminal, next(self.stans), 1_000, account, serial, amount))

    @rule(account=ACCOUNTS, terminal=TERMINALS, amount=AMOUNTS, channel=st.integers(1, 3))
    def top_up(self, account: str, terminal: int, amount: int, channel: int) -> None:
        self.ask(TopUp(terminal, next(self.stans), 1_000, account, self.cards[account][-1], amount, channel))

    @rule(account=ACCOUNTS, pin=NEW_PINS, fault=SEAL_FAULTS, desk=DESKS, is_wanted=ONE_IN_FOUR)
    def first_pin(self, account: str, pin: str, fault: str, desk: int, is_wanted: bool) -> None:  # noqa: FBT001 - drawn
        if is_wanted:
            self.give_first_pin(account, pin, fault, desk)
        else:
            self.ask_for_another_pin(KIOSK, account, self.pins.get(account, ""), "314159")

    @rule(
        account=ACCOUNTS, amount=PIN_AMOUNTS, pins=TYPED_ONE_AFTER_THE_OTHER, fault=SEAL_FAULTS,
        terminal=st.sampled_from([TILL, TILL, OTHER_TILL, BATH, BATH]),
    )  # fmt: skip
    def more_than_one_purchase_may_be(
        self, account: str, amount: int, pins: list[str], fault: str, terminal: int
    ) -> None:
        """A purchase or, at the bath, a hold, with one PIN after the other."""
        kind: Any = Hold if terminal == BATH else Purchase
        use = PinUse.HOLD if terminal == BATH else PinUse.PURCHASE
        for pin in pins:
            context = PinContext(use, terminal, next(self.stans), account, amount)
            sealed = self.sealed(pin or self.pins.get(account, ""), context, fault)
            self.ask(kind(terminal, context.stan, 1_000, account, self.cards[account][-1], amount, sealed))

    @rule(account=ACCOUNTS, old=TYPED, new=NEW_PINS, faults=st.tuples(SEAL_FAULTS, SEAL_FAULTS), at_till=ONE_IN_FOUR)
    def change_pin(self, account: str, old: str, new: str, faults: tuple[str, str], at_till: bool) -> None:  # noqa: FBT001 - drawn
        self.ask_for_another_pin(TILL if at_till else KIOSK, account, old or self.pins.get(account, ""), new, faults)

    @rule(account=ACCOUNTS, terminal=TERMINALS)
    def inquiry(self, account: str, terminal: int) -> None:
        self.ask(BalanceInquiry(terminal, next(self.stans), 1_000, account, self.cards[account][-1]))
        self.ask(MiniStatement(terminal, next(self.stans), 1_000, account, self.cards[account][-1], 5))

    @rule(
        account=ACCOUNTS,
        terminal=st.sampled_from([KIOSK, KIOSK, DESK, TILL]),
        clerk=st.sampled_from(["", "wu"]),
        ending=st.sampled_from(["", "found", "found", "replaced", "replaced"]),
        serial=SERIALS,
        fee=st.sampled_from(FeePayment),
    )
    def loss(self, account: str, terminal: int, clerk: str, ending: str, serial: str, fee: FeePayment) -> None:
        old = self.cards[account][-1]
        self.ask(ReportLoss(terminal, next(self.stans), 1_000, account, clerk))
        self.ask(Purchase(TILL, next(self.stans), 1_000, account, old, 1))
        if ending == "replaced":
            self.command(ReviewLoss, account)
            self.command(ReplaceCard, account, serial, fee)
        if ending:
            self.back_to_use(account)
            self.ask(Purchase(TILL, next(self.stans), 1_000, account, old, 1))

    @rule(account=ACCOUNTS)
    def back_to_use(self, account: str) -> None:
        """Whatever stands against a card is lifted, if it can be."""
        for kind in (ReviewLoss, FindCard, UnfreezeCard, ActivateCard):
            self.command(kind, account)
        self.command(SetExpiry, account, 20991231)

    @rule(account=ACCOUNTS, desk=DESKS, clerk=CLERKS, command=st.sampled_from(CHANGES_OF_CARDS))
    def change_of_a_card(self, account: str, desk: int, clerk: str, command: Any) -> None:
        self.ask(command(desk, next(self.stans), 1_000, account, clerk))

    @rule(
        account=ACCOUNTS, desk=DESKS, clerk=CLERKS, command=st.sampled_from(sorted(NEW_CARDS, key=str)), data=st.data()
    )
    def new_card(self, account: str, desk: int, clerk: str, command: Any, data: st.DataObject) -> None:
        fields = [data.draw(field) for field in NEW_CARDS[command]]
        self.ask(command(desk, next(self.stans), 1_000, account, clerk, *fields))

    @rule(serial=SERIALS, expires=EXPIRIES)
    def opening(self, serial: str, expires: int) -> None:
        self.command(OpenAccount, UNOPENED, serial, expires, "staff")
        self.command(ActivateCard, UNOPENED)

    @rule(serial=SERIALS, expires=EXPIRIES)
    def renewal(self, serial: str, expires: int) -> None:
        self.command(IssueCard, WORN_OUT, serial, expires)
        self.command(ActivateCard, WORN_OUT)

    @rule(account=ACCOUNTS, desk=DESKS, clerk=CLERKS, expires=EXPIRIES)
    def other_last_day(self, account: str, desk: int, clerk: str, expires: int) -> None:
        self.ask(SetExpiry(desk, next(self.stans), 1_000, account, clerk, expires))

    @rule(account=ACCOUNTS, desk=DESKS, purse=st.integers(0, 2), amount=AMOUNTS, sign=st.sampled_from([1, -1]))
    def correction(self, account: str, desk: int, purse: int, amount: int, sign: int) -> None:
        reason = CorrectionReason.WRONG_AMOUNT
        self.ask(CorrectEntry(desk, next(self.stans), 1_000, account, "wu", purse, sign * amount, reason))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), desk=DESKS, clerk=CLERKS, how=st.sampled_from(Settlement))
    def settlement(self, data: st.DataObject, desk: int, clerk: str, how: Settlement) -> None:
        """Of what may be suspicious, mostly, and of anything."""
        likely = [request for request in self.asked if isinstance(request, Advice | Capture | Reversal)]
        named = data.draw(st.sampled_from(likely[-6:] + likely[-6:] + likely + self.asked[-1:]))
        of = (named.account, clerk, named.terminal, named.stan)
        self.ask(SettleSuspicion(desk, next(self.stans), 1_000, *of, how, "seen"))

    @rule(
        account=ACCOUNTS, what=st.sampled_from(["advice", "capture", "top-up"]),
        is_spent=st.sampled_from([True, True, False]),
        is_there_again=st.booleans(), hows=st.lists(st.sampled_from(Settlement), min_size=1, max_size=3),
    )  # fmt: skip
    def something_suspicious(
        self,
        account: str,
        what: str,
        is_spent: bool,  # noqa: FBT001 - drawn
        is_there_again: bool,  # noqa: FBT001 - drawn
        hows: list[Settlement],
    ) -> None:
        """What has happened is posted when its money is gone, or is not; then it is settled, or somebody tries to."""
        card, amount = self.cards[account][-1], 300
        first = next(self.stans)
        if what == "capture":
            self.ask(Hold(BATH, first, 1_000, account, card, amount))
            self.come_to(self.now_us + HOLD_LIFETIME_US)
        elif what == "top-up":
            self.ask(TopUp(TOP_UP_MACHINE, first, 1_000, account, card, amount, 1))
        state = self.shard.state(account)
        for purse, has in enumerate(state.purses if is_spent and state is not None else ()):
            self.command(CorrectEntry, account, purse, -has, CorrectionReason.WRONG_AMOUNT)
        terminal = {"capture": BATH, "top-up": TOP_UP_MACHINE, "advice": TILL}[what]
        named = next(self.stans), 1_000, account
        if what == "capture":
            self.ask(Capture(BATH, *named, BATH, first, amount))
        elif what == "top-up":
            self.ask(Reversal(TOP_UP_MACHINE, *named, TOP_UP_MACHINE, first, amount))
        else:
            self.ask(Advice(TILL, *named, card, amount, next(self.offline_numbers), self.now_us))
        if is_there_again:
            self.command(CorrectEntry, account, 0, 2 * amount, CorrectionReason.GOODWILL)
        for how in hows:
            self.command(SettleSuspicion, account, terminal, named[0], how, "seen")

    @rule(account=ACCOUNTS, desk=DESKS, batch=BATCHES, amount=AMOUNTS, last_day=EXPIRIES)
    def grant(self, account: str, desk: int, batch: str, amount: int, last_day: int) -> None:
        self.ask(GrantSubsidy(desk, next(self.stans), 1_000, account, "wu", batch, amount, last_day))

    @rule(account=ACCOUNTS, terminal=st.sampled_from([KIOSK, TOP_UP_MACHINE, TILL]), data=st.data())
    def claim(self, account: str, terminal: int, data: st.DataObject) -> None:
        serial = data.draw(st.sampled_from([self.cards[account][-1], self.cards[account][0]]))
        self.ask(SubsidyClaim(terminal, next(self.stans), 1_000, account, serial))

    @rule(account=ACCOUNTS, desk=DESKS, command=st.sampled_from([BindFamily, BindFamily, UnbindFamily]))
    def guardian(self, account: str, desk: int, command: Any) -> None:
        fields = ("g-7",) if command is BindFamily else ()
        self.ask(command(desk, next(self.stans), 1_000, account, "wu", *fields))

    @rule(account=ACCOUNTS, desk=DESKS, limits=st.tuples(FAMILY_LIMITS, FAMILY_LIMITS, FAMILY_LIMITS))
    def family_policy(self, account: str, desk: int, limits: tuple[int, int, int]) -> None:
        self.ask(SetFamilyPolicy(desk, next(self.stans), 1_000, account, "wu", *limits))

    @rule(account=ACCOUNTS, desk=DESKS, amount=st.sampled_from([0, 100, 150, 600, 10_000, 10_100]))
    def family_credit(self, account: str, desk: int, amount: int) -> None:
        self.ask(CreditFamily(desk, next(self.stans), 1_000, account, "wu", amount, 2))

    @rule(
        account=ACCOUNTS, desk=DESKS, are_lifted=st.booleans(), is_wrong=ONE_IN_FOUR,
        limits=st.tuples(OWN_AMOUNTS, OWN_AMOUNTS, OWN_AMOUNTS, OWN_COUNTS, OWN_COUNTS),
        wrong=st.tuples(st.integers(0, 4), IMPOSSIBLE), spent=st.lists(st.integers(300, 1_600), max_size=3),
    )  # fmt: skip
    def own_limits(
        self, account: str, desk: int, are_lifted: bool, is_wrong: bool, limits: tuple[int, ...],  # noqa: FBT001 - drawn
        wrong: tuple[int, int], spent: list[int],
    ) -> None:  # fmt: skip
        """They are set and run into; and often taken back, or soon nothing else would be refused."""
        given = list(limits)
        if is_wrong:
            given[wrong[0]] = wrong[1]
        self.ask(SetLimits(desk, next(self.stans), 1_000, account, "wu", *given))
        for amount in spent:
            self.ask(Purchase(TILL, next(self.stans), 1_000, account, self.cards[account][-1], amount))
        if are_lifted:
            self.command(SetLimits, account, 0, 0, 0, 0, 0)

    @rule(
        account=st.sampled_from([WORN_OUT, UNOPENED]), desk=DESKS, beside=st.sampled_from(["money", "hold", "nothing"])
    )
    def closing(self, account: str, desk: int, beside: str) -> None:
        """A hold may count on what is left of a subsidy."""
        state = self.shard.state(account)
        if beside != "money" and state is not None:
            self.command(CorrectEntry, account, 1, 100, CorrectionReason.GOODWILL)
            if beside == "hold":
                self.back_to_use(account)
                self.ask(Hold(BATH, next(self.stans), 1_000, account, self.cards[account][-1], 100))
            for purse in (0, 2):
                paid_out = state.purses[purse] if purse < len(state.purses) else 0
                self.command(CorrectEntry, account, purse, -paid_out, CorrectionReason.PAID_OUT)
        closed = self.ask(CloseAccount(desk, next(self.stans), 1_000, account, "wu"))
        bought = [asked for asked in self.asked if isinstance(asked, Purchase) and asked.account == account]
        if closed.code is Code.APPROVED and bought:
            named = bought[-1]
            self.ask(Reversal(TILL, next(self.stans), 1_000, account, named.terminal, named.stan, named.amount))
            for purse in (0, 1, 2):
                self.command(CorrectEntry, account, purse, -1, CorrectionReason.PAID_OUT)

    @rule(account=ACCOUNTS, terminal=METERS, amount=AMOUNTS, card=st.booleans())
    def hold(self, account: str, terminal: int, amount: int, card: bool) -> None:  # noqa: FBT001 - drawn
        serial = card_of(account) if card else "another"
        self.ask(Hold(terminal, next(self.stans), 1_000, account, serial, amount))

    @rule(
        account=st.sampled_from([ACTIVE, ACTIVE, STAFF]), amount=st.integers(1, 900),
        seconds=st.sampled_from([0, 0, 30, 61]), used=st.sampled_from([1, 50, 100, 101]), ends=ENDS,
        has=st.sampled_from([None, None, 200, 1_200]),
    )  # fmt: skip
    def visit_to_the_bath(
        self, account: str, amount: int, seconds: int, used: int, ends: list[str], has: int | None
    ) -> None:
        """A hold with the right card, and soon, or too late, what becomes of it; sometimes with little money.

        Without that the limits of a day end before the money does, and nothing is refused because of what is held.
        """
        if has is not None:
            self.leave_in_main_purse(account, has)
        held = Hold(BATH, next(self.stans), 1_000, account, self.cards[account][-1], amount)
        self.ask(held)
        self.come_to(self.now_us + seconds * SECOND_US)
        self.end_visit(held, ends, used)

    @precondition(lambda self: len(self.asked) > 60 and self.days < DAYS_MAX)
    @rule(
        account=st.sampled_from([ACTIVE, ACTIVE, STAFF]), granted=st.sampled_from([0, 300, 900]),
        has=st.sampled_from([None, 200, 600]), amount=st.integers(1, 900), ends=ENDS, guarded=st.booleans(),
    )  # fmt: skip
    def visit_over_midnight(
        self,
        account: str,
        granted: int,
        has: int | None,
        amount: int,
        ends: list[str],
        guarded: bool,  # noqa: FBT001
    ) -> None:
        """A new business day begins while a hold is outstanding; what counts on a subsidy loses it then."""
        midnight_us = self.day_starts_us + DAY_US
        self.back_to_use(account)
        self.come_to(midnight_us - HOLD_LIFETIME_US // 3)
        if guarded:
            self.command(BindFamily, account, "g-7")
            self.command(CreditFamily, account, 600, 2)
            self.command(SetFamilyPolicy, account, amount, 0, 0)
        if granted:
            self.command(GrantSubsidy, account, f"until-{self.today}", granted, self.today)
        if has is not None:
            self.leave_in_main_purse(account, has)
        held = Hold(BATH, next(self.stans), 1_000, account, self.cards[account][-1], amount)
        self.ask(held)
        self.come_to(midnight_us + HOLD_LIFETIME_US // 3)
        self.end_visit(held, ends, 100)

    def leave_in_main_purse(self, account: str, amount: int) -> None:
        """The card office pays out, or in, what is above or below."""
        held = self.shard.state(account).purses[0]
        self.command(CorrectEntry, account, 0, amount - held, CorrectionReason.PAID_OUT)

    def end_visit(self, held: Hold, ends: list[str], used: int) -> None:
        """`used`: percent of what was held."""
        account, card, amount = held.account, self.cards[held.account][-1], held.amount
        newest, newest_amount = held.stan, amount
        for end in ends:
            named = BATH, next(self.stans), 1_000, account
            if end == "capture":
                newest, newest_amount = named[1], amount * used // 100
                self.ask(Capture(*named, BATH, held.stan, newest_amount))
            elif end == "release":
                self.ask(Release(*named, BATH, held.stan))
            elif end == "reversal":
                self.ask(Reversal(*named, BATH, newest, newest_amount))
            elif end in {"purchase", "as much"}:
                self.ask(Purchase(*named, card, 1_000 if end == "purchase" else amount))
            elif end == "free meal":
                self.ask(Purchase(BUFFET_TILL, *named[1:], card, 1_000))
            elif end == "hold":
                self.ask(Hold(*named, card, amount))
            elif end == "sweep":
                self.sweep(account)
            elif end == "refund":
                self.ask(Refund(*named, BATH, newest, newest_amount // 2))
            else:
                self.ask(BalanceInquiry(*named, card))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), terminal=METERS, share=st.sampled_from([0, 1, 50, 100, 100, 101]))
    def capture(self, data: st.DataObject, terminal: int, share: int) -> None:
        named = self.draw_hold(data)
        used = getattr(named, "amount", 100) * share // 100
        self.ask(Capture(terminal, next(self.stans), 1_000, named.account, named.terminal, named.stan, used))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), terminal=METERS)
    def release(self, data: st.DataObject, terminal: int) -> None:
        named = self.draw_hold(data)
        self.ask(Release(terminal, next(self.stans), 1_000, named.account, named.terminal, named.stan))

    @rule(seconds=st.integers(1, 70))
    def time_passes(self, seconds: int) -> None:
        self.come_to(self.now_us + seconds * SECOND_US)

    @rule(account=ACCOUNTS)
    def sweep(self, account: str) -> None:
        """What is due is settled, although nobody asks; and the purses are what the model says."""
        self.turn([], slot_of(account))
        state = self.shard.state(account)
        if state is not None:
            assert not 0 < state.due_us <= self.now_us
            assert all(hold.expires_us > self.now_us for hold in state.holds)
            self.auditor.judge_purses(account, purses_told(state.purses))

    @rule(account=st.sampled_from([ACTIVE, STAFF]), amount=st.integers(1, 100))
    def sweep_finds_what_nobody_asks_for(self, account: str, amount: int) -> None:
        self.ask(Hold(BATH, next(self.stans), 1_000, account, self.cards[account][-1], amount))
        self.come_to(self.now_us + HOLD_LIFETIME_US)
        overdue, position = len(self.shard.state(account).holds), self.shard.head.position
        self.sweep(account)
        assert self.shard.state(account).holds == ()
        assert self.shard.head.position >= position + overdue

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), terminal=TERMINALS, other_amount=st.sampled_from([0, 0, 0, 1]))
    def reversal(self, data: st.DataObject, terminal: int, other_amount: int) -> None:
        named = data.draw(st.sampled_from(self.asked))
        self.ask(
            Reversal(
                terminal, next(self.stans), 1_000, named.account, named.terminal, named.stan,
                getattr(named, "amount", 1) + other_amount,
            )
        )  # fmt: skip

    @rule(account=ACCOUNTS, terminal=TERMINALS, amount=AMOUNTS)
    def reversal_before_its_original(self, account: str, terminal: int, amount: int) -> None:
        original = Purchase(TILL, next(self.stans), 1_000, account, self.cards[account][-1], amount)
        self.ask(Reversal(terminal, next(self.stans), 1_000, account, TILL, original.stan, amount))
        self.ask(original)

    @rule(account=ACCOUNTS, terminal=TERMINALS, amount=AMOUNTS, data=st.data(), taken_us=WHEN)
    def advice(self, account: str, terminal: int, amount: int, data: st.DataObject, taken_us: int) -> None:
        taken_us += data.draw(st.sampled_from([self.now_us, self.day_starts_us + DAY_US // 2]))
        serial = data.draw(st.sampled_from([*self.cards[account], "another"]))
        number = next(self.offline_numbers)
        self.ask(Advice(terminal, next(self.stans), 1_000, account, serial, amount, number, taken_us))

    @precondition(lambda self: self.uploaded)
    @rule(data=st.data(), new_stan=st.booleans(), other_amount=st.sampled_from([0, 0, 0, 1]))
    def upload_again(self, data: st.DataObject, new_stan: bool, other_amount: int) -> None:  # noqa: FBT001 - drawn
        """As after a restart of the terminal, which does not know what it has sent."""
        sent = data.draw(st.sampled_from(self.uploaded))
        stan = next(self.stans) if new_stan else sent.stan
        self.ask(replace(sent, stan=stan, amount=sent.amount + other_amount))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def stan_used_twice(self, data: st.DataObject) -> None:
        """By a faulty terminal: an offline purchase under a STAN that it has used on that account, and the reverse."""
        used = data.draw(st.sampled_from(self.asked))
        number = next(self.offline_numbers)
        if data.draw(st.booleans()):
            self.ask(Advice(used.terminal, used.stan, 1_000, used.account, "another", 1, number, self.now_us))
        else:
            self.ask(Purchase(used.terminal, used.stan, 1_000, used.account, "another", 1))

    @rule(
        account=st.sampled_from([ACTIVE, STAFF]), taken_us=WHEN,
        amounts=st.lists(st.sampled_from([1, 100, 700]), min_size=2, max_size=5),
    )  # fmt: skip
    def sales_after_an_outage(self, account: str, amounts: list[int], taken_us: int) -> None:
        """A card that the card office has set right buys, while what it bought offline comes in."""
        for command in (ReviewLoss, FindCard, UnfreezeCard, ActivateCard):
            self.ask(command(DESK, next(self.stans), 1_000, account, "wu"))
        for place, amount in enumerate(amounts):
            common = (TILL, next(self.stans), 1_000, account, self.cards[account][-1], amount)
            taken = self.now_us + taken_us
            late = Advice(*common, next(self.offline_numbers), taken) if place % 2 == 0 else None
            self.ask(late or Purchase(*common))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), other_terminal=st.none() | TERMINALS, share=st.integers(1, 5))
    def refund(self, data: st.DataObject, other_terminal: int | None, share: int) -> None:
        """Of anything, and mostly of what is paid: a fifth of what was asked for, up to all of it, or a fen more."""
        payments = [
            [request for request in self.asked if isinstance(request, kind)] for kind in (Purchase, Advice, Capture)
        ]
        named = data.draw(st.sampled_from(data.draw(st.sampled_from([*payments, self.asked])) or self.asked))
        amount = getattr(named, "amount", 1) * share // 5 + data.draw(st.sampled_from([0, 0, 0, 1]))
        terminal = other_terminal or named.terminal
        self.ask(Refund(terminal, next(self.stans), 1_000, named.account, named.terminal, named.stan, amount))

    @rule(account=ACCOUNTS, terminal=TERMINALS, amount=AMOUNTS)
    def refund_before_its_original(self, account: str, terminal: int, amount: int) -> None:
        original = Purchase(TILL, next(self.stans), 1_000, account, card_of(account), amount)
        self.ask(Refund(terminal, next(self.stans), 1_000, account, TILL, original.stan, amount))
        self.ask(original)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.asked))
        sealed = {Purchase: "pin", Hold: "pin", ChangePin: "old_pin", ResetPin: "new_pin"}.get(type(request))
        if sealed is not None and data.draw(st.booleans()):  # no PIN is looked at again
            request = replace(request, **{sealed: data.draw(st.sampled_from([b"", b"?", bytes(34)]))})
        self.ask(request)

    @precondition(lambda self: self.days < DAYS_MAX and len(self.asked) > 60 * (self.days * PERIODS + self.period + 1))
    @rule()
    def end_of_a_meal_period_is_near(self) -> None:
        self.come_to(self.day_starts_us + PERIOD_ENDS[self.period] - HOLD_LIFETIME_US // 3)

    @rule(terminal=TERMINALS, days_ago=st.integers(0, 2))
    def reconciliation(self, terminal: int, days_ago: int) -> None:
        """The switch's totals are what its answers told the terminal."""
        day = CALENDAR.moment(self.now_us - days_ago * DAY_US).business_day
        figures, _ = self.decide(Reconciliation(terminal, next(self.stans), 1_000, day, ()))
        told = {total.service: (total.count, total.amount) for total in figures.of_switch}
        assert {service: told.get(service, (0, 0)) for service in RECONCILED} == {
            service: (len(amounts), sum(amounts)) for service, amounts in self.taken_by(terminal, day).items()
        }

    @rule(account=ACCOUNTS, terminal=TERMINALS, copies=st.integers(1, 2))
    def emergency(self, account: str, terminal: int, copies: int) -> None:
        request = Emergency(terminal, next(self.stans), 1_000, account, card_of(account))
        helped = Answer(terminal, request.stan, Code.APPROVED, Reason.NONE, 0, (), ())
        assert [self.decide(request) for _ in range(copies)] == [(helped, True), (helped, False)][:copies]

    @rule(
        desk=DESKS, of_terminal=TERMINALS, first=st.integers(1, 20), width=st.sampled_from([0, 1, 5, 10_000, 2**50, -1])
    )
    def explanation_of_a_gap(self, desk: int, of_terminal: int, first: int, width: int) -> None:
        """Recorded or refused once, it is answered alike for ever, and touches no account."""
        request = ExplainGap(desk, next(self.stans), 1_000, "wu", of_terminal, first, max(1, first + width), "seen")
        expected = Code.APPROVED, Reason.NONE
        if desk != DESK:
            refused = {SMALL_DESK: (Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE)}
            expected = refused.get(desk, (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED))
        elif first > request.last:
            expected = Code.INVALID_TRANSACTION, Reason.RANGE_NOT_POSSIBLE
        answer = Answer(desk, request.stan, *expected, 0, (), ())
        assert [self.decide(request) for _ in range(2)] == [(answer, True), (answer, False)]
        other, recorded = self.decide(replace(request, last=request.last + 1))
        assert (other.code, recorded) == (Code.DUPLICATE, False)

    @rule()
    def restart(self) -> None:
        self.check_books()
        before, _ = self.shard.hot_list.since(0, 1_000)
        self.shard = self.recovered()
        assert self.shard.hot_list.since(0, 1_000) == (before, False)

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.steps += 1
        assert self.auditor.findings == []
        assert self.shard.ledger.imbalance == 0

    def recovered(self) -> Shard:
        """From its store. Snapshots are soon due, and most accounts have left memory when they are next asked."""
        return recover(self.store, ACCOUNT, snapshot_lag=SNAPSHOT_LAG, active_max=ACTIVE_MAX)

    @property
    def uploaded(self) -> list[Advice]:
        """Every advice that was sent."""
        return [request for request in self.asked if isinstance(request, Advice)]

    def command(self, kind: Any, account: str, *fields: Any) -> None:
        """An operator who may do everything does this."""
        self.ask(kind(DESK, next(self.stans), 1_000, account, "wu", *fields))

    def moment(self) -> Moment:
        """Now."""
        return CALENDAR.moment(self.now_us)

    @property
    def days(self) -> int:
        """How many business days are over."""
        return (self.now_us - NOON_US + DAY_US // 2) // DAY_US

    @property
    def day_starts_us(self) -> int:
        """When the present business day began: midnight."""
        return NOON_US - DAY_US // 2 + self.days * DAY_US

    @property
    def today(self) -> int:
        """The present business day."""
        return self.moment().business_day

    @property
    def period(self) -> int:
        """The present meal period."""
        return self.moment().period

    def come_to(self, now_us: int) -> None:
        """It is so late, or later."""
        self.now_us = max(self.now_us, now_us)
        self.auditor.time_is(self.now_us)
        starts_us = self.day_starts_us
        period_starts_us = starts_us + (PERIOD_ENDS[self.period - 1] if self.period else 0)
        self.auditor.change_rules(
            replace(
                RULES, today=self.today, period=self.period, day_starts_us=starts_us, period_starts_us=period_starts_us,
                review_due_us=REVIEWS_DUE_US[self.days],
            )
        )  # fmt: skip

    def told_of(self) -> Counter[str]:
        """By account: how often operators were told of a loss that waits for its review."""
        events = (event for _, event in Journal(self.store, ACCOUNT.event_type).events(1))
        effects = ((event.account, ACCOUNT.effect.get(type(event), lambda _: None)(event)) for event in events)
        return Counter(account for account, effect in effects if effect and effect.name is EffectName.REVIEW_OVERDUE)

    def draw_hold(self, data: st.DataObject) -> Any:
        """Nearly always a hold, and a young one, if there is any: else something that cannot be captured."""
        holds = [asked for asked in self.asked if isinstance(asked, Hold)]
        return data.draw(st.sampled_from(holds[-4:] + holds[-4:] + holds + self.asked[-1:]))

    def turn(self, requests: list[Any], sweep: int | None = None) -> Turn:
        """A turn that is durable and adopted."""
        turn = self.shard.decide(requests, self.moment(), POLICY, sweep=sweep)
        self.shard.commit(turn)
        self.shard.adopt(turn)
        return turn

    def give_first_pin(self, account: str, pin: str, fault: str = "none", desk: int = DESK) -> None:
        """The card office resets the PIN, which is sealed with such a fault."""
        context = PinContext(PinUse.NEW, desk, next(self.stans), account)
        request = ResetPin(desk, context.stan, 1_000, account, "wu", self.sealed(pin, context, fault))
        if self.ask(request).code is Code.APPROVED:
            self.pins[account] = pin

    def ask_for_another_pin(
        self, terminal: int, account: str, old: str, new: str, faults: tuple[str, str] = ("none", "none")
    ) -> None:
        """A change of PIN, in which each of the two has such a fault."""
        context = PinContext(PinUse.OLD, terminal, next(self.stans), account)
        sealed_old = self.sealed(old, context, faults[0])
        sealed_new = self.sealed(new, context._replace(use=PinUse.NEW), faults[1])
        request = ChangePin(terminal, context.stan, 1_000, account, self.cards[account][-1], sealed_old, sealed_new)
        if self.ask(request).code is Code.APPROVED:
            self.pins[account] = new

    def sealed(self, pin: str, context: PinContext, fault: str) -> bytes:
        """The PIN as its terminal seals it, or something that does not open."""
        if fault == "other account":
            context = context._replace(account="20260009")
        sealed = seal_pin(pin, PIN_KEYS.get(context.terminal, bytes(32)), next(self.stans).to_bytes(12, "big"), context)
        if fault == "altered":
            return sealed[:-1] + bytes([sealed[-1] ^ 1])
        return {"short": sealed[:-1], "not sealed": b""}.get(fault, sealed)

    def ask(self, request: Any) -> Any:
        """One turn with one request, whose answer the auditor judges."""
        self.auditor.record_sent(request)
        answer, recorded = self.decide(request)
        assert (answer.terminal, answer.stan) == (request.terminal, request.stan)
        self.auditor.judge(request, answer)
        if recorded:
            self.note(request, answer.code is Code.APPROVED)
        self.asked.append(request)
        if getattr(answer, "authorization", 0):
            price = sum(answer.paid) if isinstance(request, Purchase) else getattr(request, "amount", 0)
            self.authorized.setdefault(answer.authorization, (request, price, self.today))
        return answer

    def decide(self, request: Any) -> tuple[Any, bool]:
        """What a turn with one request answers, and whether that was recorded in it; something may expire beside it."""
        turn = self.turn([request])
        recorded = any(kind not in UNASKED for kind, _ in turn.recorded)
        return reply_decoder.decode_message(turn.answers[0]), recorded

    def taken_by(self, terminal: int, day: int) -> dict[str, list[int]]:
        """The amounts of what was approved on that day with an authorization number, by service."""
        taken: dict[str, list[int]] = {service: [] for service in RECONCILED}
        prices = {(request.terminal, request.stan): (request, price) for request, price, _ in self.authorized.values()}
        for request, amount, decided_on in self.authorized.values():
            service = RECONCILED_AS.get(type(request))
            if isinstance(request, Reversal):
                original, amount = prices[request.original_terminal, request.original_stan]  # noqa: PLW2901
                if isinstance(original, Hold):
                    continue  # nothing was taken, and nothing is given back
                service = f"reversal-of-{RECONCILED_AS[type(original)]}"
            if (request.terminal, decided_on) == (terminal, day) and service is not None:
                taken[service].append(amount)
        return taken

    def note(self, request: Any, approved: bool) -> None:  # noqa: FBT001 - what the answer was
        """Keep the serial of a new card; the ones before it are dead for ever."""
        cards = self.cards[request.account]
        if approved and isinstance(request, OpenAccount | IssueCard | ReplaceCard):
            assert request.card not in cards or isinstance(request, OpenAccount)
            cards.append(request.card)
        assert not (approved and isinstance(request, Purchase | TopUp) and request.card in cards[:-1])

    def check_books(self) -> None:
        """The journal replays to what the shard says, and suspense is owed what the model says."""
        verify(self.store, ACCOUNT)
        self.check_hot_list()
        owed = sum(item.owes for item in find_suspicious(Journal(self.store, ACCOUNT.event_type), ACCOUNT))
        assert self.shard.ledger.balances.get(SUSPENSE, 0) == -owed
        assert self.auditor.judge_suspense(owed) is None

    def check_hot_list(self) -> None:
        """It follows from the accounts' cards, whatever led to them."""
        serials = Counter(serial for cards in self.cards.values() for serial in {*cards})
        for number, cards in self.cards.items():
            account = self.shard.state(number)
            if account is None:
                continue
            dead = {serial: "replaced" for serial in cards if serial not in {account.card, card_of(UNOPENED)}}
            now = {account.card: account.card_state.value if account.card_state in HOT else GOOD}
            for serial, state in {**dead, **now}.items():
                listed = self.shard.hot_list.newest(serial)
                if serials[serial] == 1:
                    assert (listed.state if listed is not None else GOOD) == state

    def teardown(self) -> None:
        """The journal replays to what the shard says, and what is suspicious and open is what suspense owes.

        Days later operators were told of each loss that waits.
        """
        _steps.append(self.steps - 1)  # the invariant is looked at before the first one too
        self.check_books()
        for now_us in (REVIEWS_DUE_US[0] - 1, *REVIEWS_DUE_US, REVIEWS_DUE_US[-1] + HOUR_US):
            self.now_us = now_us
            for account in self.cards:
                self.turn([], slot_of(account))
            assert self.told_of() == Counter(self.auditor.overdue_reviews(now_us))
        verify(self.store, ACCOUNT)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
