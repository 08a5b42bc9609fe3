"""Slots are for ever: a number that moved would be an account without its past."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.placement import SLOTS, shard_of, slot_of, slots_of

GOLDEN = {
    "123456789": 0x926,  # the check value of CRC-32 in every catalogue, CBF43926, in its low 12 bits
    "0": 3873,
    "1": 4023,
    "1001": 897,
    "20260001": 3651,
    "20260002": 4089,
    "020260001": 1366,
    "9999999999999999999": 1335,
}


@pytest.mark.parametrize(("number", "slot"), GOLDEN.items())
def test_slot_never_changes(number: str, slot: int) -> None:
    assert slot_of(number) == slot


def test_there_are_4096_slots() -> None:
    assert SLOTS == 4_096


RANGES = {
    "students by year and number": [f"{2000 + year}{index:04}" for year in range(22, 27) for index in range(8_000)],
    "ten digits": [f"{index:010}" for index in range(40_000)],
    "nineteen digits": [f"6217{index:015}" for index in range(40_000)],
    "every tenth": [f"{10 * index:08}" for index in range(40_000)],
    "terminals": [str(index) for index in range(1_000, 41_000)],
}


@pytest.mark.parametrize("numbers", RANGES.values(), ids=RANGES)
def test_numbers_spread_evenly(numbers: list[str]) -> None:
    """Of 40,000 numbers each slot has about 10, and no share of the slots has noticeably more than its share."""
    slots = Counter(map(slot_of, numbers))
    assert len(slots) == SLOTS
    assert max(slots.values()) <= 20
    for shards in (2, 3, 4, 8):
        shares = Counter(slot * shards // SLOTS for slot in map(slot_of, numbers))
        assert max(shares.values()) < 1.01 * len(numbers) / shards


SHARDS = st.integers(1, SLOTS)


@given(SHARDS)
def test_each_slot_has_one_shard(shards: int) -> None:
    """The runs of the shards follow each other without a gap, and `shard_of` agrees with them."""
    runs = [slots_of(shard, shards) for shard in range(shards)]
    assert [slot for run in runs for slot in run] == list(range(SLOTS))
    for shard, run in enumerate(runs):
        assert {shard_of(run[0], shards), shard_of(run[-1], shards)} == {shard}


@given(SHARDS)
def test_shards_are_of_nearly_the_same_size(shards: int) -> None:
    sizes = {len(slots_of(shard, shards)) for shard in range(shards)}
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) == SLOTS // shards


@pytest.mark.parametrize(("slot", "shards", "shard"), [(0, 3, 0), (1365, 3, 0), (1366, 3, 1), (4095, 3, 2), (9, 1, 0)])
def test_the_shard_of_a_slot(slot: int, shards: int, shard: int) -> None:
    assert shard_of(slot, shards) == shard
    assert slot in slots_of(shard, shards)
