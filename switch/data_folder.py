"""A data folder: one LMDB environment for each shard, `shard-0000` and so on, all made together."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

from msgspec.structs import replace

from actors.account.kind import ACCOUNT
from actors.batch_file import BatchFile
from actors.exported_journal import exported_files
from actors.lmdb_store import FORMAT, LmdbStore, Made
from actors.placement import SLOTS
from actors.recovery import recover
from actors.shard import Shard
from actors.store import StoreFormatError
from switch.open_files import raise_open_file_limit

SHARDS_MAX: Final = 256
"""Each has at least sixteen slots, so that the shards are of nearly the same size."""

FILES_PER_SHARD: Final = 4
"""Data and its lock, which LMDB has, data once more for its synchronous writes, and the writer's lock."""

_FILES_BESIDE: Final = 256
_SHARD_FOLDER: Final = re.compile("shard-([0-9]{4})")

assert SHARDS_MAX * 16 <= SLOTS, "a shard without slots would answer nobody"


def shard_folder(data: Path, shard: int = 0) -> Path:
    """The LMDB environment of one shard."""
    return data / f"shard-{shard:04}"


def shards_found(data: Path) -> list[int]:
    """Which shards have data in `data`; none if there is no such folder."""
    folders = [path.parent.name for path in data.glob("shard-*/data.mdb")]
    return sorted(int(named[1]) for named in map(_SHARD_FOLDER.fullmatch, folders) if named)


def files_needed(shards: int) -> int:
    """How many open files a process needs that opens so many shards."""
    return shards * FILES_PER_SHARD + _FILES_BESIDE


def create(data: Path, shards: int = 1, authorizations_after: int = 0) -> None:
    """Make a data folder of empty shards. What is there already is left as it is, and what is missing is made.

    Raises StoreFormatError if there is a data folder with another number of shards, or one that lacks its first;
    StoreLockedError, or OSError.
    """
    _check_there(data, shards_found(data) or [0], 1)
    first = Made(FORMAT, uuid4().hex, 0, shards, authorizations_after)
    for shard in range(shards):
        folder = shard_folder(data, shard)
        LmdbStore.create(folder, replace(first, shard=shard))
        made = _made(folder)
        if made.shards != shards:
            raise StoreFormatError(f"{folder}: this is one of {made.shards} shards, not one of {shards}")
        if not shard:
            first = made
        _check_made_together(data, shard, first, made)


def open_all(data: Path, open_one: Callable[[Path], LmdbStore] = LmdbStore.open) -> list[LmdbStore]:
    """The stores of all shards, by shard: each opened by `open_one`, and all of them or none.

    Raises StoreFormatError if a shard is missing here or does not belong here, and what `open_one` raises.
    """
    _check_there(data, shards_found(data) or [0], 1)
    stores = open_those_here(data, open_one)
    try:
        _check_there(data, [store.made.shard for store in stores], stores[0].made.shards)
    except BaseException:
        close_all(stores)
        raise
    return stores


def open_those_here(data: Path, open_one: Callable[[Path], LmdbStore]) -> list[LmdbStore]:
    """As `open_all`, for a data folder whose other shards may lie on other machines. At least one is here."""
    found = shards_found(data) or [0]
    raise_open_file_limit(files_needed(len(found)))
    stores: list[LmdbStore] = []
    try:
        for shard in found:
            stores.append(open_one(shard_folder(data, shard)))
            _check_made_together(data, shard, stores[0].made, stores[-1].made)
    except BaseException:
        close_all(stores)
        raise
    return stores


def shards_made(data: Path) -> list[Made]:
    """What the shards in `data` say of themselves, which may be some of a data folder's, its others lying elsewhere.

    Raises StoreFormatError if one lies under another's name, or cannot be read.
    """
    found = [(shard_folder(data, shard), shard) for shard in shards_found(data)]
    made = [(folder, shard, _made(folder)) for folder, shard in found]
    for folder, shard, of in made:
        _check_name(folder, shard, of)
    return [of for _, _, of in made]


def exported_shards(export: Path) -> list[Made]:
    """Whose journals an export has, as its files say. Raises BatchFileError or OSError."""
    first = (next(iter(exported_files(folder)), None) for folder in sorted(export.glob("shard-*")))
    origins = [BatchFile(path).origin for path in first if path is not None]
    return [
        Made(FORMAT, origin.data_folder, origin.shard, origin.shards, origin.authorizations_after) for origin in origins
    ]


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


def _check_there(data: Path, found: list[int], shards: int) -> None:
    for shard in range(shards):
        if shard not in found:
            raise StoreFormatError(f"{shard_folder(data, shard)} is missing; put it back, or a copy of all shards")


def _check_made_together(data: Path, shard: int, first: Made, made: Made) -> None:
    """What a shard's folder says of itself must fit to its name and to the first shard's."""
    folder, same = shard_folder(data, shard), ("data_folder", "shards", "authorizations_after")
    if shard >= first.shards or any(getattr(made, field) != getattr(first, field) for field in same):
        raise StoreFormatError(
            f"{folder}: this is shard {made.shard} of {made.shards} of another data folder than "
            f"{shard_folder(data, first.shard)}; put back all shards of one, and move others away"
        )
    _check_name(folder, shard, made)


def _check_name(folder: Path, shard: int, made: Made) -> None:
    if made.shard != shard:
        raise StoreFormatError(f"{folder}: this is shard {made.shard}; give each shard's folder its own name back")
