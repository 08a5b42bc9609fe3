"""A shard knows at any time how many holds stand in its accounts, and what they reserve."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from example_campus import (
    ALICE,
    BATH,
    BOB,
    CALENDAR,
    NOON_US,
    POLICY,
    capture,
    events_of,
    hold,
    opened_shard,
    perform,
    purchase,
    release,
    restarted,
    reversal,
)
from hypothesis import given
from hypothesis import strategies as st

from actors.account.holds import held
from actors.account.kind import ACCOUNT
from actors.memory_store import MemoryStore
from actors.policy import HOLD_LIFETIME_US
from actors.shard import Shard
from actors.snapshots import LedgerSnapshot
from actors.verification import verify

AT_EXPIRY = CALENDAR.moment(NOON_US + HOLD_LIFETIME_US)
FIRST, SECOND = hold(1, 300), hold(2, 500, BOB)


@pytest.fixture
def shard(store) -> Shard:
    return opened_shard(store)


def reserved(shard: Shard) -> tuple[int, int]:
    return shard.ledger.reservations, shard.ledger.reserved


def in_states(shard: Shard) -> tuple[int, int]:
    states = [shard.state(ALICE), shard.state(BOB)]
    return sum(len(state.holds) for state in states), sum(map(held, states))


ENDS = {
    "captured in part": (capture(3, FIRST, 1), (1, 500)),
    "released": (release(3, FIRST), (1, 500)),
    "reversed": (reversal(3, FIRST, BATH.number), (1, 500)),
    "declined": (hold(3, 10**9), (2, 800)),
    "another purchase": (purchase(3, 100), (2, 800)),
}


@pytest.mark.parametrize(("request_after", "left"), ENDS.values(), ids=ENDS)
def test_what_makes_a_hold_and_what_ends_it(shard, request_after, left) -> None:
    assert reserved(shard) == (0, 0)
    perform(shard, FIRST, SECOND)
    assert reserved(shard) == (2, 800)
    perform(shard, request_after)
    assert reserved(shard) == left == in_states(shard)


def test_an_expiry_ends_it_too_and_a_late_capture_does_not_end_it_again(shard) -> None:
    perform(shard, FIRST)
    perform(shard, capture(3, FIRST), moment=AT_EXPIRY)
    assert reserved(shard) == (0, 0)


def test_a_refused_turn_reserves_nothing(shard) -> None:
    shard.drop(shard.decide([FIRST], CALENDAR.moment(NOON_US), POLICY))
    assert reserved(shard) == (0, 0)


def without_reserved(row: bytes) -> bytes:
    ledger = msgspec.msgpack.decode(row, type=LedgerSnapshot)
    return msgspec.msgpack.encode((ledger.position, ledger.replay_from, ledger.held, ledger.balances, True))


def test_a_folder_whose_ledger_did_not_count_is_counted_once(store) -> None:
    shard = opened_shard(store, snapshot_lag=2)
    perform(shard, FIRST, SECOND)
    shard.checkpoint()
    perform(shard, purchase(3, 100), release(4, SECOND))  # with a slice: some rows are newer than others
    store.commit(None, [(b"l", without_reserved(store.row(b"l")))])
    verify(store, ACCOUNT)
    again = restarted(store)
    assert reserved(again) == (1, 300) == in_states(again)
    again.checkpoint()
    assert msgspec.msgpack.decode(store.row(b"l"), type=LedgerSnapshot).reserved == (1, 300)


STEPS = st.lists(
    st.tuples(st.sampled_from(["hold", "capture", "release", "reversal", "checkpoint", "restart"]), st.integers(0, 5)),
    max_size=25,
)


@given(STEPS, st.booleans())
def test_it_is_what_the_states_say_whatever_happens_and_whenever_it_is_started_again(steps, forgets) -> None:
    store = MemoryStore()
    shard = opened_shard(store, snapshot_lag=3)
    made: list[Any] = []
    for stan, (step, which) in enumerate(steps, 1):
        of = made[which % len(made)] if made else hold(10_000)
        if step == "hold":
            made.append(hold(stan, 100 + which, [ALICE, BOB][which % 2]))
            perform(shard, made[-1])
        elif step in {"capture", "release"}:
            perform(shard, {"capture": capture, "release": release}[step](stan, of))
        elif step == "reversal":
            perform(shard, reversal(stan, of, BATH.number))
        elif step == "checkpoint":
            shard.checkpoint()
        else:
            row = store.row(b"l")
            if forgets and row is not None:
                store.commit(None, [(b"l", without_reserved(row))])
            shard = restarted(store, snapshot_lag=3)
        assert reserved(shard) == in_states(shard)
    verify(store, ACCOUNT)
    assert len(events_of(store)) == shard.head.position
