"""Totals by day and terminal: counted once, found again when old, and out of memory when stored."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.totals import DAYS_IN_MEMORY, Counted, Sums, Totals, TotalsKey

DAY = 20260901


def key(day: int = DAY, terminal: int = 1001, service: str = "purchase", period: int = 1) -> TotalsKey:
    return (day, 7, terminal, service, period)


def nothing_stored(_day: int, _terminal: int) -> dict[TotalsKey, Sums]:
    return {}


def count(totals: Totals, *counted: Counted) -> None:
    """Count the events of a turn that became durable."""
    totals.count(totals.find(counted))


def test_counts_and_amounts_add_up_by_key() -> None:
    totals = Totals(nothing_stored)
    for position, counted in enumerate([key(), key(period=2), key(), key(service="top-up")], 1):
        count(totals, (counted, 100 * position, position))
    assert totals.of(DAY, 1001) == {key(): [2, 400, 3], key(period=2): [1, 200, 2], key(service="top-up"): [1, 400, 4]}
    assert totals.of(DAY, 1002) == {}
    assert totals.of(DAY + 1, 1001) == {}


def test_events_of_one_turn_add_up_where_they_are_found_together() -> None:
    totals = Totals(nothing_stored)
    count(totals, (key(), 10, 1), (key(period=2), 20, 2), (key(), 30, 3))
    assert totals.of(DAY, 1001) == {key(): [2, 40, 3], key(period=2): [1, 20, 2]}


def test_event_that_is_counted_already_is_not_counted_again() -> None:
    totals = Totals(nothing_stored)
    for position in [1, 2, 1, 2, 3, 3]:
        count(totals, (key(), 10, position))
    assert totals.of(DAY, 1001) == {key(): [3, 30, 3]}


def test_found_sums_are_unchanged_until_they_are_counted() -> None:
    totals = Totals(nothing_stored)
    count(totals, (key(), 10, 1))
    found = totals.find([(key(), 20, 2), (key(period=2), 30, 3), (key(DAY + 1), 40, 4)])
    assert totals.of(DAY, 1001) == {key(): [1, 10, 1]}
    assert totals.of(DAY + 1, 1001) == {}
    totals.count(found)
    assert totals.of(DAY, 1001) == {key(): [2, 30, 2], key(period=2): [1, 30, 3]}
    assert totals.of(DAY + 1, 1001) == {key(DAY + 1): [1, 40, 4]}


def test_what_was_found_for_a_turn_that_never_became_durable_leaves_no_trace() -> None:
    totals = Totals(nothing_stored)
    totals.find([(key(), 10, 1), (key(period=2), 20, 2)])
    assert totals.of(DAY, 1001) == {}
    assert [sums for _, sums in totals.in_memory(1001) if sums] == []
    count(totals, (key(period=2), 5, 1))
    assert totals.of(DAY, 1001) == {key(period=2): [1, 5, 1]}


def test_event_without_an_amount_is_counted_all_the_same() -> None:
    totals = Totals(nothing_stored)
    count(totals, (key(), 0, 1))
    assert totals.of(DAY, 1001) == {key(): [1, 0, 1]}


def test_stored_day_is_read_before_it_is_counted_on() -> None:
    totals = Totals(lambda day, terminal: {key(): [5, 500, 9]} if (day, terminal) == (DAY, 1001) else {})
    count(totals, (key(), 100, 9))
    count(totals, (key(), 100, 10))
    count(totals, (key(period=2), 1, 11))
    assert totals.of(DAY, 1001) == {key(): [6, 600, 10], key(period=2): [1, 1, 11]}


def test_days_of_a_terminal_in_memory() -> None:
    totals = Totals(nothing_stored)
    count(totals, (key(), 1, 1))
    count(totals, (key(DAY + 1), 2, 2))
    count(totals, (key(DAY + 1, terminal=1002), 3, 3))
    assert totals.in_memory(1001) == [(DAY, {key(): [1, 1, 1]}), (DAY + 1, {key(DAY + 1): [1, 2, 2]})]
    assert totals.in_memory(1003) == []


class StoredDays:
    """What was stored of each terminal's day, and what was read back."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], dict[TotalsKey, Sums]] = {}
        self.reads: list[tuple[int, int]] = []

    def load(self, day: int, terminal: int) -> dict[TotalsKey, Sums]:
        self.reads.append((day, terminal))
        return {row_key: [*sums] for row_key, sums in self.rows.get((day, terminal), {}).items()}

    def write(self, totals: Totals, terminal: int) -> None:
        for day, totals_of_day in totals.in_memory(terminal):
            self.rows[day, terminal] = {row_key: [*sums] for row_key, sums in totals_of_day.items()}


def test_forgotten_day_is_read_back_when_an_event_counts_in_it() -> None:
    stored = StoredDays()
    totals = Totals(stored.load)
    for day in range(DAYS_IN_MEMORY + 2):
        count(totals, (key(DAY + day), 10, day + 1))
    stored.write(totals, 1001)
    totals.forget(lambda _: None)
    assert [day for day, _ in totals.in_memory(1001)] == [DAY + 2, DAY + 3, DAY + 4]
    stored.reads.clear()
    count(totals, (key(DAY), 10, 99))
    assert stored.reads == [(DAY, 1001)]
    assert totals.of(DAY, 1001) == {key(): [2, 20, 99]}


def test_day_that_is_not_stored_is_not_forgotten() -> None:
    totals = Totals(nothing_stored)
    for day in range(DAYS_IN_MEMORY + 2):
        count(totals, (key(DAY + day), 10, day + 1))
    totals.forget(lambda _: 1)
    assert totals.of(DAY, 1001) == {key(): [1, 10, 1]}


def test_day_that_was_over_before_its_terminal_became_dirty_is_forgotten() -> None:
    totals = Totals(nothing_stored)
    for day in range(DAYS_IN_MEMORY + 2):
        count(totals, (key(DAY + day), 10, day + 1))
    totals.forget(lambda _: 2)
    assert [day for day, _ in totals.in_memory(1001)] == [DAY + 1, DAY + 2, DAY + 3, DAY + 4]


def test_last_days_stay_in_memory() -> None:
    stored = StoredDays()
    totals = Totals(stored.load)
    for day in range(DAYS_IN_MEMORY):
        count(totals, (key(DAY + day), 10, day + 1))
    totals.forget(lambda _: None)
    assert len(totals.in_memory(1001)) == DAYS_IN_MEMORY


def test_keys_that_were_only_looked_for_keep_no_day_in_memory() -> None:
    totals = Totals(nothing_stored)
    for day in range(DAYS_IN_MEMORY + 2):
        totals.find([(key(DAY + day), 10, 1)])
    totals.forget(lambda _: 1)
    assert (len(totals._keys), totals.in_memory(1001)) == (DAYS_IN_MEMORY, [])


KEYS = st.builds(key, st.integers(DAY, DAY + 5), st.integers(1001, 1003), st.just("purchase"), st.integers(0, 1))
TURNS = st.lists(
    st.tuples(st.lists(st.tuples(KEYS, st.integers(0, 100)), max_size=6), st.sampled_from(["adopt", "drop", "store"])),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(TURNS)
def test_agrees_with_a_plain_dictionary_of_durable_events(turns: list[tuple[list[tuple[TotalsKey, int]], str]]) -> None:
    stored = StoredDays()
    totals = Totals(stored.load)
    expected: dict[TotalsKey, list[int]] = {}
    dirty: dict[int, int] = {}
    position = 0
    for events, end in turns:
        found = totals.find((event, amount, position + n) for n, (event, amount) in enumerate(events, 1))
        if end != "drop":
            totals.count(found)
            for event, amount in events:
                position += 1
                dirty.setdefault(event[2], position)
                sums = expected.setdefault(event, [0, 0, 0])
                expected[event] = [sums[0] + 1, sums[1] + amount, position]
        if end == "store":
            stored.write(totals, 1001)
            dirty.pop(1001, None)
            totals.forget(dirty.get)
    for day in range(DAY, DAY + 6):
        for terminal in range(1001, 1004):
            of_day = {event: sums for event, sums in expected.items() if (event[0], event[2]) == (day, terminal)}
            assert totals.of(day, terminal) == of_day


def test_what_is_only_read_takes_no_place_in_memory() -> None:
    stored: dict[TotalsKey, Sums] = {key(DAY - 9): [4, 400, 40]}
    totals = Totals(
        lambda day, terminal: {at: sums for at, sums in stored.items() if (at[0], at[2]) == (day, terminal)}
    )
    count(totals, (key(), 10, 50))
    assert totals.read(DAY, 1001) == {key(): [1, 10, 50]}
    assert totals.read(DAY - 9, 1001) == stored
    assert totals.read(DAY - 9, 1002) == totals.read(DAY + 9, 1001) == {}
    assert {day for day, _ in totals.in_memory(1001)} == {DAY}
    count(totals, (key(DAY - 9), 1, 51))
    assert totals.read(DAY - 9, 1001) == {key(DAY - 9): [5, 401, 51]}
