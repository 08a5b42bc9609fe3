"""The actors that are in memory: activated when first addressed, passivated when long unused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

State = TypeVar("State")


class ActiveActors(Generic[State]):
    """Two generations: an actor that is used moves to the young one; when that is half the cap, the old one is dropped.

    No timers and no order to keep up on every access. A dirty actor is never dropped.
    """

    def __init__(self, load: Callable[[str], State | None], active_max: int) -> None:
        """`load(number)` reads an actor's snapshot, or returns None if there never was such an actor."""
        self._load = load
        self._generation_max = max(1, active_max // 2)
        self._young: dict[str, State] = {}
        self._old: dict[str, State] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def find_young(self) -> Callable[[str], State | None]:
        """As `find`, without a Python call, but only for actors that `find` need not move. Good until `passivate`."""
        return self._young.get

    def find(self, number: str) -> State | None:
        """The actor's state, activating it if need be; None if it does not exist."""
        state = self._young.get(number)
        if state is not None:
            return state
        state = self._old.pop(number, None)
        if state is None:
            state = self._load(number)
        if state is not None:
            self._young[number] = state
        return state

    def adopt(self, states: Mapping[str, State]) -> None:
        """These are the states now."""
        self._young.update(states)
        if self._old:
            for number in states:
                self._old.pop(number, None)

    def passivate(self, is_dirty: Callable[[str], bool]) -> None:
        """Drop the old generation, but for its dirty actors, if the young one has grown to half the cap."""
        if len(self._young) < self._generation_max:
            return
        kept = {number: state for number, state in self._old.items() if is_dirty(number)}
        self._old = self._young
        self._young = kept
