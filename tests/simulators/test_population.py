"""The campus has the people that the domain describes."""

from __future__ import annotations

from collections import Counter

import pytest

from simulators.accounts import CardState
from simulators.population import EMPTY_PURSE_MAX, FAMILY_SHARE, RAN_OUT, SUBSIDY_SHARE, make_population

COUNT = 30_000


@pytest.fixture(scope="module")
def people():
    return make_population(COUNT, 1)


def test_numbers_are_unique(people):
    assert len({card.account for card in people}) == COUNT
    assert len({card.serial for card in people}) == COUNT


def test_unusable_cards(people):
    states = Counter(card.state for card in people)
    blocked = states[CardState.LOST] + states[CardState.FROZEN]
    expired = states[CardState.EXPIRED] + sum(
        card.state is CardState.ACTIVE and card.expires == RAN_OUT for card in people
    )
    other = states[CardState.ISSUED] + states[CardState.REPLACED] + states[CardState.CLOSED]
    assert blocked / COUNT == pytest.approx(0.001, rel=0.6)
    assert expired / COUNT == pytest.approx(0.001, rel=0.6)
    assert other / COUNT == pytest.approx(0.007, rel=0.3)


def test_purses(people):
    assert sum(card.purses[0] < EMPTY_PURSE_MAX for card in people) / COUNT == pytest.approx(0.012, rel=0.2)
    assert sum(card.purses[1] > 0 for card in people) / COUNT == pytest.approx(SUBSIDY_SHARE, rel=0.1)
    assert sum(card.purses[2] > 0 for card in people) / COUNT == pytest.approx(FAMILY_SHARE, rel=0.1)
    assert all(min(card.purses) >= 0 for card in people)


def test_the_seed_decides():
    assert make_population(100, 5) == make_population(100, 5)
    assert make_population(100, 5) != make_population(100, 6)
