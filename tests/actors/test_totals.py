"""Totals by day and terminal: counted once, found again when old, and out of memory when stored."""

from __future__ import annotations

from actors.totals import DAYS_IN_MEMORY, Sums, Totals, TotalsKey

DAY = 20260901


def key(day: int = DAY, terminal: int = 1001, service: str = "purchase", period: int = 1) -> TotalsKey:
    return (day, 7, terminal, service, period)


def nothing_stored(_day: int, _terminal: int) -> dict[TotalsKey, Sums]:
    return {}


def test_counts_and_amounts_add_up_by_key() -> None:
    totals = Totals(nothing_stored)
    for position, counted in enumerate([key(), key(period=2), key(), key(service="top-up")], 1):
        totals.count([(counted, 100 * position, position)])
    assert totals.of(DAY, 1001) == {key(): (2, 400, 3), key(period=2): (1, 200, 2), key(service="top-up"): (1, 400, 4)}
    assert totals.of(DAY, 1002) == {}
    assert totals.of(DAY + 1, 1001) == {}


def test_event_that_is_counted_already_is_not_counted_again() -> None:
    totals = Totals(nothing_stored)
    for position in [1, 2, 1, 2, 3, 3]:
        totals.count([(key(), 10, position)])
    assert totals.of(DAY, 1001) == {key(): (3, 30, 3)}


def test_stored_day_is_read_before_it_is_counted_on() -> None:
    totals = Totals(lambda day, terminal: {key(): (5, 500, 9)} if (day, terminal) == (DAY, 1001) else {})
    totals.count([(key(), 100, 9)])
    totals.count([(key(), 100, 10)])
    totals.count([(key(period=2), 1, 11)])
    assert totals.of(DAY, 1001) == {key(): (6, 600, 10), key(period=2): (1, 1, 11)}


def test_days_of_a_terminal_in_memory() -> None:
    totals = Totals(nothing_stored)
    totals.count([(key(), 1, 1)])
    totals.count([(key(DAY + 1), 2, 2)])
    totals.count([(key(DAY + 1, terminal=1002), 3, 3)])
    assert totals.in_memory(1001) == [(DAY, {key(): (1, 1, 1)}), (DAY + 1, {key(DAY + 1): (1, 2, 2)})]
    assert totals.in_memory(1003) == []


class StoredDays:
    """What was stored of each terminal's day, and what was read back."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], dict[TotalsKey, Sums]] = {}
        self.reads: list[tuple[int, int]] = []

    def load(self, day: int, terminal: int) -> dict[TotalsKey, Sums]:
        self.reads.append((day, terminal))
        return self.rows.get((day, terminal), {})

    def write(self, totals: Totals, terminal: int) -> None:
        for day, sums in totals.in_memory(terminal):
            self.rows[day, terminal] = sums


def test_forgotten_day_is_read_back_when_an_event_counts_in_it() -> None:
    stored = StoredDays()
    totals = Totals(stored.load)
    for day in range(DAYS_IN_MEMORY + 2):
        totals.count([(key(DAY + day), 10, day + 1)])
    stored.write(totals, 1001)
    totals.forget(lambda _: None)
    assert [day for day, _ in totals.in_memory(1001)] == [DAY + 2, DAY + 3, DAY + 4]
    stored.reads.clear()
    totals.count([(key(DAY), 10, 99)])
    assert stored.reads == [(DAY, 1001)]
    assert totals.of(DAY, 1001) == {key(): (2, 20, 99)}


def test_day_that_is_not_stored_is_not_forgotten() -> None:
    totals = Totals(nothing_stored)
    for day in range(DAYS_IN_MEMORY + 2):
        totals.count([(key(DAY + day), 10, day + 1)])
    totals.forget(lambda _: 1)
    assert totals.of(DAY, 1001) == {key(): (1, 10, 1)}


def test_day_that_was_over_before_its_terminal_became_dirty_is_forgotten() -> None:
    totals = Totals(nothing_stored)
    for day in range(DAYS_IN_MEMORY + 2):
        totals.count([(key(DAY + day), 10, day + 1)])
    totals.forget(lambda _: 2)
    assert [day for day, _ in totals.in_memory(1001)] == [DAY + 1, DAY + 2, DAY + 3, DAY + 4]


def test_last_days_stay_in_memory() -> None:
    stored = StoredDays()
    totals = Totals(stored.load)
    for day in range(DAYS_IN_MEMORY):
        totals.count([(key(DAY + day), 10, day + 1)])
    totals.forget(lambda _: None)
    assert len(totals.in_memory(1001)) == DAYS_IN_MEMORY
