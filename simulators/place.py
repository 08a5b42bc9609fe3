"""A canteen's windows, the top-up machines, the kiosks, the baths, the desks: who comes takes one, or queues."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from simulators.plan import Visit
from simulators.terminal import Terminal


class Due(Struct, frozen=True):
    """A visit and the monotonic time at which it is due."""

    visit: Visit
    at: float


class Place:
    """Who comes takes the terminal that was idle longest, or queues."""

    def __init__(self, terminals: Sequence[Terminal]) -> None:
        self.terminals = tuple(terminals)
        self.free = deque(terminals)
        self.queue: deque[Due] = deque()

    @property
    def windows(self) -> int:
        """How many there are in all."""
        return len(self.terminals)
