"""A scenario as a plan: who taps when, where, for how much, and what goes wrong. It is fixed before anything is sent.

The figures are those of published campus data (519,367 records of one college, April 2019) unless marked assumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, auto
from random import Random

from msgspec import Struct

from simulators.scenario import Scenario, Stretch

CANTEEN_SHARES = (0.343, 0.266, 0.144, 0.139, 0.108)

AMOUNT_STEP = 50
AMOUNT_MEAN = 3.81 * 2.5 * 100
"""Minor units: 3.81 yuan a tap in 2019, times 2.5 for today."""

AMOUNT_DEVIATION = 1.24 * 2.5 * 100
_AMOUNT_SIGMA = math.sqrt(math.log(1 + (AMOUNT_DEVIATION / AMOUNT_MEAN) ** 2))
_AMOUNT_MU = math.log(AMOUNT_MEAN) - _AMOUNT_SIGMA**2 / 2

PURCHASES_PER_TOP_UP = 27
TOP_UP_AMOUNTS = (5_000, 10_000, 20_000)

# Assumed, not published:
SAME_CARD_AGAIN_SHARE = 0.015
SAME_CARD_AGAIN_SECONDS = 2.0
REPLY_LOST_SHARE = 0.002
REVERSAL_SHARE = 0.0015
OVER_LIMIT_SHARE = 0.004


class Service(Enum):
    """What a card is tapped for."""

    PURCHASE = auto()
    TOP_UP = auto()


class Mishap(Enum):
    """What befalls the first answer on its way into the terminal, after the station received it."""

    NONE = auto()
    LOST_THEN_RETRIED = auto()
    LOST_THEN_REVERSED = auto()


class Tap(Struct, frozen=True, gc=False):
    """One planned tap."""

    second: float
    """From the start of the scenario, not compressed."""

    card: int
    """Index into the population."""

    place: int
    """Index of the canteen; for a top-up, of nothing: any kiosk will do."""

    service: Service
    amount: int
    mishap: Mishap


def plan_taps(
    cards: int, scenario: Scenario, seed: int, place_weights: Sequence[float], purchase_max: int, *, kiosks: bool
) -> list[Tap]:
    """Every tap of the scenario in order of time. `purchase_max` in minor units, 0: none; then nobody exceeds it."""
    random = Random(f"lunch {seed}")
    planner = _Planner(random, cards, scenario, place_weights, purchase_max)
    taps: list[Tap] = []
    expected = round(cards * scenario.taps_per_card)
    while len(taps) < expected:
        tap = planner.purchase(planner.second(), random.randrange(cards))
        taps.append(tap)
        if random.random() < SAME_CARD_AGAIN_SHARE:
            taps.append(planner.purchase(tap.second + random.random() * SAME_CARD_AGAIN_SECONDS, tap.card))
    if kiosks:
        taps.extend(planner.top_up() for _ in range(expected // PURCHASES_PER_TOP_UP))
    taps.sort(key=lambda tap: tap.second)
    return taps


class _Planner:
    def __init__(
        self, random: Random, cards: int, scenario: Scenario, place_weights: Sequence[float], purchase_max: int
    ) -> None:
        self._random = random
        self._cards = cards
        self._scenario = scenario
        self._weights = [part.weight for part in scenario.parts]
        self._places = range(len(place_weights))
        self._place_weights = place_weights
        self._purchase_max = purchase_max

    def second(self) -> float:
        """When a tap comes. Independent draws from one density make the seconds within a minute Poisson."""
        (part,) = self._random.choices(self._scenario.parts, self._weights)
        if isinstance(part, Stretch):
            return self._random.uniform(part.from_minute * 60, part.to_minute * 60)
        while True:
            second = self._random.gauss(part.peak_minute, part.deviation_minutes) * 60
            if 0 <= second < self._scenario.seconds:
                return second

    def purchase(self, second: float, card: int) -> Tap:
        (place,) = self._random.choices(self._places, self._place_weights)
        amount = self._amount()
        if self._purchase_max and self._random.random() < OVER_LIMIT_SHARE:
            amount += self._purchase_max
        return Tap(second, card, place, Service.PURCHASE, amount, self._mishap())

    def top_up(self) -> Tap:
        amount = self._random.choice(TOP_UP_AMOUNTS)
        return Tap(self.second(), self._random.randrange(self._cards), 0, Service.TOP_UP, amount, self._mishap())

    def _amount(self) -> int:
        steps = self._random.lognormvariate(_AMOUNT_MU, _AMOUNT_SIGMA) / AMOUNT_STEP
        return max(1, round(steps)) * AMOUNT_STEP

    def _mishap(self) -> Mishap:
        position = self._random.random()
        if position < REPLY_LOST_SHARE:
            return Mishap.LOST_THEN_RETRIED
        return Mishap.LOST_THEN_REVERSED if position < REPLY_LOST_SHARE + REVERSAL_SHARE else Mishap.NONE
