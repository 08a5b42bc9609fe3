"""When something happens to an account by itself, and what it is."""

from __future__ import annotations

import pytest
from example_campus import BATH, CALENDAR, NOON_US, account, holding, outstanding
from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.due import with_due
from actors.account.events import HoldExpired, ReviewOverdue, SubsidyExpired
from actors.account.expiry import fall_due
from actors.account.state import Loss
from actors.account.tables import APPLY

SOON, LATER = NOON_US + 1, NOON_US + 2
AFTERWARDS = CALENDAR.moment(LATER)


@pytest.mark.parametrize(
    ("purses", "subsidy_expires_us", "holds_expire_us", "review_due_us", "due_us"),
    [
        ((100,), 0, (), 0, 0),
        ((100,), SOON, (), 0, 0),
        ((100, 5), SOON, (), 0, SOON),
        ((100, 5), 0, (LATER,), 0, LATER),
        ((100, 5), SOON, (LATER,), 0, SOON),
        ((100, 5), LATER, (LATER + 1, SOON), 0, SOON),
        ((100, 0), SOON, (LATER,), 0, LATER),
        ((100,), 0, (), SOON, SOON),
        ((100, 5), LATER, (LATER,), SOON, SOON),
        ((100, 5), SOON, (LATER,), LATER, SOON),
        ((100, 5), LATER, (SOON,), LATER, SOON),
    ],
)
def test_the_first_of_all(
    purses: tuple[int, ...],
    subsidy_expires_us: int,
    holds_expire_us: tuple[int, ...],
    review_due_us: int,
    due_us: int,
) -> None:
    loss = Loss(1, CardState.ACTIVE, review_due_us=review_due_us)
    holds = tuple(outstanding(1, stan, expires_us) for stan, expires_us in enumerate(holds_expire_us, 1))
    holder = account(purses=purses, subsidy_expires_us=subsidy_expires_us, holds=holds, loss=loss)
    assert with_due(holder).due_us == due_us


def test_subsidy_and_hold_each_in_their_time() -> None:
    holder = holding(account(purses=(100, 50)), outstanding(120, 7, LATER))
    holder = with_due(replace(holder, subsidy_expires_us=SOON))
    first = fall_due(holder, AFTERWARDS)
    assert isinstance(first, SubsidyExpired)
    assert first.balances == (100, 0)
    holder = APPLY[SubsidyExpired](holder, first, 5)
    assert (holder.purses, [hold.amount for hold in holder.holds], holder.due_us) == ((100, 0), [120], LATER)
    second = fall_due(holder, AFTERWARDS)
    assert isinstance(second, HoldExpired)
    assert (second.original_terminal, second.original_stan, second.amount) == (BATH.number, 7, 120)
    holder = APPLY[HoldExpired](holder, second, 6)
    assert (holder.holds, holder.due_us) == ((), 0)


def test_everything_at_one_time() -> None:
    """As at midnight, when a subsidy's last day and a loss's time are over."""
    holder = holding(account(purses=(100, 50)), outstanding(120, 7, SOON))
    loss = Loss(1, CardState.ACTIVE, review_due_us=SOON)
    holder = with_due(replace(holder, subsidy_expires_us=SOON, loss=loss, card_state=CardState.LOST))
    came = []
    while holder.due_us:
        event = fall_due(holder, AFTERWARDS)
        came.append(type(event))
        holder = APPLY[type(event)](holder, event, holder.position + 1)
    assert came == [HoldExpired, ReviewOverdue, SubsidyExpired]


def test_subsidy_that_was_spent_since_hides_no_review() -> None:
    """Its time stays with an account whose purse a purchase emptied."""
    loss = Loss(1, CardState.ACTIVE, review_due_us=LATER)
    holder = account(purses=(100, 0), subsidy_expires_us=SOON, due_us=SOON, loss=loss, card_state=CardState.LOST)
    event = fall_due(holder, AFTERWARDS)
    assert isinstance(event, SubsidyExpired)
    after = APPLY[SubsidyExpired](holder, event, 5)
    assert (event.amount, after.due_us) == (0, LATER)
    assert isinstance(fall_due(after, AFTERWARDS), ReviewOverdue)
