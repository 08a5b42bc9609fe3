"""The journal: batches of events, each chained to the batch before it by a hash.

A batch is the unit of commit, and of everything that copies a journal. Its value in the store is

    hash (32 bytes) ‖ payload ‖ index
    hash = BLAKE2b-256(hash of the batch before ‖ first position, 8 bytes big-endian ‖ payload ‖ index)

with 32 zero bytes before the first. The payload is a msgpack array of the events, its length always in the four-byte
form (array 32). The index says for each event where it ends: how far from the first event's beginning, in bytes, as 4
bytes little-endian; so one event is read without the others. Positions count events from 1; a batch's key is the
position of its last event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from struct import Struct
from typing import Any, Final, NamedTuple

import msgspec

from actors.store import Store, StoredBatch

HASH_BYTES: Final = 32
GENESIS: Final = bytes(HASH_BYTES)
_ARRAY_32: Final = b"\xdd"
_COUNT: Final = Struct(">I")
_COUNT_AT: Final = HASH_BYTES + len(_ARRAY_32)
_EVENTS_AT: Final = _COUNT_AT + _COUNT.size
_END: Final = Struct("<I")
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class Head(NamedTuple):
    """Where a journal ends: a later journal of the same shard must contain exactly this."""

    position: int
    hash: bytes


class JournalBrokenError(Exception):
    """The journal contradicts itself at `position`."""

    def __init__(self, position: int, explanation: str) -> None:
        super().__init__(f"position {position}: {explanation}")
        self.position = position
        self.explanation = explanation


def _chain(previous: bytes, first_position: int, content: bytes | memoryview) -> bytes:
    hasher = blake2b(previous, digest_size=HASH_BYTES)
    hasher.update(first_position.to_bytes(8, "big"))
    hasher.update(content)
    return hasher.digest()


def seal_batch(head: Head, entries: Sequence[bytes]) -> tuple[StoredBatch, Head]:
    """The batch that continues the journal after `head` with these encoded events, and the new head."""
    count = len(entries)
    index = Struct(f"<{count}I").pack(*accumulate(map(len, entries)))
    content = b"".join((_ARRAY_32, _COUNT.pack(count), *entries, index))
    digest = _chain(head.hash, head.position + 1, content)
    last = head.position + count
    return StoredBatch(last, digest + content), Head(last, digest)


def head_of(batch: StoredBatch | None) -> Head:
    """The head of a journal that ends with this batch; None: that has none."""
    return Head(batch.last_position, batch.value[:HASH_BYTES]) if batch else Head(0, GENESIS)


def follow(head: Head, batch: StoredBatch) -> Head:
    """The head after `batch`, which is to be the next after `head`. Raises JournalBrokenError if it is not."""
    first = head.position + 1
    count = count_events(batch.value, first)
    if batch.last_position != head.position + count:
        raise JournalBrokenError(first, f"a batch of {count} events ends at {batch.last_position}: events are missing")
    digest, content = batch.value[:HASH_BYTES], memoryview(batch.value)[HASH_BYTES:]
    if digest != _chain(head.hash, first, content):
        raise JournalBrokenError(first, "the batch's hash does not follow from its events and the batch before")
    return Head(batch.last_position, digest)


def count_events(value: bytes, position: int) -> int:
    """How many events a batch says it has. Raises JournalBrokenError at `position` if it has no room for so many."""
    count: int = _COUNT.unpack_from(value, _COUNT_AT)[0] if len(value) >= _EVENTS_AT else 0
    if len(value) < _EVENTS_AT + count * _END.size:
        raise JournalBrokenError(position, f"a batch of {len(value)} bytes does not hold {count} events")
    return count


class Journal:
    """Reads a store's journal as events of one kind."""

    def __init__(self, store: Store, event_type: Any) -> None:
        self._store = store
        self._decode_all = msgspec.msgpack.Decoder(list[event_type]).decode
        self._decode = msgspec.msgpack.Decoder(event_type).decode

    def head(self) -> Head:
        """The end of the journal as it is stored."""
        return head_of(self._store.last_batch())

    def event_at(self, position: int) -> Any:
        """The event at `position`. Raises JournalBrokenError if there is none, or none that can be read."""
        batch = self._store.batch_holding(position)
        if batch is None:
            raise JournalBrokenError(position, "beyond the end of the journal")
        count, from_end = count_events(batch.value, position), batch.last_position - position + 1
        if from_end > count:
            raise JournalBrokenError(position, "no batch holds it")
        end_at = len(batch.value) - from_end * _END.size
        (end,) = _END.unpack_from(batch.value, end_at)
        (start,) = _END.unpack_from(batch.value, end_at - _END.size) if from_end < count else (0,)
        try:
            return self._decode(memoryview(batch.value)[_EVENTS_AT + start : _EVENTS_AT + end])
        except _UNREADABLE as error:
            raise JournalBrokenError(position, f"the event cannot be read: {error}") from error

    def chain(self, position: int) -> Iterator[tuple[int, Any]]:
        """(position, event) of one actor, newest first, from its event at `position` back to its first."""
        while position:
            event = self.event_at(position)
            yield position, event
            if not 0 <= event.previous < position:
                raise JournalBrokenError(position, f"its previous event is at {event.previous}, not before it")
            position = event.previous

    def batches(self, position: int) -> Iterator[tuple[int, list[Any]]]:
        """(first position, events) of each batch from `position` to the end, without those before `position`.

        Does not check hashes. Raises JournalBrokenError.
        """
        for batch in self._store.batches(position):
            payload_end = len(batch.value) - count_events(batch.value, batch.last_position) * _END.size
            try:
                events = self._decode_all(memoryview(batch.value)[HASH_BYTES:payload_end])
            except _UNREADABLE as error:
                raise JournalBrokenError(batch.last_position, f"the batch cannot be read: {error}") from error
            first = batch.last_position - len(events) + 1
            yield max(first, position), events[max(0, position - first) :]

    def events(self, position: int) -> Iterator[tuple[int, Any]]:
        """(position, event) in order from `position` to the end. Raises as `batches` does."""
        for first, events in self.batches(position):
            yield from enumerate(events, first)

    def checked_batches(self) -> Iterator[tuple[Head, list[Any]]]:
        """Every batch from the beginning as (head after it, its events). Raises JournalBrokenError at a fault."""
        head = Head(0, GENESIS)
        for batch in self._store.batches(1):
            events = self._events_by_index(batch.value, head.position + 1)
            head = follow(head, batch)
            yield head, events

    def _events_by_index(self, value: bytes, first: int) -> list[Any]:
        """All events of a batch, each read as its index says. Raises JournalBrokenError at `first`."""
        count = count_events(value, first)
        payload_end = len(value) - count * _END.size
        ends = [0, *Struct(f"<{count}I").unpack_from(value, payload_end)]
        if value[HASH_BYTES:_COUNT_AT] != _ARRAY_32 or _EVENTS_AT + ends[-1] != payload_end:
            raise JournalBrokenError(first, "the batch is not an array of events with their index")
        events = memoryview(value)[_EVENTS_AT:payload_end]
        try:
            return [self._decode(events[start:end]) for start, end in pairwise(ends)]
        except _UNREADABLE as error:
            raise JournalBrokenError(first, f"the batch cannot be read: {error}") from error
