"""The plan has the published shape, and a seed fixes it."""

from __future__ import annotations

from collections import Counter
from statistics import mean, quantiles, stdev

import pytest

from simulators.plan import CANTEEN_SHARES, Mishap, Service, plan_taps
from simulators.scenario import DAY, LUNCHES

CARDS = 30_000
MINUTES = LUNCHES["two-waves"].seconds // 60


@pytest.fixture(scope="module")
def taps():
    return plan_taps(CARDS, LUNCHES["two-waves"], 1, CANTEEN_SHARES, 20_000, kiosks=True)


@pytest.fixture(scope="module")
def purchases(taps):
    return [tap for tap in taps if tap.service is Service.PURCHASE]


@pytest.mark.parametrize(("shape", "percent"), [("smooth", 1.33), ("two-waves", 2.45), ("stress", 4.0)])
def test_peak_minute_is_the_published_one(shape, percent):
    shares = [LUNCHES[shape].share(minute) for minute in range(MINUTES)]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert 100 * max(shares) == pytest.approx(percent, abs=0.04)


@pytest.mark.parametrize("shape", list(LUNCHES))
def test_the_plan_follows_its_shape(shape):
    taps = plan_taps(CARDS, LUNCHES[shape], 2, CANTEEN_SHARES, 0, kiosks=False)
    minutes = Counter(int(tap.second // 60) for tap in taps)
    # Poisson: chi-square over about 180 minutes has mean 180 and a standard deviation of 19.
    expected = [LUNCHES[shape].share(minute) * len(taps) for minute in range(MINUTES)]
    score = sum((minutes[minute] - e) ** 2 / e for minute, e in enumerate(expected) if e >= 5)
    assert score < 300


def test_seconds_within_a_minute_are_poisson(purchases):
    seconds = Counter(int(tap.second) for tap in purchases if 74 * 60 <= tap.second < 76 * 60)
    counts = [seconds[second] for second in range(74 * 60, 76 * 60)]
    assert 0.6 < stdev(counts) ** 2 / mean(counts) < 1.6


def test_how_many(taps, purchases):
    assert len(purchases) == pytest.approx(35_900, rel=0.001)
    assert len(taps) - len(purchases) == pytest.approx(len(purchases) / 27, rel=0.01)


def test_amounts(purchases):
    amounts = [tap.amount for tap in purchases if tap.amount <= 20_000]
    assert all(amount % 50 == 0 and amount > 0 for amount in amounts)
    assert mean(amounts) == pytest.approx(3.81 * 250, rel=0.02)
    assert stdev(amounts) == pytest.approx(1.24 * 250, rel=0.05)
    published = [291 * 2.5, 368 * 2.5, 463 * 2.5]
    assert quantiles(amounts, n=4) == pytest.approx(published, rel=0.05)


@pytest.mark.parametrize(("shape", "per_second"), [("smooth", 8), ("two-waves", 15), ("stress", 24)])
def test_peak_second_of_a_campus_is_the_published_one(shape, per_second):
    assert LUNCHES[shape].taps_per_second_max(CARDS) == pytest.approx(per_second, abs=0.5)


def test_canteens_have_their_shares(purchases):
    places = Counter(tap.place for tap in purchases)
    shares = [places[place] / len(purchases) for place in range(5)]
    assert shares == pytest.approx(CANTEEN_SHARES, abs=0.01)


def test_what_goes_wrong(purchases):
    mishaps = Counter(tap.mishap for tap in purchases)
    assert mishaps[Mishap.LOST_THEN_RETRIED] / len(purchases) == pytest.approx(0.002, rel=0.4)
    assert mishaps[Mishap.LOST_THEN_REVERSED] / len(purchases) == pytest.approx(0.0015, rel=0.4)
    assert sum(tap.amount > 20_000 for tap in purchases) / len(purchases) == pytest.approx(0.004, rel=0.4)


def test_same_card_again_within_two_seconds(purchases):
    last: dict[int, float] = {}
    again = 0
    for tap in purchases:
        again += tap.second - last.get(tap.card, -10.0) < 2
        last[tap.card] = tap.second
    assert again / len(purchases) == pytest.approx(0.015, rel=0.2)


def test_in_order_and_within_lunch(taps):
    seconds = [tap.second for tap in taps]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0
    assert seconds[-1] < LUNCHES["two-waves"].seconds + 2


def test_the_seed_decides():
    def plan(seed):
        return plan_taps(500, LUNCHES["two-waves"], seed, CANTEEN_SHARES, 20_000, kiosks=True)

    assert plan(3) == plan(3)
    assert plan(3) != plan(4)


def test_a_day_has_the_published_hours():
    taps = plan_taps(CARDS, DAY, 1, CANTEEN_SHARES, 20_000, kiosks=False)
    hours = Counter(6 + int(tap.second // 3_600) for tap in taps)
    shares = {hour: 100 * hours[hour] / (3.0 * CARDS) for hour in (7, 11, 12, 13, 17, 18, 22)}
    published = {7: 15.1, 11: 23.2, 12: 14.3, 13: 0.9, 17: 10.5, 18: 10.7, 22: 1.2}
    assert shares == pytest.approx(published, abs=0.35)
    assert len(taps) == pytest.approx(3.0 * CARDS, rel=0.03)
