"""Checks that no authorization number was given twice in a data folder, event by event and in little memory.

A shard gives its event at position p the number (p + after) * SLOTS + shard, with the same `after` in all shards of the
data folder. Two such numbers differ: in one shard by their positions, in two by what remains modulo SLOTS. So it is
enough to compare each with what it must be; none is remembered.

Numbers that a reshard carried over were given by other shards, at other positions, but none is above
after * SLOTS + SLOTS - 1, which is below all that the data folder's own shards give, because positions begin at 1. So
they need only differ among themselves, over all shards. Each is remembered as one bit: a former shard of 22 million
events, a year of a university, takes 3 MB.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from actors.journal import JournalBrokenError
from actors.placement import SLOTS

PAGE_BITS: Final = 1 << 16

_Page = tuple[int, int]
"""A former shard, and which PAGE_BITS of its positions."""


class Authorizations:
    """The authorization numbers of one data folder, seen shard by shard."""

    def __init__(self, after: int = 0) -> None:
        """`after`: the `authorizations_after` of all shards of the data folder."""
        self._after = after
        self._carried_over: defaultdict[_Page, bytearray] = defaultdict(lambda: bytearray(PAGE_BITS // 8))

    def see(self, authorization: int, shard: int, position: int) -> None:
        """The number of the event at `position` of the shard.

        Raises JournalBrokenError if it was seen before, or if neither this event nor one before a reshard was given it.
        """
        own = (position + self._after) * SLOTS + shard
        if authorization == own:
            return
        given_at, given_by = divmod(authorization, SLOTS)
        if not 1 <= given_at <= self._after:
            raise JournalBrokenError(position, f"authorization number {authorization}: this event's own is {own}")
        page = self._carried_over[given_by, given_at // PAGE_BITS]
        byte, bit = divmod(given_at % PAGE_BITS, 8)
        if page[byte] >> bit & 1:
            raise JournalBrokenError(position, f"authorization number {authorization} was given to two events")
        page[byte] |= 1 << bit
