"""What is missing among offline numbers, and what is there twice, over all shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from example_campus import BOB, OTHER_TILL, TILL, advice, opened_shard, perform
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.gaps import Double, Gap, find_gaps
from actors.memory_store import MemoryStore
from actors.snapshots import offline_row
from actors.store import Store


def shard_with(*numbers: tuple[int, int]) -> MemoryStore:
    """A shard with these offline numbers, at positions from 1 in their order."""
    store = MemoryStore()
    store.commit(None, [offline_row(number, (position,)) for position, number in enumerate(numbers, 1)])
    return store


def found(*shards: Store) -> list[Gap | Double]:
    return list(find_gaps(shards))


@pytest.mark.parametrize("shards", [[], [shard_with()], [shard_with((1, 1))], [shard_with((1, 2)), shard_with((1, 1))]])
def test_nothing_is_missing(shards: list[Store]) -> None:
    assert found(*shards) == []


def test_gaps_are_runs_and_begin_with_one() -> None:
    assert found(shard_with((7, 3), (7, 5), (7, 9))) == [Gap(7, 1, 2), Gap(7, 4, 4), Gap(7, 6, 8)]


def test_what_another_shard_has_is_not_missing() -> None:
    assert found(shard_with((7, 1), (7, 4)), shard_with((7, 3), (8, 2))) == [Gap(7, 2, 2), Gap(8, 1, 1)]


def test_a_terminal_that_lost_its_counter_leaves_one_long_gap() -> None:
    far = 2**63 - 1
    assert found(shard_with((99_999_999, 1), (99_999_999, far))) == [Gap(99_999_999, 2, far - 1)]


def test_a_number_of_two_shards() -> None:
    assert found(shard_with((7, 1), (7, 2)), shard_with((7, 2))) == [Double(7, 2, ((0, 2), (1, 1)))]


def test_a_number_of_two_events_in_one_shard() -> None:
    store = MemoryStore()
    store.commit(None, [offline_row((7, 1), (4, 9))])
    assert found(store) == [Double(7, 1, ((0, 4), (0, 9)))]


def test_what_a_shard_has_posted_and_what_it_has_declined() -> None:
    store = MemoryStore()
    perform(
        opened_shard(store), advice(20, 2), advice(21, 4, account=BOB), advice(22, 1, 0),
        advice(23, 1, terminal=OTHER_TILL.number),
    )  # fmt: skip
    assert found(store) == [Gap(TILL.number, 1, 1), Gap(TILL.number, 3, 3)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 12)), unique=True), max_size=4))
def test_gaps_and_doubles_are_what_a_count_says(shards: list[Iterable[tuple[int, int]]]) -> None:
    uploads = Counter(number for numbers in shards for number in numbers)
    expected_missing = {
        (terminal, number)
        for terminal, _ in uploads
        for number in range(1, max(counted for of, counted in uploads if of == terminal))
        if (terminal, number) not in uploads
    }
    results = found(*(shard_with(*numbers) for numbers in shards))
    missing = [
        (gap.terminal, number) for gap in results if isinstance(gap, Gap) for number in range(gap.first, gap.last + 1)
    ]
    doubles = {(one.terminal, one.number): len(one.events) for one in results if isinstance(one, Double)}
    assert sorted(missing) == sorted(expected_missing)
    assert doubles == {number: count for number, count in uploads.items() if count > 1}
