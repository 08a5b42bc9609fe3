"""Every reason to refuse, alone and in pairs: of two that meet, the one whose check comes first is the answer."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from example_campus import (
    ALICE,
    BATH,
    CALENDAR,
    KIOSK,
    LIMITS,
    LUNCH,
    NO_LIMITS,
    NOON,
    NOON_US,
    POLICY,
    TILL,
    TODAY,
    TOP_UP_MACHINE,
    account,
    advice,
    balance_inquiry,
    capture,
    card_of,
    hold,
    holding,
    mini_statement,
    outstanding,
    purchase,
    refund,
    release,
    reversal,
    subsidy_claim,
    top_up,
)
from msgspec.structs import replace

from actors.account.card import CardState, PersonClass
from actors.account.checks.amounts import AMOUNT_MAX
from actors.account.checks.terminal import UNREGISTERED
from actors.account.expiry import fall_due
from actors.account.inquiries import inquire
from actors.account.services.hold import HOLDS_MAX
from actors.account.state import Account, Grant, OwnLimits
from actors.account.tables import ANSWER, DECIDE
from actors.policy import HOLD_LIFETIME_US, Limits, Policy, Terminal
from wire.codes import Code, Reason

YESTERDAY = TODAY - 1
NOW = {"spending_day": TODAY, "spending_period": LUNCH}
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Fault(NamedTuple):
    """What is wrong, as changes of account, request and terminal; `check` is its place in the order of checks."""

    check: int
    code: Code
    reason: Reason
    account: Mapping[str, Any] = NOTHING
    request: Mapping[str, Any] = NOTHING
    terminal: Mapping[str, Any] = NOTHING


NOT_OFFERED = Fault(1, Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED, terminal={"services": frozenset()})
OUTSIDE_HOURS = Fault(
    2, Code.NOT_PERMITTED_TO_TERMINAL, Reason.OUTSIDE_HOURS, terminal={"open_periods": frozenset({0})}
)
AMOUNTS = [
    Fault(3, Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE, request={"amount": amount})
    for amount in (AMOUNT_MAX + 1, 2**63 - 1, 0, -1, -(2**63))
]
CARD = [
    Fault(4, Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED, {"card_state": CardState.CLOSED}),
    Fault(5, Code.NO_SUCH_ACCOUNT, Reason.NO_CARD, {"card": "another"}),
    Fault(5, Code.RESTRICTED_CARD, Reason.CARD_REPLACED, {"card": "another", "dead_cards": (card_of(ALICE),)}),
    Fault(6, Code.LOST_CARD, Reason.CARD_LOST, {"card_state": CardState.LOST}),
    Fault(6, Code.RESTRICTED_CARD, Reason.CARD_REPLACED, {"card_state": CardState.REPLACED}),
    Fault(6, Code.RESTRICTED_CARD, Reason.CARD_FROZEN, {"card_state": CardState.FROZEN}),
    Fault(6, Code.RESTRICTED_CARD, Reason.CARD_NOT_ACTIVE, {"card_state": CardState.ISSUED}),
    Fault(6, Code.EXPIRED_CARD, Reason.CARD_EXPIRED, {"card_state": CardState.EXPIRED}),
    Fault(7, Code.EXPIRED_CARD, Reason.CARD_EXPIRED, {"expires": YESTERDAY}),
]
TIGHT = Limits(20_000, 50_000, 0, 0, period_max=30_000, day_count_max=8, period_count_max=5, balance_min=100)
SPENDING_FAULTS = [
    NOT_OFFERED,
    OUTSIDE_HOURS,
    *AMOUNTS,
    *CARD,
    Fault(8, Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT, {"purses": (50_000,)}, {"amount": LIMITS.purchase_max + 1}),
    Fault(9, Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT, {"spending_day": TODAY, "spent": LIMITS.day_max - 999}),
    Fault(10, Code.OVER_AMOUNT_LIMIT, Reason.PERIOD_LIMIT, {**NOW, "period_spent": TIGHT.period_max - 999}),
    Fault(11, Code.OVER_COUNT_LIMIT, Reason.DAY_COUNT_LIMIT, {**NOW, "purchases": TIGHT.day_count_max}),
    Fault(12, Code.OVER_COUNT_LIMIT, Reason.PERIOD_COUNT_LIMIT, {**NOW, "period_purchases": TIGHT.period_count_max}),
]
FUNDS = [
    Fault(14, Code.INSUFFICIENT_FUNDS, Reason.FUNDS, {"purses": (1_099,)}),
    Fault(14, Code.INSUFFICIENT_FUNDS, Reason.FUNDS, {"purses": (1_100, 200, 300), "holds": (outstanding(501),)}),
    Fault(14, Code.INSUFFICIENT_FUNDS, Reason.FUNDS, {"purses": (99, 1_200, 300), "holds": (outstanding(501),)}),
]
PURCHASE_FAULTS = [*SPENDING_FAULTS, *FUNDS]
HOLD_FAULTS = [
    *SPENDING_FAULTS,
    Fault(13, Code.OVER_COUNT_LIMIT, Reason.HOLDS_LIMIT, {"holds": (outstanding(1),) * HOLDS_MAX}),
    *FUNDS,
]
TOP_UP_FAULTS = [
    NOT_OFFERED,
    *AMOUNTS,
    *CARD,
    Fault(8, Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT, request={"amount": LIMITS.top_up_max + 1}),
    Fault(9, Code.OVER_AMOUNT_LIMIT, Reason.BALANCE_LIMIT, {"purses": (LIMITS.balance_max - 999,)}),
]
INQUIRY_FAULTS = [NOT_OFFERED, *CARD]
CLAIM_FAULTS = [
    NOT_OFFERED,
    *CARD,
    Fault(8, Code.INVALID_TRANSACTION, Reason.NOTHING_GRANTED, {"unclaimed": (Grant("2026-08", 500, NOON.time_us),)}),
]
ADVICE_FAULTS = [NOT_OFFERED, *AMOUNTS]
NO_FAULTS_OF_ADVICE = [fault for fault in PURCHASE_FAULTS if fault not in ADVICE_FAULTS]

APPROVED = Code.APPROVED, Reason.NONE
Pair = tuple[Fault, Fault]


def outcome(
    holder: Account, request: Any, terminal: Terminal, policy: Policy = POLICY, original: Any = None
) -> tuple[Code, Reason]:
    """Code and reason of the answer."""
    policy = replace(policy, terminals={request.terminal: terminal})
    if decide := DECIDE.get(type(request)):
        event = decide(holder, request, original, NOON, policy, 99)
        answer = ANSWER[type(event)](event)
    else:
        answer = inquire(holder, request, [], NOON, policy)
    return getattr(answer, "code", Code.APPROVED), getattr(answer, "reason", Reason.NONE)


def alone_and_in_pairs(faults: list[Fault]) -> list[Pair]:
    """Each fault with itself, and with every fault that a later check would find."""
    pairs = [(first, second) for first, second in combinations(faults, 2) if first.check < second.check]
    return [(fault, fault) for fault in faults] + pairs


def name_of(fault: Fault) -> str:
    """How the row is called."""
    held = " beside holds" if "holds" in fault.account else ""
    return f"{fault.reason}{held}{''.join(f' {value}' for value in fault.request.values())}"


def expected(pair: Pair) -> tuple[Code, Reason]:
    """What the first of two faults is answered with."""
    return pair[0].code, pair[0].reason


def spoiled(pair: Pair, value: Any, field: str) -> Any:
    """The value with both faults; where they change the same field, the first one's change counts."""
    return replace(value, **{**getattr(pair[1], field), **getattr(pair[0], field)})


@pytest.mark.parametrize("pair", alone_and_in_pairs(PURCHASE_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_purchase(pair: Pair) -> None:
    holder, request = spoiled(pair, account(), "account"), spoiled(pair, purchase(1), "request")
    terminal = spoiled(pair, TILL, "terminal")
    assert outcome(holder, request, terminal, replace(POLICY, limits=TIGHT)) == expected(pair)


@pytest.mark.parametrize("pair", alone_and_in_pairs(HOLD_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_hold(pair: Pair) -> None:
    holder, request = spoiled(pair, account(), "account"), spoiled(pair, hold(1), "request")
    terminal = spoiled(pair, BATH, "terminal")
    assert outcome(holder, request, terminal, replace(POLICY, limits=TIGHT)) == expected(pair)


OWN_TIGHT = OwnLimits(*(getattr(TIGHT, name) for name in OwnLimits.__struct_fields__))
OWN_ALONE = replace(POLICY, limits=replace(TIGHT, **dict.fromkeys(OwnLimits.__struct_fields__, 0)))


@pytest.mark.parametrize("pair", alone_and_in_pairs(PURCHASE_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_purchase_under_the_holders_own_limits(pair: Pair) -> None:
    holder, request = spoiled(pair, account(own_limits=OWN_TIGHT), "account"), spoiled(pair, purchase(1), "request")
    assert outcome(holder, request, spoiled(pair, TILL, "terminal"), OWN_ALONE) == expected(pair)


@pytest.mark.parametrize("pair", alone_and_in_pairs(HOLD_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_hold_under_the_holders_own_limits(pair: Pair) -> None:
    holder, request = spoiled(pair, account(own_limits=OWN_TIGHT), "account"), spoiled(pair, hold(1), "request")
    assert outcome(holder, request, spoiled(pair, BATH, "terminal"), OWN_ALONE) == expected(pair)


def decided(request: Any, original: Any = None, holder: Account | None = None) -> Any:
    """The event that a request comes to."""
    return DECIDE[type(request)](holder or account(), request, original, NOON, POLICY, 99)


HOLD = hold(1, 500)
HELD = decided(HOLD)
CAPTURED, RELEASED = decided(capture(2, HOLD, 300), HELD), decided(release(2, HOLD), HELD)
EXPIRED = fall_due(holding(account(), outstanding(500)), CALENDAR.moment(NOON_US + HOLD_LIFETIME_US))
SERVICE_NOT_OFFERED = Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED
OUT_OF_RANGE = Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE
NOT_FOUND = Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND
MORE_THAN_HELD = Code.INVALID_AMOUNT, Reason.MORE_THAN_HELD
ORIGINALS = {
    "unknown": (None, NOT_FOUND),
    "declined hold": (decided(hold(1, 0)), NOT_FOUND),
    "purchase": (decided(purchase(1, 500, terminal=BATH.number)), NOT_FOUND),
    "another's capture": (decided(capture(1, hold(9, 500), 300), decided(hold(9, 500))), NOT_FOUND),
    "another's release": (decided(release(1, hold(9, 500)), decided(hold(9, 500))), NOT_FOUND),
    "reversal": (decided(reversal(1, purchase(9), BATH.number)), NOT_FOUND),
    "captured": (CAPTURED, (Code.INVALID_TRANSACTION, Reason.HOLD_CAPTURED)),
    "released": (RELEASED, (Code.INVALID_TRANSACTION, Reason.HOLD_RELEASED)),
    "reversed": (decided(reversal(2, HOLD), HELD), (Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED)),
    "reversed before it came": (decided(reversal(2, HOLD)), (Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED)),
}


@pytest.mark.parametrize(("original", "refused"), ORIGINALS.values(), ids=ORIGINALS)
def test_capture_and_release_of_what_is_not_outstanding(original: Any, refused: tuple[Code, Reason]) -> None:
    assert outcome(account(), release(3, HOLD), BATH, original=original) == refused
    assert outcome(account(), release(3, HOLD), TILL, original=original) == SERVICE_NOT_OFFERED
    for used in (1, 500, 501):  # above the hold, too: there is none
        assert outcome(account(), capture(3, HOLD, used), BATH, original=original) == refused
    assert outcome(account(), capture(3, HOLD, 0), BATH, original=original) == OUT_OF_RANGE


@pytest.mark.parametrize("original", [HELD, EXPIRED], ids=["outstanding", "expired"])
def test_capture_takes_no_more_than_is_held(original: Any) -> None:
    assert outcome(account(), capture(3, HOLD, 500), BATH, original=original) == APPROVED
    for used in (501, AMOUNT_MAX):
        assert outcome(account(), capture(3, HOLD, used), BATH, original=original) == MORE_THAN_HELD
    for used in (0, -1, AMOUNT_MAX + 1, 2**63 - 1, -(2**63)):
        assert outcome(account(), capture(3, HOLD, used), BATH, original=original) == OUT_OF_RANGE
        assert outcome(account(), capture(3, HOLD, used), TILL, original=original) == SERVICE_NOT_OFFERED


def test_release_of_what_has_expired() -> None:
    assert outcome(account(), release(3, HOLD), BATH, original=HELD) == APPROVED
    assert outcome(account(), release(3, HOLD), BATH, original=EXPIRED) == (
        Code.INVALID_TRANSACTION, Reason.HOLD_EXPIRED,
    )  # fmt: skip


@pytest.mark.parametrize("card_state", [state for state in CardState if state is not CardState.ACTIVE])
def test_capture_and_release_ask_nothing_of_card_hours_limits_and_funds(card_state: CardState) -> None:
    holder = account(
        card_state=card_state, card="another", expires=YESTERDAY, purses=(0,), spending_day=TODAY, spent=9**9
    )
    closed = replace(BATH, open_periods=frozenset())
    assert outcome(holder, capture(3, HOLD), closed, original=HELD) == APPROVED
    assert outcome(holder, release(3, HOLD), closed, original=HELD) == APPROVED


@pytest.mark.parametrize("pair", alone_and_in_pairs(TOP_UP_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_top_up(pair: Pair) -> None:
    holder, request = spoiled(pair, account(), "account"), spoiled(pair, top_up(1), "request")
    terminal = spoiled(pair, TOP_UP_MACHINE, "terminal")
    assert outcome(holder, request, terminal) == expected(pair)


@pytest.mark.parametrize("pair", alone_and_in_pairs(ADVICE_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_advice(pair: Pair) -> None:
    request, terminal = spoiled(pair, advice(1, 1), "request"), spoiled(pair, TILL, "terminal")
    assert outcome(account(), request, terminal) == expected(pair)


@pytest.mark.parametrize(
    "pair", alone_and_in_pairs(NO_FAULTS_OF_ADVICE), ids=lambda pair: " + ".join(map(name_of, pair))
)
def test_advice_is_not_declined_for_what_a_purchase_is(pair: Pair) -> None:
    holder, request = spoiled(pair, account(), "account"), spoiled(pair, advice(1, 1), "request")
    assert outcome(holder, request, spoiled(pair, TILL, "terminal")) == APPROVED


@pytest.mark.parametrize("pair", alone_and_in_pairs(CLAIM_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_subsidy_claim(pair: Pair) -> None:
    granted = account(unclaimed=(Grant("2026-09", 500, NOON.time_us + 1),))
    holder, terminal = spoiled(pair, granted, "account"), spoiled(pair, KIOSK, "terminal")
    assert outcome(granted, subsidy_claim(1), KIOSK) == APPROVED
    assert outcome(holder, subsidy_claim(1), terminal) == expected(pair)


@pytest.mark.parametrize("request_", [balance_inquiry(1), mini_statement(1)], ids=["balance", "statement"])
@pytest.mark.parametrize("pair", alone_and_in_pairs(INQUIRY_FAULTS), ids=lambda pair: " + ".join(map(name_of, pair)))
def test_inquiry(pair: Pair, request_: Any) -> None:
    holder, terminal = spoiled(pair, account(), "account"), spoiled(pair, KIOSK, "terminal")
    assert outcome(holder, request_, terminal) == expected(pair)


def test_reversal_asks_only_whether_the_terminal_offers_it() -> None:
    request = reversal(2, purchase(1))
    assert outcome(account(), request, TILL) == APPROVED
    assert outcome(account(), request, KIOSK) == (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)


def test_terminal_that_is_not_registered_offers_nothing() -> None:
    not_offered = (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)
    assert outcome(account(), purchase(1), UNREGISTERED) == not_offered
    assert outcome(account(), top_up(1), UNREGISTERED) == not_offered
    assert outcome(account(), advice(1, 1), UNREGISTERED) == not_offered
    assert outcome(account(), reversal(2, purchase(1)), UNREGISTERED) == not_offered
    assert outcome(account(), refund(2, purchase(1)), UNREGISTERED) == not_offered
    assert outcome(account(), hold(1), UNREGISTERED) == not_offered
    assert outcome(account(), capture(2, HOLD), UNREGISTERED, original=HELD) == not_offered
    assert outcome(account(), release(2, HOLD), UNREGISTERED, original=HELD) == not_offered
    assert outcome(account(), balance_inquiry(1), UNREGISTERED) == not_offered


ALLOWED_PURCHASES = [
    ("plain", {}, {}),
    ("all the money but the deposit", {"purses": (1_100,)}, {}),
    ("all the money of every purse but the deposit", {"purses": (500, 400, 200)}, {}),
    ("subsidy beside a purse below the deposit", {"purses": (99, 1_000)}, {}),
    ("up to the limit of the period", {**NOW, "period_spent": TIGHT.period_max - 1_000}, {}),
    ("another period's spending does not count", {**NOW, "spending_period": 0, "period_spent": 9**9}, {}),
    ("the same period yesterday does not count", {**NOW, "spending_day": YESTERDAY, "period_spent": 9**9}, {}),
    ("the last that the day's count allows", {**NOW, "purchases": TIGHT.day_count_max - 1}, {}),
    ("the last that the period's count allows", {**NOW, "period_purchases": TIGHT.period_count_max - 1}, {}),
    ("another period's count does not count", {**NOW, "spending_period": 0, "period_purchases": 99}, {}),
    ("yesterday's count does not count", {**NOW, "spending_day": YESTERDAY, "purchases": 9, "period_purchases": 9}, {}),
    ("up to the limit of a purchase", {"purses": (50_000,)}, {"amount": LIMITS.purchase_max}),
    ("up to the limit of the day", {"spending_day": TODAY, "spent": LIMITS.day_max - 1_000}, {}),
    ("yesterday's spending does not count", {"spending_day": YESTERDAY, "spent": LIMITS.day_max}, {}),
    ("on the card's last day", {"expires": TODAY}, {}),
    ("the smallest amount", {}, {"amount": 1}),
    ("all the money that is not held", {"purses": (1_100, 200, 300), "holds": (outstanding(500),)}, {}),
    ("beside seven holds", {"holds": (outstanding(1),) * (HOLDS_MAX - 1)}, {}),
]


@pytest.mark.parametrize(
    ("changes", "asked"), [row[1:] for row in ALLOWED_PURCHASES], ids=[row[0] for row in ALLOWED_PURCHASES]
)
def test_purchase_that_is_allowed(changes: dict[str, Any], asked: dict[str, Any]) -> None:
    policy = replace(POLICY, limits=TIGHT)
    assert outcome(account(**changes), replace(purchase(1), **asked), TILL, policy) == APPROVED
    assert outcome(account(**changes), replace(hold(1), **asked), BATH, policy) == APPROVED


def test_purchase_in_an_open_period() -> None:
    terminal = replace(TILL, open_periods=frozenset({NOON.period}))
    assert outcome(account(), purchase(1), terminal) == APPROVED


def test_top_up_may_reach_both_limits() -> None:
    holder = account(purses=(LIMITS.balance_max - LIMITS.top_up_max,))
    assert outcome(holder, top_up(1, LIMITS.top_up_max), TOP_UP_MACHINE) == APPROVED


def test_deposit_is_left_out_of_what_all_purses_hold() -> None:
    policy = replace(POLICY, limits=TIGHT)
    for purses in ((99, 999), (500, 599), (500, 399, 200), (0, 999)):
        assert outcome(account(purses=purses), purchase(1), TILL, policy) == (Code.INSUFFICIENT_FUNDS, Reason.FUNDS)


def test_class_of_people_with_limits_of_its_own() -> None:
    policy = replace(POLICY, class_limits={PersonClass.STAFF: Limits(500, 0, 600, 0)})
    staff, student = account(person_class=PersonClass.STAFF), account()
    assert outcome(staff, purchase(1, 501), TILL, policy) == (Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT)
    assert outcome(student, purchase(1, 501), TILL, policy) == APPROVED
    assert outcome(staff, top_up(1, 601), TOP_UP_MACHINE, policy) == (Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT)
    assert outcome(student, top_up(1, 601), TOP_UP_MACHINE, policy) == APPROVED


def test_limit_of_zero_is_no_limit() -> None:
    policy = replace(POLICY, limits=NO_LIMITS)
    busy = {**NOW, "spent": 9**9, "period_spent": 9**9, "purchases": 9**9, "period_purchases": 9**9}
    rich = account(purses=(10 * AMOUNT_MAX,), **busy)
    assert outcome(rich, purchase(1, AMOUNT_MAX), TILL, policy) == APPROVED
    assert outcome(rich, top_up(1, AMOUNT_MAX), TOP_UP_MACHINE, policy) == APPROVED
