"""Which cells changed since their snapshot, by group, oldest first: the to-do list of the write-behind."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Generic, TypeVar

from actors.cell import Cell

Member = TypeVar("Member", bound=Cell[Any, Any])


class DirtyGroups(Generic[Member]):
    """Cells are written group by group.

    The rows of one group are neighbours in the store: writing them together changes one page instead of many.
    """

    def __init__(self, group_of: Callable[[Any], int]) -> None:
        """`group_of(number)` is a cell's group."""
        self._group_of = group_of
        # Ordered by linked list: taking from the front of a plain dict walks over everything taken before.
        self._groups: OrderedDict[int, tuple[int, list[Member]]] = OrderedDict()

    def __len__(self) -> int:
        """How many groups have something to write."""
        return len(self._groups)

    def mark(self, cells: Iterable[Member], position: int) -> None:
        """Events from `position` on changed these cells. Positions never decrease from call to call."""
        for cell in cells:
            if cell.dirty:
                continue
            cell.dirty = True
            group = self._group_of(cell.number)
            entry = self._groups.get(group)
            if entry is None:
                self._groups[group] = (position, [cell])
            else:
                entry[1].append(cell)

    def members(self, group: int) -> Iterable[Member]:
        """The cells of this group that changed since their snapshot."""
        entry = self._groups.get(group)
        return () if entry is None else entry[1]

    def since(self, group: int) -> int | None:
        """The position from which on this group's snapshots lack events; None if they lack none."""
        entry = self._groups.get(group)
        return None if entry is None else entry[0]

    def first_groups(self, count: int) -> list[tuple[int, list[Member]]]:
        """The `count` groups with the oldest changes, oldest first."""
        return [(group, cells) for group, (_, cells) in islice(self._groups.items(), count)]

    def oldest_after(self, count: int) -> int | None:
        """The oldest position that some snapshot lacks once the first `count` groups are clean; None if none does."""
        return next((position for position, _ in islice(self._groups.values(), count, None)), None)

    def clean(self, groups: list[tuple[int, list[Member]]]) -> None:
        """These groups are in their snapshots now."""
        for group, cells in groups:
            del self._groups[group]
            for cell in cells:
                cell.dirty = False
