"""Holds on a real shard: resolved once by whoever is first, expired by whoever looks first, or else by the sweep."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    ALICE,
    BATH,
    BOB,
    CALENDAR,
    NOON_US,
    POLICY,
    TODAY,
    TOP_UP_MACHINE,
    answers_of,
    balance_inquiry,
    capture,
    events_of,
    hold,
    image,
    mini_statement,
    opened_shard,
    opening,
    perform,
    purchase,
    release,
    restarted,
    reversal,
    top_up,
)

from actors.account.events import Captured, Held, HoldExpired
from actors.account.kind import ACCOUNT
from actors.placement import SLOTS, slot_of
from actors.policy import HOLD_LIFETIME_US
from actors.shard import Shard
from actors.verification import verify
from wire.codes import Code, Reason

AT_EXPIRY = CALENDAR.moment(NOON_US + HOLD_LIFETIME_US)
JUST_BEFORE = CALENDAR.moment(NOON_US + HOLD_LIFETIME_US - 1)
TOMORROW = CALENDAR.moment(NOON_US + 86_400_000_000)
APPROVED = Code.APPROVED, Reason.NONE
EXPIRED = Code.INVALID_TRANSACTION, Reason.HOLD_EXPIRED
CAPTURED = Code.INVALID_TRANSACTION, Reason.HOLD_CAPTURED
RELEASED = Code.INVALID_TRANSACTION, Reason.HOLD_RELEASED
REVERSED = Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED
FUNDS = Code.INSUFFICIENT_FUNDS, Reason.FUNDS
HOLD = hold(1, 6_000)


@pytest.fixture
def shard(store) -> Shard:
    return opened_shard(store)


def asked(shard: Shard, *requests: Any, moment: Any = None) -> list[tuple[Code, Reason]]:
    """Code and reason of each answer, of one turn."""
    answers = perform(shard, *requests, **({} if moment is None else {"moment": moment}))
    return [(answer.code, answer.reason) for answer in answers]


def expiries(store) -> list[HoldExpired]:
    return [event for event in events_of(store) if isinstance(event, HoldExpired)]


def sweep(shard: Shard, moment: Any, slots: Any = None) -> int:
    """Sweeps these slots, or all, each in a turn without requests. How many events came of it."""
    before = shard.head.position
    for slot in range(SLOTS) if slots is None else slots:
        turn = shard.decide([], moment, POLICY, sweep=slot)
        assert turn.answers == []
        shard.commit(turn)
        shard.adopt(turn)
    return shard.head.position - before


def test_what_is_held_may_not_be_spent_and_comes_back_when_it_is_resolved(shard, store) -> None:
    assert asked(shard, HOLD, purchase(1, 4_001), hold(2, 4_001)) == [APPROVED, FUNDS, FUNDS]
    assert asked(shard, purchase(2, 1_000), capture(3, HOLD, 500)) == [APPROVED, APPROVED]
    assert shard.state(ALICE).purses == (8_500,)
    assert asked(shard, purchase(3, 8_501), purchase(4, 8_500)) == [FUNDS, APPROVED]
    verify(store, ACCOUNT)


ENDS = {
    "captured": (capture(10, HOLD, 100), CAPTURED, CAPTURED),
    "released": (release(10, HOLD), RELEASED, RELEASED),
    "reversed": (reversal(10, HOLD, BATH.number), REVERSED, REVERSED),
}


@pytest.mark.parametrize(("end", "capture_after", "release_after"), ENDS.values(), ids=ENDS)
def test_a_hold_is_resolved_once(shard, store, end, capture_after, release_after) -> None:
    assert asked(shard, HOLD, end) == [APPROVED, APPROVED]
    resolved = image(shard, [ALICE])
    for stan, moment in ((20, JUST_BEFORE), (30, AT_EXPIRY), (40, TOMORROW)):
        again = asked(shard, capture(stan, HOLD, 100), release(stan + 1, HOLD), moment=moment)
        assert again == [capture_after, release_after]
    assert shard.state(ALICE).purses == resolved["states"][ALICE].purses
    assert shard.ledger.balances == resolved["balances"]
    assert shard.ledger.imbalance == 0
    assert expiries(store) == []
    assert asked(shard, end) == [APPROVED]
    verify(store, ACCOUNT)


def test_a_copy_of_a_hold_gets_its_answer_whatever_became_of_it(shard) -> None:
    (first,) = perform(shard, HOLD)
    assert perform(shard, HOLD) == [first]
    assert perform(shard, capture(2, HOLD, 100), HOLD)[1] == first
    assert perform(shard, hold(3, 100), moment=AT_EXPIRY)[0].code is Code.APPROVED
    assert perform(shard, HOLD, moment=TOMORROW) == [first]
    assert len(shard.state(ALICE).holds) == 0


def test_a_copy_of_a_reversed_hold_is_declined_and_holds_nothing(shard) -> None:
    reversed_ = Code.INVALID_TRANSACTION, Reason.REVERSED
    assert asked(shard, reversal(5, HOLD, BATH.number), HOLD) == [APPROVED, reversed_]
    assert shard.state(ALICE).holds == ()
    later = hold(6, 100)
    assert asked(shard, later, reversal(7, later, BATH.number), later) == [APPROVED, APPROVED, reversed_]
    assert shard.state(ALICE).holds == ()


def test_a_hold_of_another_account_is_none_of_this_ones(shard) -> None:
    of_bob = hold(1, 500, BOB)
    not_found = Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND
    assert asked(shard, of_bob, capture(2, HOLD, 500), release(3, HOLD)) == [APPROVED, not_found, not_found]
    assert len(shard.state(BOB).holds) == 1


@pytest.mark.parametrize(
    "request_",
    [purchase(9, 5_000), top_up(9, 100), hold(9, 5_000), capture(9, HOLD, 100), release(9, HOLD), purchase(9, 99_999)],
    ids=["purchase", "top-up", "hold", "capture", "release", "declined purchase"],
)
def test_the_next_request_finds_an_overdue_hold(shard, store, request_) -> None:
    perform(shard, HOLD)
    perform(shard, request_, moment=AT_EXPIRY)
    assert [event for event in shard.state(ALICE).holds if event.stan == HOLD.stan] == []
    (expired,) = expiries(store)
    held = next(event for event in events_of(store) if isinstance(event, Held))
    assert (expired.original_terminal, expired.original_stan) == (HOLD.terminal, HOLD.stan)
    assert (expired.amount, expired.expires_us, expired.time_us) == (6_000, held.expires_us, AT_EXPIRY.time_us)
    assert expired.original_business_day == TODAY
    assert sweep(shard, TOMORROW, [slot_of(ALICE)]) in (0, 1)  # the second hold's expiry, if there was one
    verify(store, ACCOUNT)


def test_a_hold_stands_until_its_very_time(shard, store) -> None:
    perform(shard, HOLD)
    assert asked(shard, purchase(1, 5_000), moment=JUST_BEFORE) == [FUNDS]
    assert expiries(store) == []
    assert asked(shard, purchase(2, 5_000), moment=AT_EXPIRY) == [APPROVED]
    assert len(expiries(store)) == 1


def test_several_requests_in_the_turn_of_an_expiry(shard, store) -> None:
    perform(shard, HOLD, hold(2, 1_000), hold(1, 300, BOB, TOP_UP_MACHINE.number))
    answers = asked(
        shard, purchase(1, 9_000), capture(3, HOLD, 1_001), release(4, hold(2, 1_000)), purchase(1, 9_000),
        capture(5, HOLD, 1_001), moment=AT_EXPIRY,
    )  # fmt: skip
    assert answers == [APPROVED, APPROVED, EXPIRED, APPROVED, CAPTURED]
    assert len(expiries(store)) == 2
    captured = next(event for event in events_of(store) if isinstance(event, Captured))
    assert (captured.paid, captured.shortfall, captured.suspicious) == ((1_000,), 1, True)
    assert shard.ledger.balances["suspense", 0] == -1
    assert shard.ledger.imbalance == 0
    verify(store, ACCOUNT)


def test_an_inquiry_tells_what_is_free_and_leaves_an_overdue_hold_to_others(shard, store) -> None:
    perform(shard, HOLD)
    (before, lines) = perform(shard, balance_inquiry(1), mini_statement(2))
    assert before.balances == (4_000,)
    assert (lines.balances, [line.service for line in lines.entries]) == ((10_000,), ["hold", "opening"])
    (after,) = perform(shard, balance_inquiry(3), moment=AT_EXPIRY)
    assert after.balances == (10_000,)
    assert expiries(store) == []
    perform(shard, purchase(4), moment=AT_EXPIRY)
    (lines,) = perform(shard, mini_statement(5), moment=AT_EXPIRY)
    assert [line.service for line in lines.entries] == ["purchase", "hold-expiry", "hold", "opening"]


def test_a_declined_hold_holds_nothing(shard) -> None:
    assert asked(shard, hold(1, 10_001), hold(2, 0), purchase(1, 10_000)) == [
        FUNDS, (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE), APPROVED,
    ]  # fmt: skip


def test_the_sweep_expires_what_nobody_asks_for(shard, store) -> None:
    perform(shard, HOLD, hold(2, 100), hold(3, 100, BOB))
    assert sweep(shard, JUST_BEFORE) == 0
    assert sweep(shard, AT_EXPIRY) == 3
    assert sweep(shard, TOMORROW) == 0
    assert {(event.account, event.original_stan) for event in expiries(store)} == {(ALICE, 1), (ALICE, 2), (BOB, 3)}
    assert shard.state(ALICE).holds == shard.state(BOB).holds == ()
    assert asked(shard, capture(4, HOLD, 10), moment=TOMORROW) == [APPROVED]
    verify(store, ACCOUNT)


def test_the_sweep_finds_accounts_that_are_in_the_store_only(store) -> None:
    perform(opened := opened_shard(store), HOLD)
    opened.checkpoint()
    shard = restarted(store)
    assert len(shard.actors) == 0
    assert sweep(shard, AT_EXPIRY, set(range(SLOTS)) - {slot_of(ALICE)}) == 0
    assert len(shard.actors) == 0
    assert sweep(shard, AT_EXPIRY, [slot_of(ALICE)]) == 1
    assert image(restarted(store), [ALICE, BOB]) == image(shard, [ALICE, BOB])


def test_the_sweep_does_not_believe_a_snapshot_that_is_older_than_its_account(store) -> None:
    perform(shard := opened_shard(store), HOLD)
    shard.checkpoint()
    perform(shard, release(2, HOLD), hold(3, 100), moment=JUST_BEFORE)
    assert sweep(shard, AT_EXPIRY) == 0
    assert expiries(store) == []
    assert len(shard.state(ALICE).holds) == 1


def test_a_sweep_whose_commit_is_refused_never_happened(shard, store) -> None:
    perform(shard, HOLD)
    before = image(shard, [ALICE])
    turn = shard.decide([], AT_EXPIRY, POLICY, sweep=slot_of(ALICE))
    assert len(turn.entries) == 1
    shard.drop(turn)
    assert image(shard, [ALICE]) == before
    assert sweep(shard, AT_EXPIRY) == 1


def test_sweep_and_requests_in_one_turn_expire_a_hold_once(shard, store) -> None:
    perform(shard, HOLD)
    turn = shard.decide([purchase(1, 9_000), release(2, HOLD)], AT_EXPIRY, POLICY, sweep=slot_of(ALICE))
    shard.commit(turn)
    shard.adopt(turn)
    assert [answer.code for answer in answers_of(turn)] == [Code.APPROVED, Code.INVALID_TRANSACTION]
    assert len(expiries(store)) == 1
    assert shard.ledger.imbalance == 0
    verify(store, ACCOUNT)


def test_holds_survive_a_restart_from_the_journal_and_from_snapshots(shard, store) -> None:
    perform(shard, HOLD, hold(2, 100), capture(3, HOLD, 10))
    assert image(restarted(store), [ALICE]) == image(shard, [ALICE])
    shard.checkpoint()
    again = restarted(store)
    assert image(again, [ALICE]) == image(shard, [ALICE])
    assert asked(again, capture(4, hold(2, 100), 101), capture(5, hold(2, 100), 100)) == [
        (Code.INVALID_AMOUNT, Reason.MORE_THAN_HELD), APPROVED,
    ]  # fmt: skip
    verify(store, ACCOUNT)


def test_a_top_up_that_is_reversed_leaves_what_is_held(store) -> None:
    shard = opened_shard(store, opening(balance=0))
    paid_in = top_up(1, 5_000)
    assert asked(shard, paid_in, hold(1, 4_000), reversal(2, paid_in, TOP_UP_MACHINE.number)) == [APPROVED] * 3
    assert shard.state(ALICE).purses == (4_000,)
    assert shard.ledger.balances["suspense", 0] == -4_000
    assert asked(shard, capture(3, hold(1, 4_000))) == [APPROVED]
    assert shard.state(ALICE).purses == (0,)
    verify(store, ACCOUNT)
