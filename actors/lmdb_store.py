"""The store on disk: one LMDB environment for each shard. The only module that knows LMDB.

Three sub-databases: `journal` (last position of a batch, 8 bytes big-endian → batch), `rows` (snapshots), and `meta`
(one row: what made this folder). Every commit is synchronous: it has returned only when its data is on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import lmdb
import msgspec
from msgspec import Struct

from actors.store import (
    CommitBrokenError,
    CommitRefusedError,
    Row,
    StoreDamagedError,
    StoredBatch,
    StoreFormatError,
    StoreLockedError,
    Usage,
)

FORMAT: Final = 1
"""Of a data folder. Raised when older software could misread it."""

MAP_BYTES: Final = 64 << 30
"""Address space, not disk: the file grows as it fills.

A year of a university of 30,000 cards (22 million events of about 170 bytes if every one is committed alone) is 4 GB.
"""

_POSITION_BYTES: Final = 8
_META_KEY: Final = b"made"
_LOCK_FILE: Final = "writer.lock"
DATA_FILE: Final = "data.mdb"


_DAMAGE: Final = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.CursorFullError,
    lmdb.PageFullError,
    lmdb.ProblemError,
    lmdb.PanicError,
    lmdb.BadTxnError,
    lmdb.InvalidError,
    lmdb.IncompatibleError,
)
"""What LMDB says where a page is not what another page promises, or of anything after that."""


class Made(Struct, frozen=True):
    """What a shard's folder says of itself."""

    format: int
    data_folder: str
    """The same in all shards that were made together, and in no other."""

    shard: int
    shards: int
    authorizations_after: int = 0
    """Added to the positions of its events in authorization numbers: those up to it were given before a reshard."""


class _Format(Struct):
    """The one field that every format has."""

    format: int


ONLY_SHARD: Final = Made(FORMAT, "", 0, 1)


class LmdbStore:
    """See actors.store.Store for what is promised."""

    def __init__(self, environment: Any, lock_file: int | None, made: Made) -> None:
        """Use `create`, `open` or `open_read_only`."""
        self._environment = environment
        self._lock_file = lock_file
        try:
            self._journal = environment.open_db(b"journal", create=False)
            self._rows = environment.open_db(b"rows", create=False)
        except _DAMAGE as error:
            damaged = _damaged(environment, error)
            environment.close()
            raise damaged from error
        self.made = made

    @classmethod
    def create(cls, folder: Path, made: Made = ONLY_SHARD) -> None:
        """Make an empty store in `folder`; one that is there already is left as it is.

        Raises StoreLockedError, StoreFormatError, or OSError, and then nothing half-made is left.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_file = _lock(folder)
        try:
            if (folder / DATA_FILE).exists():
                _open_environment(folder, readonly=True).close()
                return
            try:
                _write_empty(folder, made)
            except lmdb.Error as error:
                (folder / DATA_FILE).unlink(missing_ok=True)
                raise OSError(errno.EIO, str(error), str(folder)) from error
        finally:
            os.close(lock_file)

    @classmethod
    def open(cls, folder: Path, *, map_bytes: int = MAP_BYTES) -> LmdbStore:
        """The store for reading and writing. Raises StoreLockedError, StoreFormatError or StoreDamagedError."""
        _check_exists(folder)
        lock_file = _lock(folder)
        try:
            environment = _open_environment(folder, map_size=map_bytes, sync=True, metasync=True, meminit=False)
            return cls(environment, lock_file, _read_made(environment, folder))
        except BaseException:
            os.close(lock_file)
            raise

    @classmethod
    def open_read_only(cls, folder: Path) -> LmdbStore:
        """The store for reading only, also beside a process that writes it. Raises as `open`, but for the lock."""
        _check_exists(folder)
        environment = _open_environment(folder, readonly=True)
        return cls(environment, None, _read_made(environment, folder))

    def commit(self, batch: StoredBatch | None, rows: Sequence[Row]) -> None:
        """See Store.commit."""
        with _translated(self._environment), self._environment.begin(write=True) as transaction:
            if batch is not None:
                self._put(transaction, batch)
            if rows:
                with transaction.cursor(self._rows) as cursor:
                    cursor.putmulti(rows)

    def append(self, batches: Sequence[StoredBatch]) -> None:
        """Append batches that were durable elsewhere before, all or nothing. Raises as `commit` does."""
        with _translated(self._environment), self._environment.begin(write=True) as transaction:
            for batch in batches:
                self._put(transaction, batch)

    def row(self, key: bytes) -> bytes | None:
        """See Store.row."""
        with self._reading(self._rows) as transaction:
            value: bytes | None = transaction.get(key)
            return value

    def rows(self, prefix: bytes, start: bytes = b"") -> Iterator[Row]:
        """See Store.rows."""
        with self._reading(self._rows) as transaction, transaction.cursor() as cursor:
            found = cursor.set_range(max(prefix, start))
            while found and cursor.key().startswith(prefix):
                yield cursor.item()
                found = cursor.next()

    def batch_holding(self, position: int) -> StoredBatch | None:
        """See Store.batch_holding."""
        return next(self.batches(position), None)

    def batches(self, position: int) -> Iterator[StoredBatch]:
        """See Store.batches."""
        with self._reading(self._journal) as transaction, transaction.cursor() as cursor:
            found = cursor.set_range(position.to_bytes(_POSITION_BYTES, "big"))
            while found:
                yield StoredBatch(int.from_bytes(cursor.key(), "big"), cursor.value())
                found = cursor.next()

    def last_batch(self) -> StoredBatch | None:
        """See Store.last_batch."""
        with self._reading(self._journal) as transaction, transaction.cursor() as cursor:
            if not cursor.last():
                return None
            return StoredBatch(int.from_bytes(cursor.key(), "big"), cursor.value())

    def usage(self) -> Usage:
        """See Store.usage. Pages that were used once count, though LMDB will use them again."""
        info = self._environment.info()
        page_bytes = self._environment.stat()["psize"]
        return Usage((info["last_pgno"] + 1) * page_bytes, info["map_size"])

    def journal_bytes(self) -> int:
        """How much of the store the journal takes, in whole pages."""
        with self._environment.begin() as transaction:
            found = transaction.stat(self._journal)
        pages: int = found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]
        return pages * int(found["psize"])

    def copy(self, into: Path) -> Path:
        """Write the store as of one instant into the folder `into`; returns the file, which is durable.

        Without pages that are free. A process that writes the store is not held up: LMDB's other kind of copy writes
        its first pages under the writer's lock. Raises OSError; what was written by then is left.
        """
        into.mkdir(mode=0o700, exist_ok=True)
        path = into / DATA_FILE
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._environment.copyfd(descriptor, compact=True)
            os.fsync(descriptor)
        except lmdb.Error as error:
            raise OSError(errno.EIO, str(error), str(path)) from error
        finally:
            os.close(descriptor)
        return path

    def forget_dead_readers(self) -> int:
        """See Store.forget_dead_readers."""
        dead: int = self._environment.reader_check()
        return dead

    def close(self) -> None:
        """See Store.close."""
        self._environment.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    @contextmanager
    def _reading(self, database: Any) -> Iterator[Any]:
        """A transaction that reads it. Raises StoreDamagedError."""
        try:
            with self._environment.begin(db=database) as transaction:
                yield transaction
        except _DAMAGE as error:
            raise _damaged(self._environment, error) from error

    def _put(self, transaction: Any, batch: StoredBatch) -> None:
        key = batch.last_position.to_bytes(_POSITION_BYTES, "big")
        appended = transaction.put(key, batch.value, db=self._journal, append=True)
        assert appended, "the journal only grows"


@contextmanager
def _translated(environment: Any) -> Iterator[None]:
    """What a commit may raise, in the words of actors.store."""
    try:
        yield
    except (lmdb.MapFullError, lmdb.DiskError) as error:
        # Both happen before LMDB writes its meta page: the transaction is gone as if it had never been.
        raise CommitRefusedError(f"no space: {error}") from error
    except _DAMAGE as error:
        raise CommitBrokenError(str(_damaged(environment, error))) from error
    except lmdb.Error as error:
        raise CommitBrokenError(str(error)) from error


def _damaged(environment: Any, error: Exception) -> StoreDamagedError:
    return _damaged_at(environment.path(), error)


def _damaged_at(folder: Path | str, error: Exception) -> StoreDamagedError:
    return StoreDamagedError(
        f"{folder}: {DATA_FILE} is damaged on the disk ({error}); look at the disk, and put a whole backup back"
    )


def _write_empty(folder: Path, made: Made) -> None:
    with (
        lmdb.open(str(folder), map_size=MAP_BYTES, max_dbs=3, mode=0o600) as environment,
        environment.begin(write=True) as transaction,
    ):
        for name in (b"journal", b"rows"):
            environment.open_db(name, txn=transaction)
        meta = environment.open_db(b"meta", txn=transaction)
        transaction.put(_META_KEY, msgspec.msgpack.encode(made), db=meta)


def _check_exists(folder: Path) -> None:
    if not (folder / DATA_FILE).exists():
        raise StoreFormatError(f"{folder}: no data here; `tapswitch import` makes a data folder, and so does `init`")


def _open_environment(folder: Path, *, map_size: int = MAP_BYTES, **options: bool) -> Any:
    """An environment that is there already and looks whole. Raises StoreFormatError."""
    try:
        environment = lmdb.open(str(folder), map_size=map_size, max_dbs=3, readahead=False, **options)
    except lmdb.Error as error:
        raise StoreFormatError(f"{folder}: not a usable LMDB environment: {error}") from error
    # Reading a page past the end of the file would end the process with a bus error.
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    found = (folder / DATA_FILE).stat().st_size
    if found < needed:
        environment.close()
        raise StoreFormatError(
            f"{folder}: {DATA_FILE} was cut short: {found} bytes, of which {needed} are in use; take a whole copy"
        )
    _read_made(environment, folder)
    environment.reader_check()  # see LmdbStore.forget_dead_readers
    return environment


def _lock(folder: Path) -> int:
    """Keep a second writer out, for as long as this descriptor is open: the kernel drops it with the process."""
    descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreLockedError(f"{folder}: another process is writing to this data folder; stop it first") from error
    return descriptor


def _read_made(environment: Any, folder: Path) -> Made:
    """What the folder says of itself. Closes the environment and raises StoreFormatError if that cannot be read."""
    try:
        meta = environment.open_db(b"meta", create=False)
        with environment.begin(db=meta) as transaction:
            packed = transaction.get(_META_KEY)
        if (found := msgspec.msgpack.decode(packed, type=_Format).format) <= FORMAT:
            return msgspec.msgpack.decode(packed, type=Made)
    except _DAMAGE as error:
        environment.close()
        raise _damaged_at(folder, error) from error
    except (lmdb.Error, msgspec.MsgspecError, TypeError) as error:
        environment.close()
        raise StoreFormatError(f"{folder}: this is not a data folder of tapswitch: {error}") from error
    environment.close()
    raise StoreFormatError(
        f"{folder}: data format {found} is newer than this software's {FORMAT}; use the newer tapswitch"
    )
