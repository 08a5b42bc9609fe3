"""What terminals took: counts and amounts by business day, merchant, terminal, service and meal period."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

DAYS_IN_MEMORY: Final = 3

TotalsKey = tuple[int, int, int, str, int]
"""Business day, merchant, terminal, service, meal period."""

Sums = list[int]
"""[count, amount in minor units, position of the newest event counted]."""


class Totals:
    """The last days in memory; older ones are read back when an event still counts in them."""

    def __init__(self, load: Callable[[int, int], dict[TotalsKey, Sums]]) -> None:
        """`load(business day, terminal)` reads what is stored of a terminal's day."""
        self._load = load
        self._sums: dict[TotalsKey, Sums] = {}
        self._keys: dict[int, dict[int, list[TotalsKey]]] = {}
        """By business day and terminal: the keys in memory."""

    def count(self, key: TotalsKey, amount: int, position: int) -> None:
        """Count an event's amount, unless it is counted already."""
        sums = self._sums.get(key)
        if sums is None:
            sums = self._first(key)
        if position > sums[2]:
            sums[0] += 1
            sums[1] += amount
            sums[2] = position

    def of(self, business_day: int, terminal: int) -> dict[TotalsKey, Sums]:
        """The totals of one terminal's day."""
        days = self._keys.setdefault(business_day, {})
        if terminal not in days:
            stored = self._load(business_day, terminal)
            self._sums.update(stored)
            days[terminal] = list(stored)
        return {key: self._sums[key] for key in days[terminal]}

    def in_memory(self, terminal: int) -> list[tuple[int, dict[TotalsKey, Sums]]]:
        """(business day, totals) of this terminal for the days in memory."""
        return [(day, self.of(day, terminal)) for day, terminals in self._keys.items() if terminal in terminals]

    def forget(self, is_dirty: Callable[[int], bool]) -> None:
        """Drop days older than the last DAYS_IN_MEMORY, if all their terminals are stored (`is_dirty` says no)."""
        if len(self._keys) <= DAYS_IN_MEMORY:
            return
        for business_day in sorted(self._keys)[:-DAYS_IN_MEMORY]:
            if not any(is_dirty(terminal) for terminal in self._keys[business_day]):
                for keys in self._keys.pop(business_day).values():
                    for key in keys:
                        del self._sums[key]

    def _first(self, key: TotalsKey) -> Sums:
        business_day, _, terminal, _, _ = key
        known = self.of(business_day, terminal)
        if key not in known:
            self._sums[key] = [0, 0, 0]
            self._keys[business_day][terminal].append(key)
        return self._sums[key]
