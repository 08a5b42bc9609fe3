"""The actors that are in memory: activated when first addressed, passivated when long unused."""

from __future__ import annotations

from collections.abc import Callable

from actors.cell import Cell

Actor = Cell[str, bytes]
"""An actor in memory holds its state packed, as its snapshot is: a state of a dozen objects lies in a dozen places of
memory, and to fetch those from a large memory costs more than to unpack one."""


class ActiveActors:
    """Two generations: an actor that is used moves to the young one; when that is half the cap, the old one is dropped.

    No timers and no order to keep up on every access. A dirty actor is never dropped.
    """

    def __init__(self, load: Callable[[str], bytes | None], active_max: int) -> None:
        """`load(number)` reads an actor's snapshot, or returns None if there never was such an actor."""
        self._load = load
        self._generation_max = max(1, active_max // 2)
        self._young: dict[str, Actor] = {}
        self._old: dict[str, Actor] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def find_young(self) -> Callable[[str], Actor | None]:
        """As `find`, without a Python call, but only for actors that `find` need not move. Good until `passivate`."""
        return self._young.get

    def find(self, number: str) -> Actor | None:
        """The actor, activated if need be; None if it does not exist."""
        actor = self._young.get(number)
        if actor is not None:
            return actor
        actor = self._old.pop(number, None)
        if actor is None:
            packed = self._load(number)
            if packed is None:
                return None
            actor = Cell(number, packed)
        self._young[number] = actor
        return actor

    def add(self, actor: Actor) -> None:
        """An actor that did not exist before does now."""
        self._young[actor.number] = actor

    def passivate(self) -> None:
        """Drop the old generation, but for its dirty actors, if the young one has grown to half the cap.

        Never during a turn.
        """
        if len(self._young) < self._generation_max:
            return
        kept = {number: actor for number, actor in self._old.items() if actor.dirty}
        self._old = self._young
        self._young = kept
