"""What a shard needs from storage: one journal of batches and keyed rows, changed together in durable commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

Row = tuple[bytes, bytes]


class StoredBatch(NamedTuple):
    """A batch as it lies in the journal."""

    last_position: int
    """Position of its last event; its key."""

    value: bytes


class Usage(NamedTuple):
    """How full a store is, in bytes. `limit` 0: without a limit."""

    used: int
    limit: int


class CommitRefusedError(Exception):
    """The commit was cleanly refused (no space): nothing of it is stored, and a later one may succeed."""


class CommitBrokenError(Exception):
    """The commit failed in a way that leaves unknown what is on disk: stop, and recover from what is there."""


class StoreLockedError(Exception):
    """Another process has this store open for writing."""


class StoreFormatError(Exception):
    """The store cannot be read by this software; the text says why and what to do."""


class StoreDamagedError(StoreFormatError):
    """What lies on the disk is no store any more, below the journal and its hashes; the text says where."""


class Store(Protocol):
    """Reads see every commit that has returned. One thread commits; reads come from one other thread.

    Every read raises StoreDamagedError where it meets damage.
    """

    def commit(self, batch: StoredBatch | None, rows: Sequence[Row]) -> None:
        """Append the batch and put the rows, durably and all or nothing.

        Raises CommitRefusedError or CommitBrokenError.
        """
        ...

    def row(self, key: bytes) -> bytes | None:
        """The row's value, or None."""
        ...

    def rows(self, prefix: bytes, start: bytes = b"") -> Iterator[Row]:
        """All rows whose key begins with `prefix`, in key order, from `start` on."""
        ...

    def batch_holding(self, position: int) -> StoredBatch | None:
        """The batch with the event at `position`, or None past the end of the journal."""
        ...

    def batches(self, position: int) -> Iterator[StoredBatch]:
        """The batches from the one that holds `position` to the last, as of one instant."""
        ...

    def last_batch(self) -> StoredBatch | None:
        """The newest batch, or None if the journal is empty."""
        ...

    def usage(self) -> Usage:
        """How full the store is."""
        ...

    def forget_dead_readers(self) -> int:
        """Let go what processes still hold that were killed while they read; returns how many there were.

        Until then nothing is used again that was freed since they began, and the store grows.
        """
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...
