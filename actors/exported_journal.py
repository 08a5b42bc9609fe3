"""A shard's journal in files of batches, in a folder of their own: written beside the store, read to restore it.

A file is named by the position of its first event. Old files may be removed once a newer backup has their events.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from actors.batch_file import BatchFile, BatchFileError, BatchWriter, Origin
from actors.journal import GENESIS, Head, follow, head_of
from actors.lmdb_store import LmdbStore, Made
from actors.store import StoredBatch

FILE_BYTES: Final = 64 << 20
"""A file that has grown to this is followed by the next; it may be larger by what was written at once."""

BATCHES_AT_ONCE: Final = 64
"""How many are read in one transaction of the store, written, and made durable together."""

SUFFIX: Final = ".batches"
_DIGITS: Final = 20
_IDENTITY: Final = ("data_folder", "shard", "shards", "authorizations_after")


class ExportError(Exception):
    """The export and the journal do not belong together; the text says why and what to do."""


def exported_files(folder: Path) -> list[Path]:
    """The files of an exported journal, in order."""
    return sorted(folder.glob(f"{'[0-9]' * _DIGITS}{SUFFIX}"))


class ExportedJournal:
    """Reads an exported journal."""

    def __init__(self, folder: Path, made: Made) -> None:
        """`made` says whose journal it must be."""
        self._folder = folder
        self._made = made
        self.head = Head(0, GENESIS)
        """Where the export ends, once it was read."""

        self.torn_bytes = 0
        """What was left of a record at the end that was not written to its end, once it was read."""

    def after(self, head: Head) -> Iterator[StoredBatch]:
        """The batches after `head`, which must be in the export unless that ends before it.

        Raises ExportError or BatchFileError, at the latest where the export has another history than `head`.
        """
        paths = exported_files(self._folder)
        if not paths:
            raise ExportError(f"{self._folder}: no exported journal is here")
        begins = max((at for at, path in enumerate(paths) if _first(path) <= head.position + 1), default=None)
        if begins is None:
            raise ExportError(
                f"{self._folder}: the export begins at position {_first(paths[0])}, and would have to go on from "
                f"{head.position + 1}: take a newer backup, or put the older files of the export back"
            )
        for at, path in enumerate(paths[begins:], begins):
            yield from self._of_file(path, head, is_first=at == begins, is_last=at == len(paths) - 1)

    def _of_file(self, path: Path, head: Head, *, is_first: bool, is_last: bool) -> Iterator[StoredBatch]:
        file = open_exported(path, self._made)
        if not is_first and file.origin.head != self.head:
            raise ExportError(
                f"{path}: begins after position {file.origin.position}, but the file before it ends at "
                f"{self.head.position}, or has another history: a file is missing or of another export"
            )
        if is_first:
            _check_meets(path, file.origin.head, head)
        self.head = file.origin.head
        for batch in file.batches():
            beyond = self.head.position >= head.position
            self.head = file.head
            if beyond:
                yield batch
            elif self.head.position >= head.position:
                _check_meets(path, self.head, head)
        if file.torn_bytes and not is_last:
            raise BatchFileError(f"{path}: damaged after position {self.head.position}, and another file follows")
        self.torn_bytes = file.torn_bytes


class JournalExport:
    """Continues the export of a store's journal, each batch checked against the one before."""

    def __init__(self, folder: Path, store: LmdbStore) -> None:
        """Go on where the export stopped; a torn record at its end is cut off.

        Raises ExportError if the store does not have the batch at which the export ends, BatchFileError, or OSError.
        """
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._store = store
        self.torn_bytes = 0
        self.head = Head(0, GENESIS)
        """Up to here everything is durable in the export."""

        paths = exported_files(folder)
        self._writer = self._continued(paths[-1]) if paths else self._new_file()

    def advance(self) -> int:
        """Export the next batches, and return how many there were; 0 at the end of the journal.

        They are durable then. Raises JournalBrokenError if a batch does not follow from the one before, or OSError.
        """
        batches = list(islice(self._store.batches(self.head.position + 1), BATCHES_AT_ONCE))
        if not batches:
            return 0
        head = self.head
        for batch in batches:
            head = follow(head, batch)
        if self._writer.size >= FILE_BYTES:
            self._writer.close()
            self._writer = self._new_file()
        self._writer.append(batches)
        self._writer.sync()
        self.head = head
        return len(batches)

    def close(self) -> None:
        """Close the file that is being written."""
        self._writer.close()

    def _continued(self, path: Path) -> BatchWriter:
        file = open_exported(path, self._store.made)
        for _ in file.batches():
            pass
        if not _holds(self._store, file.head):
            raise ExportError(
                f"{path}: the export ends at position {file.head.position}, and the journal has no such batch there: "
                "the data folder is an older copy, or went on from one; export it into a new folder, and keep this one"
            )
        self.head, self.torn_bytes = file.head, file.torn_bytes
        return BatchWriter(path, file.end)

    def _new_file(self) -> BatchWriter:
        made = self._store.made
        origin = Origin(made.data_folder, made.shard, made.shards, made.authorizations_after, *self.head)
        path = self._folder / f"{self.head.position + 1:0{_DIGITS}}{SUFFIX}"
        return BatchWriter.create(path, origin)


def open_exported(path: Path, made: Made) -> BatchFile:
    """The file, if it is of that shard's journal. Raises ExportError, BatchFileError, or OSError."""
    file = BatchFile(path)
    if any(getattr(file.origin, field) != getattr(made, field) for field in _IDENTITY):
        raise ExportError(
            f"{path}: this is of shard {file.origin.shard} of {file.origin.shards} of another data folder; name the "
            "export of this one, or a new folder"
        )
    return file


def _holds(store: LmdbStore, head: Head) -> bool:
    """Whether a batch of the journal ends exactly there."""
    if not head.position:
        return True
    return head_of(store.batch_holding(head.position)) == head


def _check_meets(path: Path, exported: Head, head: Head) -> None:
    """Where the export comes to `head` or passes it, it must have met it."""
    if exported.position > head.position or (exported.position == head.position and exported.hash != head.hash):
        raise ExportError(
            f"{path}: the export has another history than the backup, which ends at position {head.position}: it is "
            "of a data folder that went on from an older copy; name the export of this one"
        )


def _first(path: Path) -> int:
    return int(path.stem)
