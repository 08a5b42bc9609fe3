"""What is missing among offline numbers, and what is there twice.

The accounts of one terminal's uploads lie in all shards, so only all of them together can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from actors.offline_numbers import OfflineNumber
from actors.snapshots import Snapshots
from actors.store import Store


class Gap(NamedTuple):
    """Numbers `first` to `last` of a terminal that were not uploaded, though a later one was."""

    terminal: int
    first: int
    last: int


class Double(NamedTuple):
    """A number that a terminal gave to accounts of several shards: no shard could know, and each is posted."""

    terminal: int
    number: int
    events: tuple[tuple[int, int], ...]
    """Place of the shard among those looked at, position of the event."""


def find_gaps(stores: Sequence[Store]) -> Iterator[Gap | Double]:
    """By terminal and number, over all shards of a data folder. In little memory."""
    found = merge(*(_of_shard(place, store) for place, store in enumerate(stores)))
    for terminal, uploads in groupby(found, key=lambda upload: upload[0][0]):
        expected = 1
        for (_, number), copies in groupby(uploads, key=itemgetter(0)):
            if number > expected:
                yield Gap(terminal, expected, number - 1)
            expected = number + 1
            events = tuple((place, position) for _, place, position in copies)
            if len(events) > 1:
                yield Double(terminal, number, events)


def _of_shard(place: int, store: Store) -> Iterator[tuple[OfflineNumber, int, int]]:
    for number, positions in Snapshots(store).offline_numbers():
        for position in positions:
            yield number, place, position
