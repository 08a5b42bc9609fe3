"""The journal's hash chain, its reading, and that no tampering goes unseen."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from example_campus import ALICE, BOB, events_of, opened_shard, perform, purchase, reversal, top_up
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.account.events import Event
from actors.journal import GENESIS, HASH_BYTES, Head, Journal, JournalBrokenError, seal_batch
from actors.memory_store import MemoryStore
from actors.store import Store, StoredBatch


def history(store: Store) -> None:
    """Batches of 2, 3, 1 and 2 events."""
    shard = opened_shard(store)
    perform(shard, purchase(1), purchase(2, number=BOB), top_up(1))
    perform(shard, reversal(3, purchase(1)))
    perform(shard, purchase(4), purchase(5))


STORE = MemoryStore()
history(STORE)
BATCHES = list(STORE.batches(1))
FIRST_POSITIONS = [1, *(batch.last_position + 1 for batch in BATCHES)]


def journal_of(*batches: StoredBatch) -> Journal:
    """A journal that holds these batches, whatever they are."""
    store = MemoryStore()
    store._batches = list(batches)
    return Journal(store, Event)


def fault(journal: Journal) -> int:
    """The position at which a check of the journal fails."""
    with pytest.raises(JournalBrokenError) as raised:
        list(journal.checked_batches())
    return raised.value.position


def test_batch_is_hash_and_payload() -> None:
    head = Head(7, b"h" * HASH_BYTES)
    batch, after = seal_batch(head, ["an event", "another"])
    payload = msgspec.msgpack.encode(["an event", "another"])
    digest = blake2b(head.hash + (8).to_bytes(8, "big") + payload, digest_size=32).digest()
    assert (batch, after) == (StoredBatch(9, digest + payload), Head(9, digest))


def test_heads_are_chained_from_genesis(store: Store) -> None:
    assert Journal(store, Event).head() == Head(0, GENESIS)
    history(store)
    journal = Journal(store, Event)
    checked = list(journal.checked_batches())
    assert [head.position for head, _ in checked] == [2, 5, 6, 8]
    assert [event for _, events in checked for event in events] == events_of(store)
    assert checked[-1][0] == journal.head()
    for (before, _), (head, events) in pairwise([(Head(0, GENESIS), []), *checked]):
        assert seal_batch(before, events)[1] == head


def test_same_events_give_the_same_hashes() -> None:
    other = MemoryStore()
    history(other)
    assert list(other.batches(1)) == BATCHES


@pytest.mark.parametrize("position", range(1, 9))
def test_reading_from_a_position(store: Store, position: int) -> None:
    history(store)
    journal, events = Journal(store, Event), events_of(store)
    assert journal.event_at(position) == events[position - 1]
    assert list(journal.events(position)) == list(enumerate(events, 1))[position - 1 :]


@pytest.mark.parametrize("position", [9, 10, 2**40])
def test_nothing_is_beyond_the_end(store: Store, position: int) -> None:
    history(store)
    journal = Journal(store, Event)
    assert list(journal.events(position)) == []
    with pytest.raises(JournalBrokenError, match=f"position {position}: beyond the end"):
        journal.event_at(position)


@pytest.mark.parametrize(("number", "positions"), [(ALICE, [8, 7, 6, 5, 3, 1]), (BOB, [4, 2])])
def test_chain_is_an_accounts_events_newest_first(store: Store, number: str, positions: list[int]) -> None:
    history(store)
    journal = Journal(store, Event)
    chain = list(journal.chain(positions[0]))
    assert [position for position, _ in chain] == positions
    assert {event.account for _, event in chain} == {number}
    assert list(journal.chain(0)) == []


def test_chain_that_does_not_go_back_is_broken() -> None:
    events = [msgspec.structs.replace(event, previous=1) for event in events_of(STORE)[:1]]
    journal = journal_of(seal_batch(Head(0, GENESIS), events)[0])
    with pytest.raises(JournalBrokenError, match="position 1: its previous event is at 1"):
        list(journal.chain(1))


def test_position_that_no_batch_holds() -> None:
    journal = journal_of(BATCHES[0], BATCHES[2])
    with pytest.raises(JournalBrokenError, match="position 4: no batch holds it"):
        journal.event_at(4)


def altered(index: int, place: int, bits: int = 0x01) -> bytes:
    """A batch's value with some bits of one byte changed."""
    value = bytearray(BATCHES[index].value)
    value[place] ^= bits
    return bytes(value)


def rewritten(index: int) -> bytes:
    """A batch's value with another time in its first event, and a hash that fits it and the batch before."""
    head = Head(0, GENESIS) if index == 0 else Head(BATCHES[index - 1].last_position, BATCHES[index - 1].value[:32])
    events = msgspec.msgpack.decode(BATCHES[index].value[HASH_BYTES:], type=list[Event])
    return seal_batch(head, [msgspec.structs.replace(events[0], time_us=1), *events[1:]])[0].value


def replaced(index: int, **changes: Any) -> list[StoredBatch]:
    """All batches, one of them with these fields changed."""
    return [*BATCHES[:index], BATCHES[index]._replace(**changes), *BATCHES[index + 1 :]]


def swapped_values(index: int) -> list[StoredBatch]:
    """All batches, two neighbours with each other's value."""
    batches = replaced(index, value=BATCHES[index + 1].value)
    batches[index + 1] = BATCHES[index + 1]._replace(value=BATCHES[index].value)
    return batches


Tampering = Callable[[int], tuple[list[StoredBatch], int]]
"""(which batch) → the batches afterwards, and which of them the check stumbles over."""

TAMPERINGS: dict[str, Tampering] = {
    "hash altered": lambda index: (replaced(index, value=altered(index, 0)), index),
    "event altered": lambda index: (replaced(index, value=altered(index, -1)), index),
    "value cut short": lambda index: (replaced(index, value=BATCHES[index].value[:-1]), index),
    "value empty": lambda index: (replaced(index, value=b""), index),
    "key moved": lambda index: (replaced(index, last_position=BATCHES[index].last_position + 1), index),
    "batch dropped": lambda index: ([*BATCHES[:index], *BATCHES[index + 1 :]], index),
    "batch put twice": lambda index: ([*BATCHES[: index + 1], *BATCHES[index:]], index + 1),
    "batches swapped": lambda index: (
        [*BATCHES[:index], BATCHES[index + 1], BATCHES[index], *BATCHES[index + 2 :]],
        index,
    ),
    "values swapped": lambda index: (swapped_values(index), index),
    "rewritten with a fitting hash": lambda index: (replaced(index, value=rewritten(index)), index + 1),
}


@pytest.mark.parametrize("index", range(len(BATCHES) - 1))
@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_found_where_it_is(tampering: Tampering, index: int) -> None:
    batches, at = tampering(index)
    assert fault(journal_of(*batches)) == FIRST_POSITIONS[at]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(BATCHES) - 1))
    place = data.draw(st.integers(0, len(BATCHES[index].value) - 1))
    value = altered(index, place, data.draw(st.integers(1, 255)))
    assert fault(journal_of(*replaced(index, value=value))) == FIRST_POSITIONS[index]


def test_nesting_without_end_is_found() -> None:
    assert fault(journal_of(StoredBatch(1, bytes(HASH_BYTES) + b"\x91" * 5_000 + b"\xc0"))) == 1


@pytest.mark.parametrize("kept", range(len(BATCHES)))
def test_cut_tail_shows_in_the_head(kept: int) -> None:
    """What is left is sound in itself; only a head from before the cut tells."""
    heads = [head for head, _ in journal_of(*BATCHES[:kept]).checked_batches()]
    assert heads == [head for head, _ in journal_of(*BATCHES).checked_batches()][:kept]
    assert journal_of(*BATCHES[:kept]).head() != journal_of(*BATCHES).head()
