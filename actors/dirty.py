"""Which members changed since their snapshot, by group, oldest first: the to-do list of the write-behind."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import filterfalse, islice
from typing import Generic, TypeVar

Group = TypeVar("Group")
Member = TypeVar("Member")


class DirtyGroups(Generic[Group, Member]):
    """Members are written group by group.

    The rows of one group are neighbours in the store: writing them together changes one page instead of many.
    """

    def __init__(self, group_of: Callable[[Member], Group]) -> None:
        self._group_of = group_of
        self._members: set[Member] = set()
        # Ordered by linked list: taking from the front of a plain dict walks over everything taken before.
        self._groups: OrderedDict[Group, tuple[int, list[Member]]] = OrderedDict()

    def __contains__(self, member: Member) -> bool:
        return member in self._members

    def __len__(self) -> int:
        return len(self._members)

    def mark(self, members: Iterable[Member], position: int) -> None:
        """Events from `position` on changed these members. Positions never decrease from call to call."""
        known = self._members
        for member in filterfalse(known.__contains__, members):
            known.add(member)
            group = self._group_of(member)
            entry = self._groups.get(group)
            if entry is None:
                self._groups[group] = (position, [member])
            else:
                entry[1].append(member)

    def since(self, group: Group) -> int | None:
        """The position from which on this group's snapshots lack events; None if they lack none."""
        entry = self._groups.get(group)
        return None if entry is None else entry[0]

    def groups(self) -> int:
        """How many groups have something to write."""
        return len(self._groups)

    def first_groups(self, count: int) -> list[tuple[Group, list[Member]]]:
        """The `count` groups with the oldest changes, oldest first."""
        return [(group, members) for group, (_, members) in islice(self._groups.items(), count)]

    def oldest_after(self, count: int) -> int | None:
        """The oldest position that some snapshot lacks once the first `count` groups are clean; None if none does."""
        return next((position for position, _ in islice(self._groups.values(), count, None)), None)

    def clean(self, groups: list[tuple[Group, list[Member]]]) -> None:
        """These groups are in their snapshots now."""
        for group, members in groups:
            del self._groups[group]
            self._members.difference_update(members)
