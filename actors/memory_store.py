"""A store in memory: for tests and simulation. Keeps the same promises as the real one, but for durability."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from actors.store import Row, StoredBatch, Usage


class MemoryStore:
    """Sorted keys and a list of batches."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._batches: list[StoredBatch] = []

    def commit(self, batch: StoredBatch | None, rows: Sequence[Row]) -> None:
        """See Store.commit."""
        if batch is not None:
            assert not self._batches or self._batches[-1].last_position < batch.last_position, "the journal only grows"
            self._batches.append(batch)
        self._rows.update(rows)

    def row(self, key: bytes) -> bytes | None:
        """See Store.row."""
        return self._rows.get(key)

    def rows(self, prefix: bytes, start: bytes = b"") -> Iterator[Row]:
        """See Store.rows."""
        keys = sorted(key for key in self._rows if key.startswith(prefix) and key >= start)
        return iter([(key, self._rows[key]) for key in keys])

    def batch_holding(self, position: int) -> StoredBatch | None:
        """See Store.batch_holding."""
        return next(self.batches(position), None)

    def batches(self, position: int) -> Iterator[StoredBatch]:
        """See Store.batches."""
        index = bisect_left(self._batches, position, key=lambda batch: batch.last_position)
        return iter(self._batches[index:])

    def last_batch(self) -> StoredBatch | None:
        """See Store.last_batch."""
        return self._batches[-1] if self._batches else None

    def usage(self) -> Usage:
        """See Store.usage."""
        used = sum(len(key) + len(value) for key, value in self._rows.items())
        return Usage(used + sum(len(batch.value) for batch in self._batches), 0)

    def forget_dead_readers(self) -> int:
        """See Store.forget_dead_readers. Nobody else reads."""
        return 0

    def close(self) -> None:
        """See Store.close."""
