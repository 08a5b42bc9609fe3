"""Losses on a real shard: operators are told once of each that nobody has reviewed in time, by whoever looks first."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    ALICE,
    BOB,
    CALENDAR,
    DAY_US,
    NOON_US,
    POLICY,
    balance_inquiry,
    command,
    events_of,
    image,
    opened_shard,
    perform,
    purchase,
    report_loss,
    restarted,
)

from actors.account.events import ReviewOverdue
from actors.account.kind import ACCOUNT
from actors.placement import slot_of
from actors.shard import Shard
from actors.verification import verify
from wire.codes import Code
from wire.messages import FindCard, ReviewLoss

DUE_US = NOON_US + DAY_US * 7 // 2
"""It is Tuesday noon: when Friday is over."""

IN_TIME, DUE, NEXT_WEEK = map(CALENDAR.moment, (DUE_US - 1, DUE_US, DUE_US + 5 * DAY_US))


@pytest.fixture
def shard(store) -> Shard:
    """Alice's card is lost, and Bob's not."""
    shard = opened_shard(store)
    perform(shard, report_loss(1))
    return shard


def sweep(shard: Shard, moment: Any) -> None:
    for number in (ALICE, BOB):
        turn = shard.decide([], moment, POLICY, sweep=slot_of(number))
        shard.commit(turn)
        shard.adopt(turn)


def overdue(store) -> list[tuple[str, int]]:
    """Whose review was found overdue, and when."""
    return [(event.account, event.time_us) for event in events_of(store) if isinstance(event, ReviewOverdue)]


def test_sweep_finds_it_when_its_time_has_come_and_once(shard, store) -> None:
    sweep(shard, IN_TIME)
    assert overdue(store) == []
    sweep(shard, DUE)
    sweep(shard, NEXT_WEEK)
    assert overdue(store) == [(ALICE, DUE_US)]
    verify(store, ACCOUNT)


def test_request_finds_it_and_is_answered_as_ever(shard, store) -> None:
    answers = perform(shard, purchase(2), purchase(3), moment=DUE)
    assert [answer.code for answer in answers] == [Code.LOST_CARD] * 2
    assert overdue(store) == [(ALICE, DUE_US)]
    sweep(shard, NEXT_WEEK)
    assert len(overdue(store)) == 1
    verify(store, ACCOUNT)


def test_inquiry_leaves_it_to_others(shard, store) -> None:
    perform(shard, balance_inquiry(2), moment=DUE)
    assert overdue(store) == []


def test_late_review_comes_after_it(shard, store) -> None:
    answers = perform(shard, command(2, ReviewLoss), command(3, FindCard), moment=NEXT_WEEK)
    assert [answer.code for answer in answers] == [Code.APPROVED] * 2
    assert overdue(store) == [(ALICE, NEXT_WEEK.time_us)]


def test_review_in_time_and_a_second_loss(shard, store) -> None:
    perform(shard, command(2, ReviewLoss), command(3, FindCard), moment=IN_TIME)
    sweep(shard, DUE)
    assert overdue(store) == []
    perform(shard, report_loss(4), moment=DUE)
    sweep(shard, CALENDAR.moment(DUE_US + 5 * DAY_US - 1))
    assert overdue(store) == []
    sweep(shard, NEXT_WEEK)
    assert overdue(store) == [(ALICE, NEXT_WEEK.time_us)]


def test_it_survives_a_restart_from_the_journal_and_from_snapshots(shard, store) -> None:
    again = restarted(store)
    assert image(again, [ALICE]) == image(shard, [ALICE])
    again.checkpoint()
    from_snapshots = restarted(store)
    sweep(from_snapshots, DUE)
    assert overdue(store) == [(ALICE, DUE_US)]
    assert image(restarted(store), [ALICE]) == image(from_snapshots, [ALICE])
    sweep(restarted(store), NEXT_WEEK)
    assert len(overdue(store)) == 1
    verify(store, ACCOUNT)
