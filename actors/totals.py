"""What terminals took: counts and amounts by business day, merchant, terminal, service and meal period."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

DAYS_IN_MEMORY: Final = 3

TotalsKey = tuple[int, int, int, str, int]
"""Business day, merchant, terminal, service, meal period."""

Counted = tuple[TotalsKey, int, int]
"""Where an event counts, with what amount, and its position."""

Sums = list[int]
"""Count, amount in minor units, position of the newest event counted."""


class Totals:
    """The last days in memory; older ones are read back when an event still counts in them."""

    def __init__(self, load: Callable[[int, int], dict[TotalsKey, Sums]]) -> None:
        """`load(business day, terminal)` reads what is stored of a terminal's day."""
        self._load = load
        self._sums: dict[TotalsKey, Sums] = {}
        self._keys: dict[int, dict[int, list[TotalsKey]]] = {}
        """By business day and terminal: the keys in memory."""

    def find(self, counted: Iterable[Counted]) -> list[tuple[Sums, int, int]]:
        """The sums that events will count in, for `count`. Changes no sum."""
        known, first = self._sums.get, self._first
        return [(known(key) or first(key), amount, position) for key, amount, position in counted]

    @staticmethod
    def count(found: Iterable[tuple[Sums, int, int]]) -> None:
        """Count events' amounts where `find` found them, but for events that are counted already."""
        for sums, amount, position in found:
            if position > sums[2]:
                sums[0] += 1
                sums[1] += amount
                sums[2] = position

    def of(self, business_day: int, terminal: int) -> dict[TotalsKey, Sums]:
        """The totals of one terminal's day."""
        terminals = self._keys.setdefault(business_day, {})
        if terminal not in terminals:
            stored = self._load(business_day, terminal)
            terminals[terminal] = list(stored)
            self._sums.update(stored)
        # A key that was looked for in a turn that never became durable has counted nothing.
        return {key: sums for key in terminals[terminal] if (sums := self._sums[key])[0]}

    def read(self, business_day: int, terminal: int) -> dict[TotalsKey, Sums]:
        """As `of`, for a day on which perhaps nothing is counted any more, or ever was: it takes no place in memory."""
        in_memory = terminal in self._keys.get(business_day, {})
        return self.of(business_day, terminal) if in_memory else self._load(business_day, terminal)

    def in_memory(self, terminal: int) -> list[tuple[int, dict[TotalsKey, Sums]]]:
        """(business day, totals) of this terminal for the days in memory."""
        return [
            (day, sums)
            for day, terminals in self._keys.items()
            if terminal in terminals and (sums := self.of(day, terminal))
        ]

    def forget(self, dirty_since: Callable[[int], int | None]) -> None:
        """Drop days older than the last DAYS_IN_MEMORY that are wholly stored. Never during a turn.

        `dirty_since(terminal)` is the position from which on its rows lack events, or None. A busy terminal always
        lacks some, but soon none of a day that is over.
        """
        for business_day in sorted(self._keys)[:-DAYS_IN_MEMORY]:
            if self._is_stored(business_day, dirty_since):
                for keys in self._keys.pop(business_day).values():
                    for key in keys:
                        del self._sums[key]

    def _is_stored(self, business_day: int, dirty_since: Callable[[int], int | None]) -> bool:
        for terminal, keys in self._keys[business_day].items():
            since = dirty_since(terminal)
            if since is not None and any(self._sums[key][2] >= since for key in keys):
                return False
        return True

    def _first(self, key: TotalsKey) -> Sums:
        business_day, _, terminal, _, _ = key
        self.of(business_day, terminal)
        if key not in self._sums:
            self._keys[business_day][terminal].append(key)
            self._sums[key] = [0, 0, 0]
        return self._sums[key]
