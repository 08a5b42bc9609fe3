"""What terminals took: counts and amounts by business day, merchant, terminal, service and meal period."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

DAYS_IN_MEMORY: Final = 3

TotalsKey = tuple[int, int, int, str, int]
"""Business day, merchant, terminal, service, meal period."""

Counted = tuple[TotalsKey, int, int]
"""Where an event counts, with what amount, and its position."""

Sums = tuple[int, int, int]
"""Count, amount in minor units, position of the newest event counted."""


class Totals:
    """The last days in memory; older ones are read back when an event still counts in them."""

    def __init__(self, load: Callable[[int, int], dict[TotalsKey, Sums]]) -> None:
        """`load(business day, terminal)` reads what is stored of a terminal's day."""
        self._load = load
        self._places: dict[TotalsKey, int] = {}
        # Lists and not one array: to read and write an item of an array costs five times as much.
        self._counts: list[int] = []
        self._amounts: list[int] = []
        self._positions: list[int] = []
        self._keys: dict[int, dict[int, list[TotalsKey]]] = {}
        """By business day and terminal: the keys in memory."""

    def count(self, counted: Iterable[Counted]) -> None:
        """Count events' amounts, but for events that are counted already."""
        places, counts, amounts, positions = self._places, self._counts, self._amounts, self._positions
        for key, amount, position in counted:
            place = places.get(key)
            if place is None:
                place = self._first(key)
            if position > positions[place]:
                counts[place] += 1
                amounts[place] += amount
                positions[place] = position

    def of(self, business_day: int, terminal: int) -> dict[TotalsKey, Sums]:
        """The totals of one terminal's day."""
        terminals = self._keys.setdefault(business_day, {})
        if terminal not in terminals:
            stored = self._load(business_day, terminal)
            terminals[terminal] = list(stored)
            for key, sums in stored.items():
                self._put(key, sums)
        return {key: self._sums(self._places[key]) for key in terminals[terminal]}

    def in_memory(self, terminal: int) -> list[tuple[int, dict[TotalsKey, Sums]]]:
        """(business day, totals) of this terminal for the days in memory."""
        return [(day, self.of(day, terminal)) for day, terminals in self._keys.items() if terminal in terminals]

    def forget(self, dirty_since: Callable[[int], int | None]) -> None:
        """Drop days older than the last DAYS_IN_MEMORY that are wholly stored.

        `dirty_since(terminal)` is the position from which on its rows lack events, or None. A busy terminal always
        lacks some, but soon none of a day that is over.
        """
        if len(self._keys) <= DAYS_IN_MEMORY:
            return
        dropped = [
            business_day
            for business_day in sorted(self._keys)[:-DAYS_IN_MEMORY]
            if self._is_stored(business_day, dirty_since)
        ]
        if dropped:
            for business_day in dropped:
                del self._keys[business_day]
            self._compact()

    def _is_stored(self, business_day: int, dirty_since: Callable[[int], int | None]) -> bool:
        for terminal, keys in self._keys[business_day].items():
            since = dirty_since(terminal)
            if since is not None and any(self._positions[self._places[key]] >= since for key in keys):
                return False
        return True

    def _first(self, key: TotalsKey) -> int:
        business_day, _, terminal, _, _ = key
        if key not in self.of(business_day, terminal):
            self._keys[business_day][terminal].append(key)
            self._put(key, (0, 0, 0))
        return self._places[key]

    def _put(self, key: TotalsKey, sums: Sums) -> None:
        self._places[key] = len(self._counts)
        for numbers, number in zip((self._counts, self._amounts, self._positions), sums, strict=True):
            numbers.append(number)

    def _sums(self, place: int) -> Sums:
        return self._counts[place], self._amounts[place], self._positions[place]

    def _compact(self) -> None:
        """Close the gaps that dropped days left."""
        kept = {
            key: self._sums(self._places[key])
            for terminals in self._keys.values()
            for keys in terminals.values()
            for key in keys
        }
        self._places, self._counts, self._amounts, self._positions = {}, [], [], []
        for key, sums in kept.items():
            self._put(key, sums)
