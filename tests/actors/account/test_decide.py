"""What each request comes to: approvals, declines, and every way in which a reversal can meet its original."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BATH,
    BREAKFAST_TILL,
    CALENDAR,
    KIOSK,
    LUNCH,
    NOON,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TILL,
    TODAY,
    TOP_UP_MACHINE,
    account,
    capture,
    card_of,
    hold,
    holding,
    outstanding,
    purchase,
    release,
    reversal,
    top_up,
)
from msgspec.structs import astuple, replace

from actors.account.card import CardState
from actors.account.events import (
    Captured,
    CaptureDeclined,
    CaptureReversed,
    Held,
    HoldDeclined,
    HoldExpired,
    HoldReversed,
    Purchased,
    PurchaseDeclined,
    PurchasedUncounted,
    PurchaseReturned,
    Released,
    ReleaseDeclined,
    ReversalDeclined,
    Reversed,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.expiry import fall_due
from actors.account.tables import DECIDE
from actors.policy import HOLD_LIFETIME_US
from wire.codes import Code, Reason

ACCOUNT = account(position=7)
CARD = card_of(ACCOUNT.number)
OWN = (ACCOUNT.number, NOON_US, 7)
"""What every event of this account begins with."""


def decided(request: Any, original: Any = None, holder: Any = ACCOUNT) -> Any:
    """The event that a request comes to, with authorization number 99 if it is approved."""
    return DECIDE[type(request)](holder, request, original, NOON, POLICY, 99)


def test_purchase() -> None:
    assert decided(purchase(3, 1_250)) == Purchased(
        *OWN, TILL.number, 3, CARD, 1_250, TILL.merchant, TODAY, LUNCH, (1_250,), (8_750,), 99
    )


def test_purchase_draws_on_the_purses_in_their_order() -> None:
    event = decided(purchase(7, 450), holder=account(purses=(1_000, 300, 200)))
    assert (event.paid, event.balances) == ((0, 300, 150), (1_000, 0, 50))


def test_top_up_credits_the_main_purse_alone() -> None:
    event = decided(top_up(7, 450), holder=account(purses=(1_000, 300, 200)))
    assert event.balances == (1_450, 300, 200)


def test_reversal_returns_each_part_to_the_purse_that_paid_it() -> None:
    holder = account(purses=(1_000, 300, 200))
    original = decided(purchase(7, 1_400), holder=holder)
    event = decided(reversal(8, original), original, account(purses=original.balances))
    assert (event.returned, event.balances) == ((900, 300, 200), (1_000, 300, 200))


def test_declined_purchase() -> None:
    assert decided(purchase(3, 10_001)) == PurchaseDeclined(
        *OWN,
        TILL.number,
        3,
        CARD,
        10_001,
        TILL.merchant,
        TODAY,
        LUNCH,
        Code.INSUFFICIENT_FUNDS,
        Reason.FUNDS,
        (10_000,),
    )


def test_purchase_outside_hours() -> None:
    event = decided(purchase(3, terminal=BREAKFAST_TILL.number))
    assert (event.code, event.reason) == (Code.NOT_PERMITTED_TO_TERMINAL, Reason.OUTSIDE_HOURS)


def test_purchase_from_an_unknown_terminal_is_of_no_merchant() -> None:
    event = decided(purchase(3, terminal=7))
    assert (event.code, event.reason, event.merchant) == (
        Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED, 0,
    )  # fmt: skip


def test_top_up() -> None:
    assert decided(top_up(3, 5_000, channel=2)) == ToppedUp(
        *OWN, TOP_UP_MACHINE.number, 3, CARD, 5_000, 2, TOP_UP_MACHINE.merchant, TODAY, LUNCH, (15_000,), 99
    )


def test_declined_top_up() -> None:
    assert decided(top_up(3, 0)) == TopUpDeclined(
        *OWN, TOP_UP_MACHINE.number, 3, CARD, 0, 1, TOP_UP_MACHINE.merchant, TODAY, LUNCH,
        Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE, (10_000,),
    )  # fmt: skip


def test_reversal_of_a_purchase_at_another_merchant_on_another_day() -> None:
    original = replace(decided(purchase(3, 1_250, terminal=OTHER_TILL.number)), business_day=TODAY - 1)
    spent = account(position=8, purses=(8_750,))
    assert decided(reversal(4, original), original, spent) == PurchaseReturned(
        ACCOUNT.number, NOON_US, 8, TILL.number, 4, OTHER_TILL.number, 3, 1_250, "purchase", 0, TILL.merchant,
        OTHER_TILL.merchant, TODAY - 1, TODAY, LUNCH, (1_250,), 0, (10_000,), 99, LUNCH, 0,
    )  # fmt: skip


def test_reversal_of_a_purchase_that_was_not_counted_says_what_it_always_said() -> None:
    original = PurchasedUncounted(*astuple(decided(purchase(3, 1_250))))
    event = decided(reversal(4, original), original, account(position=8, purses=(8_750,)))
    assert type(event) is Reversed
    assert (event.returned, event.balances, event.service) == ((1_250,), (10_000,), "purchase")


@pytest.mark.parametrize(
    ("left", "returned", "shortfall", "balance"),
    [(9_000, -5_000, 0, 4_000), (5_000, -5_000, 0, 0), (4_999, -4_999, 1, 0), (0, 0, 5_000, 0)],
)
def test_reversal_of_a_top_up_takes_what_is_left(left: int, returned: int, shortfall: int, balance: int) -> None:
    original = decided(top_up(3, 5_000, channel=3))
    event = decided(reversal(4, original, TOP_UP_MACHINE.number), original, account(position=8, purses=(left,)))
    assert isinstance(event, Reversed)
    assert (event.service, event.channel) == ("top-up", 3)
    assert (event.returned, event.shortfall, event.balances) == ((returned,), shortfall, (balance,))


@pytest.mark.parametrize(
    "original",
    [None, decided(purchase(3, 20_001)), decided(top_up(3, 200_000))],
    ids=["unknown", "declined purchase", "declined top-up"],
)
def test_reversal_that_finds_nothing_to_undo(original: Any) -> None:
    named = original or purchase(3, 777)
    assert decided(reversal(4, named), original) == Tombstoned(
        *OWN, TILL.number, 4, named.terminal, 3, named.amount, TILL.merchant, TODAY, LUNCH, (10_000,)
    )


def test_second_reversal_of_the_same_original() -> None:
    original = decided(purchase(3))
    first = decided(reversal(4, original), original, account(purses=(9_000,)))
    again = decided(reversal(5, original), first)
    assert isinstance(again, Tombstoned)
    assert isinstance(decided(reversal(6, original), again), Tombstoned)


APPROVED = decided(purchase(3))
REVERSED = decided(reversal(4, APPROVED), APPROVED, account(purses=(9_000,)))
TOMBSTONED = decided(reversal(5, purchase(9)))
REFUSED = decided(reversal(6, APPROVED, amount=1), APPROVED)


@pytest.mark.parametrize(
    ("named", "amount", "original", "reason"),
    [
        (APPROVED, 999, APPROVED, Reason.AMOUNT_DIFFERS),
        (APPROVED, 999, REVERSED, Reason.AMOUNT_DIFFERS),
        (purchase(9), 999, TOMBSTONED, Reason.AMOUNT_DIFFERS),
        (decided(purchase(3, 20_001)), 999, decided(purchase(3, 20_001)), Reason.AMOUNT_DIFFERS),
        (REVERSED, 1_000, REVERSED, Reason.NOT_REVERSIBLE),
        (TOMBSTONED, 1_000, TOMBSTONED, Reason.NOT_REVERSIBLE),
        (REFUSED, 1, REFUSED, Reason.NOT_REVERSIBLE),
        (purchase(8), 1_000, None, Reason.NOT_REVERSIBLE),
    ],
    ids=[
        "amount of an approved", "amount of a reversed", "amount of an unknown", "amount of a declined", "a reversal",
        "a reversal of nothing", "a declined reversal", "itself",
    ],
)  # fmt: skip
def test_reversal_that_is_declined(named: Any, amount: int, original: Any, reason: Reason) -> None:
    assert decided(reversal(8, named, amount=amount), original) == ReversalDeclined(
        *OWN, TILL.number, 8, named.terminal, named.stan, amount, TILL.merchant, TODAY, LUNCH,
        Code.INVALID_TRANSACTION, reason, (10_000,),
    )  # fmt: skip


def test_reversal_from_a_terminal_that_may_not_comes_before_what_it_names() -> None:
    event = decided(reversal(8, APPROVED, KIOSK.number, amount=1), APPROVED)
    assert (event.code, event.reason) == (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)


@pytest.mark.parametrize("card_state", [state for state in CardState if state is not CardState.ACTIVE])
def test_reversal_asks_nothing_of_the_card(card_state: CardState) -> None:
    holder = account(card_state=card_state, expires=0, purses=(9_000,))
    assert isinstance(decided(reversal(4, APPROVED), APPROVED, holder), Reversed)


HOLD = hold(3, 1_250)
HELD = decided(HOLD)
HOLDER = holding(ACCOUNT, outstanding(1_250, 3))
CAPTURED = decided(capture(4, HOLD, 700), HELD, HOLDER)
RELEASED = decided(release(4, HOLD), HELD, HOLDER)
EXPIRES_US = NOON_US + HOLD_LIFETIME_US
IN_TIME = False
"""Not suspicious."""
EXPIRED = fall_due(HOLDER, CALENDAR.moment(EXPIRES_US + 5))
BATH_OWN = (*OWN, BATH.number)


def test_hold() -> None:
    assert Held(
        *BATH_OWN, 3, CARD, 1_250, EXPIRES_US, BATH.merchant, TODAY, LUNCH, (10_000,), 99
    ) == HELD  # fmt: skip


def test_hold_stands_for_as_long_as_the_campus_says() -> None:
    policy = replace(POLICY, hold_lifetime_us=1)
    assert DECIDE[type(HOLD)](ACCOUNT, HOLD, None, NOON, policy, 99).expires_us == NOON_US + 1


def test_declined_hold() -> None:
    assert decided(hold(3, 8_751), holder=HOLDER) == HoldDeclined(
        *BATH_OWN, 3, CARD, 8_751, BATH.merchant, TODAY, LUNCH, Code.INSUFFICIENT_FUNDS, Reason.FUNDS, (10_000,)
    )


def test_capture_pays_the_merchant_of_the_hold_from_another_terminal_on_a_later_day() -> None:
    held = replace(HELD, business_day=TODAY - 1, merchant=8)
    other = replace(POLICY, terminals={7: replace(BATH, number=7, merchant=9)})
    request = capture(4, HOLD, 700, terminal=7)
    assert DECIDE[type(request)](HOLDER, request, held, NOON, other, 99) == Captured(
        *OWN, 7, 4, BATH.number, 3, 700, 1_250, 8, TODAY - 1, LUNCH, TODAY, LUNCH, (700,), 0, IN_TIME, (9_300,), 99,
    )  # fmt: skip


def test_capture_draws_on_the_purses_as_it_finds_them() -> None:
    holder = holding(account(purses=(1_000, 300, 200)), outstanding(1_250, 3))
    event = decided(capture(4, HOLD, 700), HELD, holder)
    assert (event.paid, event.balances) == ((200, 300, 200), (800, 0, 0))


def test_capture_leaves_the_deposit_if_it_can() -> None:
    policy = replace(POLICY, limits=replace(POLICY.limits, balance_min=100), spending_order=(0, 1, 2))
    request = capture(4, HOLD, 700)
    for purses, paid in (
        ((800, 50), (700, 0)),
        ((700, 150), (600, 100)),
        ((700, 50), (650, 50)),
        ((90, 800), (0, 700)),
    ):
        event = DECIDE[type(request)](account(purses=purses), request, EXPIRED, NOON, policy, 99)
        assert (event.paid, event.shortfall) == (paid, 0)
    event = DECIDE[type(request)](account(purses=(90, 10)), request, EXPIRED, NOON, policy, 99)
    assert (event.paid, event.shortfall) == ((90, 10), 600)


@pytest.mark.parametrize(
    ("purses", "others", "paid", "shortfall"),
    [
        ((10_000,), (), (700,), 0),
        ((700,), (), (700,), 0),
        ((699,), (), (699,), 1),
        ((0,), (), (0,), 700),
        ((100, 50, 20), (), (100, 50, 20), 530),
        ((1_000,), (200, 100), (700,), 0),
        ((1_000,), (200, 101), (699,), 1),
        ((100, 50, 20), (70,), (30, 50, 20), 600),
        ((1_000,), (1_000,), (0,), 700),
        ((1_000,), (1_001,), (0,), 700),
    ],
)
def test_late_capture_takes_what_no_other_hold_needs_and_the_rest_is_suspense(
    purses: tuple[int, ...], others: tuple[int, ...], paid: tuple[int, ...], shortfall: int
) -> None:
    holder = holding(account(purses=purses), *(outstanding(amount, 90 + amount) for amount in others))
    event = decided(capture(4, HOLD, 700), EXPIRED, holder)
    assert isinstance(event, Captured)
    assert event.suspicious
    assert (event.amount, event.held, event.merchant) == (700, 1_250, BATH.merchant)
    assert (event.paid, event.shortfall, sum(event.paid) + event.shortfall) == (paid, shortfall, 700)


def test_capture_that_finds_too_little_is_suspicious_in_time_too() -> None:
    assert not CAPTURED.suspicious
    short = decided(capture(4, HOLD, 700), HELD, holding(account(purses=(500,)), outstanding(1_250, 3)))
    assert (short.paid, short.shortfall, short.suspicious) == ((500,), 200, True)


def test_declined_capture() -> None:
    assert decided(capture(4, HOLD, 1_251), HELD, HOLDER) == CaptureDeclined(
        *BATH_OWN, 4, BATH.number, 3, 1_251, BATH.merchant, TODAY, LUNCH, Code.INVALID_AMOUNT, Reason.MORE_THAN_HELD,
        (10_000,),
    )  # fmt: skip


def test_release() -> None:
    assert Released(
        *BATH_OWN, 4, BATH.number, 3, 1_250, BATH.merchant, TODAY, LUNCH, (10_000,), 99
    ) == RELEASED  # fmt: skip


def test_declined_release() -> None:
    assert decided(release(4, HOLD), EXPIRED) == ReleaseDeclined(
        *BATH_OWN, 4, BATH.number, 3, BATH.merchant, TODAY, LUNCH, Code.INVALID_TRANSACTION, Reason.HOLD_EXPIRED,
        (10_000,),
    )  # fmt: skip


def test_expiry_is_that_of_the_hold_that_is_overdue_for_longest() -> None:
    young = outstanding(1, 8, EXPIRES_US + 1)
    assert fall_due(holding(HOLDER, young, *HOLDER.holds), CALENDAR.moment(EXPIRES_US + 5)) == EXPIRED
    assert (
        HoldExpired(
            ACCOUNT.number, EXPIRES_US + 5, 7, BATH.number, 3, 1_250, EXPIRES_US, BATH.merchant, TODAY, LUNCH, (10_000,)
        )
        == EXPIRED
    )


def test_reversal_of_a_hold() -> None:
    assert decided(reversal(4, HOLD), HELD, HOLDER) == HoldReversed(
        *OWN, TILL.number, 4, BATH.number, 3, 1_250, BATH.merchant, TODAY, LUNCH, (10_000,), 99
    )


def test_reversal_of_a_capture_gives_back_what_it_took_and_settles_what_it_owed() -> None:
    late = decided(capture(4, HOLD, 700), EXPIRED, account(purses=(100, 200, 300)))
    late = replace(late, original_business_day=TODAY - 1, original_period=7)
    event = decided(reversal(5, late), late, account(position=7, purses=(0,)))
    assert event == CaptureReversed(
        *OWN, TILL.number, 5, BATH.number, 4, 700, "capture", 0, TILL.merchant, BATH.merchant, TODAY - 1, TODAY, LUNCH,
        (100, 200, 300), 100, (100, 200, 300), 99, 7, TODAY,
    )  # fmt: skip


@pytest.mark.parametrize("original", [RELEASED, EXPIRED, decided(hold(3, 0))], ids=["released", "expired", "declined"])
def test_reversal_of_a_hold_that_holds_nothing(original: Any) -> None:
    named = replace(HOLD, amount=original.amount)
    assert isinstance(decided(reversal(5, named), original), Tombstoned)
    again = decided(reversal(6, named), decided(reversal(5, named), original))
    assert isinstance(again, Tombstoned)


def test_second_reversal_of_a_hold_and_of_a_declined_capture() -> None:
    assert isinstance(decided(reversal(6, HOLD), decided(reversal(5, HOLD), HELD, HOLDER)), Tombstoned)
    refused = decided(capture(4, HOLD, 1_251), HELD, HOLDER)
    assert isinstance(decided(reversal(5, refused), refused, HOLDER), Tombstoned)


@pytest.mark.parametrize(
    ("named", "amount", "original", "reason"),
    [
        (HOLD, 1_249, HELD, Reason.AMOUNT_DIFFERS),
        (HOLD, 1_249, RELEASED, Reason.AMOUNT_DIFFERS),
        (HOLD, 1_249, EXPIRED, Reason.AMOUNT_DIFFERS),
        (HOLD, 1_249, decided(reversal(5, HOLD), HELD, HOLDER), Reason.AMOUNT_DIFFERS),
        (CAPTURED, 1_250, CAPTURED, Reason.AMOUNT_DIFFERS),
        (HOLD, 1_250, CAPTURED, Reason.HOLD_CAPTURED),
        (HOLD, 700, CAPTURED, Reason.HOLD_CAPTURED),
        (RELEASED, 1_250, RELEASED, Reason.NOT_REVERSIBLE),
        (release(4, HOLD), 1_250, decided(release(4, HOLD), EXPIRED), Reason.NOT_REVERSIBLE),
    ],
    ids=[
        "amount of a hold", "amount of a released", "amount of an expired", "amount of a reversed",
        "amount of a capture", "captured", "captured, named with what was captured", "a release", "a declined release",
    ],
)  # fmt: skip
def test_reversal_of_a_hold_that_is_declined(named: Any, amount: int, original: Any, reason: Reason) -> None:
    event = decided(reversal(8, replace(HOLD, stan=named.stan), amount=amount), original, HOLDER)
    assert isinstance(event, ReversalDeclined)
    assert (event.code, event.reason) == (Code.INVALID_TRANSACTION, reason)


@pytest.mark.parametrize(
    ("purses", "held", "returned"),
    [
        ((5_000,), 0, (-5_000,)),
        ((5_000,), 1, (-4_999,)),
        ((5_000,), 4_000, (-1_000,)),
        ((5_000,), 5_000, (0,)),
        ((4_000, 700), 700, (-4_000,)),
        ((4_000, 700), 701, (-3_999,)),
        ((9_000,), 4_000, (-5_000,)),
    ],
)
def test_reversal_of_a_top_up_leaves_what_is_held(
    purses: tuple[int, ...], held: int, returned: tuple[int, ...]
) -> None:
    paid_in = decided(top_up(3, 5_000))
    event = decided(reversal(4, paid_in), paid_in, holding(account(purses=purses), outstanding(held)))
    assert (event.returned, event.shortfall) == (returned, 5_000 + returned[0])
