"""What is missing among offline numbers, what was said of it, and what is there twice.

The accounts of one terminal's uploads lie in all shards, so only all of them together can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import count, groupby, islice
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from actors.journal import Journal
from actors.kind import Kind
from actors.offline_numbers import OfflineNumber
from actors.snapshots import Snapshots
from actors.store import Store
from actors.terminal.events import GapExplained

_time: Final = attrgetter("time_us")


_Upload = tuple[OfflineNumber, int, int]
"""An offline number, place of the shard among those looked at, position of the event."""


class Gap(NamedTuple):
    """Numbers `first` to `last` of a terminal that were not uploaded, though a later one was."""

    terminal: int
    first: int
    last: int


class ExplainedGap(NamedTuple):
    """Numbers that were not uploaded, and of which an operator has said why."""

    terminal: int
    first: int
    last: int
    explanation: GapExplained


class Double(NamedTuple):
    """A number that a terminal gave to accounts of several shards: no shard could know, and each is posted."""

    terminal: int
    number: int
    events: tuple[tuple[int, int], ...]
    """Place of the shard among those looked at, position of the event."""


def find_gaps(stores: Sequence[Store]) -> Iterator[Gap | Double]:
    """By terminal and number, over all shards of a data folder. In little memory."""
    return (found for found in _look(merge(*map(_of_shard, count(), stores))) if found is not None)


def look_for_gaps(stores: Sequence[Store], page: int) -> Iterator[Gap | Double | None]:
    """The same in small steps, with None for each number where nothing is wrong.

    Between two steps no store is being read: whoever is slow hinders no writer, but may miss what comes meanwhile.
    """
    return _look(merge(*(_in_pages(place, store, page) for place, store in enumerate(stores))))


def _look(found: Iterable[_Upload]) -> Iterator[Gap | Double | None]:
    for terminal, uploads in groupby(found, key=lambda upload: upload[0][0]):
        expected = 1
        for (_, number), copies in groupby(uploads, key=itemgetter(0)):
            if number > expected:
                yield Gap(terminal, expected, number - 1)
            expected = number + 1
            events = tuple((place, position) for _, place, position in copies)
            yield Double(terminal, number, events) if len(events) > 1 else None


def split_gap(gap: Gap, explanations: Iterable[GapExplained]) -> Iterator[Gap | ExplainedGap]:
    """The gap in its order, cut where explanations begin and end. Of two for one number, the later one holds."""
    terminal, first, last = gap
    about = [
        said for said in explanations if said.of_terminal == terminal and said.first <= last and said.last >= first
    ]
    about.sort(key=_time, reverse=True)

    def said_of(number: int) -> GapExplained | None:
        return next((said for said in about if said.first <= number <= said.last), None)

    cuts = {first, *(max(first, said.first) for said in about), *(said.last + 1 for said in about if said.last < last)}
    pieces = [(said, next(numbers)) for said, numbers in groupby(sorted(cuts), key=said_of)]
    ends = [*(begin - 1 for _, begin in pieces[1:]), last]
    for (said, begin), end in zip(pieces, ends, strict=True):
        yield Gap(terminal, begin, end) if said is None else ExplainedGap(terminal, begin, end, said)


def find_explanations(store: Store, kind: Kind) -> list[GapExplained]:
    """What was said in one shard, in no particular order."""
    journal, snapshots = Journal(store, kind.event_type), Snapshots(store)
    # In this order beside a running switch: an alarm that has no row yet is in the tail that is read after it.
    replay_from = snapshots.ledger().replay_from
    heads = snapshots.alarms()
    for position, event in journal.events(replay_from):
        owner = kind.owner(event)
        if isinstance(owner, int):
            heads[owner] = max(position, heads.get(owner, 0))
    chains = (event for head in heads.values() for _, event in journal.chain(head))
    return [event for event in chains if isinstance(event, GapExplained)]


def _of_shard(place: int, store: Store) -> Iterator[_Upload]:
    for number, positions in Snapshots(store).offline_numbers():
        for position in positions:
            yield number, place, position


def _in_pages(place: int, store: Store, page: int) -> Iterator[_Upload]:
    first: OfflineNumber = (0, 0)
    while read := list(islice(Snapshots(store).offline_numbers(first), page)):
        for number, positions in read:
            for position in positions:
                yield number, place, position
        terminal, number_read = read[-1][0]
        first = terminal, number_read + 1
