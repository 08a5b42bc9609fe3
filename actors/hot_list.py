"""The hot list of a shard: cards that must not be used, and those that may be again, by the position of the change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

GOOD = ""
"""The state of a card that may be used again: it stays listed, so that whoever knows it as hot is told."""


class HotChange(NamedTuple):
    """At `position` of the journal the card became hot, for the reason that `state` names, or good again."""

    position: int
    card: str
    state: str


class HotList:
    """Each card once, with its newest change: memory is bounded by the cards that were ever hot, 300 bytes for each."""

    def __init__(self, changes: Iterable[HotChange] = ()) -> None:
        self._newest: dict[str, HotChange] = {}
        self._in_order: list[HotChange] = []
        """All in `_newest`, and some that are out of date."""

        self.note(sorted(changes))

    def __len__(self) -> int:
        return len(self._newest)

    def newest(self, card: str) -> HotChange | None:
        """What is listed of a card."""
        return self._newest.get(card)

    def note(self, changes: Iterable[HotChange]) -> None:
        """Take over changes, in order; those that are known are ignored."""
        for change in changes:
            known = self._newest.get(change.card)
            if known is None or known.position < change.position:
                self._newest[change.card] = change
                self._in_order.append(change)
        if len(self._in_order) > 2 * len(self._newest) + 1_000:
            self._in_order = sorted(self._newest.values())

    def since(self, position: int, count: int) -> tuple[list[HotChange], bool]:
        """The oldest changes after `position`, about `count` of them, and whether there are more.

        Those of one position are never torn apart.
        """
        start = bisect_right(self._in_order, position, key=lambda change: change.position)
        newest = self._newest
        found: list[HotChange] = []
        for change in islice(self._in_order, start, None):
            if newest[change.card] is change:
                if len(found) >= count and change.position != found[-1].position:
                    return found, True
                found.append(change)
        return found, False
