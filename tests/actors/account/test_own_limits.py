"""The holder's own limits: they are set at once, tighten the school's, and never loosen them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from example_campus import (
    ALICE,
    DESK,
    KIOSK,
    LIMITS,
    LUNCH,
    NO_LIMITS,
    NOON,
    POLICY,
    TODAY,
    account,
    command,
    hold,
    pin_of,
    purchase,
    purchase_with_pin,
    top_up,
)
from msgspec.structs import replace

from actors.account.booking import postings
from actors.account.card import CardState, PersonClass
from actors.account.checks.amounts import AMOUNT_MAX, limits_of
from actors.account.events import CardReplaced, LimitsSet
from actors.account.state import Account, Family, Loss, OwnLimits
from actors.account.tables import ANSWER, APPLY, DECIDE
from actors.policy import Limits, Policy
from wire.messages import CreditFamily, FeePayment, ReplaceCard, SetLimits

OWN = OwnLimits(purchase_max=2_000, day_max=4_000, period_max=3_000, day_count_max=5, period_count_max=3)
NOW = {"spending_day": TODAY, "spending_period": LUNCH}
SCHOOL = Limits(1_000, 5_000, 700, 9_000, period_max=3_000, day_count_max=9, period_count_max=2, balance_min=50)


def set_limits(*limits: int) -> SetLimits:
    """All five, in the order of OwnLimits."""
    request: SetLimits = command(1, SetLimits, *limits)
    return request


def decided(request: Any, holder: Account, policy: Policy = POLICY) -> Any:
    return DECIDE[type(request)](holder, request, None, NOON, policy, 99)


def applied(request: Any, holder: Account) -> Account:
    event = decided(request, holder)
    return APPLY[type(event)](holder, event, 9)


def outcome(request: Any, holder: Account, policy: Policy = POLICY) -> tuple[int, str]:
    event = decided(request, holder, policy)
    answer = ANSWER[type(event)](event)
    return int(answer.code), answer.reason.value


def test_they_are_set_changed_and_taken_back() -> None:
    first = applied(set_limits(2_000, 4_000, 3_000, 5, 3), account())
    assert first == account(position=9, own_limits=OWN)
    assert applied(set_limits(0, 0, 0, 0, 1), first).own_limits == OwnLimits(period_count_max=1)
    assert applied(set_limits(0, 0, 0, 0, 0), first) == account(position=9)


def test_event_says_what_was_set_and_who_did_it() -> None:
    event = decided(set_limits(2_000, 4_000, 3_000, 5, 3), account())
    assert event == LimitsSet(
        ALICE, NOON.time_us, 1, DESK.number, 1, "wu", account().card, TODAY, (10_000,), 2_000, 4_000, 3_000, 5, 3
    )
    assert postings(event) == ()
    answer = ANSWER[LimitsSet](event)
    assert (answer.code, answer.authorization, answer.balances, answer.paid) == (0, 0, (10_000,), ())


CLOSED = {"card_state": CardState.CLOSED}
OUT_OF_RANGE, DONE = (13, "amount-out-of-range"), (0, "")


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    ("value", "expected"),
    [(-1, OUT_OF_RANGE), (AMOUNT_MAX + 1, OUT_OF_RANGE), (-(2**63), OUT_OF_RANGE), (AMOUNT_MAX, DONE), (1, DONE)],
)
def test_range_of_each(place: int, value: int, expected: tuple[int, str]) -> None:
    limits = [0] * 5
    limits[place] = value
    assert outcome(set_limits(*limits), account()) == expected


def test_order_of_refusals() -> None:
    wrong, right = set_limits(0, -1, 0, 0, 0), set_limits(0, 1, 0, 0, 0)
    assert outcome(replace(wrong, terminal=KIOSK.number), account(**CLOSED)) == (58, "service-not-offered")
    assert outcome(replace(wrong, clerk=""), account(**CLOSED)) == (12, "clerk-missing")
    assert outcome(wrong, account(**CLOSED)) == OUT_OF_RANGE
    assert outcome(right, account(**CLOSED)) == (62, "account-closed")
    assert outcome(right, account(**CLOSED, opened_at=0)) == (14, "no-account")


@pytest.mark.parametrize("state", [state for state in CardState if state is not CardState.CLOSED])
def test_card_is_not_asked_for(state: CardState) -> None:
    assert outcome(set_limits(0, 1, 0, 0, 0), account(card_state=state, expires=TODAY - 1)) == DONE


@pytest.mark.parametrize(
    ("own", "changes"),
    [
        (OwnLimits(purchase_max=999), {"purchase_max": 999}),
        (OwnLimits(purchase_max=1_000), {}),
        (OwnLimits(purchase_max=1_001, day_max=9_999, period_max=3_001, day_count_max=10, period_count_max=3), {}),
        (OwnLimits(day_max=1), {"day_max": 1}),
        (OwnLimits(period_max=2_999), {"period_max": 2_999}),
        (OwnLimits(day_count_max=8), {"day_count_max": 8}),
        (OwnLimits(period_count_max=1), {"period_count_max": 1}),
    ],
)
def test_lower_one_counts(own: OwnLimits, changes: dict[str, int]) -> None:
    policy = replace(POLICY, limits=NO_LIMITS, class_limits={PersonClass.STUDENT: SCHOOL})
    assert limits_of(account(own_limits=own), policy) == replace(SCHOOL, **changes)


def test_they_hold_where_the_school_has_none() -> None:
    limits = limits_of(account(own_limits=OWN), replace(POLICY, limits=NO_LIMITS))
    assert limits == Limits(2_000, 4_000, 0, 0, period_max=3_000, day_count_max=5, period_count_max=3)


OVER: list[tuple[str, dict[str, Any], int, tuple[int, str]]] = [
    ("purchase", {}, 2_001, (61, "purchase-limit")),
    ("day", {"spending_day": TODAY, "spent": 3_001}, 1_000, (61, "day-limit")),
    ("period", {**NOW, "period_spent": 2_001}, 1_000, (61, "period-limit")),
    ("count of the day", {**NOW, "purchases": 5}, 1_000, (65, "day-count-limit")),
    ("count of the period", {**NOW, "period_purchases": 3}, 1_000, (65, "period-count-limit")),
    ("within all", {**NOW, "spent": 3_000, "period_spent": 2_000, "purchases": 4, "period_purchases": 2}, 1_000, DONE),
]


@pytest.mark.parametrize(("spent", "amount", "expected"), [row[1:] for row in OVER], ids=[row[0] for row in OVER])
@pytest.mark.parametrize("class_limits", [{}, {PersonClass.STUDENT: LIMITS}], ids=["of all", "of a class"])
def test_purchase_and_hold(
    spent: dict[str, Any], amount: int, expected: tuple[int, str], class_limits: dict[PersonClass, Limits]
) -> None:
    policy = replace(POLICY, class_limits=class_limits)
    free, holder = account(**spent), account(own_limits=OWN, **spent)
    assert outcome(purchase(2, amount), holder, policy) == expected
    assert outcome(hold(2, amount), holder, policy) == expected
    assert outcome(purchase(2, amount), free, policy) == DONE


def test_pin_makes_a_purchase_above_ones_own_limit_possible() -> None:
    holder = account(own_limits=OwnLimits(purchase_max=2_000), pin=pin_of())
    assert outcome(purchase(2, 2_001), holder) == (55, "pin-required")
    assert outcome(purchase_with_pin(2, 2_001), holder) == DONE
    assert outcome(purchase_with_pin(2, 2_001, "271828"), holder) == (55, "pin-wrong")
    assert outcome(purchase_with_pin(2, 4_001), replace(holder, own_limits=OWN)) == (61, "day-limit")


def test_what_comes_in_is_the_schools_to_limit() -> None:
    holder = account(own_limits=OwnLimits(1, 1, 1, 1, 1), family=Family("g-7"), spending_day=TODAY, spent=9)
    assert outcome(top_up(2, LIMITS.top_up_max), holder) == DONE
    assert outcome(top_up(2, LIMITS.top_up_max + 1), holder) == (61, "top-up-limit")
    assert outcome(command(2, CreditFamily, LIMITS.top_up_max, 2), holder) == DONE


def test_they_outlive_a_card() -> None:
    lost = account(own_limits=OWN, card_state=CardState.LOST, loss=Loss(7, CardState.ACTIVE, reviewed=True))
    event = decided(command(1, ReplaceCard, "C2", FeePayment.CASH), lost)
    assert APPLY[CardReplaced](lost, event, 9).own_limits == OWN


def test_account_of_an_older_snapshot_has_none() -> None:
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(account(own_limits=OWN)))
    del older[Account.__struct_fields__.index("own_limits") :]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=Account) == account()
