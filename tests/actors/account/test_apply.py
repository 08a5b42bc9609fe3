"""How events change an account, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BATH,
    BREAKFAST,
    CALENDAR,
    LUNCH,
    NOON,
    NOON_US,
    POLICY,
    TODAY,
    TOP_UP_MACHINE,
    account,
    advice,
    capture,
    hold,
    holding,
    outstanding,
    purchase,
    refund,
    release,
    reversal,
    top_up,
)
from msgspec.structs import astuple, replace

from actors.account.card import CardState, PersonClass
from actors.account.events import Opened, PurchasedUncounted
from actors.account.expiry import fall_due
from actors.account.state import Account, new_account
from actors.account.tables import APPLY, DECIDE
from actors.policy import HOLD_LIFETIME_US


def decided(holder: Account, request: Any, original: Any = None) -> Any:
    return DECIDE[type(request)](holder, request, original, NOON, POLICY, 99)


def applied(holder: Account, event: Any, position: int = 8) -> Account:
    return APPLY[type(event)](holder, event, position)


def test_opening() -> None:
    event = Opened("7", 1, 0, "C7", CardState.ISSUED, 20300731, PersonClass.STAFF, (500,))
    assert applied(new_account("7"), event, 5) == Account(
        "7", 5, 5, "C7", CardState.ISSUED, 20300731, PersonClass.STAFF, (500,), 0, 0
    )


def test_opening_after_offline_purchases_that_named_the_account() -> None:
    before = applied(new_account("7"), decided(new_account("7"), advice(1, 1, 700, "7")), 3)
    after = applied(before, Opened("7", 1, 3, "C7", CardState.ISSUED, 20300731, PersonClass.STAFF, (500,)), 5)
    assert after == Account(
        "7", 5, 5, "C7", CardState.ISSUED, 20300731, PersonClass.STAFF, (500,), TODAY, 700, 1, LUNCH, 700, 1
    )


def test_account_that_was_never_opened_may_do_nothing() -> None:
    new = new_account("7")
    assert (new.position, new.purses, new.card_state) == (0, (0,), CardState.CLOSED)


BUSY = {
    "spending_day": TODAY, "spent": 300, "purchases": 3, "spending_period": LUNCH, "period_spent": 200,
    "period_purchases": 2,
}  # fmt: skip


def test_purchase_counts_in_its_day_and_period() -> None:
    holder = account(**BUSY)
    after = applied(holder, decided(holder, purchase(1, 700)))
    assert after == replace(
        holder, position=8, purses=(9_300,), spent=1_000, purchases=4, period_spent=900, period_purchases=3
    )


def test_first_purchase_of_a_period_begins_its_counting_anew() -> None:
    holder = account(**{**BUSY, "spending_period": BREAKFAST})
    after = applied(holder, decided(holder, purchase(1, 700)))
    assert after == replace(
        holder, position=8, purses=(9_300,), spent=1_000, purchases=4, spending_period=LUNCH, period_spent=700,
        period_purchases=1,
    )  # fmt: skip


def test_first_purchase_of_a_day_begins_its_counting_anew() -> None:
    holder = account(**{**BUSY, "spending_day": TODAY - 1})
    after = applied(holder, decided(holder, purchase(1, 700)))
    assert after == replace(
        holder, position=8, purses=(9_300,), spending_day=TODAY, spent=700, purchases=1, period_spent=700,
        period_purchases=1,
    )  # fmt: skip


def test_purchase_that_is_not_counted_adds_to_the_days_spending_alone() -> None:
    holder = account(spending_day=TODAY, spent=300)
    event = PurchasedUncounted(*astuple(decided(holder, purchase(1, 700))))
    assert applied(holder, event) == replace(holder, position=8, purses=(9_300,), spent=1_000)
    another_day = replace(holder, spending_day=TODAY - 1)
    assert applied(another_day, event) == replace(holder, position=8, purses=(9_300,), spent=700)


def test_top_up_changes_nothing_but_the_balance() -> None:
    holder = account(spending_day=TODAY, spent=300)
    assert applied(holder, decided(holder, top_up(1, 700))) == replace(holder, position=8, purses=(10_700,))


def test_reversal_in_another_period_gives_back_what_counts_in_the_day_alone() -> None:
    holder = account(**BUSY)
    bought = replace(decided(holder, purchase(1, 700)), period=BREAKFAST)
    after = applied(holder, decided(holder, reversal(2, bought), bought))
    assert after == replace(holder, position=8, purses=(10_700,), spent=-400, purchases=2)


def test_reversal_of_a_purchase_that_was_not_counted_gives_back_spending_alone() -> None:
    holder = account(spending_day=TODAY, spent=700)
    bought = PurchasedUncounted(*astuple(decided(holder, purchase(1, 700))))
    after = applied(holder, decided(holder, reversal(2, bought), bought))
    assert after == replace(holder, position=8, purses=(10_700,), spent=0)


def test_reversal_of_todays_purchase_gives_back_what_it_counted() -> None:
    holder = account(**BUSY)
    bought = decided(holder, purchase(1, 700))
    between = applied(holder, bought)
    after = applied(between, decided(between, reversal(2, bought), bought), 9)
    assert after == replace(holder, position=9)


def test_reversal_of_yesterdays_purchase_leaves_what_counts_today() -> None:
    holder = account(**BUSY)
    bought = replace(decided(holder, purchase(1, 700)), business_day=TODAY - 1)
    after = applied(holder, decided(holder, reversal(2, bought), bought))
    assert after == replace(holder, position=8, purses=(10_700,))


def test_reversal_of_a_top_up_leaves_spending() -> None:
    holder = account(spending_day=TODAY, spent=300)
    paid_in = decided(holder, top_up(1, 700))
    after = applied(holder, decided(holder, reversal(2, paid_in, TOP_UP_MACHINE.number), paid_in))
    assert after == replace(holder, position=8, purses=(9_300,))


def test_refund_of_todays_purchase_gives_back_spending() -> None:
    holder = account(
        spending_day=TODAY, spent=300, purchases=2, spending_period=LUNCH, period_spent=200, period_purchases=1
    )
    bought = decided(holder, purchase(1, 700))
    between = applied(holder, bought)
    given_back = decided(between, refund(2, bought, 450), bought)
    after = applied(between, given_back, 9)
    assert after == replace(
        holder, position=9, purses=(9_750,), spent=550, purchases=3, period_spent=450, period_purchases=2
    )
    rest = applied(after, decided(after, refund(3, bought, 250), given_back), 10)
    assert rest == replace(holder, position=10)


def test_refund_of_a_purchase_in_an_earlier_meal_period_leaves_this_ones() -> None:
    holder = account(
        spending_day=TODAY, spent=1_000, purchases=2, spending_period=LUNCH, period_spent=200, period_purchases=1
    )
    bought = replace(decided(holder, purchase(1, 700)), period=BREAKFAST)
    after = applied(holder, decided(holder, refund(2, bought), bought))
    assert after == replace(holder, position=8, purses=(10_700,), spent=300, purchases=1)


def test_refund_of_a_purchase_from_before_purchases_were_counted_gives_back_money_alone() -> None:
    holder = account(
        spending_day=TODAY, spent=1_000, purchases=2, spending_period=LUNCH, period_spent=200, period_purchases=1
    )
    bought = PurchasedUncounted(*astuple(decided(holder, purchase(1, 700))))
    part = decided(holder, refund(2, bought, 400), bought)
    between = applied(holder, part)
    after = applied(between, decided(between, refund(3, bought, 300), part), 9)
    assert after == replace(holder, position=9, purses=(10_700,), spent=300)


def test_refund_of_yesterdays_purchase_leaves_todays_spending() -> None:
    holder = account(spending_day=TODAY, spent=300)
    bought = replace(decided(holder, purchase(1, 700)), business_day=TODAY - 1)
    given_back = decided(holder, refund(2, bought, 450), bought)
    after = applied(holder, given_back)
    assert after == replace(holder, position=8, purses=(10_450,))
    assert applied(after, decided(after, refund(3, bought, 250), given_back), 9).spent == 300


@pytest.mark.parametrize(
    "request_",
    [
        purchase(1, 0), top_up(1, 0), reversal(2, purchase(1)), reversal(2, purchase(1), terminal=7), advice(1, 1, 0),
        refund(2, purchase(1)),
    ],
    ids=[
        "declined purchase", "declined top-up", "reversal of nothing", "declined reversal", "declined advice",
        "declined refund",
    ],
)  # fmt: skip
def test_event_without_money_moves_only_the_head_of_the_chain(request_: Any) -> None:
    holder = account(spending_day=TODAY, spent=300)
    assert applied(holder, decided(holder, request_)) == replace(holder, position=8)


OTHER = outstanding(50, 9, NOON_US + 2 * HOLD_LIFETIME_US)
HOLD, HELD = hold(1, 700), decided(account(), hold(1, 700))
SPENDING = {
    "spending_day": TODAY, "spent": 300, "purchases": 3, "spending_period": LUNCH, "period_spent": 200,
    "period_purchases": 2,
}  # fmt: skip
HOLDER = applied(holding(account(**SPENDING), OTHER), HELD)
EXPIRED = fall_due(HOLDER, CALENDAR.moment(NOON_US + HOLD_LIFETIME_US))


def spending_of(holder: Account) -> tuple[int, int, int, int, int, int]:
    """Day, amount and count of it, period, amount and count of that."""
    return (
        holder.spending_day, holder.spent, holder.purchases,
        holder.spending_period, holder.period_spent, holder.period_purchases,
    )  # fmt: skip


def test_hold_moves_no_money_and_counts_as_due_when_it_is_the_first() -> None:
    before = holding(account(**SPENDING), OTHER)
    expected = replace(
        before, position=8, holds=(OTHER, outstanding(700, 1)), due_us=NOON_US + HOLD_LIFETIME_US, spent=1_000,
        purchases=4, period_spent=900, period_purchases=3,
    )  # fmt: skip
    assert expected == HOLDER
    assert applied(holding(account(), outstanding(1, 9, 1)), HELD).due_us == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (TODAY, 1_000, 4, LUNCH, 900, 3)),
        ({"spending_period": BREAKFAST}, (TODAY, 1_000, 4, LUNCH, 700, 1)),
        ({"spending_day": TODAY - 1}, (TODAY, 700, 1, LUNCH, 700, 1)),
    ],
    ids=["same period", "first of its period", "first of its day"],
)
def test_hold_counts_like_a_purchase(changes: dict[str, int], expected: tuple[int, ...]) -> None:
    holder = account(**{**SPENDING, **changes})
    bought = applied(holder, decided(holder, purchase(1, 700)))
    assert spending_of(applied(holder, HELD)) == spending_of(bought) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (TODAY, 900, 4, LUNCH, 800, 3)),
        ({"spending_period": LUNCH + 1}, (TODAY, 900, 4, LUNCH + 1, 900, 3)),
        ({"spending_day": TODAY + 1}, (TODAY + 1, 1_000, 4, LUNCH, 900, 3)),
    ],
    ids=["same period", "a later period has begun", "a later day has begun"],
)
def test_capture_counts_in_the_day_and_period_of_its_hold(changes: dict[str, int], expected: tuple[int, ...]) -> None:
    holder = replace(HOLDER, **changes)
    after = applied(holder, decided(holder, capture(2, HOLD, 600), HELD), 9)
    assert spending_of(after) == expected
    assert (after.position, after.purses, after.holds, after.due_us) == (9, (9_400,), (OTHER,), OTHER.expires_us)
    late = applied(holder, EXPIRED)
    assert spending_of(applied(late, decided(late, capture(2, HOLD, 600), EXPIRED))) == expected


def test_release_expiry_and_reversal_free_the_hold_and_what_it_counted() -> None:
    freed = replace(holding(account(**SPENDING), OTHER), position=9)
    assert applied(HOLDER, decided(HOLDER, release(2, HOLD), HELD), 9) == freed
    assert applied(HOLDER, decided(HOLDER, reversal(2, HOLD, BATH.number), HELD), 9) == freed
    assert applied(HOLDER, EXPIRED, 9) == freed
    last = applied(freed, replace(EXPIRED, original_stan=9), 10)
    assert (last.holds, last.due_us, last.spent) == ((), 0, 250)


def test_reversal_of_a_capture_gives_back_what_it_counted_and_no_hold() -> None:
    captured = decided(HOLDER, capture(2, HOLD, 600), HELD)
    between = applied(HOLDER, captured, 9)
    after = applied(between, decided(between, reversal(3, captured, BATH.number), captured), 10)
    assert after == replace(holding(account(**SPENDING), OTHER), position=10)


@pytest.mark.parametrize(
    ("request_", "original"),
    [(hold(3, 0), None), (capture(3, HOLD, 701), HELD), (capture(3, HOLD), None), (release(3, HOLD), EXPIRED)],
    ids=["declined hold", "capture above its hold", "capture of nothing", "late release"],
)
def test_declined_request_about_a_hold_moves_only_the_head_of_the_chain(request_: Any, original: Any) -> None:
    assert applied(HOLDER, decided(HOLDER, request_, original), 9) == replace(HOLDER, position=9)
