"""Which offline numbers came to which events: an index in the store, written in the commit of its events.

So an upload is looked up by one read, however long the histories of its accounts are, and nothing is kept in memory.
"""

from __future__ import annotations

from collections.abc import Callable

OfflineNumber = tuple[int, int]
"""A terminal, and the number that it gave while it was offline: from 1, without gaps."""

Positions = tuple[int, ...]
"""Of the events that an offline number came to, in their order. More than one only where a terminal gave it to accounts
of several shards, which a reshard brought together."""


class OfflineNumbers:
    """The stored index, and what the next commit will add to it."""

    def __init__(self, load: Callable[[OfflineNumber], Positions]) -> None:
        """`load(number)` reads what is stored; empty if nothing is."""
        self._load = load
        self._unwritten: dict[OfflineNumber, Positions] = {}

    def positions(self, number: OfflineNumber) -> Positions:
        """Of the events that the number came to, those of the turn in progress among them; empty if it is new."""
        return self._unwritten.get(number) or self._load(number)

    def add(self, number: OfflineNumber, position: int) -> None:
        """The number came to the event at `position`; in a replay the index may know it already."""
        known = self.positions(number)
        if position not in known:
            self._unwritten[number] = (*known, position)

    def unwritten(self) -> list[tuple[OfflineNumber, Positions]]:
        """What the next commit has to write."""
        return list(self._unwritten.items())

    def written(self, numbers: list[tuple[OfflineNumber, Positions]]) -> None:
        """These are durable now."""
        for number, _ in numbers:
            del self._unwritten[number]

    def drop(self, first: int) -> None:
        """No event from position `first` on ever happened."""
        for number, positions in self.unwritten():
            if positions[-1] >= first:
                del self._unwritten[number]
