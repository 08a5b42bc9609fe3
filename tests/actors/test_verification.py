"""Verification passes what is sound, and finds each kind of damage where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from example_campus import (
    ALICE,
    BOB,
    CALENDAR,
    DAY_US,
    NOON_US,
    TILL,
    advice,
    card_of,
    events_of,
    opened_shard,
    perform,
    purchase,
    reversal,
    top_up,
)
from msgspec.structs import replace

from actors.account.card import CardState, PersonClass
from actors.account.events import Opened
from actors.account.kind import ACCOUNT
from actors.account.state import Account
from actors.authorizations import Authorizations
from actors.journal import Head, JournalBrokenError, seal_batch
from actors.memory_store import MemoryStore
from actors.placement import SLOTS, shard_of, slot_of, slots_of
from actors.recovery import recover
from actors.shard import Shard
from actors.snapshots import LedgerSnapshot
from actors.store import Store
from actors.verification import verify

EVENTS = 9


def lunch(store: Store, **bounds: int) -> Shard:
    """Two openings, then seven events in three turns."""
    shard = opened_shard(store, **bounds)
    perform(shard, purchase(1, 300), purchase(2, 400, BOB), top_up(1, 900))
    perform(shard, purchase(3, 99_999), reversal(4, purchase(1, 300)))
    perform(shard, purchase(5, 250, BOB), reversal(6, purchase(77)), moment=CALENDAR.moment(NOON_US + DAY_US))
    return shard


def checkpointed() -> MemoryStore:
    """A folder whose snapshots are up to date."""
    store = MemoryStore()
    lunch(store).checkpoint()
    return store


def fault(store: Store, **expected: Any) -> JournalBrokenError:
    """What verification finds."""
    with pytest.raises(JournalBrokenError) as raised:
        verify(store, ACCOUNT, **expected)
    return raised.value


def rejournaled(events: list[Any]) -> MemoryStore:
    """A store whose journal has these events, with hashes that fit, and no snapshots."""
    store = MemoryStore()
    store.commit(seal_batch(Head(0, bytes(32)), [msgspec.msgpack.encode(event) for event in events])[0], [])
    return store


@pytest.mark.parametrize("bounds", [{}, {"snapshot_lag": 2}, {"snapshot_lag": 1, "active_max": 2}], ids=str)
def test_sound_folder(store: Store, bounds: dict[str, int]) -> None:
    shard = lunch(store, **bounds)
    seen: list[int] = []
    found = verify(store, ACCOUNT, seen.append)
    assert seen == [2, 5, 7, 9]
    assert (found.head, found.batches, found.events, found.actors) == (shard.head, 4, EVENTS, 2)
    assert (found.ledger.balances, found.ledger.held) == (shard.ledger.balances, shard.ledger.held)
    assert found.ledger.imbalance == 0


def test_every_snapshot_is_checked(store: Store) -> None:
    lunch(store).checkpoint()
    found = verify(store, ACCOUNT)
    assert (found.actor_snapshots, found.total_snapshots) == (2, 4)


def test_empty_folder(store: Store) -> None:
    found = verify(store, ACCOUNT)
    assert (found.head.position, found.batches, found.actors) == (0, 0, 0)


# --- rows that are wrong ---------------------------------------------------------------------------------------------

ALICE_KEY = b"a" + slot_of(ALICE).to_bytes(2, "big") + ALICE.encode()
TILL_KEY = b"t" + TILL.number.to_bytes(4, "big")
DAY_KEY = b"d" + (20260901).to_bytes(4, "big") + TILL.number.to_bytes(4, "big")
LEDGER_KEY = b"l"


def altered(store: MemoryStore, key: bytes, kind: Any, change: Callable[[Any], Any]) -> MemoryStore:
    """The store with one row's value changed."""
    value = store.row(key)
    assert value is not None
    store._rows[key] = msgspec.msgpack.encode(change(msgspec.msgpack.decode(value, type=kind)))
    return store


ACTOR_DAMAGE = {
    "balance": {"purses": (10_901,)},
    "spending": {"spent": 1},
    "card": {"card_state": CardState.LOST},
    "foot of the chain": {"opened_at": 2},
    "number": {"number": "20260009"},
    "another's event": {"position": 8},
}


@pytest.mark.parametrize("changes", ACTOR_DAMAGE.values(), ids=ACTOR_DAMAGE)
def test_wrong_actor_row(changes: dict[str, Any]) -> None:
    store = altered(checkpointed(), ALICE_KEY, Account, lambda account: replace(account, **changes))
    assert fault(store).position in {1, 8, EVENTS}


def uploaded(**bounds: int) -> MemoryStore:
    """A folder with two offline purchases, at positions 3 and 4, that are in the index."""
    store = MemoryStore()
    shard = opened_shard(store, **bounds)
    perform(shard, advice(1, 7), advice(2, 8, account=BOB))
    shard.checkpoint()
    return store


INDEX_KEY = b"o" + TILL.number.to_bytes(4, "big") + (7).to_bytes(8, "big")
INDEX_DAMAGE = {
    "elsewhere": ([4], 3),
    "nowhere": ([], 3),
    "also elsewhere": ([3, 4], 4),
    "in the future": ([3, 99], 99),
}


@pytest.mark.parametrize(("positions", "position"), INDEX_DAMAGE.values(), ids=INDEX_DAMAGE)
def test_wrong_index_of_an_offline_number(positions: list[int], position: int) -> None:
    verify(uploaded(), ACCOUNT)
    store = altered(uploaded(), INDEX_KEY, list[int], lambda _: positions)
    found = fault(store)
    assert found.position == position
    assert "offline number 7 of terminal 1001" in found.explanation


def test_index_that_is_missing() -> None:
    store = uploaded()
    del store._rows[INDEX_KEY]
    assert "offline number 7 of terminal 1001: its snapshot lacks this event" in str(fault(store))


def test_offline_number_that_had_two_effects() -> None:
    events = events_of(uploaded())
    again = replace(events[2], previous=3, stan=9, balances=(8_000,), authorization=5 * SLOTS)
    found = fault(rejournaled([*events, again]))
    assert (found.position, "came to an event of account" in found.explanation) == (5, True)


def test_offline_number_of_two_accounts_is_no_fault_of_the_journal() -> None:
    events = events_of(uploaded())
    verify(rejournaled([*events[:3], replace(events[3], offline_number=7)]), ACCOUNT)


def test_actor_row_ahead_of_the_journal() -> None:
    store = altered(checkpointed(), ALICE_KEY, Account, lambda account: replace(account, position=EVENTS + 1))
    assert fault(store).position == EVENTS + 1


@pytest.mark.parametrize("copied", [False, True])
def test_actor_row_that_nobody_would_find(*, copied: bool) -> None:
    store = checkpointed()
    store._rows[b"a\x00\x00" + ALICE.encode()] = store._rows[ALICE_KEY] if copied else store._rows.pop(ALICE_KEY)
    assert f"account {ALICE}: its snapshot has another's key" in fault(store).explanation


def test_actor_rows_under_each_others_keys() -> None:
    store, bob_key = checkpointed(), b"a" + slot_of(BOB).to_bytes(2, "big") + BOB.encode()
    store._rows[ALICE_KEY], store._rows[bob_key] = store._rows[bob_key], store._rows[ALICE_KEY]
    assert "another's key" in fault(store).explanation


def test_actor_row_of_an_account_that_was_never_opened() -> None:
    store = checkpointed()
    ghost = Account("7", 3, 3, "", CardState.ACTIVE, 0, PersonClass.STUDENT, (5,), 0, 0)
    store._rows[b"a" + slot_of("7").to_bytes(2, "big") + b"7"] = msgspec.msgpack.encode(ghost)
    assert "account 7" in fault(store).explanation


def test_journal_cut_back_behind_its_snapshots() -> None:
    store = checkpointed()
    store._batches.pop()
    assert "no event of its chain" in fault(store).explanation


LEDGER_DAMAGE: dict[str, Callable[[LedgerSnapshot], LedgerSnapshot]] = {
    "held": lambda row: replace(row, held=row.held + 1),
    "how many are reserved": lambda row: replace(row, reserved=(1, 0)),
    "what is reserved": lambda row: replace(row, reserved=(0, 1)),
    "a balance": lambda row: replace(row, balances=[(n, i, b + (n == "purse")) for n, i, b in row.balances]),
    "a missing account": lambda row: replace(row, balances=row.balances[:-1]),
    "an invented account": lambda row: replace(row, balances=[*row.balances, ("suspense", 9, 0)]),
    "an earlier position": lambda row: replace(row, position=7),
    "a position within a batch": lambda row: replace(row, position=8),
    "a position that is not there yet": lambda row: replace(row, position=EVENTS + 1),
}


@pytest.mark.parametrize("change", LEDGER_DAMAGE.values(), ids=LEDGER_DAMAGE)
def test_wrong_ledger_row(change: Callable[[LedgerSnapshot], LedgerSnapshot]) -> None:
    store = altered(checkpointed(), LEDGER_KEY, LedgerSnapshot, change)
    assert "ledger" in fault(store).explanation


TOTALS_DAMAGE: dict[str, Callable[[Any], Any]] = {
    "count": lambda sums: [sums[0] + 1, sums[1], sums[2]],
    "amount": lambda sums: [sums[0], sums[1] + 1, sums[2]],
    "an event that it does not count": lambda sums: [sums[0], sums[1], sums[2] + 1],
    "an event that is not there yet": lambda sums: [sums[0], sums[1], EVENTS + 1],
    "an earlier event": lambda sums: [sums[0], sums[1], 3],
}


@pytest.mark.parametrize("change", TOTALS_DAMAGE.values(), ids=TOTALS_DAMAGE)
def test_wrong_totals_row(change: Callable[[Any], Any]) -> None:
    store = altered(checkpointed(), DAY_KEY, list[Any], lambda day: [[day[0][0], change(day[0][1])], *day[1:]])
    assert "total" in fault(store).explanation


def test_stan_row_above_the_journal() -> None:
    store = altered(checkpointed(), TILL_KEY, int, lambda stan: stan + 1)
    assert f"terminal {TILL.number}: stored STAN 78" in fault(store).explanation


def test_stan_row_of_a_terminal_that_never_sent_anything() -> None:
    store = checkpointed()
    store._rows[b"t" + (4_444).to_bytes(4, "big")] = msgspec.msgpack.encode(1)
    assert "terminal 4444" in fault(store).explanation


# --- rows that would make a restart forget: older than what the ledger's row promises a replay for --------------------


def test_replay_that_would_begin_too_late() -> None:
    store = MemoryStore()
    shard = lunch(store, snapshot_lag=2)
    row = msgspec.msgpack.decode(store.row(LEDGER_KEY), type=LedgerSnapshot)
    assert row.replay_from < EVENTS
    altered(store, LEDGER_KEY, LedgerSnapshot, lambda row: replace(row, replay_from=EVENTS + 1))
    assert "replay" in fault(store).explanation
    assert shard.head.position == EVENTS


def test_actor_row_that_is_missing() -> None:
    store = checkpointed()
    del store._rows[ALICE_KEY]
    assert ALICE in fault(store).explanation


def test_actor_row_that_is_older_than_it_must_be() -> None:
    store = checkpointed()
    early = Account(
        ALICE, 1, 1, card_of(ALICE), CardState.ACTIVE, 20300731, PersonClass.STUDENT, (10_000,), 0, 0
    )  # fmt: skip
    store._rows[ALICE_KEY] = msgspec.msgpack.encode(early)
    assert ALICE in fault(store).explanation


def test_stan_row_below_the_journal() -> None:
    store = altered(checkpointed(), TILL_KEY, int, lambda stan: stan - 1)
    assert f"terminal {TILL.number}" in fault(store).explanation


def test_totals_row_that_is_missing() -> None:
    store = checkpointed()
    del store._rows[DAY_KEY]
    assert "total" in fault(store).explanation


# --- events that contradict each other, under hashes that fit ---------------------------------------------------------


def damaged_event(position: int, **changes: Any) -> MemoryStore:
    """A journal in which one event was rewritten."""
    store = MemoryStore()
    lunch(store)
    events = events_of(store)
    events[position - 1] = replace(events[position - 1], **changes)
    return rejournaled(events)


EVENT_DAMAGE = {
    "broken previous link": (7, {"previous": 3}, "previous event"),
    "link to nothing": (7, {"previous": 0}, "previous event"),
    "event of another account": (4, {"account": ALICE}, "previous event"),
    "reversed more than was paid": (7, {"returned": (301,), "balances": (10_901,)}, "postings do not sum"),
    "purchase at another amount": (3, {"amount": 301}, "postings do not sum"),
    "purchase paid with nothing": (3, {"balances": (10_000,)}, "was posted"),
    "decline with other balances": (6, {"balances": (1,)}, "balances"),
}


@pytest.mark.parametrize(("position", "changes", "words"), EVENT_DAMAGE.values(), ids=EVENT_DAMAGE)
def test_event_that_contradicts_the_rest(position: int, changes: dict[str, Any], words: str) -> None:
    found = fault(damaged_event(position, **changes))
    assert found.position == position
    assert words in found.explanation


def test_account_opened_twice() -> None:
    event = Opened(ALICE, 1, 0, "C", CardState.ACTIVE, 20300731, PersonClass.STUDENT, (5,))
    assert fault(rejournaled([event, event])).position == 2


def test_broken_hash_is_found_before_its_events_are_read() -> None:
    store = checkpointed()
    value = store._batches[2].value
    store._batches[2] = store._batches[2]._replace(value=bytes([value[0] ^ 1]) + value[1:])
    assert fault(store).position == 6


# --- a shard among others ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [2, 256, SLOTS])
def test_account_in_another_shards_slots(shards: int) -> None:
    home = shard_of(slot_of(ALICE), shards)
    store = rejournaled([
        Opened(number, 1, 0, card_of(number), CardState.ACTIVE, 20300731, PersonClass.STUDENT, (5,))
        for number in (ALICE, foreign(home, shards))
    ])  # fmt: skip
    found = fault(store, slots=slots_of(home, shards))
    assert found.position == 2
    assert f"account {foreign(home, shards)}" in found.explanation
    assert verify(store, ACCOUNT).actors == 2


def foreign(home: int, shards: int) -> str:
    """The first account number of another shard."""
    return next(number for number in map(str, range(10_000)) if shard_of(slot_of(number), shards) != home)


def test_accounts_in_the_shards_slots() -> None:
    """Its first slot and its last belong to it."""
    first, last = sorted(map(slot_of, (ALICE, BOB)))
    assert verify(checkpointed(), ACCOUNT, slots=range(first, last + 1)).actors == 2
    assert "its slot" in fault(checkpointed(), slots=range(first + 1, last + 1)).explanation
    assert "its slot" in fault(checkpointed(), slots=range(first, last)).explanation


def test_authorizations_are_counted() -> None:
    """Two purchases, a top-up, a reversal, a purchase; a decline and a tombstone have none."""
    assert verify(checkpointed(), ACCOUNT).authorizations == 5


def test_authorizations_of_another_shard() -> None:
    assert fault(checkpointed(), shard=1).position == 3


def test_authorization_that_another_event_was_given() -> None:
    found = fault(damaged_event(4, authorization=3 * SLOTS))
    assert (found.position, found.explanation[:20]) == (4, "authorization number")


def test_shard_after_a_reshard() -> None:
    """Events that were carried over keep their numbers; those after them go on above all of them."""
    store, after = MemoryStore(), 9
    lunch(store)
    carried_over = events_of(store)
    resharded = rejournaled(carried_over)
    shard = recover(resharded, ACCOUNT, 3, authorizations_after=after)
    (answer,) = perform(shard, purchase(100, 100), moment=CALENDAR.moment(NOON_US + 2 * DAY_US))
    assert answer.authorization == (EVENTS + 1 + after) * SLOTS + 3
    assert verify(resharded, ACCOUNT, shard=3, authorizations=Authorizations(after)).authorizations == 6
    assert fault(resharded, shard=3, authorizations=Authorizations(after - 6)).position == 4
    assert fault(resharded, shard=3).position == 3


def test_event_that_a_reshard_carried_over_into_two_shards() -> None:
    authorizations = Authorizations(after=EVENTS)
    store = MemoryStore()
    lunch(store)
    for shard in (0, 1):
        twice = rejournaled(events_of(store))
        if not shard:
            verify(twice, ACCOUNT, shard=shard, authorizations=authorizations)
    assert fault(twice, shard=1, authorizations=authorizations).position == 3
