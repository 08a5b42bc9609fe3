"""Balance inquiry and mini statement: what they show, and what each event looks like on a statement."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BATH,
    CALENDAR,
    NOON,
    NOON_US,
    POLICY,
    TILL,
    TOP_UP_MACHINE,
    account,
    balance_inquiry,
    capture,
    hold,
    holding,
    mini_statement,
    outstanding,
    purchase,
    release,
    reversal,
    top_up,
)
from msgspec.structs import replace

from actors.account.card import CardState, PersonClass
from actors.account.events import Opened
from actors.account.expiry import fall_due
from actors.account.inquiries import events_wanted, inquire, statement_entry
from actors.account.state import Family
from actors.account.tables import DECIDE
from actors.policy import HOLD_LIFETIME_US
from wire.codes import Code, Reason
from wire.messages import Answer, Capture, Statement, StatementEntry


def decided(request: Any, original: Any = None, holder: Any = None) -> Any:
    return DECIDE[type(request)](holder or account(), request, original, NOON, POLICY, 99)


PURCHASED, TOPPED_UP = decided(purchase(3)), decided(top_up(4))
HOLD, HELD = hold(3, 600), decided(hold(3, 600))
EXPIRES_US = NOON_US + HOLD_LIFETIME_US
EXPIRED = fall_due(holding(account(), outstanding(600, 3)), CALENDAR.moment(EXPIRES_US + 7))
LINES = {
    "opening": (
        Opened("7", NOON_US, 0, "C7", CardState.ACTIVE, 20300731, PersonClass.STAFF, (500,)),
        StatementEntry(NOON_US, "opening", Code.APPROVED, 500, (500,), 0, 0),
    ),
    "purchase": (PURCHASED, StatementEntry(NOON_US, "purchase", Code.APPROVED, -1_000, (9_000,), 1001, 3)),
    "declined purchase": (
        decided(purchase(3, 0)),
        StatementEntry(NOON_US, "purchase", Code.INVALID_AMOUNT, 0, (10_000,), 1001, 3),
    ),
    "top-up": (TOPPED_UP, StatementEntry(NOON_US, "top-up", Code.APPROVED, 1_000, (11_000,), 2001, 4)),
    "declined top-up": (
        decided(top_up(4, 0)),
        StatementEntry(NOON_US, "top-up", Code.INVALID_AMOUNT, 0, (10_000,), 2001, 4),
    ),
    "reversal of a purchase": (
        decided(reversal(5, PURCHASED), PURCHASED),
        StatementEntry(NOON_US, "reversal", Code.APPROVED, 1_000, (11_000,), 1001, 5),
    ),
    "reversal of a spent top-up": (
        decided(reversal(5, TOPPED_UP, TOP_UP_MACHINE.number), TOPPED_UP, account(purses=(400,))),
        StatementEntry(NOON_US, "reversal", Code.APPROVED, -400, (0,), 2001, 5),
    ),
    "hold": (HELD, StatementEntry(NOON_US, "hold", Code.APPROVED, 0, (10_000,), 5001, 3)),
    "capture": (
        decided(capture(4, HOLD, 450), HELD),
        StatementEntry(NOON_US, "capture", Code.APPROVED, -450, (9_550,), 5001, 4),
    ),
    "late capture beyond the balance": (
        decided(capture(4, HOLD, 450), EXPIRED, account(purses=(100, 70))),
        StatementEntry(NOON_US, "capture", Code.APPROVED, -170, (0, 0), 5001, 4),
    ),
    "release": (
        decided(release(4, HOLD), HELD),
        StatementEntry(NOON_US, "release", Code.APPROVED, 0, (10_000,), 5001, 4),
    ),
    "expiry": (EXPIRED, StatementEntry(EXPIRES_US + 7, "hold-expiry", Code.APPROVED, 0, (10_000,), 5001, 3)),
    "reversal of a hold": (
        decided(reversal(4, HOLD, BATH.number), HELD),
        StatementEntry(NOON_US, "reversal", Code.APPROVED, 0, (10_000,), 5001, 4),
    ),
    "reversal of nothing": (
        decided(reversal(5, purchase(9))),
        StatementEntry(NOON_US, "reversal", Code.APPROVED, 0, (10_000,), 1001, 5),
    ),
    "declined reversal": (
        decided(reversal(5, PURCHASED, amount=1), PURCHASED),
        StatementEntry(NOON_US, "reversal", Code.INVALID_TRANSACTION, 0, (10_000,), 1001, 5),
    ),
}


@pytest.mark.parametrize(("event", "entry"), LINES.values(), ids=LINES)
def test_line_of_a_statement(event: Any, entry: StatementEntry) -> None:
    assert statement_entry(event) == entry


def test_balance() -> None:
    request = balance_inquiry(7)
    assert events_wanted(request) == 0
    assert inquire(account(), request, [], NOON, POLICY) == Answer(
        TILL.number, 7, Code.APPROVED, Reason.NONE, 0, (10_000,), ()
    )


@pytest.mark.parametrize(
    ("purses", "shown"),
    [
        ((10_000,), (9_300,)),
        ((700,), (0,)),
        ((1_000, 300, 200), (800, 0, 0)),
        ((1_000, 900), (1_000, 200)),
        ((699,), (0,)),
    ],
)
def test_balance_is_what_may_be_spent_beside_what_is_held(purses: tuple[int, ...], shown: tuple[int, ...]) -> None:
    holder = holding(account(purses=purses), outstanding(600), outstanding(100, 2), outstanding(1, 3, NOON_US))
    assert inquire(holder, balance_inquiry(7), [], NOON, POLICY).balances == shown
    overdue = CALENDAR.moment(EXPIRES_US)
    assert inquire(holder, balance_inquiry(7), [], overdue, POLICY).balances == purses
    assert inquire(holder, mini_statement(7), [], NOON, POLICY).balances == purses


def test_mini_statement() -> None:
    request = mini_statement(7, count=20)
    assert events_wanted(request) == 20
    assert inquire(account(), request, [TOPPED_UP, PURCHASED], NOON, POLICY) == Statement(
        TILL.number, 7, (10_000,), (statement_entry(TOPPED_UP), statement_entry(PURCHASED))
    )


@pytest.mark.parametrize("request_", [balance_inquiry(7), mini_statement(7)], ids=["balance", "statement"])
def test_refused_inquiry_shows_no_balance(request_: Any) -> None:
    lost = account(card_state=CardState.LOST)
    assert inquire(lost, request_, [PURCHASED], NOON, POLICY) == Answer(
        TILL.number, 7, Code.LOST_CARD, Reason.CARD_LOST, 0, (), ()
    )


def test_balance_beside_a_hold_is_what_its_capture_would_leave_under_a_guardians_policy() -> None:
    family = Family("g-7", purchase_max=150)
    holder = replace(holding(account(purses=(1_000, 0, 400)), outstanding(600, 3)), family=family)
    answer = inquire(holder, balance_inquiry(1), [], NOON, POLICY)
    assert answer.balances == (550, 0, 250)
    captured = DECIDE[Capture](holder, capture(4, HOLD, 600), HELD, NOON, POLICY, 99)
    assert captured.balances == answer.balances
