"""A store that is taken on by batches from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from actors.lmdb_store import LmdbStore
from actors.shard import SNAPSHOT_LAG
from actors.store import StoredBatch
from switch.data_folder import recover_shard

BATCHES_PER_COMMIT = 256
"""Enough that waiting for the disk does not count."""


def roll_forward(store: LmdbStore, batches: Iterable[StoredBatch], progress: Callable[[int], None]) -> int:
    """Append the batches, which follow from the store's journal, and bring every snapshot up to date.

    Returns how many events there were; `progress` is called with how many so far. Raises StoreFormatError if one cannot
    be replayed, what `Store.commit` raises, and what reading the batches raises.
    """
    begun = replayed = position = recover_shard(store).head.position
    for group in _groups(batches):
        store.append(group)
        position = group[-1].last_position
        progress(position - begun)
        if position - replayed >= SNAPSHOT_LAG:
            # Now and then, so that no more than this is ever in memory.
            recover_shard(store).checkpoint()
            replayed = position
    if position > begun:
        recover_shard(store).checkpoint()
    return position - begun


def _groups(batches: Iterable[StoredBatch]) -> Iterator[list[StoredBatch]]:
    remaining = iter(batches)
    while group := list(islice(remaining, BATCHES_PER_COMMIT)):
        yield group
