"""A store in memory whose commits a test can hold, refuse and break."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from actors.memory_store import MemoryStore
from actors.store import CommitBrokenError, CommitRefusedError, Row, StoredBatch

SECONDS_MAX = 20.0


class ControlledStore(MemoryStore):
    """Behaves like any store until told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        """What the next commits raise."""

        self.on_durable: Callable[[], None] = lambda: None
        """Called in the committing thread when a commit is done, just before it returns."""

        self.commits = 0
        self._begun = threading.Semaphore(0)
        self._gate = threading.Event()
        self._gate.set()

    def commit(self, batch: StoredBatch | None, rows: Sequence[Row]) -> None:
        """See Store.commit."""
        self._begun.release()
        assert self._gate.wait(SECONDS_MAX), "nobody let the commit go"
        if self.failure is not None:
            raise self.failure
        super().commit(batch, rows)
        self.commits += 1
        self.on_durable()

    def hold(self) -> None:
        """From now on commits do not end. Those that began before are forgotten by `begun`."""
        while self._begun.acquire(blocking=False):
            pass
        self._gate.clear()

    async def begun(self) -> None:
        """Wait until one more commit has begun."""
        assert await asyncio.to_thread(self._begun.acquire, timeout=SECONDS_MAX), "no commit began"

    def let_go(self) -> None:
        """Commits end again."""
        self._gate.set()

    def refuse(self) -> None:
        """From now on there is no space."""
        self.failure = CommitRefusedError("no space")

    def break_down(self) -> None:
        """From now on nobody knows what is on disk."""
        self.failure = CommitBrokenError("input/output error")

    def mend(self) -> None:
        """From now on there is space."""
        self.failure = None
