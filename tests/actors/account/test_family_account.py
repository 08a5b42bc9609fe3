"""A guardian's money: bound to a student, credited in whole yuan, drawn within the guardian's limits."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BATH,
    CALENDAR,
    DAY_US,
    DESK,
    LIMITS,
    LUNCH,
    NOON,
    NOON_US,
    POLICY,
    TODAY,
    account,
    advice,
    capture,
    command,
    hold,
    pin_of,
    purchase,
    purchase_with_pin,
    reversal,
)
from msgspec.structs import replace

from actors.account.booking import postings
from actors.account.card import CardState, PersonClass
from actors.account.events import AlertingPurchase, Captured, FamilyCredited, Held, Purchased, PurchaseReturned
from actors.account.state import Account, Family
from actors.account.tables import ANSWER, APPLY, BOOK, DECIDE, EFFECT
from actors.effect import Effect, EffectName
from actors.policy import Price
from wire.messages import BindFamily, CreditFamily, Hold, SetFamilyPolicy, UnbindFamily

BIND, UNBIND = command(1, BindFamily, "g-7"), command(1, UnbindFamily)
FAMILY = Family("g-7", day_max=500, purchase_max=300, alert_above=200)
BOUND = account(family=FAMILY, purses=(1_000, 0, 5_000))
CLOSED = {"card_state": CardState.CLOSED}


def policy(*limits: int) -> SetFamilyPolicy:
    """The guardian's new policy."""
    return command(1, SetFamilyPolicy, *limits)


def credit(amount: int) -> CreditFamily:
    """The guardian's money, from a bank."""
    return command(1, CreditFamily, amount, 2)


def decided(request: Any, holder: Account, original: Any = None) -> Any:
    return DECIDE[type(request)](holder, request, original, NOON, POLICY, 99)


def applied(request: Any, holder: Account, original: Any = None) -> Account:
    event = decided(request, holder, original)
    return APPLY[type(event)](holder, event, 9)


def outcome(request: Any, holder: Account) -> tuple[int, str]:
    event = decided(request, holder)
    answer = ANSWER[type(event)](event)
    return int(answer.code), answer.reason.value


def test_binding_and_its_end() -> None:
    bound = applied(BIND, account())
    assert bound == account(position=9, family=Family("g-7"))
    assert applied(UNBIND, bound) == account(position=9)


def test_policy_is_set_changed_and_deleted() -> None:
    bound = applied(BIND, account())
    first = applied(policy(500, 300, 200), bound)
    assert first.family == FAMILY
    assert applied(policy(0, 1, 0), first).family == Family("g-7", purchase_max=1)
    assert applied(policy(0, 0, 0), first).family == Family("g-7")


def test_credit() -> None:
    event = decided(credit(2_000), BOUND)
    assert dict(postings(event)) == {("purse", 2): 2_000, ("channel", 2): -2_000}
    key = (TODAY, DESK.merchant, DESK.number, "credit-family", LUNCH)
    assert BOOK[FamilyCredited](event)[:2] == (key, 2_000)
    assert (ANSWER[FamilyCredited](event).authorization, event.balances) == (99, (1_000, 0, 7_000))
    assert applied(credit(2_000), account(family=FAMILY)).purses == (10_000, 0, 2_000)


STAFF = {"person_class": PersonClass.STAFF}
LOST = {"card_state": CardState.LOST}
REFUSED = [
    ("bind: closed", BIND, {**CLOSED, **STAFF}, (62, "account-closed")),
    ("bind: no student", BIND, {**STAFF, "family": FAMILY}, (12, "not-a-student")),
    ("bind: a second", BIND, {"family": FAMILY, **LOST}, (12, "family-bound")),
    ("bind: lost", BIND, {**LOST, "expires": TODAY - 1}, (41, "card-lost")),
    ("bind: issued", BIND, {"card_state": CardState.ISSUED}, (62, "card-not-active")),
    ("bind: past its last day", BIND, {"expires": TODAY - 1}, (54, "card-expired")),
    ("unbind: closed", UNBIND, CLOSED, (62, "account-closed")),
    ("unbind: nobody", UNBIND, {"purses": (0, 0, 5)}, (12, "no-family")),
    ("unbind: money", UNBIND, {"family": FAMILY, "purses": (0, 0, 5)}, (12, "purses-not-empty")),
    ("policy: below zero", policy(0, 0, -1), CLOSED, (13, "amount-out-of-range")),
    ("policy: too much", policy(100_000_001, 0, 0), {"family": FAMILY}, (13, "amount-out-of-range")),
    ("policy: purchase", policy(0, 2**62, 0), {"family": FAMILY}, (13, "amount-out-of-range")),
    ("policy: closed", policy(0, 0, 0), CLOSED, (62, "account-closed")),
    ("policy: nobody", policy(0, 0, 0), {}, (12, "no-family")),
    ("credit: none", credit(0), {}, (13, "amount-out-of-range")),
    ("credit: below zero", credit(-100), CLOSED, (13, "amount-out-of-range")),
    ("credit: odd", credit(150), CLOSED, (13, "not-whole-yuan")),
    ("credit: closed", credit(100), CLOSED, (62, "account-closed")),
    ("credit: nobody", credit(LIMITS.top_up_max + 100), {}, (12, "no-family")),
    ("credit: top-up", credit(LIMITS.top_up_max + 100), {"family": FAMILY, "purses": (0, 0, LIMITS.balance_max)},
     (61, "top-up-limit")),
    ("credit: balance", credit(100), {"family": FAMILY, "purses": (0, 0, LIMITS.balance_max - 99)},
     (61, "balance-limit")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "changes", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_command_that_is_refused(request_: Any, changes: dict[str, Any], expected: tuple[int, str]) -> None:
    holder = account(**changes)
    assert outcome(request_, holder) == expected
    assert applied(request_, holder) == replace(holder, position=9)


def test_what_the_other_purses_hold_does_not_count_in_a_credit() -> None:
    rich = account(family=FAMILY, purses=(LIMITS.balance_max, LIMITS.balance_max))
    assert outcome(credit(LIMITS.top_up_max), rich) == (0, "")


DRAWN: list[tuple[str, Family | None, dict[str, Any], int, tuple[int, ...] | None]] = [
    ("nobody's policy", None, {}, 1_500, (0, 0, 1_500)),
    ("no limit", Family("g-7"), {}, 5_500, (500, 0, 5_000)),
    ("below the limit of a purchase", FAMILY, {}, 299, (0, 0, 299)),
    ("the rest is main's", FAMILY, {}, 1_300, (1_000, 0, 300)),
    ("more than that", FAMILY, {}, 1_301, None),
    ("the rest of the day", FAMILY, {"family_day": TODAY, "family_drawn": 400}, 350, (250, 0, 100)),
    ("nothing of the day", FAMILY, {"family_day": TODAY, "family_drawn": 500}, 350, (350, 0, 0)),
    ("a stricter policy since", FAMILY, {"family_day": TODAY, "family_drawn": 900}, 350, (350, 0, 0)),
    ("yesterday's does not count", FAMILY, {"family_day": TODAY - 1, "family_drawn": 500}, 350, (50, 0, 300)),
    ("subsidy first", FAMILY, {"purses": (1_000, 40, 5_000)}, 400, (60, 40, 300)),
    ("all that is there", FAMILY, {"purses": (1_000, 0, 7)}, 400, (393, 0, 7)),
    ("no family purse yet", FAMILY, {"purses": (1_000,)}, 400, (400,)),
]


@pytest.mark.parametrize(
    ("family", "changes", "amount", "paid"), [row[1:] for row in DRAWN], ids=[row[0] for row in DRAWN]
)
def test_purchase_draws_within_the_policy(
    family: Family | None, changes: dict[str, Any], amount: int, paid: tuple[int, ...] | None
) -> None:
    holder = replace(BOUND, family=family, **changes)
    if paid is None:
        assert outcome(purchase(2, amount), holder) == (51, "funds")
        return
    event = decided(purchase(2, amount), holder)
    assert event.paid == paid
    assert sum(event.balances) == sum(holder.purses) - amount
    after = APPLY[type(event)](holder, event, 9)
    drawn = paid[2] if len(paid) > 2 else 0
    before = holder.family_drawn if holder.family_day == TODAY else 0
    assert after.family_drawn == (before + drawn if drawn else holder.family_drawn)


def test_day_is_used_up_by_several_purchases_and_given_back_by_a_reversal() -> None:
    first = decided(purchase(2, 300), BOUND)
    between = APPLY[type(first)](BOUND, first, 8)
    second = applied(purchase(3, 300), between)
    assert (second.family_day, second.family_drawn, second.purses) == (TODAY, 500, (900, 0, 4_500))
    back = applied(reversal(4, first), second, first)
    assert (back.family_drawn, back.purses) == (200, (900, 0, 4_800))


def test_reversal_of_yesterdays_purchase_leaves_what_counts_today() -> None:
    yesterday = replace(decided(purchase(2, 300), BOUND), business_day=TODAY - 1)
    holder = replace(BOUND, family_day=TODAY, family_drawn=250)
    event = decided(reversal(4, yesterday), holder, yesterday)
    assert isinstance(event, PurchaseReturned)
    assert APPLY[PurchaseReturned](holder, event, 9).family_drawn == 250


def test_capture_of_yesterdays_hold_draws_and_gives_back_on_its_own_day() -> None:
    yesterday = CALENDAR.moment(NOON_US - DAY_US)
    asked = hold(2, 1_500)
    bound = replace(BOUND, purses=(1_000, 0, 5_000), family=Family("g-7", day_max=600))
    held = DECIDE[Hold](bound, asked, None, yesterday, POLICY, 98)
    holder = APPLY[Held](bound, held, 8)
    captured = decided(capture(3, asked), holder, held)
    assert captured.paid == (900, 0, 600)
    between = APPLY[Captured](holder, captured, 9)
    assert (between.family_day, between.family_drawn, between.spending_day) == (TODAY, 600, yesterday.business_day)
    undone = decided(reversal(4, captured, BATH.number), between, captured)
    after = APPLY[type(undone)](between, undone, 10)
    assert (after.family_day, after.family_drawn, after.spent) == (TODAY, 0, 0)
    later = replace(between, family_day=TODAY + 1, family_drawn=70)
    assert APPLY[type(undone)](later, undone, 10).family_drawn == 70


def test_offline_purchase_is_not_stopped_by_the_policy_but_counts() -> None:
    after = applied(advice(5, 1, 2_000), BOUND)
    assert (after.purses, after.family_drawn) == ((1_000, 0, 3_000), 2_000)
    late = replace(BOUND, family_day=TODAY + 1, family_drawn=7)
    assert applied(advice(5, 1, 2_000), late).family_drawn == 7


@pytest.mark.parametrize(("amount", "drawn"), [(201, 201), (1_300, 300)])
def test_alert(amount: int, drawn: int) -> None:
    event = decided(purchase(2, amount), BOUND)
    assert type(event) is AlertingPurchase
    assert EFFECT[AlertingPurchase](event) == Effect(
        EffectName.ALERT, {"guardian": "g-7", "drawn": drawn, "alert_above": 200}
    )
    quiet = decided(purchase(2, amount), replace(BOUND, family=replace(FAMILY, alert_above=0)))
    assert type(quiet) is Purchased
    assert ANSWER[AlertingPurchase](event) == ANSWER[Purchased](quiet)
    assert postings(event) == postings(quiet)
    assert APPLY[AlertingPurchase](BOUND, event, 9) == APPLY[Purchased](BOUND, quiet, 9)


def test_alert_of_a_purchase_with_a_pin_forgets_wrong_tries() -> None:
    holder = replace(BOUND, purses=(50_000, 0, 5_000), pin=pin_of(wrong_tries=2))
    event = decided(purchase_with_pin(2), holder)
    assert (type(event), event.with_pin, event.paid[2]) == (AlertingPurchase, True, 300)
    assert APPLY[AlertingPurchase](holder, event, 9).pin == pin_of()
    small = decided(purchase(3, 300), holder)
    assert (type(small), small.with_pin) == (AlertingPurchase, False)
    assert APPLY[AlertingPurchase](holder, small, 9).pin == pin_of(wrong_tries=2)


def test_alert_of_a_purchase_at_a_price() -> None:
    halved = replace(POLICY, prices={(PersonClass.STUDENT, 1, LUNCH): Price(50, 0)})
    event = DECIDE[type(purchase(2))](BOUND, purchase(2, 500), None, NOON, halved, 99)
    assert (type(event), event.amount, event.adjustment, event.paid) == (AlertingPurchase, 500, -250, (0, 0, 250))
    after = APPLY[AlertingPurchase](BOUND, event, 9)
    assert (after.spent, after.family_drawn) == (250, 250)
    undone = decided(reversal(3, event), after, event)
    assert APPLY[type(undone)](after, undone, 10).family_drawn == 0
    assert APPLY[type(undone)](after, undone, 10).purses == BOUND.purses
    assert sum(change for _, change in postings(undone)) == 0


@pytest.mark.parametrize(
    ("holder", "amount"),
    [
        (BOUND, 200),
        (replace(BOUND, purses=(1_000, 900, 5_000)), 1_100),
        (replace(BOUND, family=replace(FAMILY, purchase_max=200)), 900),
        (replace(BOUND, family=None), 900),
    ],
    ids=["not above", "subsidy paid", "the limit keeps it below", "nobody to tell"],
)
def test_no_alert(holder: Account, amount: int) -> None:
    event = decided(purchase(2, amount), holder)
    assert type(event) is Purchased
    assert EFFECT[Purchased](event) is None
