"""A file of batches: a piece of a journal outside its store, for whoever copies a journal or follows it.

    file    = "tapbatch" ‖ record of the origin, a msgpack map ‖ a record for each batch
    record  = length, 4 bytes big-endian ‖ its complement (every bit the other one) ‖ content

A batch is the journal's own value (actors/journal.py), which begins with its hash, so a record needs no check sum, and
its position follows from the record before. The origin says whose journal it is, and after which head the file begins.

A file is made with its origin in one step, and then only grows. What a crash may leave is a torn end: a record that
runs past the end of the file, a last one that does not hold what it should, or zeros. Anything else is damage; a length
that was altered shows in its complement, so it is not taken for a torn end with whole records behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct as Layout
from typing import IO, Final, Self

import msgspec
from msgspec import Struct

from actors.journal import Head, JournalBrokenError, count_events, follow
from actors.store import StoredBatch

FORMAT: Final = 1
"""Of a file of batches. Raised when older software could misread it."""

_MAGIC: Final = b"tapbatch"
_PIECE_BYTES: Final = 1 << 20
_LENGTH: Final = Layout(">II")
_ALL_BITS: Final = 0xFFFF_FFFF


class Origin(Struct, frozen=True):
    """Whose journal it is (as the store's folder says), and after which head the file begins."""

    data_folder: str
    shard: int
    shards: int
    authorizations_after: int
    position: int
    hash: bytes
    format: int = FORMAT

    @property
    def head(self) -> Head:
        """The end of the journal before the file's first batch."""
        return Head(self.position, self.hash)


class BatchFileError(Exception):
    """The file cannot be read as what it should be; the text names it and says what is wrong."""


class BatchFile:
    """Reads a file of batches from its beginning."""

    def __init__(self, path: Path) -> None:
        """Reads the origin. Raises BatchFileError or OSError."""
        self.path = path
        with path.open("rb") as file:
            self.origin = self._read_origin(file)
            self.end = file.tell()
            """Where the records end that were read so far and found whole, in bytes."""

        self.head = self.origin.head
        """After the records that were read so far."""

        self.torn_bytes = 0
        """How much was left of a record that was not written to its end: known when all were read."""

    def batches(self) -> Iterator[StoredBatch]:
        """Every batch that was written to its end, each following from the one before.

        Raises BatchFileError, which names the position, at damage that no interrupted writer leaves.
        """
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(self.end)
            while self.end < size:
                try:
                    value = _read_record(file)
                except ValueError as error:
                    raise BatchFileError(
                        f"{self.path}: damaged after position {self.head.position}: {error}"
                    ) from error
                if value is None or not self._adopt(value, is_last=file.tell() == size):
                    self.torn_bytes = size - self.end
                    return
                yield StoredBatch(self.head.position, value)

    def _adopt(self, value: bytes, *, is_last: bool) -> bool:
        """Whether the record's batch follows from the one before; the last one may be torn."""
        first = self.head.position + 1
        try:
            self.head = follow(self.head, StoredBatch(self.head.position + count_events(value, first), value))
        except JournalBrokenError as error:
            if is_last:
                return False
            raise BatchFileError(f"{self.path}: damaged at {error}") from error
        self.end += _LENGTH.size + len(value)
        return True

    def _read_origin(self, file: IO[bytes]) -> Origin:
        try:
            begins = file.read(len(_MAGIC)) == _MAGIC
            origin = msgspec.msgpack.decode((begins and _read_record(file)) or b"", type=Origin)
        except (msgspec.MsgspecError, ValueError) as error:
            raise BatchFileError(f"{self.path}: this is not a file of batches: {error}") from error
        if origin.format > FORMAT:
            raise BatchFileError(
                f"{self.path}: format {origin.format} is newer than this software's {FORMAT}; use the newer tapswitch"
            )
        return origin


class BatchWriter:
    """Appends to a file of batches. Nothing is durable before `sync` has returned."""

    def __init__(self, path: Path, end: int) -> None:
        """Continue the file at `path` after its first `end` bytes; what lies behind them is cut off. Raises OSError."""
        self._file = path.open("r+b", buffering=0)
        self._file.truncate(end)
        self._file.seek(end)
        self.size = end

    @classmethod
    def create(cls, path: Path, origin: Origin) -> Self:
        """Make the file, durably and in one step, and continue it. Raises OSError."""
        packed = msgspec.msgpack.encode(origin)
        beside = path.with_name(f"{path.name}.new")
        with beside.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            size = file.write(_MAGIC + _record(packed))
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        sync_folder(path.parent)
        return cls(path, size)

    def append(self, batches: Sequence[StoredBatch]) -> None:
        """Write the batches, which follow from what is there, behind it. Raises OSError."""
        records = b"".join(_record(batch.value) for batch in batches)
        left = memoryview(records)
        while left:
            left = left[self._file.write(left) :]
        self.size += len(records)

    def sync(self) -> None:
        """Return when everything that was appended is durable. Raises OSError."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def sync_folder(folder: Path) -> None:
    """Make the names in the folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(content: bytes) -> bytes:
    return _LENGTH.pack(len(content), len(content) ^ _ALL_BITS) + content


def _read_record(file: IO[bytes]) -> bytes | None:
    """The next record's content, or None where it was not written to its end. Raises ValueError if it is damaged."""
    packed = file.read(_LENGTH.size)
    if len(packed) < _LENGTH.size:
        return None
    length, complement = _LENGTH.unpack(packed)
    if length ^ complement != _ALL_BITS:
        if not any(packed) and _only_zeros_follow(file):
            return None
        raise ValueError("a record's length was altered")
    content = file.read(length)
    return content if len(content) == length else None


def _only_zeros_follow(file: IO[bytes]) -> bool:
    while piece := file.read(_PIECE_BYTES):
        if any(piece):
            return False
    return True
