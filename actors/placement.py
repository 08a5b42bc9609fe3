"""Where an actor lives: a number gives one of 4,096 slots, for ever; a shard owns slots."""

from __future__ import annotations

from typing import Final
from zlib import crc32

SLOTS: Final = 4_096


def slot_of(number: str) -> int:
    """The slot of an account or terminal number: CRC-32 (ISO 3309, as in zlib) of its UTF-8 bytes, modulo 4,096.

    Chosen because every language has it, and because decimal numbers spread evenly over its low bits.
    """
    return crc32(number.encode()) % SLOTS


def shard_of(slot: int, shards: int) -> int:
    """Which of `shards` shards owns the slot: each owns a run of neighbours, and no two differ by more than one."""
    return slot * shards // SLOTS


def slots_of(shard: int, shards: int) -> range:
    """The slots of one of `shards` shards."""
    return range(-(-shard * SLOTS // shards), -(-(shard + 1) * SLOTS // shards))
