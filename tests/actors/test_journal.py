"""The journal's hash chain, its reading, and that no tampering goes unseen."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from itertools import accumulate, pairwise
from struct import pack, unpack
from typing import Any

import msgspec
import pytest
from example_campus import ALICE, BOB, events_of, opened_shard, perform, purchase, reversal, top_up
from hypothesis import example, given, settings
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
EVENTS = events_of(STORE)
EVENTS_AT = HASH_BYTES + 5
"""Where a batch's first event begins: after the hash and the header of an array 32."""


def encoded(*events: Any) -> list[bytes]:
    return [msgspec.msgpack.encode(event) for event in events]


def events_in(batch: StoredBatch) -> list[Any]:
    """The batch's events, read without their index."""
    count = int.from_bytes(batch.value[EVENTS_AT - 4 : EVENTS_AT], "big")
    return msgspec.msgpack.decode(batch.value[HASH_BYTES : -4 * count], type=list[Event])


def head_before(index: int) -> Head:
    """Where the journal ends before one of the batches."""
    return Head(BATCHES[index - 1].last_position, BATCHES[index - 1].value[:HASH_BYTES]) if index else Head(0, GENESIS)


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


def test_batch_is_hash_payload_and_index() -> None:
    head = Head(7, b"h" * HASH_BYTES)
    batch, after = seal_batch(head, encoded("an event", "another one"))
    payload = b"\xdd\x00\x00\x00\x02" + b"\xa8an event" + b"\xabanother one"
    content = payload + b"\x09\x00\x00\x00" + b"\x15\x00\x00\x00"
    digest = blake2b(head.hash + (8).to_bytes(8, "big") + content, digest_size=32).digest()
    assert (batch, after) == (StoredBatch(9, digest + content), Head(9, digest))
    assert msgspec.msgpack.decode(payload) == ["an event", "another one"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=50))
@example(["x" * 70_000] * 3)
@example([""] * 70_000)
def test_every_event_of_a_batch_is_found_by_its_index(texts: list[str]) -> None:
    store = MemoryStore()
    batch, head = seal_batch(Head(0, GENESIS), encoded(*texts))
    store.commit(batch, [])
    journal = Journal(store, str)
    assert list(journal.checked_batches()) == [(head, texts)]
    assert list(journal.events(1)) == list(enumerate(texts, 1))
    for position in {1, (len(texts) + 1) // 2, len(texts)}:
        assert journal.event_at(position) == texts[position - 1]


def test_heads_are_chained_from_genesis(store: Store) -> None:
    assert Journal(store, Event).head() == Head(0, GENESIS)
    history(store)
    journal = Journal(store, Event)
    checked = list(journal.checked_batches())
    assert [head.position for head, _ in checked] == [2, 5, 6, 8]
    assert [event for _, events in checked for event in events] == events_of(store)
    assert checked[-1][0] == journal.head()
    for (before, _), (head, events) in pairwise([(Head(0, GENESIS), []), *checked]):
        assert seal_batch(before, encoded(*events))[1] == head


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
    journal = journal_of(seal_batch(Head(0, GENESIS), encoded(msgspec.structs.replace(EVENTS[0], previous=1)))[0])
    with pytest.raises(JournalBrokenError, match="position 1: its previous event is at 1"):
        list(journal.chain(1))


@pytest.mark.parametrize("previous", [-1, -(2**63), 2, 2**63, 2**64 - 1])
def test_chain_that_leaves_the_journal_is_broken(store: Store, previous: int) -> None:
    batch, _ = seal_batch(Head(0, GENESIS), encoded(msgspec.structs.replace(EVENTS[0], previous=previous)))
    store.commit(batch, [])
    with pytest.raises(JournalBrokenError):
        list(Journal(store, Event).chain(1))


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
    first, *others = events_in(BATCHES[index])
    return seal_batch(head_before(index), encoded(msgspec.structs.replace(first, time_us=1), *others))[0].value


def reindexed(index: int, ends: list[int]) -> bytes:
    """A batch's value with another index, and a hash that fits it and the batch before."""
    head, content = (
        head_before(index),
        BATCHES[index].value[HASH_BYTES : -4 * len(ends)] + pack(f"<{len(ends)}I", *ends),
    )
    first = (head.position + 1).to_bytes(8, "big")
    return blake2b(head.hash + first + content, digest_size=HASH_BYTES).digest() + content


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
    "event altered": lambda index: (replaced(index, value=altered(index, EVENTS_AT + 5)), index),
    "count altered": lambda index: (replaced(index, value=altered(index, EVENTS_AT - 1)), index),
    "index altered": lambda index: (replaced(index, value=altered(index, -1)), index),
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


ENDS = [unpack(f"<{len(events_in(batch))}I", batch.value[-4 * len(events_in(batch)) :]) for batch in BATCHES]


def test_index_says_where_events_end() -> None:
    for batch, ends in zip(BATCHES, ENDS, strict=True):
        assert list(ends) == list(accumulate(map(len, encoded(*events_in(batch)))))


WRONG_INDEXES: dict[str, Callable[[list[int]], list[int]]] = {
    "first end too low": lambda ends: [ends[0] - 1, *ends[1:]],
    "first end too high": lambda ends: [ends[0] + 1, *ends[1:]],
    "first event empty": lambda ends: [0, *ends[1:]],
    "last end too low": lambda ends: [*ends[:-1], ends[-1] - 1],
    "last end in the index": lambda ends: [*ends[:-1], ends[-1] + 4],
    "last end beyond the batch": lambda ends: [*ends[:-1], 2**32 - 1],
    "ends swapped": lambda ends: [*reversed(ends)],
    "the same end for all": lambda ends: [ends[-1]] * len(ends),
    "counted from the batch's beginning": lambda ends: [end + EVENTS_AT for end in ends],
}


@pytest.mark.parametrize("index", [1, 3])
@pytest.mark.parametrize("change", WRONG_INDEXES.values(), ids=WRONG_INDEXES)
def test_wrong_index_under_a_fitting_hash_is_found(change: Callable[[list[int]], list[int]], index: int) -> None:
    value = reindexed(index, change([*ENDS[index]]))
    assert fault(journal_of(*replaced(index, value=value))) == FIRST_POSITIONS[index]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_only_one_index_passes_under_a_fitting_hash(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(BATCHES) - 1))
    offsets = st.one_of(
        st.sampled_from([0, *ENDS[index]]), st.integers(0, ENDS[index][-1] + 20), st.integers(0, 2**32 - 1)
    )
    ends = data.draw(st.lists(offsets, min_size=len(ENDS[index]), max_size=len(ENDS[index])))
    journal = journal_of(*BATCHES[:index], BATCHES[index]._replace(value=reindexed(index, ends)))
    if ends == [*ENDS[index]]:
        assert len(list(journal.checked_batches())) == index + 1
    else:
        assert fault(journal) == FIRST_POSITIONS[index]


@pytest.mark.parametrize(
    "header", [b"\xdc\x00\x02", b"\x92", b"\xdf\x00\x00\x00\x02"], ids=["array 16", "fixarray", "map"]
)
def test_array_with_another_header_is_not_a_batch(header: bytes) -> None:
    content = header + b"".join(encoded(*EVENTS[:2])) + pack("<2I", *ENDS[0])
    digest = blake2b(GENESIS + (1).to_bytes(8, "big") + content, digest_size=HASH_BYTES).digest()
    journal = journal_of(StoredBatch(2, digest + content))
    assert fault(journal) == 1
    with pytest.raises(JournalBrokenError):
        list(journal.events(1))


def read(journal: Journal) -> list[Any]:
    """What reading without hashes gives of each position up to 8: an event, or None where the journal is broken.

    Whatever else is raised is a fault of the journal's reading.
    """
    found: list[Any] = []
    for position in range(1, 9):
        try:
            found.append(journal.event_at(position))
        except JournalBrokenError as error:
            assert error.position == position  # noqa: PT017 - not raising is right, too
            found.append(None)
    return found


def read_in_order(journal: Journal, position: int) -> list[tuple[int, Any]]:
    """What comes in order from a position before the journal breaks, if it does."""
    found: list[tuple[int, Any]] = []
    try:
        found.extend(journal.events(position))
    except JournalBrokenError as error:
        assert error.position >= position  # noqa: PT017 - not raising is right, too
    return found


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_changed_bytes_break_the_reading_or_change_what_is_read_but_nothing_else(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(BATCHES) - 1))
    value = bytearray(BATCHES[index].value)
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([0, 0, 0, 1, 4, 40, len(value)]))
    journal = journal_of(*replaced(index, value=bytes(value[: len(value) - cut])))
    unharmed = {n for n in range(1, 9) if not FIRST_POSITIONS[index] <= n < FIRST_POSITIONS[index + 1]}
    found = read(journal)
    assert all(found[n - 1] == EVENTS[n - 1] for n in unharmed)
    assert all(event is None or isinstance(event, Event) for event in found)
    for position in range(1, 9):
        in_order = read_in_order(journal, position)
        assert [n for n, _ in in_order] == list(range(position, position + len(in_order)))
        assert all(event == EVENTS[n - 1] for n, event in in_order if n in unharmed)
        before_the_damage = sum(position <= n < FIRST_POSITIONS[index] for n in unharmed)
        assert len(in_order) >= (9 - position if position > BATCHES[index].last_position else before_the_damage)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 8))
@example(b"", 1)
@example(bytes(EVENTS_AT), 1)
@example(bytes(HASH_BYTES) + b"\xdd" + b"\xff" * 4, 1)
@example(bytes(HASH_BYTES) + b"\xdd" + b"\xff" * 200, 1)
@example(bytes(HASH_BYTES) + b"\xdd\x00\x00\x00\x01\x05\x00\x00\x00", 1)
def test_any_bytes_in_place_of_a_batch_are_a_broken_journal(value: bytes, last_position: int) -> None:
    journal = journal_of(StoredBatch(last_position, value))
    assert fault(journal) == 1
    assert [event for event in read(journal) if event is not None] == []
    assert read_in_order(journal, 1) == []


@pytest.mark.parametrize("damage", [b"\xff", b"\xc1", b"\x91", b"\xa2\xff\xfe"])
def test_damage_within_one_event_leaves_the_others_readable(damage: bytes) -> None:
    """An account that is not touched by the damage can still be answered for."""
    entries = encoded(*EVENTS[2:5])
    entries[1] = damage + entries[1][len(damage) :]
    journal = journal_of(BATCHES[0], seal_batch(head_before(1), entries)[0], *BATCHES[2:])
    assert read(journal) == [*EVENTS[:3], None, *EVENTS[4:]]
    with pytest.raises(JournalBrokenError):
        list(journal.events(4))
    assert list(journal.events(6)) == list(enumerate(EVENTS, 1))[5:]


NESTED = b"\x91" * 5_000 + b"\xc0"
NESTINGS = {
    "for an event": NESTED,
    "for a field": b"\x99\x01" + NESTED,
    "after the last field": b"\x9a" + encoded(EVENTS[0])[0][1:] + NESTED,
}


@pytest.mark.parametrize("entry", NESTINGS.values(), ids=NESTINGS)
def test_nesting_without_end_is_found(entry: bytes) -> None:
    journal = journal_of(seal_batch(Head(0, GENESIS), [entry])[0])
    assert fault(journal) == 1
    with pytest.raises(JournalBrokenError):
        journal.event_at(1)
    with pytest.raises(JournalBrokenError):
        list(journal.events(1))


@pytest.mark.parametrize("kept", range(len(BATCHES)))
def test_cut_tail_shows_in_the_head(kept: int) -> None:
    """What is left is sound in itself; only a head from before the cut tells."""
    heads = [head for head, _ in journal_of(*BATCHES[:kept]).checked_batches()]
    assert heads == [head for head, _ in journal_of(*BATCHES).checked_batches()][:kept]
    assert journal_of(*BATCHES[:kept]).head() != journal_of(*BATCHES).head()
