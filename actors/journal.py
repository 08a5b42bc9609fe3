"""The journal: batches of events, each chained to the batch before it by a hash.

A batch is the unit of commit, and of everything that copies a journal. Its value in the store is

    hash (32 bytes) ‖ payload (a msgpack array of events)
    hash = BLAKE2b-256(hash of the batch before ‖ first position, 8 bytes big-endian ‖ payload)

with 32 zero bytes before the first. Positions count events from 1; a batch's key is the position of its last event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from actors.store import Store, StoredBatch

HASH_BYTES: Final = 32
GENESIS: Final = bytes(HASH_BYTES)


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


_encoder = msgspec.msgpack.Encoder()
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])


def _chain(previous: bytes, first_position: int, payload: bytes) -> bytes:
    hasher = blake2b(previous, digest_size=HASH_BYTES)
    hasher.update(first_position.to_bytes(8, "big"))
    hasher.update(payload)
    return hasher.digest()


def seal_batch(head: Head, events: Sequence[Any]) -> tuple[StoredBatch, Head]:
    """The batch that continues the journal after `head`, and the new head."""
    payload = _encoder.encode(events)
    digest = _chain(head.hash, head.position + 1, payload)
    last = head.position + len(events)
    return StoredBatch(last, digest + payload), Head(last, digest)


class Journal:
    """Reads a store's journal as events of one kind."""

    def __init__(self, store: Store, event_type: Any) -> None:
        self._store = store
        self._batch_decoder = msgspec.msgpack.Decoder(list[event_type])
        self._event_decoder = msgspec.msgpack.Decoder(event_type)

    def head(self) -> Head:
        """The end of the journal as it is stored."""
        last = self._store.last_batch()
        return Head(last.last_position, last.value[:HASH_BYTES]) if last else Head(0, GENESIS)

    def event_at(self, position: int) -> Any:
        """The event at `position`. Raises JournalBrokenError if there is none."""
        batch = self._store.batch_holding(position)
        if batch is None:
            raise JournalBrokenError(position, "beyond the end of the journal")
        events = _raw_decoder.decode(memoryview(batch.value)[HASH_BYTES:])
        index = position - (batch.last_position - len(events) + 1)
        if index < 0:
            raise JournalBrokenError(position, "no batch holds it")
        return self._event_decoder.decode(events[index])

    def chain(self, position: int) -> Iterator[tuple[int, Any]]:
        """(position, event) of one actor, newest first, from its event at `position` back to its first."""
        while position:
            event = self.event_at(position)
            yield position, event
            if event.previous >= position:
                raise JournalBrokenError(position, f"its previous event is at {event.previous}, not before it")
            position = event.previous

    def events(self, position: int) -> Iterator[tuple[int, Any]]:
        """(position, event) in order from `position` to the end, without checking hashes."""
        for batch in self._store.batches(position):
            events = self._batch_decoder.decode(memoryview(batch.value)[HASH_BYTES:])
            first = batch.last_position - len(events) + 1
            for index in range(max(0, position - first), len(events)):
                yield first + index, events[index]

    def checked_batches(self) -> Iterator[tuple[Head, list[Any]]]:
        """Every batch from the beginning as (head after it, its events). Raises JournalBrokenError at a fault."""
        head = Head(0, GENESIS)
        for batch in self._store.batches(1):
            first = head.position + 1
            try:
                events = self._batch_decoder.decode(memoryview(batch.value)[HASH_BYTES:])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise JournalBrokenError(first, f"the batch cannot be read: {error}") from error
            if batch.last_position != head.position + len(events):
                raise JournalBrokenError(
                    first, f"a batch of {len(events)} events ends at {batch.last_position}: events are missing"
                )
            if batch.value[:HASH_BYTES] != _chain(head.hash, first, batch.value[HASH_BYTES:]):
                raise JournalBrokenError(first, "the batch's hash does not follow from its events and the batch before")
            head = Head(batch.last_position, batch.value[:HASH_BYTES])
            yield head, events
