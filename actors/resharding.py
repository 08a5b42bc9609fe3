"""Rewriting journals for another number of shards: the same events, each in the journal of its slot's new shard.

Events are taken in the order of their times. All that changes in one is `previous`, because positions count anew. So
what was answered, and every authorization number, stays for ever what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from actors.journal import GENESIS, Head, Journal, JournalBrokenError, seal_batch
from actors.kind import Kind
from actors.placement import shard_of, slot_of
from actors.recovery import recover
from actors.shard import SNAPSHOT_LAG
from actors.store import Store, StoreFormatError

EVENTS_PER_COMMIT: Final = 512
"""Few enough that one event is soon read back from its batch, and enough that waiting for the disk does not count."""


def rewrite(
    old: Sequence[Store], new: Sequence[Store], kind: Kind, progress: Callable[[int], None] = lambda _: None
) -> None:
    """Write all events of the old stores, by shard, into the new ones, which are empty, and then their snapshots.

    Memory: a number for each account, and a batch for each shard. Reads the old stores and changes nothing in them.
    `progress` is called with the number of events written so far. Raises StoreFormatError, which names the old shard
    and the position, if an old journal contradicts itself, and what `Store.commit` raises.
    """
    writers = [_Writer(store, kind, shard) for shard, store in enumerate(new)]
    heads: dict[str | int, int] = {}
    written = 0
    for event in _in_order_of_time(old, kind):
        owner = kind.owner(event)
        writer = writers[shard_of(slot_of(str(owner)), len(writers))]
        heads[owner] = writer.add(replace(event, previous=heads.get(owner, 0)))
        written += 1
        if written % EVENTS_PER_COMMIT == 0:
            progress(written)
    for writer in writers:
        writer.finish()
    progress(written)


def _in_order_of_time(stores: Sequence[Store], kind: Kind) -> Iterator[Any]:
    """All events by time; of the same time by shard, and each shard's in the order of its journal."""
    return merge(*(_events(shard, store, kind) for shard, store in enumerate(stores)), key=attrgetter("time_us"))


def _events(shard: int, store: Store, kind: Kind) -> Iterator[Any]:
    try:
        for _, events in Journal(store, kind.event_type).batches(1):
            yield from events
    except JournalBrokenError as error:
        raise StoreFormatError(f"shard {shard}: the journal is damaged at {error}") from error


class _Writer:
    """Fills the journal of one new shard."""

    def __init__(self, store: Store, kind: Kind, shard: int) -> None:
        self._store = store
        self._kind = kind
        self._shard = shard
        self._encode = msgspec.msgpack.Encoder().encode
        self._head = Head(0, GENESIS)
        self._entries: list[bytes] = []
        self._in_snapshots = 0

    def add(self, event: Any) -> int:
        """Append the event; returns its position."""
        self._entries.append(self._encode(event))
        position = self._head.position + len(self._entries)
        if len(self._entries) == EVENTS_PER_COMMIT:
            self._commit()
        if position - self._in_snapshots >= SNAPSHOT_LAG:
            self.finish()
        return position

    def finish(self) -> None:
        """Commit what is left, and bring every snapshot up to date by replaying what was written since the last time.

        Done now and then, so that no more than this is ever in memory.
        """
        self._commit()
        recover(self._store, self._kind, self._shard).checkpoint()
        self._in_snapshots = self._head.position

    def _commit(self) -> None:
        if self._entries:
            batch, self._head = seal_batch(self._head, self._entries)
            self._store.commit(batch, [])
            self._entries = []
