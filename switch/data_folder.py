"""A data folder: one LMDB environment for each shard, `shard-0000` and so on, all made together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

from actors.account.kind import ACCOUNT
from actors.lmdb_store import FORMAT, LmdbStore, Made
from actors.placement import SLOTS
from actors.recovery import recover
from actors.shard import Shard
from actors.store import StoreFormatError

SHARDS_MAX: Final = 256
"""Each has at least sixteen slots, so that the shards are of nearly the same size."""

assert SHARDS_MAX * 16 <= SLOTS, "a shard without slots would answer nobody"


def shard_folder(data: Path, shard: int = 0) -> Path:
    """The LMDB environment of one shard."""
    return data / f"shard-{shard:04}"


def create(data: Path, shards: int = 1, authorizations_after: int = 0) -> None:
    """Make a data folder of empty shards. What is there already is left as it is, and what is missing is made.

    Raises StoreFormatError if there is a data folder with another number of shards, StoreLockedError, or OSError.
    """
    identity = uuid4().hex
    for shard in range(shards):
        folder = shard_folder(data, shard)
        LmdbStore.create(folder, Made(FORMAT, identity, shard, shards, authorizations_after))
        made = _made(folder)
        if (made.shard, made.shards) != (shard, shards):
            raise StoreFormatError(f"{folder}: this is shard {made.shard} of {made.shards}, not {shard} of {shards}")
        identity, authorizations_after = made.data_folder, made.authorizations_after


def open_all(data: Path, open_one: Callable[[Path], LmdbStore] = LmdbStore.open) -> list[LmdbStore]:
    """The stores of all shards, by shard: each opened by `open_one`, and all of them or none.

    Raises StoreFormatError if there is no whole data folder here, and what `open_one` raises.
    """
    stores: list[LmdbStore] = []
    try:
        stores.append(open_one(shard_folder(data)))
        first = stores[0].made
        while len(stores) < first.shards:
            stores.append(open_one(shard_folder(data, len(stores))))
        _check_made_together(data, [store.made for store in stores])
    except BaseException:
        close_all(stores)
        raise
    return stores


def recover_shard(store: LmdbStore) -> Shard:
    """The shard of a store as it was after its last durable commit. Raises StoreFormatError if that is damaged."""
    return recover(store, ACCOUNT, store.made.shard, authorizations_after=store.made.authorizations_after)


def close_all(stores: list[LmdbStore]) -> None:
    """Close every store."""
    for store in stores:
        store.close()


def _made(folder: Path) -> Made:
    store = LmdbStore.open_read_only(folder)
    try:
        return store.made
    finally:
        store.close()


def _check_made_together(data: Path, all_made: list[Made]) -> None:
    first = all_made[0]
    for shard, made in enumerate(all_made):
        if (made.data_folder, made.shard, made.shards) != (first.data_folder, shard, first.shards):
            raise StoreFormatError(
                f"{shard_folder(data, shard)}: this is shard {made.shard} of {made.shards} of another data folder; "
                "put back the one that was made with the others"
            )
