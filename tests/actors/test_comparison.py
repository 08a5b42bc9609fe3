"""Two sets of shards are the same, or it is said what differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from example_campus import (
    ALICE,
    BOB,
    CALENDAR,
    LIMITS,
    OTHER_TILL,
    TILL,
    advice,
    events_of,
    opened_shard,
    opening,
    perform,
    purchase,
    reversal,
    top_up,
)
from msgspec.structs import replace

from actors.account.events import Purchased, PurchaseDeclined
from actors.account.kind import ACCOUNT
from actors.account.state import Account
from actors.comparison import DifferenceError, compare
from actors.journal import GENESIS, Head, seal_batch
from actors.memory_store import MemoryStore
from actors.policy import Policy
from actors.recovery import recover
from actors.resharding import rewrite
from actors.snapshots import LedgerSnapshot, Snapshots
from actors.store import Row, Store

_encode = msgspec.msgpack.Encoder().encode


@pytest.fixture
def old() -> Store:
    """Two accounts, partly in snapshots."""
    store = MemoryStore()
    shard = opened_shard(store)
    perform(shard, purchase(1, 300), purchase(2, 200, BOB), purchase(3, 99_999), top_up(1, 500))
    shard.checkpoint()
    perform(shard, purchase(4, 10, BOB), reversal(5, purchase(1, 300)), reversal(6, purchase(900)), advice(7, 1))
    return store


@pytest.fixture
def new(old: Store) -> Store:
    store = MemoryStore()
    rewrite([old], [store], ACCOUNT)
    return store


def test_what_is_the_same_is_counted_and_left_as_it_is(old: Store, new: Store) -> None:
    before = [(list(store.rows(b"")), list(store.batches(1))) for store in (old, new)]
    told: list[int] = []
    found = compare([old], [new], told.append)
    assert (found.events, found.accounts, found.terminals, found.totals) == (10, 2, 2, 4)
    assert found.offline_numbers == 1
    assert found.held == 10_000 + 10_000 + 500 - 200 - 10 - 1_000
    assert found.balances == {
        ("channel", 1): -500, ("merchant", TILL.merchant): 1_210, ("opening", 0): -20_000, ("purse", 0): found.held,
    }  # fmt: skip
    assert told[-1] == 20
    assert [(list(store.rows(b"")), list(store.batches(1))) for store in (old, new)] == before


def with_event(store: Store, event_type: type, change: Callable[[Any], Any]) -> Store:
    """The same journal but for one event, and snapshots of the unchanged one."""
    changed, head = MemoryStore(), Head(0, GENESIS)
    place = next(place for place, event in enumerate(events_of(store)) if type(event) is event_type)
    events = [change(event) if at == place else event for at, event in enumerate(events_of(store))]
    batch, head = seal_batch(head, [_encode(event) for event in events])
    changed.commit(batch, list(store.rows(b"")))
    return changed


@pytest.mark.parametrize(
    ("event_type", "change"),
    [
        (Purchased, {"authorization": 1}),
        (Purchased, {"stan": 77}),
        (Purchased, {"time_us": 1}),
        (PurchaseDeclined, {"reason": "funds"}),
    ],
)
def test_an_event_that_differs(old: Store, new: Store, event_type: type, change: dict[str, Any]) -> None:
    with pytest.raises(DifferenceError, match="digest of the events"):
        compare([old], [with_event(new, event_type, lambda event: replace(event, **change))])


def test_an_event_that_is_missing_or_there_twice(old: Store, new: Store) -> None:
    short = MemoryStore()
    short.commit(seal_batch(Head(0, GENESIS), [_encode(event) for event in events_of(new)[:-1]])[0], [])
    for one, other in ((old, short), (short, old)):
        with pytest.raises(DifferenceError, match="number and digest of the events"):
            compare([one], [other])
    with pytest.raises(DifferenceError, match="number and digest of the events"):
        compare([old], [new, new])


def test_two_events_of_an_account_in_another_order(old: Store, new: Store) -> None:
    events = events_of(new)
    assert events[4].account == events[5].account == ALICE
    events[4:6] = [replace(events[5], previous=events[4].previous), replace(events[4], previous=5)]
    swapped = MemoryStore()
    swapped.commit(seal_batch(Head(0, GENESIS), [_encode(event) for event in events])[0], list(new.rows(b"")))
    with pytest.raises(DifferenceError, match="digest of the events"):
        compare([old], [swapped])


def altered_row(store: Store, prefix: bytes) -> Row:
    """The first row of a sort, with another value that can be read."""
    key, packed = next(iter(store.rows(prefix)))
    if prefix == b"a":
        account = msgspec.msgpack.decode(packed, type=Account)
        return key, _encode(replace(account, spent=account.spent + 1))
    if prefix == b"t":
        return key, _encode(msgspec.msgpack.decode(packed) + 1)
    if prefix == b"o":
        return key, _encode([*msgspec.msgpack.decode(packed), 1])
    if prefix == b"d":
        ((where, (count, amount, position)), *others) = msgspec.msgpack.decode(packed)
        return key, _encode([(where, (count, amount + 1, position)), *others])
    ledger = msgspec.msgpack.decode(packed, type=LedgerSnapshot)
    return key, _encode(msgspec.structs.replace(ledger, held=ledger.held + 1))


@pytest.mark.parametrize(
    ("prefix", "named"),
    [(b"a", "account"), (b"t", "highest STAN"), (b"o", "offline number"), (b"d", "total"), (b"l", "ledger accounts")],
)
def test_a_snapshot_that_differs(old: Store, new: Store, prefix: bytes, named: str) -> None:
    new.commit(None, [altered_row(new, prefix)])
    with pytest.raises(DifferenceError, match=f"^{named}"):
        compare([old], [new])


def test_a_ledger_account_that_differs(old: Store, new: Store) -> None:
    ledger = Snapshots(new).ledger()
    shifted = [(name, number, balance + (number == 1) - (name == "purse")) for name, number, balance in ledger.balances]
    new.commit(None, [(b"l", _encode(msgspec.structs.replace(ledger, balances=shifted)))])
    with pytest.raises(DifferenceError, match=r"^ledger accounts"):
        compare([old], [new])


@pytest.mark.parametrize("prefix", [b"a", b"d"])
def test_a_row_that_only_one_side_has(old: Store, new: Store, prefix: bytes) -> None:
    """It comes after all others."""
    *_, (key, packed) = new.rows(prefix)
    if prefix == b"a":
        packed = _encode(replace(recover(new, ACCOUNT).state(ALICE), number="never opened"))
    new.commit(None, [(key + b"\xff", packed)])
    for one, other in ((old, new), (new, old)):
        with pytest.raises(DifferenceError, match="^account" if prefix == b"a" else "^total"):
            compare([one], [other])


def test_parts_of_several_shards_are_added_up() -> None:
    """Totals, highest STANs and ledger accounts have a part in each shard; merchants are not in terminals' order."""
    tills = [replace(TILL, merchant=9), replace(OTHER_TILL, merchant=4)]
    policy = Policy(LIMITS, {till.number: till for till in tills}, CALENDAR)
    old, new = [MemoryStore() for _ in range(2)], [MemoryStore() for _ in range(3)]
    for place, store in enumerate(old):
        numbers = [f"{place}{account}" for account in range(10)]
        shard = opened_shard(store, *map(opening, numbers))
        stans = range(90 - 10 * place, 100 - 10 * place)
        for till in tills:
            bought = [purchase(stan, 100, number, till.number) for stan, number in zip(stans, numbers, strict=True)]
            perform(shard, *bought, policy=policy)
        shard.checkpoint()
    rewrite(old, new, ACCOUNT)
    assert all(events_of(store) for store in new)
    found = compare(old, new)
    assert (found.events, found.accounts, found.terminals, found.totals) == (60, 20, 2, 2)
    assert (found.held, found.balances["merchant", 9], found.balances["merchant", 4]) == (196_000, 2_000, 2_000)
