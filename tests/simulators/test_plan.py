"""The plan has the published shape, and a seed fixes it."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import mean, quantiles, stdev

import pytest

from simulators.accounts import CardState
from simulators.auditor.model.pin import is_easy
from simulators.errands import (
    Bath,
    Binding,
    CashIn,
    FamilyCredit,
    FamilyPolicy,
    FirstPin,
    Grant,
    LossReport,
    Meal,
    PinChoice,
)
from simulators.plan import BATH_HELD, BOUND_SHARE, CANTEEN_SHARES, THEFT_SHARE, Facilities, Mishap, plan_visits
from simulators.population import make_population
from simulators.scenario import DAY, LUNCHES, SUBSIDY_MORNING

CARDS = 30_000
MINUTES = LUNCHES["two-waves"].seconds // 60
CANTEENS_ONLY = Facilities(CANTEEN_SHARES)
EVERYTHING = Facilities(CANTEEN_SHARES, 20_000, top_ups=True, baths=True, kiosks=True, desks=True, batch="2026-09")


@pytest.fixture(scope="module")
def people():
    return make_population(CARDS, 1)


@pytest.fixture(scope="module")
def visits(people):
    return plan_visits(people, LUNCHES["two-waves"], 1, EVERYTHING)


@pytest.fixture(scope="module")
def meals(visits):
    return of(visits, Meal)


@pytest.fixture(scope="module")
def morning(people):
    return plan_visits(people, SUBSIDY_MORNING, 1, EVERYTHING)


@pytest.fixture(scope="module")
def day(people):
    return plan_visits(people, DAY, 1, EVERYTHING)


def of(visits, kind):
    return [visit for visit in visits if isinstance(visit.errand, kind)]


@pytest.mark.parametrize(("shape", "percent"), [("smooth", 1.33), ("two-waves", 2.45), ("stress", 4.0)])
def test_peak_minute_is_the_published_one(shape, percent):
    shares = [LUNCHES[shape].share(minute) for minute in range(MINUTES)]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert 100 * max(shares) == pytest.approx(percent, abs=0.04)


@pytest.mark.parametrize("shape", list(LUNCHES))
def test_the_plan_follows_its_shape(shape, people):
    visits = plan_visits(people, LUNCHES[shape], 2, CANTEENS_ONLY)
    minutes = Counter(int(visit.second // 60) for visit in visits)
    # Poisson: chi-square over about 180 minutes has mean 180 and a standard deviation of 19.
    expected = [LUNCHES[shape].share(minute) * len(visits) for minute in range(MINUTES)]
    score = sum((minutes[minute] - e) ** 2 / e for minute, e in enumerate(expected) if e >= 5)
    assert score < 300


def test_seconds_within_a_minute_are_poisson(meals):
    seconds = Counter(int(visit.second) for visit in meals if 74 * 60 <= visit.second < 76 * 60)
    counts = [seconds[second] for second in range(74 * 60, 76 * 60)]
    assert 0.6 < stdev(counts) ** 2 / mean(counts) < 1.6


def test_how_many(visits, meals):
    thefts = len(of(visits, LossReport))
    assert len(meals) - 3 * thefts == pytest.approx(35_900, rel=0.001)
    assert len(of(visits, CashIn)) == pytest.approx(len(meals) / 27, rel=0.01)


def test_amounts(meals):
    amounts = [visit.errand.amount for visit in meals if visit.errand.amount <= 20_000]
    assert all(amount % 50 == 0 and amount > 0 for amount in amounts)
    assert mean(amounts) == pytest.approx(3.81 * 250, rel=0.02)
    assert stdev(amounts) == pytest.approx(1.24 * 250, rel=0.05)
    published = [291 * 2.5, 368 * 2.5, 463 * 2.5]
    assert quantiles(amounts, n=4) == pytest.approx(published, rel=0.05)


@pytest.mark.parametrize(("shape", "per_second"), [("smooth", 8), ("two-waves", 15), ("stress", 24)])
def test_peak_second_of_a_campus_is_the_published_one(shape, per_second):
    assert LUNCHES[shape].taps_per_second_max(CARDS) == pytest.approx(per_second, abs=0.5)


def test_canteens_have_their_shares(meals):
    places = Counter(visit.errand.canteen for visit in meals)
    shares = [places[place] / len(meals) for place in range(5)]
    assert shares == pytest.approx(CANTEEN_SHARES, abs=0.01)


def test_what_goes_wrong(meals):
    mishaps = Counter(visit.mishap for visit in meals)
    assert mishaps[Mishap.LOST_THEN_RETRIED] / len(meals) == pytest.approx(0.002, rel=0.4)
    assert mishaps[Mishap.LOST_THEN_REVERSED] / len(meals) == pytest.approx(0.0015, rel=0.4)
    assert sum(visit.errand.amount > 20_000 for visit in meals) / len(meals) == pytest.approx(0.004, rel=0.4)


def test_same_card_again_within_two_seconds(meals):
    last: dict[int, float] = {}
    again = 0
    for visit in meals:
        again += visit.second - last.get(visit.card, -10.0) < 2
        last[visit.card] = visit.second
    assert again / len(meals) == pytest.approx(0.015, rel=0.2)


def test_in_order_and_within_lunch(visits):
    seconds = [visit.second for visit in visits]
    assert seconds == sorted(seconds)
    assert seconds[0] >= 0
    assert seconds[-1] < LUNCHES["two-waves"].seconds + 2


def test_the_seed_decides(people):
    def plan(seed):
        return plan_visits(people[:500], LUNCHES["two-waves"], seed, EVERYTHING)

    assert plan(3) == plan(3)
    assert plan(3) != plan(4)


def test_a_day_has_the_published_hours(people):
    visits = plan_visits(people, DAY, 1, CANTEENS_ONLY)
    hours = Counter(6 + int(visit.second // 3_600) for visit in visits)
    shares = {hour: 100 * hours[hour] / (3.0 * CARDS) for hour in (7, 11, 12, 13, 17, 18, 22)}
    published = {7: 15.1, 11: 23.2, 12: 14.3, 13: 0.9, 17: 10.5, 18: 10.7, 22: 1.2}
    assert shares == pytest.approx(published, abs=0.35)
    assert len(visits) == pytest.approx(3.0 * CARDS, rel=0.03)


def test_only_to_what_there_is(people):
    assert {type(visit.errand) for visit in plan_visits(people, DAY, 1, CANTEENS_ONLY)} == {Meal}
    assert {type(visit.errand) for visit in plan_visits(people, DAY, 1, EVERYTHING)} == {
        Meal, CashIn, Bath, LossReport, FirstPin, PinChoice, Binding, FamilyPolicy, FamilyCredit,
    }  # fmt: skip


def test_thieves_eat_before_and_after_the_loss_is_reported(visits, people):
    reported = {visit.card: visit.second for visit in of(visits, LossReport)}
    assert len(reported) == pytest.approx(THEFT_SHARE * CARDS, rel=0.05)
    assert all(people[card].state is CardState.ACTIVE for card in reported)
    eaten = defaultdict(list)
    for visit in of(visits, Meal):
        if visit.card in reported and abs(visit.second - reported[visit.card]) <= 600:
            eaten[visit.card].append(visit.second - reported[visit.card])
    assert all(min(seconds) < 0 < max(seconds) for seconds in eaten.values() if len(seconds) >= 3)
    assert sum(len(seconds) >= 3 for seconds in eaten.values()) > 0.9 * len(reported)


def test_who_types_a_pin_has_got_one(visits):
    given = {visit.card: visit.errand.pin for visit in of(visits, FirstPin)}
    chosen = {visit.card: visit.errand for visit in of(visits, PinChoice)}
    typed = {visit.card: visit.errand.pins for visit in of(visits, Meal) if visit.errand.pins}
    assert given.keys() == chosen.keys() == typed.keys()
    assert typed
    for card, pins in typed.items():
        assert pins[-1] == chosen[card].new
        assert chosen[card].old == given[card]
    wrong_first = sum(len(pins) == 2 for pins in typed.values()) / len(typed)
    assert 0.05 < wrong_first < 0.4
    over = {visit.card for visit in of(visits, Meal) if visit.errand.amount > 20_000}
    assert len(typed) / len(over) == pytest.approx(0.5, rel=0.35)
    assert not any(is_easy(pin) for pin in (*given.values(), *(errand.new for errand in chosen.values())))


def test_guardians_bind_then_limit_then_pay(visits, people):
    bound = {visit.card: visit.second for visit in of(visits, Binding)}
    students = sum(card.person_class == "student" and card.state is CardState.ACTIVE for card in people)
    assert len(bound) == pytest.approx(BOUND_SHARE * students, rel=0.01)
    assert all(people[card].person_class == "student" for card in bound)
    limited = {visit.card: visit.second for visit in of(visits, FamilyPolicy)}
    paid = {visit.card: visit.second for visit in of(visits, FamilyCredit)}
    assert bound.keys() == limited.keys() == paid.keys()
    assert all(bound[card] < limited[card] and bound[card] <= paid[card] for card in bound)


def test_every_student_gets_the_batch_once(morning, people):
    grants = of(morning, Grant)
    assert sorted(visit.card for visit in grants) == [
        index for index, card in enumerate(people) if card.person_class == "student"
    ]
    assert {visit.errand.batch for visit in grants} == {"2026-09"}
    assert all(60 * 60 <= visit.second <= 100 * 60 for visit in grants)


def test_a_morning_has_the_hours_of_breakfast(morning):
    hours = Counter(6 + int(visit.second // 3_600) for visit in of(morning, Meal))
    shares = [100 * hours[hour] / (3.0 * CARDS) for hour in (6, 7, 8)]
    assert shares == pytest.approx([0.4, 15.1, 3.2], abs=0.3)


def test_baths_are_taken_in_the_evening(day):
    baths = of(day, Bath)
    assert len(baths) == 0.2 * CARDS
    assert all(19 <= 6 + visit.second / 3_600 <= 23 for visit in baths)
    assert all(0 <= visit.errand.used <= visit.errand.held == BATH_HELD for visit in baths)
    assert sum(visit.errand.used == 0 for visit in baths) / len(baths) == pytest.approx(0.05, rel=0.3)


def test_baths_per_second():
    assert DAY.baths_per_second(CARDS) == pytest.approx(0.2 * CARDS / (4 * 3_600))
    assert LUNCHES["smooth"].baths_per_second(CARDS) == 0
