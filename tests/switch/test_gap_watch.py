"""The slow look for offline numbers that are missing."""

from __future__ import annotations

import asyncio

import pytest
from example_campus import BOB, DESK, TILL, advice, opened_shard, opening, perform

from actors.memory_store import MemoryStore
from actors.shard import Shard
from switch import gap_watch
from switch.gap_watch import FoundGaps, GapWatch
from switch.metric_sources import of_gaps
from wire.messages import Emergency, ExplainGap


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(gap_watch, "REST_S", 0)
    monkeypatch.setattr(gap_watch, "PAUSE_S", 0)


@pytest.fixture
def store():
    return MemoryStore()


async def found_by(stores: list[MemoryStore], shards: list[Shard]) -> FoundGaps:
    """What one search comes to."""
    return await GapWatch(stores, shards)._search()


def explain(stan: int, first: int, last: int) -> ExplainGap:
    return ExplainGap(DESK.number, stan, 3_000, "wu", TILL.number, first, last, "the till fell into the soup")


async def test_gaps_are_runs_and_one_that_is_explained_is_none(store):
    shard = opened_shard(store)
    assert await found_by([store], [shard]) == FoundGaps(0, 0)
    perform(shard, advice(1, 2), advice(2, 5), advice(3, 6), Emergency(TILL.number, 4, 3_000, "", ""))
    assert await found_by([store], [shard]) == FoundGaps(2, 0)
    perform(shard, explain(1, 3, 3))
    assert await found_by([store], [shard]) == FoundGaps(2, 0), "4 is missing still"
    perform(shard, explain(2, 1, 4))
    assert await found_by([store], [shard]) == FoundGaps(0, 0)


async def test_shards_together_have_no_gap_that_only_one_has(store, monkeypatch):
    monkeypatch.setattr(gap_watch, "AT_ONCE", 2)
    other_store = MemoryStore()
    shards = [opened_shard(store), opened_shard(other_store, opening(BOB))]
    perform(shards[0], *(advice(number, number) for number in (1, 3, 5, 7, 8)))
    perform(shards[1], *(advice(number, number, account=BOB) for number in (2, 4, 6, 8)))
    assert await found_by([store, other_store], shards) == FoundGaps(0, 1)


async def test_gaps_past_the_limit_are_counted_too(store, monkeypatch):
    monkeypatch.setattr(gap_watch, "GAPS_MAX", 1)
    shard = opened_shard(store)
    perform(shard, advice(1, 2), advice(2, 4), advice(3, 6))
    assert await found_by([store], [shard]) == FoundGaps(3, 0)


async def test_it_looks_again_and_again_and_says_nothing_before_the_first_time(store):
    shard = opened_shard(store)
    watch = GapWatch([store], [shard])
    assert list(of_gaps(watch)) == []
    searching = asyncio.create_task(watch.run())
    async with asyncio.timeout(20):
        while watch.found is None:  # noqa: ASYNC110 - the search is the one that has to run meanwhile
            await asyncio.sleep(0)
        assert {family.name: dict(family.values) for family in of_gaps(watch)} == {
            "offline_gaps": {(): 0},
            "offline_doubles": {(): 0},
        }
        perform(shard, advice(1, 2))
        while watch.found == FoundGaps(0, 0):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    assert watch.found == FoundGaps(1, 0)
    searching.cancel()


async def test_a_journal_that_cannot_be_read_ends_it_and_nothing_else(store):
    shard = opened_shard(store)
    perform(shard, advice(1, 2), explain(1, 1, 1))
    watch = GapWatch([store], [shard])
    store._batches.clear()
    await watch.run()
    assert watch.found is None
