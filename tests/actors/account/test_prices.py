"""Purchases where a price rule applies: what is paid is the price, and everything that counts money counts that."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from example_campus import (
    BREAKFAST,
    CALENDAR,
    LIMITS,
    LUNCH,
    NO_LIMITS,
    NOON,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TILL,
    TODAY,
    account,
    card_of,
    holding,
    outstanding,
    purchase,
    refund,
    reversal,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.account.answers import answer_repeat
from actors.account.card import CardState, PersonClass
from actors.account.checks.amounts import AMOUNT_MAX
from actors.account.events import PricedPurchase, Purchased, PurchaseDeclined, PurchaseReturned, Refunded
from actors.account.inquiries import statement_entry
from actors.account.tables import ANSWER, APPLY, DECIDE
from actors.policy import Policy, Price
from wire.codes import Code, Reason
from wire.messages import Answer

HOUR_US = 3_600_000_000
DISCOUNT, FEE, FIXED, FREE = Price(80, 0), Price(115, 0), Price(0, 450), Price(0, 0)


def priced(price: Price, periods: Iterable[int] = (LUNCH,), person_class: str = "student") -> Policy:
    """The campus with a price at the till's merchant."""
    return replace(POLICY, prices={(person_class, TILL.merchant, period): price for period in periods})


def decided(request: Any, policy: Policy = POLICY, original: Any = None, holder: Any = None, moment: Any = NOON) -> Any:
    """The event that a request comes to, with authorization number 99 if it is approved."""
    return DECIDE[type(request)](holder or account(), request, original, moment, policy, 99)


@pytest.mark.parametrize(
    ("price", "adjustment", "paid"),
    [(DISCOUNT, -250, 1_000), (FEE, 188, 1_438), (FIXED, -800, 450), (FREE, -1_250, 0), (Price(100, 0), 0, 1_250)],
    ids=["discount", "fee", "fixed", "free", "as asked"],
)
def test_event_and_answer_have_what_was_asked_and_what_was_paid(price: Price, adjustment: int, paid: int) -> None:
    event = decided(purchase(3, 1_250), priced(price))
    assert event == PricedPurchase(
        account().number, NOON_US, 1, TILL.number, 3, card_of(account().number), 1_250, TILL.merchant, TODAY,
        LUNCH, (paid,), (10_000 - paid,), 99, adjustment,
    )  # fmt: skip
    answer = Answer(TILL.number, 3, Code.APPROVED, Reason.NONE, 99, (10_000 - paid,), (paid,))
    assert ANSWER[PricedPurchase](event) == answer
    assert answer_repeat(event, purchase(3, 1_250)) == answer
    assert answer_repeat(event, purchase(3, paid or 1)).code is (Code.APPROVED if paid == 1_250 else Code.DUPLICATE)
    assert statement_entry(event).amount == -paid


def test_price_is_drawn_from_the_purses_in_their_order() -> None:
    event = decided(purchase(3, 1_000), priced(DISCOUNT), holder=account(purses=(1_000, 300, 200)))
    assert (event.paid, event.balances) == ((300, 300, 200), (700, 0, 0))


@pytest.mark.parametrize(
    ("request_", "holder", "moment"),
    [
        (purchase(3), account(person_class=PersonClass.STAFF), NOON),
        (purchase(3, terminal=OTHER_TILL.number), account(), NOON),
        (purchase(3), account(), CALENDAR.moment(NOON_US - 4 * HOUR_US)),
    ],
    ids=["another class", "another merchant", "another meal period"],
)
def test_purchase_without_a_rule_keeps_its_event(request_: Any, holder: Any, moment: Any) -> None:
    event = decided(request_, priced(DISCOUNT), holder=holder, moment=moment)
    assert type(event) is Purchased
    assert (event.amount, event.paid) == (1_000, (1_000,))


@pytest.mark.parametrize("person_class", PersonClass)
def test_rule_is_found_by_the_name_of_the_class(person_class: PersonClass) -> None:
    event = decided(
        purchase(3), priced(DISCOUNT, person_class=person_class.value), holder=account(person_class=person_class)
    )
    assert isinstance(event, PricedPurchase)


def test_each_meal_period_has_its_price() -> None:
    policy = replace(POLICY, prices={("student", 1, BREAKFAST): FIXED, ("student", 1, LUNCH): DISCOUNT})
    morning = CALENDAR.moment(NOON_US - 4 * HOUR_US)
    assert decided(purchase(3), policy, moment=morning).paid == (450,)
    assert decided(purchase(3), policy).paid == (800,)


APPROVED, DECLINED = PricedPurchase, PurchaseDeclined
LIMITED = {
    "limit of a purchase, fee below it": (FEE, 17_391, {"purses": (90_000,)}, APPROVED, None),
    "limit of a purchase, fee above it": (FEE, 17_392, {"purses": (90_000,)}, DECLINED, Reason.PURCHASE_LIMIT),
    "limit of a purchase, discount": (DISCOUNT, 25_000, {"purses": (90_000,)}, APPROVED, None),
    "limit of the day, discount": (
        DISCOUNT, 1_250, {"spending_day": TODAY, "spent": LIMITS.day_max - 1_000}, APPROVED, None,
    ),
    "limit of the day, discount above it": (
        DISCOUNT, 1_251, {"spending_day": TODAY, "spent": LIMITS.day_max - 1_000}, DECLINED, Reason.DAY_LIMIT,
    ),
    "funds, discount": (DISCOUNT, 1_250, {"purses": (1_000,)}, APPROVED, None),
    "funds, fee": (FEE, 1_000, {"purses": (1_149,)}, DECLINED, Reason.FUNDS),
    "funds, several purses": (FEE, 1_000, {"purses": (1_000, 100, 50)}, APPROVED, None),
    "free, with no money": (FREE, 1_000, {"purses": (0,)}, APPROVED, None),
    "fixed, with no money": (FIXED, 1, {"purses": (449,)}, DECLINED, Reason.FUNDS),
}  # fmt: skip


@pytest.mark.parametrize(("price", "asked", "holder", "kind", "reason"), LIMITED.values(), ids=LIMITED)
def test_limits_and_funds_are_of_the_price(
    price: Price, asked: int, holder: dict[str, Any], kind: type, reason: Reason | None
) -> None:
    event = decided(purchase(3, asked), priced(price), holder=account(**holder))
    assert type(event) is kind
    assert getattr(event, "reason", None) is reason
    assert event.amount == asked


@pytest.mark.parametrize(
    ("price", "asked", "kind"),
    [
        (Price(200, 0), AMOUNT_MAX // 2, APPROVED),
        (Price(200, 0), AMOUNT_MAX // 2 + 1, DECLINED),
        (Price(200, 0), AMOUNT_MAX, DECLINED),
        (Price(0, AMOUNT_MAX), 1, APPROVED),
        (DISCOUNT, AMOUNT_MAX + 1, DECLINED),
        (FIXED, 0, DECLINED),
        (FIXED, -1, DECLINED),
        (FEE, -(2**63), DECLINED),
        (FEE, 2**63 - 1, DECLINED),
    ],
)
def test_what_is_asked_and_what_it_comes_to_are_both_in_range(price: Price, asked: int, kind: type) -> None:
    policy = replace(priced(price), limits=NO_LIMITS)
    event = decided(purchase(3, asked), policy, holder=account(purses=(3 * AMOUNT_MAX,)))
    assert type(event) is kind
    assert kind is APPROVED or (event.code, event.reason) == (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)


def test_price_above_the_range_comes_before_the_card_and_after_the_hours() -> None:
    policy, lost = priced(Price(200, 0)), account(card_state=CardState.LOST)
    assert decided(purchase(3, AMOUNT_MAX), policy, holder=lost).reason is Reason.AMOUNT_OUT_OF_RANGE
    shut = replace(policy, terminals={TILL.number: replace(TILL, open_periods=frozenset())})
    assert decided(purchase(3, AMOUNT_MAX), shut).reason is Reason.OUTSIDE_HOURS


def test_days_spending_counts_the_price_and_a_reversal_gives_it_back() -> None:
    policy = priced(DISCOUNT)
    holder = account(
        spending_day=TODAY, spent=300, purchases=2, spending_period=LUNCH, period_spent=200, period_purchases=1
    )
    bought = decided(purchase(3, 1_250), policy, holder=holder)
    between = APPLY[PricedPurchase](holder, bought, 8)
    assert between == replace(
        holder, position=8, purses=(9_000,), spent=1_300, purchases=3, period_spent=1_200, period_purchases=2
    )
    undone = decided(reversal(4, bought), policy, bought, between)
    assert APPLY[type(undone)](between, undone, 9) == replace(holder, position=9)


def test_first_purchase_of_a_day_begins_its_spending_anew() -> None:
    holder = account(spending_day=TODAY - 1, spent=300)
    event = decided(purchase(3, 1_250), priced(DISCOUNT), holder=holder)
    assert APPLY[PricedPurchase](holder, event, 8).spent == 1_000


def test_reversal_names_the_amount_that_was_asked() -> None:
    bought = decided(purchase(3, 1_250), priced(DISCOUNT))
    undone = decided(reversal(4, bought), original=bought, holder=account(purses=(9_000,)))
    assert isinstance(undone, PurchaseReturned)
    assert (undone.amount, undone.returned, undone.balances) == (1_250, (1_000,), (10_000,))
    differs = decided(reversal(5, bought, amount=1_000), original=bought)
    assert (differs.code, differs.reason) == (Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS)


def test_refund_gives_back_what_was_paid_and_no_more() -> None:
    bought = decided(purchase(3, 1_250), priced(DISCOUNT))
    assert decided(refund(4, bought, 1_001), original=bought).reason is Reason.MORE_THAN_LEFT
    part = decided(refund(4, bought, 300), original=bought)
    assert isinstance(part, Refunded)
    assert (part.returned, part.left) == ((300,), (700,))


def test_nothing_is_refunded_of_what_cost_nothing_but_it_is_reversed() -> None:
    bought = decided(purchase(3, 1_250), priced(FREE))
    assert decided(refund(4, bought, 1), original=bought).reason is Reason.MORE_THAN_LEFT
    undone = decided(reversal(4, bought), original=bought)
    assert (type(undone), undone.returned) == (PurchaseReturned, (0,))


@pytest.mark.parametrize("purses", [(0,), (50,), (50, 0, 0), (400, 100)], ids=str)
def test_what_costs_nothing_needs_no_money_even_where_holds_exceed_it(purses: tuple[int, ...]) -> None:
    policy = replace(priced(FREE), limits=replace(LIMITS, balance_min=100))
    holder = holding(account(purses=purses), outstanding(600))
    bought = decided(purchase(3, 1_250), policy, holder=holder)
    assert isinstance(bought, PricedPurchase)
    assert (bought.paid, bought.balances) == ((0,) * len(purses), purses)
    assert decided(purchase(3, 1), replace(policy, prices={}), holder=holder).reason is Reason.FUNDS


@given(st.integers(1, AMOUNT_MAX), st.integers(0, 200))
def test_half_a_fen_is_rounded_up(asked: int, percent: int) -> None:
    exact = Decimal(asked) * percent / 100
    assert Price(percent, 0).of(asked) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
