"""When people come: a stretch of a working day, how its taps spread over it, and what else happens then.

The figures are those of published campus data (519,367 records of one college, April 2019) unless marked assumed.
"""

from __future__ import annotations

from datetime import timedelta
from statistics import NormalDist
from typing import Final

from msgspec import Struct
from msgspec.structs import replace


class Wave(Struct, frozen=True):
    """People who come normally distributed around a minute of the scenario; `weight` is their share of all taps."""

    weight: float
    peak_minute: float
    deviation_minutes: float

    def share(self, minute: int, minutes: int) -> float:
        """Share of all taps that is expected in this minute of a scenario of so many."""
        curve = NormalDist(self.peak_minute, self.deviation_minutes)
        return self.weight * (curve.cdf(minute + 1) - curve.cdf(minute)) / (curve.cdf(minutes) - curve.cdf(0))


class Stretch(Struct, frozen=True):
    """People who come evenly from one minute of the scenario to another; `weight` is their share of all taps."""

    weight: float
    from_minute: int
    to_minute: int

    def share(self, minute: int, _minutes: int) -> float:
        """Share of all taps that is expected in this minute."""
        return self.weight / (self.to_minute - self.from_minute) if self.from_minute <= minute < self.to_minute else 0.0


class Outage(Struct, frozen=True):
    """Minutes of the scenario in which a canteen cannot reach the switch."""

    canteen: int
    """By its index; the first is the largest."""

    from_minute: int
    to_minute: int


class Scenario(Struct, frozen=True):
    """A part of a day at the campus."""

    name: str
    starts: timedelta
    """After midnight at the campus."""

    minutes: int
    taps_per_card: float
    """Meals."""

    parts: tuple[Wave | Stretch, ...]
    drive_seconds: float
    """Real time into which it is compressed unless one chooses."""

    outages: tuple[Outage, ...] = ()
    baths: Stretch | None = None
    """When people bathe; its weight is how many baths a card takes."""

    grants: Stretch | None = None
    """When the card office grants a batch of subsidies; its weight is how many a student gets."""

    @property
    def seconds(self) -> int:
        """How long it takes, not compressed."""
        return self.minutes * 60

    def share(self, minute: int) -> float:
        """Share of its meals that is expected in this minute."""
        return sum(part.share(minute, self.minutes) for part in self.parts)

    def taps_per_second_max(self, cards: int) -> float:
        """In its peak minute, not compressed."""
        return max(map(self.share, range(self.minutes))) * cards * self.taps_per_card / 60

    def grants_per_second(self, cards: int) -> float:
        """While a batch is granted, if everybody gets it, not compressed."""
        return self.grants.share(self.grants.from_minute, self.minutes) * cards / 60 if self.grants else 0.0

    def baths_per_second(self, cards: int) -> float:
        """While people bathe, not compressed."""
        return self.baths.share(self.baths.from_minute, self.minutes) * cards / 60 if self.baths else 0.0


def _lunch(shape: str, *waves: Wave) -> Scenario:
    flat = 1 - sum(wave.weight for wave in waves)
    rest = (Stretch(flat, 0, 180),) if flat > 0 else ()
    return Scenario(f"lunch, {shape}", timedelta(hours=10, minutes=20), 180, 35_900 / 30_000, (*waves, *rest), 50.0)


LUNCHES: Final = {
    "smooth": _lunch("smooth", Wave(1.0, 90, 30)),
    "two-waves": _lunch("two waves", Wave(0.54, 75, 9), Wave(0.36, 110, 9)),
    "stress": _lunch("stress", Wave(1.0, 90, 10)),
}
"""Peak minute 1.33, 2.45 and 4.0 % of the lunch."""

_OUTAGE: Final = Outage(canteen=0, from_minute=65, to_minute=105)
"""The largest canteen loses the first wave of two, and uploads it in the second."""

_PERCENT_BY_HOUR: Final = {
    6: 0.4, 7: 15.1, 8: 3.2, 9: 4.1, 10: 1.6, 11: 23.2, 12: 14.3, 13: 0.9, 14: 0.5, 15: 0.9, 16: 5.2, 17: 10.5,
    18: 10.7, 19: 3.1, 20: 1.2, 21: 2.0, 22: 1.2, 23: 0.0,
}  # fmt: skip
"""Of a working day's taps. What is missing to 100 came after midnight, which is another business day."""

_TAPS_PER_CARD_AND_DAY: Final = 3.0

_EVENING: Final = Stretch(0.2, 13 * 60, 17 * 60)
"""Baths from seven to eleven. How many people take one, and when, is assumed."""

_BATCH: Final = Stretch(1.0, 60, 100)
"""From seven on, while people have breakfast. Assumed."""


def _hours(name: str, first: int, last: int, drive_seconds: float) -> Scenario:
    """Full hours of a day. Within an hour taps are assumed to come evenly: only the hours are published."""
    percents = {hour: percent for hour, percent in _PERCENT_BY_HOUR.items() if first <= hour <= last}
    total = sum(percents.values())
    return Scenario(
        name,
        timedelta(hours=first),
        (last + 1 - first) * 60,
        _TAPS_PER_CARD_AND_DAY * total / 100,
        tuple(
            Stretch(percent / total, (hour - first) * 60, (hour + 1 - first) * 60)
            for hour, percent in percents.items()
            if percent
        ),
        drive_seconds,
    )


DAY: Final = replace(_hours("day", 6, 23, 120.0), baths=_EVENING)
SUBSIDY_MORNING: Final = replace(_hours("subsidy morning", 6, 8, 50.0), grants=_BATCH)

SCENARIOS: Final = ("lunch", "day", "outage", "subsidy-morning")


def scenario_named(name: str, shape: str) -> Scenario:
    """One of SCENARIOS; a lunch, and one with an outage, has one of the shapes of LUNCHES."""
    match name:
        case "day":
            return DAY
        case "subsidy-morning":
            return SUBSIDY_MORNING
        case "outage":
            return replace(LUNCHES[shape], name=f"{LUNCHES[shape].name}, with an outage", outages=(_OUTAGE,))
        case _:
            return LUNCHES[shape]
