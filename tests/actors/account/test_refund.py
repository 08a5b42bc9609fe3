"""Every way in which a refund can meet its original, and what each purse gets back."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BATH,
    BREAKFAST,
    CALENDAR,
    DAY_US,
    KIOSK,
    LUNCH,
    NOON,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TILL,
    TODAY,
    account,
    advice,
    capture,
    hold,
    purchase,
    refund,
    reversal,
    top_up,
)
from msgspec.structs import replace

from actors.account.booking import postings
from actors.account.card import CardState
from actors.account.checks.amounts import AMOUNT_MAX
from actors.account.events import Held, PostedRefunded, RefundDeclined, Refunded, Reversed
from actors.account.expiry import fall_due
from actors.account.tables import APPLY, DECIDE
from wire.codes import Code, Reason
from wire.messages import Hold

ACCOUNT = account(position=7)
OWN = (ACCOUNT.number, NOON_US, 7)
RICH = account(position=7, purses=(1_000, 300, 200))


def decided(request: Any, original: Any = None, holder: Any = ACCOUNT, **policy: Any) -> Any:
    """The event that a request comes to, with authorization number 99 if it is approved."""
    return DECIDE[type(request)](holder, request, original, NOON, replace(POLICY, **policy), 99)


BOUGHT = decided(purchase(3))
TOO_MUCH = decided(purchase(3, 20_001))
PAID_IN = decided(top_up(3))
PART_BACK = decided(refund(4, BOUGHT, 400), BOUGHT)
ALL_BACK = decided(refund(5, BOUGHT, 600), PART_BACK)
UNDONE = decided(reversal(6, BOUGHT), BOUGHT)
TOMBSTONE = decided(reversal(6, purchase(9)))
REFUSED = decided(refund(6, BOUGHT, 1_001), BOUGHT)


def test_refund_of_a_part() -> None:
    original = replace(BOUGHT, business_day=TODAY - 1)
    assert decided(refund(4, original, 400), original) == Refunded(
        *OWN,
        TILL.number,
        4,
        TILL.number,
        3,
        400,
        TILL.merchant,
        TODAY - 1,
        LUNCH,
        TODAY,
        LUNCH,
        (400,),
        (600,),
        (10_400,),
        99,
    )


def test_refund_of_the_rest_needs_the_refund_before_it_alone() -> None:
    original = replace(PART_BACK, original_business_day=TODAY - 1, original_period=BREAKFAST)
    assert decided(refund(5, BOUGHT, 600), original) == Refunded(
        *OWN,
        TILL.number,
        5,
        TILL.number,
        3,
        600,
        TILL.merchant,
        TODAY - 1,
        BREAKFAST,
        TODAY,
        LUNCH,
        (600,),
        (0,),
        (10_600,),
        99,
    )


def test_purse_that_was_drawn_on_last_is_repaid_first() -> None:
    bought = decided(purchase(3, 1_000), holder=RICH)
    assert bought.paid == (500, 300, 200)
    first = decided(refund(4, bought, 600), bought, RICH)
    assert (first.returned, first.left, first.balances) == ((500, 0, 100), (0, 300, 100), (1_500, 300, 300))
    second = decided(refund(5, bought, 250), first, RICH)
    assert (second.returned, second.left) == ((0, 150, 100), (0, 150, 0))
    third = decided(refund(6, bought, 150), second, RICH)
    assert (third.returned, third.left) == ((0, 150, 0), (0, 0, 0))


def test_order_is_the_campuss() -> None:
    bought = decided(purchase(3, 1_100), holder=RICH, spending_order=(0, 2, 1))
    assert bought.paid == (1_000, 0, 100)
    back = decided(refund(4, bought, 300), bought, RICH, spending_order=(0, 2, 1))
    assert (back.returned, back.left) == ((200, 0, 100), (800, 0, 0))


def test_purses_that_the_account_got_since_are_kept() -> None:
    back = decided(refund(4, BOUGHT, 400), BOUGHT, RICH)
    assert (back.returned, back.balances) == ((400,), (1_400, 300, 200))


def test_refund_ignores_what_an_account_may_hold_and_a_request_may_move() -> None:
    bought = replace(BOUGHT, amount=AMOUNT_MAX, paid=(AMOUNT_MAX,))
    full = account(purses=(POLICY.limits.balance_max,), spending_day=TODAY, spent=POLICY.limits.day_max)
    assert isinstance(decided(refund(4, bought, AMOUNT_MAX), bought, full), Refunded)


@pytest.mark.parametrize("card_state", [state for state in CardState if state is not CardState.CLOSED])
def test_refund_asks_nothing_of_the_card(card_state: CardState) -> None:
    holder = account(card_state=card_state, expires=0)
    assert isinstance(decided(refund(4, BOUGHT), BOUGHT, holder), Refunded)


def test_refund_at_another_terminal_of_the_merchant_outside_its_hours() -> None:
    beside = replace(TILL, number=1009, open_periods=frozenset())
    event = decided(refund(4, BOUGHT, terminal=1009), BOUGHT, terminals={1009: beside})
    assert isinstance(event, Refunded)
    assert (event.terminal, event.merchant) == (1009, TILL.merchant)


HOLD = hold(11, 900)
YESTERDAY = CALENDAR.moment(NOON_US - DAY_US)
HELD = DECIDE[Hold](RICH, HOLD, None, YESTERDAY, POLICY, 98)
HOLDER = APPLY[Held](RICH, HELD, 7)
CAPTURED = decided(capture(12, HOLD, 800), HELD, HOLDER)
EXPIRED = fall_due(HOLDER, NOON)
CAPTURED_LATE = decided(capture(12, HOLD, 800), EXPIRED, account(position=7, purses=(100, 50, 200)))
UPLOADED = decided(advice(13, 1, 800, terminal=BATH.number), holder=account(position=7, purses=(100, 50, 200)))


def back(amount: int, original: Any, newest: Any = None) -> Any:
    """The event of a refund of a capture or an offline purchase, at the bath."""
    return decided(refund(14, original, amount, BATH.number), newest or original)


def test_refund_of_a_capture_returns_to_the_purses_and_to_the_days_in_which_it_counts() -> None:
    assert CAPTURED.paid == (300, 300, 200)
    assert back(350, CAPTURED) == PostedRefunded(
        *OWN, BATH.number, 14, BATH.number, 12, 350, BATH.merchant, YESTERDAY.business_day, LUNCH, TODAY, LUNCH,
        (300, 0, 50), (0, 300, 150), (10_300, 0, 50), 99, TODAY, 0, 0,
    )  # fmt: skip


@pytest.mark.parametrize("original", [CAPTURED_LATE, UPLOADED], ids=["late capture", "offline purchase"])
def test_what_was_never_paid_is_given_back_first(original: Any) -> None:
    assert (original.paid, original.shortfall) == ((100, 50, 200), 450)
    first = back(400, original)
    assert (first.settled, first.shortfall_left, first.returned, first.left) == (400, 50, (0, 0, 0), (100, 50, 200))
    assert first.balances == (10_000, 0, 0)
    second = back(150, original, first)
    assert (second.settled, second.shortfall_left, second.returned, second.left) == (50, 0, (100, 0, 0), (0, 50, 200))
    third = back(250, original, second)
    assert (third.settled, third.returned, third.left) == (0, (0, 50, 200), (0, 0, 0))
    for newest, more in ((original, 801), (first, 401), (second, 251), (third, 1)):
        assert back(more, original, newest).reason is Reason.MORE_THAN_LEFT
    for event, settled, main in ((first, 400, 0), (second, 50, 100), (third, 0, 0)):
        posted = dict(postings(event))
        assert (posted.get(("suspense", 0), 0), posted.get(("purse", 0), 0)) == (settled, main)
        assert posted["merchant", BATH.merchant] == -event.amount
        assert sum(posted.values()) == 0
    assert {event.drawn_on for event in (first, second, third)} == {original.business_day}


SPENT = {
    "purses": (1_000, 300, 200), "spending_day": YESTERDAY.business_day, "spent": 900, "purchases": 3,
    "spending_period": LUNCH, "period_spent": 850, "period_purchases": 2, "family_day": TODAY, "family_drawn": 500,
}  # fmt: skip


@pytest.mark.parametrize(("amount", "counted"), [(350, (550, 3, 500, 2)), (800, (100, 2, 50, 1))])
def test_refund_of_a_capture_no_longer_counts_where_it_did(amount: int, counted: tuple[int, ...]) -> None:
    holder, event = account(**SPENT), back(amount, CAPTURED)
    after = APPLY[PostedRefunded](holder, event, 9)
    assert (after.spent, after.purchases, after.period_spent, after.period_purchases) == counted
    assert (after.position, after.purses, after.family_drawn) == (9, event.balances, 500 - event.returned[2])
    tomorrow = replace(holder, spending_day=TODAY, family_day=TODAY + 1)
    assert APPLY[PostedRefunded](tomorrow, event, 9) == replace(tomorrow, position=9, purses=event.balances)


def test_offline_purchase_counts_until_neither_purses_nor_suspense_have_a_rest_of_it() -> None:
    holder = replace(account(**SPENT), spending_day=TODAY, family_day=0)
    first = back(700, UPLOADED)
    between = APPLY[PostedRefunded](holder, first, 9)
    assert (between.spent, between.purchases, between.period_purchases) == (200, 3, 2)
    after = APPLY[PostedRefunded](between, back(100, UPLOADED, first), 10)
    assert (after.spent, after.purchases, after.period_spent, after.period_purchases) == (100, 2, 50, 1)
    owing = decided(advice(13, 1, 800, terminal=BATH.number), holder=account(purses=(0,)))
    after = APPLY[PostedRefunded](holder, back(799, owing), 9)
    assert (after.purchases, after.purses) == (3, (10_000,))


@pytest.mark.parametrize("original", [CAPTURED, UPLOADED], ids=["capture", "offline purchase"])
def test_refund_and_reversal_of_what_was_posted_exclude_each_other(original: Any) -> None:
    refunded = decided(reversal(15, original, BATH.number), back(1, original))
    assert (refunded.code, refunded.reason) == (INVALID, Reason.ORIGINAL_REFUNDED)
    once_more = decided(reversal(15, back(1, original), BATH.number), back(1, original))
    assert (once_more.code, once_more.reason) == (INVALID, Reason.NOT_REVERSIBLE)


INVALID, NOT_PERMITTED = Code.INVALID_TRANSACTION, Code.NOT_PERMITTED_TO_TERMINAL
REFUSALS = {
    "unknown": (refund(8, purchase(9)), None, Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND),
    "itself": (refund(8, purchase(8)), None, Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND),
    "declined": (refund(8, TOO_MUCH), TOO_MUCH, INVALID, Reason.ORIGINAL_DECLINED),
    "reversed": (refund(8, BOUGHT), UNDONE, INVALID, Reason.ORIGINAL_REVERSED),
    "reversed before it came": (refund(8, purchase(9)), TOMBSTONE, INVALID, Reason.ORIGINAL_REVERSED),
    "top-up": (refund(8, PAID_IN), PAID_IN, INVALID, Reason.NOT_REFUNDABLE),
    "declined top-up": (refund(8, PAID_IN), decided(top_up(3, 200_000)), INVALID, Reason.NOT_REFUNDABLE),
    "reversal": (refund(8, UNDONE), UNDONE, INVALID, Reason.NOT_REFUNDABLE),
    "reversal of nothing": (refund(8, TOMBSTONE), TOMBSTONE, INVALID, Reason.NOT_REFUNDABLE),
    "refund": (refund(8, PART_BACK), PART_BACK, INVALID, Reason.NOT_REFUNDABLE),
    "declined refund": (refund(8, REFUSED), REFUSED, INVALID, Reason.NOT_REFUNDABLE),
    "hold": (refund(8, HOLD), HELD, INVALID, Reason.NOT_REFUNDABLE),
    "declined hold": (refund(8, HOLD), decided(hold(11, 0)), INVALID, Reason.NOT_REFUNDABLE),
    "expired hold": (refund(8, HOLD), EXPIRED, INVALID, Reason.NOT_REFUNDABLE),
    "captured hold": (refund(8, HOLD), CAPTURED, INVALID, Reason.NOT_REFUNDABLE),
    "reversed hold": (
        refund(8, HOLD), decided(reversal(12, HOLD, BATH.number), HELD, HOLDER), INVALID, Reason.ORIGINAL_REVERSED,
    ),
    "reversed capture": (
        refund(8, CAPTURED), decided(reversal(13, CAPTURED, BATH.number), CAPTURED), INVALID, Reason.ORIGINAL_REVERSED,
    ),
    "declined capture": (
        refund(8, capture(12, HOLD)), decided(capture(12, HOLD, 901), HELD), INVALID, Reason.ORIGINAL_DECLINED,
    ),
    "declined advice": (refund(8, advice(9, 1)), decided(advice(9, 1, 0)), INVALID, Reason.ORIGINAL_DECLINED),
    "another merchant's capture": (refund(8, CAPTURED), CAPTURED, NOT_PERMITTED, Reason.OTHER_MERCHANT),
    "more than was captured": (
        refund(8, CAPTURED, 801), replace(CAPTURED, merchant=TILL.merchant), Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT,
    ),
    "another merchant's": (refund(8, BOUGHT, terminal=OTHER_TILL.number), BOUGHT, NOT_PERMITTED, Reason.OTHER_MERCHANT),
    "another merchant's, in part": (
        refund(8, BOUGHT, 1, OTHER_TILL.number), PART_BACK, NOT_PERMITTED, Reason.OTHER_MERCHANT,
    ),
    "more than it paid": (refund(8, BOUGHT, 1_001), BOUGHT, Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT),
    "more than is left": (refund(8, BOUGHT, 601), PART_BACK, Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT),
    "nothing is left": (refund(8, BOUGHT, 1), ALL_BACK, Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "original", "code", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_refund_that_is_declined(request_: Any, original: Any, code: Code, reason: Reason) -> None:
    terminal = OTHER_TILL if request_.terminal == OTHER_TILL.number else TILL
    assert decided(request_, original) == RefundDeclined(
        *OWN, terminal.number, 8, request_.original_terminal, request_.original_stan, request_.amount,
        terminal.merchant, TODAY, LUNCH, code, reason, (10_000,),
    )  # fmt: skip


CLOSED = account(card_state=CardState.CLOSED)
FAULTS: list[tuple[str, dict[str, Any], Any, Any, Code, Reason]] = [
    ("not offered", {"terminal": KIOSK.number}, None, None, NOT_PERMITTED, Reason.SERVICE_NOT_OFFERED),
    *[
        (f"amount {amount}", {"amount": amount}, None, None, Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)
        for amount in (AMOUNT_MAX + 1, 2**63 - 1, 0, -1, -(2**63))
    ],
    ("closed", {}, CLOSED, None, Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED),
    ("reversed", {}, None, UNDONE, INVALID, Reason.ORIGINAL_REVERSED),
    ("other merchant", {"terminal": OTHER_TILL.number}, None, BOUGHT, NOT_PERMITTED, Reason.OTHER_MERCHANT),
    ("more than left", {"amount": 1_001}, None, BOUGHT, Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT),
]
"""In the order of the checks: the request's changes, the account and the original if not the right ones, the answer."""

PAIRS = [
    (first, second)
    for place, first in enumerate(FAULTS)
    for second in FAULTS[place:]
    if first is second or not first[1].keys() & second[1].keys()
]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{one[0]} + {two[0]}" for one, two in PAIRS])
def test_of_two_reasons_the_earlier_check_answers(first: Any, second: Any) -> None:
    request = replace(refund(8, BOUGHT), **{**second[1], **first[1]})
    event = decided(request, first[3] or second[3] or BOUGHT, first[2] or second[2] or ACCOUNT)
    assert (event.code, event.reason) == first[4:]


@pytest.mark.parametrize("newest", [PART_BACK, ALL_BACK], ids=["in part", "in full"])
@pytest.mark.parametrize("amount", [1_000, 400, 600, 999])
def test_purchase_that_was_refunded_is_not_reversed(newest: Any, amount: int) -> None:
    event = decided(reversal(8, BOUGHT, amount=amount), newest)
    assert (event.code, event.reason) == (INVALID, Reason.ORIGINAL_REFUNDED)


@pytest.mark.parametrize("event", [PART_BACK, ALL_BACK, REFUSED], ids=["in part", "in full", "declined"])
def test_refund_is_not_reversed(event: Any) -> None:
    declined = decided(reversal(8, event), event)
    assert (declined.code, declined.reason) == (INVALID, Reason.NOT_REVERSIBLE)


def test_purchase_of_which_a_refund_was_declined_is_reversed() -> None:
    assert isinstance(decided(reversal(8, BOUGHT), BOUGHT), Reversed)
