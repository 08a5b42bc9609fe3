"""What is to be driven: what a person chose, and a switch with its campus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from simulators.accounts import Card
from simulators.campus import Campus
from simulators.scenario import Scenario
from simulators.station import Address


class Settings(Struct, frozen=True):
    """What a person chose."""

    cards: int | None
    scenario: Scenario
    speed: float
    seed: int
    report: Path

    @property
    def drive_seconds(self) -> float:
        """Real time over which the taps arrive."""
        return self.scenario.seconds / self.speed


class Scene(Struct, frozen=True):
    """A switch with its campus, as it is before the first tap."""

    address: Address
    http: str | None
    campus: Campus
    cards: Sequence[Card]
    today: int
    whole_day: bool
    """Whether everything of that business day was, or will be, seen, and no other day is touched."""

    clock_rate: float = 1.0
    """How many seconds of the switch's clock pass in a real one."""

    at_home: Sequence[Card] = ()
    """Cards that nobody uses, because nobody knows what they hold; the auditor still knows of them."""

    first_offline_number: int | None = 1
    """With which terminals begin; None: they lost their counter, and continue from the switch's time."""
