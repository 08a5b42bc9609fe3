"""Snapshot rows: read back as they were written, under keys that keep neighbours together."""

from __future__ import annotations

import msgspec
import pytest
from example_campus import account

from actors.account.state import Account
from actors.cell import Cell
from actors.ledger import Ledger
from actors.placement import slot_of
from actors.snapshots import LedgerSnapshot, Snapshots, actor_rows, day_row, ledger_row, terminal_row
from actors.store import Store

NUMBERS = ["20260001", "020260001", "1", "9" * 19, "账户"]
KEY = (20260901, 7, 1001, "purchase", 1)


def packed(state: Account) -> bytes:
    return msgspec.msgpack.encode(state)


def row_of(state: Account) -> tuple[bytes, bytes]:
    (row,) = actor_rows(slot_of(state.number), [Cell(state.number, packed(state))])
    return row


def test_empty_store(store: Store) -> None:
    snapshots = Snapshots(store)
    assert snapshots.actor("1") is None
    assert (list(snapshots.actors()), list(snapshots.days()), snapshots.highest_stans()) == ([], [], {})
    assert snapshots.day(20260901, 1001) == {}
    assert snapshots.ledger() == LedgerSnapshot(0, 1, 0, [])


def test_actors(store: Store) -> None:
    states = [account(number=number, purses=(index,)) for index, number in enumerate(NUMBERS)]
    store.commit(None, [row_of(state) for state in states])
    snapshots = Snapshots(store)
    for state in states:
        assert snapshots.actor(state.number) == packed(state)
    assert snapshots.actor("2") is None
    by_slot = sorted(states, key=lambda state: (slot_of(state.number), state.number))
    assert list(snapshots.actors()) == [packed(state) for state in by_slot]


def test_actors_of_a_slot_are_written_by_number_and_as_they_are_durable() -> None:
    actors = [Cell(number, b"durable " + number.encode()) for number in ("2", "10", "1")]
    for actor in actors:
        actor.pending = b"of the turn in progress"
    prefix = b"a" + (7).to_bytes(2, "big")
    assert actor_rows(7, actors) == [(prefix + n, b"durable " + n) for n in (b"1", b"10", b"2")]


def test_rows_that_are_there_already_are_replaced(store: Store) -> None:
    store.commit(None, [row_of(account()), terminal_row(1001, 4), day_row(20260901, 1001, {KEY: [1, 5, 7]})])
    later = account(position=9, purses=(5,))
    store.commit(None, [row_of(later), terminal_row(1001, 6), day_row(20260901, 1001, {KEY: [2, 9, 9]})])
    snapshots = Snapshots(store)
    assert list(snapshots.actors()) == [packed(later)]
    assert snapshots.highest_stans() == {1001: 6}
    assert list(snapshots.days()) == [{KEY: [2, 9, 9]}]


@pytest.mark.parametrize("stan", [1, 2**63 - 1])
def test_highest_stans(store: Store, stan: int) -> None:
    store.commit(None, [terminal_row(1001, stan), terminal_row(99_999_999, 5)])
    assert Snapshots(store).highest_stans() == {1001: stan, 99_999_999: 5}


def test_days(store: Store) -> None:
    other = {(20260902, 7, 1001, "purchase", 1): [9, 9, 9]}
    store.commit(None, [day_row(20260901, 1001, {KEY: [3, 4_500, 77]}), day_row(20260902, 1001, other)])
    snapshots = Snapshots(store)
    assert snapshots.day(20260901, 1001) == {KEY: [3, 4_500, 77]}
    assert snapshots.day(20260901, 1002) == {}
    assert list(snapshots.days()) == [{KEY: [3, 4_500, 77]}, other]


def test_ledger(store: Store) -> None:
    ledger = Ledger()
    ledger.post([(("purse", 0), 5), (("channel", 1), -5)])
    ledger.held = 5
    ledger.reserve(2, 3)
    store.commit(None, [ledger_row(9, 4, ledger)])
    assert Snapshots(store).ledger() == LedgerSnapshot(
        9, 4, 5, [("purse", 0, 5), ("channel", 1, -5)], hot_list=True, reserved=(2, 3)
    )


def test_kinds_of_rows_do_not_mix(store: Store) -> None:
    store.commit(
        None, [row_of(account()), terminal_row(1001, 4), day_row(20260901, 1001, {}), ledger_row(1, 1, Ledger())]
    )
    snapshots = Snapshots(store)
    assert len(list(snapshots.actors())) == len(list(snapshots.days())) == len(snapshots.highest_stans()) == 1
