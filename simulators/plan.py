"""A scenario as a plan: who comes when, where, for what, and what goes wrong. It is fixed before anything is sent.

The figures are those of published campus data (519,367 records of one college, April 2019) unless marked assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from random import Random
from typing import NamedTuple

from msgspec import Struct

from simulators.accounts import Card, CardState
from simulators.errands import (
    Bath,
    Binding,
    CashIn,
    Errand,
    FamilyCredit,
    FamilyPolicy,
    FirstPin,
    Grant,
    LossReport,
    Meal,
    PinChoice,
)
from simulators.money import MINOR_PER_YUAN
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
PIN_SHARE = 0.5
"""Of those who buy something above the limit of one purchase: who has a PIN."""

PIN_WRONG_SHARE = 0.2
THEFT_SHARE = 0.001
THIEF_SECONDS = 600.0
"""For so long before and after the loss is reported a thief tries the card."""

BOUND_SHARE = 0.005
"""Of students: whose guardian gets a family account."""

EARLY_SHARE = 0.03
"""Of the scenario, from its start: while the card office gives PINs and binds family accounts."""

LATER_SHARE = 0.01
"""What comes next at the card office, or at a kiosk, comes so much later."""

BATH_HELD = 500
BATH_SECONDS_MAX = 720.0
BATH_SECONDS_MIN = 360.0
BATH_UNUSED_SHARE = 0.05
SUBSIDY = 150 * MINOR_PER_YUAN
SUBSIDY_LAST_DAY = 20990731


class Mishap(Enum):
    """What befalls the first answer on its way into the terminal, after the station received it."""

    NONE = auto()
    LOST_THEN_RETRIED = auto()
    LOST_THEN_REVERSED = auto()


class Visit(Struct, frozen=True, gc=False):
    """One planned errand."""

    second: float
    """From the start of the scenario, not compressed."""

    card: int
    """Index into the population."""

    errand: Errand
    mishap: Mishap = Mishap.NONE


class Facilities(NamedTuple):
    """What there is at a campus to go to."""

    windows: Sequence[int]
    """Of each canteen: it gets customers in proportion."""

    purchase_max: int = 0
    """In minor units; 0: no limit, so nobody exceeds it."""

    top_ups: bool = False
    baths: bool = False
    kiosks: bool = False
    """Where cardholders report losses and choose PINs."""

    desks: bool = False
    """Where the card office works."""

    batch: str = ""
    """What the batch of subsidies is called that it grants next."""


def plan_visits(cards: Sequence[Card], scenario: Scenario, seed: int, facilities: Facilities) -> list[Visit]:
    """Every visit of the scenario in order of time."""
    people = _People(cards, scenario, facilities, seed)
    visits = [*people.meals(), *people.top_ups(), *people.thefts(), *people.baths()]
    if facilities.desks:
        visits += [*people.pins(), *people.families(), *people.grants()]
    visits.sort(key=lambda visit: visit.second)
    return visits


class _People:
    def __init__(self, cards: Sequence[Card], scenario: Scenario, facilities: Facilities, seed: int) -> None:
        self._cards = cards
        self._scenario = scenario
        self._facilities = facilities
        self._seed = seed
        self._weights = [part.weight for part in scenario.parts]
        self._canteens = range(len(facilities.windows))
        self._random = Random(f"meals {seed}")
        self._pins: dict[int, str] = {}
        """Of those who may need one; empty: this one has none."""

    def meals(self) -> Iterator[Visit]:
        random = self._random
        meals = 0
        while meals < self._expected_meals:
            visit = self._meal(random, self._second(random), random.randrange(len(self._cards)))
            yield visit
            meals += 1
            if random.random() < SAME_CARD_AGAIN_SHARE:
                yield self._meal(random, visit.second + random.random() * SAME_CARD_AGAIN_SECONDS, visit.card)
                meals += 1

    def top_ups(self) -> Iterator[Visit]:
        random = Random(f"top-ups {self._seed}")
        for _ in range(self._expected_meals // PURCHASES_PER_TOP_UP if self._facilities.top_ups else 0):
            amount = random.choice(TOP_UP_AMOUNTS)
            card = random.randrange(len(self._cards))
            yield Visit(self._second(random), card, CashIn(amount), _mishap(random))

    def thefts(self) -> Iterator[Visit]:
        """A thief eats before the loss is reported, and tries to afterwards."""
        random = Random(f"thefts {self._seed}")
        for card in self._chosen(random, THEFT_SHARE) if self._facilities.kiosks else ():
            reported = self._second(random)
            yield Visit(reported, card, LossReport())
            for sign in (-1, 1, 1):
                second = reported + sign * random.uniform(1.0, THIEF_SECONDS)
                if 0 <= second < self._scenario.seconds:
                    yield Visit(second, card, Meal(self._canteen(random), _amount(random)))

    def baths(self) -> Iterator[Visit]:
        random, baths = Random(f"baths {self._seed}"), self._scenario.baths
        if baths is None or not self._facilities.baths:
            return
        for _ in range(round(baths.weight * len(self._cards))):
            used = 0 if random.random() < BATH_UNUSED_SHARE else random.randint(1, BATH_HELD)
            errand = Bath(BATH_HELD, used, random.uniform(BATH_SECONDS_MIN, BATH_SECONDS_MAX))
            yield Visit(_within(random, baths), random.randrange(len(self._cards)), errand, _mishap(random))

    def pins(self) -> Iterator[Visit]:
        """Of all who have one: the card office gives it, the cardholder chooses another. Made after the meals."""
        random = Random(f"pins {self._seed}")
        for card, pin in self._pins.items():
            if pin:
                second, first = self._early(random), _pin(random)
                yield Visit(second, card, FirstPin(first))
                yield Visit(self._after(second), card, PinChoice(first, pin))

    def families(self) -> Iterator[Visit]:
        random = Random(f"families {self._seed}")
        for card in self._chosen(random, BOUND_SHARE, "student"):
            second = self._early(random)
            yield Visit(second, card, Binding(f"G{card}"))
            yield Visit(self._after(second), card, FamilyPolicy(3_000, 2_000, 1_000))
            credited = max(self._second(random), self._after(second))
            yield Visit(credited, card, FamilyCredit(random.randint(1, 3) * 5_000))

    def grants(self) -> Iterator[Visit]:
        random, grants = Random(f"grants {self._seed}"), self._scenario.grants
        if grants is not None:
            errand = Grant(self._facilities.batch, SUBSIDY, SUBSIDY_LAST_DAY)
            for index, card in enumerate(self._cards):
                if card.person_class == "student":
                    yield Visit(_within(random, grants), index, errand)

    @property
    def _expected_meals(self) -> int:
        return round(len(self._cards) * self._scenario.taps_per_card)

    def _second(self, random: Random) -> float:
        """When somebody comes. Independent draws from one density make the seconds within a minute Poisson."""
        (part,) = random.choices(self._scenario.parts, self._weights)
        if isinstance(part, Stretch):
            return _within(random, part)
        while True:
            second = random.gauss(part.peak_minute, part.deviation_minutes) * 60
            if 0 <= second < self._scenario.seconds:
                return second

    def _early(self, random: Random) -> float:
        return random.uniform(0, EARLY_SHARE * self._scenario.seconds)

    def _after(self, second: float) -> float:
        return second + LATER_SHARE * self._scenario.seconds

    def _canteen(self, random: Random) -> int:
        (canteen,) = random.choices(self._canteens, self._facilities.windows)
        return canteen

    def _meal(self, random: Random, second: float, card: int) -> Visit:
        canteen, amount = self._canteen(random), _amount(random)
        pins: tuple[str, ...] = ()
        if self._facilities.purchase_max and random.random() < OVER_LIMIT_SHARE:
            amount += self._facilities.purchase_max
            pins = self._typed(random, card)
        return Visit(second, card, Meal(canteen, amount, pins), _mishap(random))

    def _typed(self, random: Random, card: int) -> tuple[str, ...]:
        """What this cardholder types when asked for a PIN."""
        if card not in self._pins:
            has_one = self._facilities.desks and self._facilities.kiosks and random.random() < PIN_SHARE
            self._pins[card] = _pin(random) if has_one else ""
        pin = self._pins[card]
        if not pin:
            return ()
        return (_pin(random), pin) if random.random() < PIN_WRONG_SHARE else (pin,)

    def _chosen(self, random: Random, share: float, person_class: str | None = None) -> list[int]:
        """So many of the cards that are active, of one class of people if it is named."""
        active = [
            index
            for index, card in enumerate(self._cards)
            if card.state is CardState.ACTIVE and person_class in {None, card.person_class}
        ]
        return random.sample(active, round(share * len(active)))


def _within(random: Random, stretch: Stretch) -> float:
    return random.uniform(stretch.from_minute * 60, stretch.to_minute * 60)


def _amount(random: Random) -> int:
    steps = random.lognormvariate(_AMOUNT_MU, _AMOUNT_SIGMA) / AMOUNT_STEP
    return max(1, round(steps)) * AMOUNT_STEP


def _pin(random: Random) -> str:
    """Six digits that are no date, year, run or repetition: such are refused."""
    return f"{random.randrange(40, 50)}{random.randrange(50, 100)}{random.randrange(40):02}"


def _mishap(random: Random) -> Mishap:
    position = random.random()
    if position < REPLY_LOST_SHARE:
        return Mishap.LOST_THEN_RETRIED
    return Mishap.LOST_THEN_REVERSED if position < REPLY_LOST_SHARE + REVERSAL_SHARE else Mishap.NONE
