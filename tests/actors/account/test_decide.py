"""What each request comes to: approvals, declines, and every way in which a reversal can meet its original."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BREAKFAST_TILL,
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
    card_of,
    purchase,
    reversal,
    top_up,
)
from msgspec.structs import astuple, replace

from actors.account.card import CardState
from actors.account.events import (
    Purchased,
    PurchaseDeclined,
    PurchasedUncounted,
    PurchaseReversed,
    ReversalDeclined,
    Reversed,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.tables import DECIDE
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
    assert decided(reversal(4, original), original, spent) == PurchaseReversed(
        ACCOUNT.number, NOON_US, 8, TILL.number, 4, OTHER_TILL.number, 3, 1_250, "purchase", 0, TILL.merchant,
        OTHER_TILL.merchant, TODAY - 1, TODAY, LUNCH, (1_250,), 0, (10_000,), 99, LUNCH,
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
