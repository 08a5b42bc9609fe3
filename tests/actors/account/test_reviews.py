"""A loss waits for its review: until when, what comes of it if nobody makes one, and what ends the waiting."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from example_campus import (
    ALICE,
    CALENDAR,
    DAY_US,
    KIOSK,
    NOON,
    NOON_US,
    POLICY,
    TODAY,
    account,
    card_of,
    command,
    report_loss,
)
from msgspec.structs import replace

from actors.account.answers import concerns
from actors.account.booking import postings
from actors.account.card import CardState
from actors.account.events import LossReported, LossReportedWithoutDeadline, ReviewOverdue
from actors.account.expiry import fall_due
from actors.account.inquiries import statement_entry
from actors.account.kind import ACCOUNT
from actors.account.state import Account, Loss
from actors.account.tables import ANSWER, APPLY, DECIDE, EFFECT
from actors.effect import Effect, EffectName
from actors.policy import Policy
from wire.codes import Code
from wire.messages import CloseAccount, FindCard, FreezeCard, ReviewLoss, StatementEntry, UnfreezeCard

CARD = card_of(ALICE)
DUE_US = NOON_US + DAY_US * 7 // 2
"""It is Tuesday noon: when Friday is over."""

LATE = CALENDAR.moment(DUE_US + 7)
LOST = account(card_state=CardState.LOST, loss=Loss(NOON_US, CardState.ACTIVE, review_due_us=DUE_US), due_us=DUE_US)
OVERDUE = ReviewOverdue(ALICE, DUE_US + 7, 1, CARD, NOON_US, DUE_US, (10_000,))


def decided(request: Any, holder: Account, policy: Policy = POLICY) -> Any:
    return DECIDE[type(request)](holder, request, None, NOON, policy, 99)


def applied(request: Any, holder: Account) -> Account:
    event = decided(request, holder)
    return APPLY[type(event)](holder, event, 9)


def test_report_says_when_its_review_is_due() -> None:
    event = decided(report_loss(1), account())
    assert event == LossReported(
        ALICE, NOON_US, 1, KIOSK.number, 1, "", CARD, TODAY, (10_000,), DUE_US
    )  # fmt: skip
    assert APPLY[LossReported](account(), event, 9) == replace(LOST, position=9)


@pytest.mark.parametrize(
    ("working_days", "changes", "days"),
    [
        (1, {}, 1.5),
        (4, {}, 6.5),
        (3, {"holidays": frozenset({date(2026, 9, 3), date(2026, 9, 4)})}, 7.5),
        (4, {"extra_working_days": frozenset({date(2026, 9, 5)})}, 4.5),
    ],
)
def test_campus_decides_how_long_it_may_wait(working_days: int, changes: dict[str, Any], days: float) -> None:
    policy = replace(POLICY, review_working_days=working_days, calendar=replace(CALENDAR, **changes))
    assert decided(report_loss(1), account(), policy).review_due_us == NOON_US + days * DAY_US


def test_overdue_review_is_told_once() -> None:
    event = fall_due(LOST, LATE)
    assert event == OVERDUE
    after = APPLY[ReviewOverdue](LOST, event, 9)
    assert after == replace(LOST, position=9, loss=Loss(NOON_US, CardState.ACTIVE), due_us=0)
    reviewed = applied(command(2, ReviewLoss), after)
    assert (reviewed.loss, reviewed.due_us) == (Loss(NOON_US, CardState.ACTIVE, reviewed=True), 0)


def test_what_operators_are_told() -> None:
    details = {"card": CARD, "reported_us": NOON_US, "review_due_us": DUE_US}
    assert EFFECT[ReviewOverdue](OVERDUE) == Effect(EffectName.REVIEW_OVERDUE, details)


def test_it_moves_nothing_and_answers_nobody() -> None:
    assert postings(OVERDUE) == ()
    assert concerns(OVERDUE) == ()
    assert ReviewOverdue not in ACCOUNT.answer
    assert ReviewOverdue not in ACCOUNT.service
    line = StatementEntry(DUE_US + 7, "review-overdue", Code.APPROVED, 0, (10_000,), 0, 0)
    assert statement_entry(OVERDUE) == line


@pytest.mark.parametrize("found_state", [CardState.ISSUED, CardState.ACTIVE, CardState.FROZEN, CardState.EXPIRED])
def test_review_ends_the_waiting(found_state: CardState) -> None:
    waiting = replace(LOST, loss=Loss(NOON_US, found_state, review_due_us=DUE_US))
    reviewed = applied(command(2, ReviewLoss), waiting)
    assert reviewed == replace(LOST, position=9, loss=Loss(NOON_US, found_state, reviewed=True), due_us=0)
    assert applied(command(3, FindCard), reviewed) == account(position=9, card_state=found_state)


def test_closing_ends_the_waiting() -> None:
    closed = applied(command(2, CloseAccount), replace(LOST, purses=(0,)))
    assert (closed.card_state, closed.loss, closed.due_us) == (CardState.CLOSED, None, 0)


def test_freezing_does_not() -> None:
    frozen = applied(command(2, FreezeCard), LOST)
    assert frozen.loss == Loss(NOON_US, CardState.FROZEN, review_due_us=DUE_US)
    assert (frozen.due_us, applied(command(3, UnfreezeCard), frozen)) == (DUE_US, replace(LOST, position=9))


def test_loss_that_was_reported_before_reviews_had_a_time_waits_for_ever() -> None:
    event = LossReportedWithoutDeadline(ALICE, NOON_US, 1, KIOSK.number, 1, "", CARD, TODAY, (10_000,))
    lost = APPLY[LossReportedWithoutDeadline](account(), event, 9)
    assert lost == account(position=9, card_state=CardState.LOST, loss=Loss(NOON_US, CardState.ACTIVE))
    now = decided(report_loss(1), account())
    assert ANSWER[LossReportedWithoutDeadline](event) == ANSWER[LossReported](now)
    assert EFFECT[LossReportedWithoutDeadline](event) == EFFECT[LossReported](now)
