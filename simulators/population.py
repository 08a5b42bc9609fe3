"""Who eats at the campus: cards with purses, and the few that cannot pay. The same seed gives the same people."""

from __future__ import annotations

import math
from datetime import date
from random import Random

from simulators.accounts import Card, CardState, Purses, default_serial
from simulators.money import MINOR_PER_YUAN

VALID_UNTIL = date(2099, 7, 31)
RAN_OUT = date(2026, 7, 31)

# Shares of all cards. Assumed, not published: 0.1 % lost or frozen, 0.1 % expired, 0.7 % otherwise unusable.
_UNUSABLE: tuple[tuple[float, CardState, date], ...] = (
    (0.0005, CardState.LOST, VALID_UNTIL),
    (0.0005, CardState.FROZEN, VALID_UNTIL),
    (0.0005, CardState.EXPIRED, RAN_OUT),
    (0.0005, CardState.ACTIVE, RAN_OUT),
    (0.0030, CardState.ISSUED, VALID_UNTIL),
    (0.0020, CardState.REPLACED, VALID_UNTIL),
    (0.0020, CardState.CLOSED, VALID_UNTIL),
)
_CLASSES = ("student", "staff", "administrator", "service-staff", "visitor")
_CLASS_PERCENT = (88, 7, 2, 2, 1)

EMPTY_PURSE_SHARE = 0.012
"""Assumed, not published: 1.2 % of taps find too little money."""

EMPTY_PURSE_MAX = 200
SUBSIDY_SHARE = 0.20
SUBSIDY_MAX = 30 * MINOR_PER_YUAN
FAMILY_SHARE = 0.10
FAMILY_MAX = 100 * MINOR_PER_YUAN
"""Assumed, not published: who has a subsidy or a family purse, and what is left in it. Small: a tap empties some."""

BALANCE_MEDIAN = 150 * MINOR_PER_YUAN
BALANCE_SIGMA = 0.6
BALANCE_MAX = 2_000 * MINOR_PER_YUAN


def make_population(count: int, seed: int) -> list[Card]:
    """`count` cards, whose accounts are numbered 20260001, 20260002 and so on."""
    random, others = Random(f"population {seed}"), Random(f"other purses {seed}")
    return [_card(random, others, f"2026{number:04d}") for number in range(1, count + 1)]


def _card(random: Random, others: Random, account: str) -> Card:
    state, expires = _condition(random.random())
    (person_class,) = random.choices(_CLASSES, _CLASS_PERCENT)
    return Card(account, default_serial(account), state, expires, person_class, _purses(random, others))


def _condition(position: float) -> tuple[CardState, date]:
    """Which state lies at `position`, from 0 to 1, when all cards are laid side by side."""
    for share, state, expires in _UNUSABLE:
        if position < share:
            return state, expires
        position -= share
    return CardState.ACTIVE, VALID_UNTIL


def _purses(random: Random, others: Random) -> Purses:
    main = _balance(random)
    subsidy = others.randrange(SUBSIDY_MAX) if others.random() < SUBSIDY_SHARE else 0
    family = others.randrange(FAMILY_MAX) if others.random() < FAMILY_SHARE else 0
    return main, subsidy, family


def _balance(random: Random) -> int:
    if random.random() < EMPTY_PURSE_SHARE:
        return random.randrange(EMPTY_PURSE_MAX)
    return min(int(random.lognormvariate(math.log(BALANCE_MEDIAN), BALANCE_SIGMA)), BALANCE_MAX)
