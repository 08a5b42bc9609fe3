"""Business days and meal periods at their edges, in zones with and without summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.calendar import Calendar, MealPeriod, Moment

PERIODS = (
    MealPeriod("breakfast", time(10)), MealPeriod("lunch", time(14)), MealPeriod("dinner", time(20)),
    MealPeriod("night", time(23, 59, 59)),
)  # fmt: skip
SHANGHAI, BERLIN, NEW_YORK = map(ZoneInfo, ("Asia/Shanghai", "Europe/Berlin", "America/New_York"))


def moment(local: str, zone: ZoneInfo = SHANGHAI, cut_over: time = time(0), extra_us: int = 0) -> Moment:
    """What a local time means; `extra_us` microseconds past it."""
    time_us = int(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp()) * 1_000_000 + extra_us
    found = Calendar(zone, cut_over, PERIODS).moment(time_us)
    assert found.time_us == time_us
    return found


@pytest.mark.parametrize(
    ("clock", "period"),
    [
        ("00:00:00", 0), ("09:59:59", 0), ("10:00:00", 1), ("13:59:59", 1), ("14:00:00", 2), ("19:59:59", 2),
        ("20:00:00", 3), ("23:59:58", 3), ("23:59:59", 4),
    ],
)  # fmt: skip
def test_period_ends_where_the_next_begins(clock: str, period: int) -> None:
    assert moment(f"2026-09-01T{clock}").period == period


def test_last_microsecond_of_a_period() -> None:
    assert moment("2026-09-01T09:59:59", extra_us=999_999).period == 0
    assert moment("2026-09-01T23:59:59", extra_us=999_999).business_day == 20260901


def test_without_periods_every_moment_is_after_the_last() -> None:
    assert Calendar(SHANGHAI, time(0), ()).moment(0).period == 0


@pytest.mark.parametrize(
    ("cut_over", "local", "day"),
    [
        (time(0), "2026-09-01T00:00:00", 20260901),
        (time(0), "2026-08-31T23:59:59", 20260831),
        (time(4), "2026-09-01T03:59:59", 20260831),
        (time(4), "2026-09-01T04:00:00", 20260901),
        (time(4), "2026-09-02T00:00:00", 20260901),
        (time(4), "2027-01-01T03:00:00", 20261231),
        (time(4), "2028-03-01T03:00:00", 20280229),
        (time(23, 30), "2026-09-01T23:29:59", 20260831),
        (time(23, 30), "2026-09-01T23:30:00", 20260901),
    ],
)
def test_business_day_begins_at_the_cut_over(cut_over: time, local: str, day: int) -> None:
    assert moment(local, cut_over=cut_over).business_day == day


def test_same_instant_is_another_day_elsewhere() -> None:
    time_us = int(datetime(2026, 9, 1, 20, tzinfo=UTC).timestamp()) * 1_000_000
    days = {
        zone: Calendar(zone, time(0), PERIODS).moment(time_us).business_day for zone in (SHANGHAI, BERLIN, NEW_YORK)
    }
    assert days == {SHANGHAI: 20260902, BERLIN: 20260901, NEW_YORK: 20260901}


@pytest.mark.parametrize("day", [29, 25])
def test_days_on_which_clocks_change_are_whole(day: int) -> None:
    month = 3 if day == 29 else 10
    assert moment(f"2026-{month:02}-{day}T00:00:00", BERLIN).business_day == 20260000 + 100 * month + day
    assert moment(f"2026-{month:02}-{day}T23:59:59", BERLIN).business_day == 20260000 + 100 * month + day


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4_000_000_000_000_000), st.integers(0, 10**12), st.sampled_from([time(0), time(4), time(12, 30)]))
def test_business_day_never_goes_back_as_time_goes_on(start: int, later: int, cut_over: time) -> None:
    calendar = Calendar(SHANGHAI, cut_over, PERIODS)
    assert calendar.moment(start).business_day <= calendar.moment(start + later).business_day


GOLDEN_WEEK = frozenset(date(2026, 10, day) for day in range(1, 8))


@pytest.mark.parametrize(
    ("business_day", "number", "end", "changes"),
    [
        (20260901, 0, "2026-09-02", {}),
        (20260901, 1, "2026-09-03", {}),
        (20260901, 3, "2026-09-05", {}),
        (20260902, 3, "2026-09-08", {}),
        (20260904, 3, "2026-09-10", {}),
        (20260905, 3, "2026-09-10", {}),
        (20260906, 1, "2026-09-08", {}),
        (20260930, 1, "2026-10-09", {"holidays": GOLDEN_WEEK}),
        (20260930, 3, "2026-10-13", {"holidays": GOLDEN_WEEK}),
        (20260930, 3, "2026-10-11", {"holidays": GOLDEN_WEEK, "extra_working_days": frozenset({date(2026, 10, 10)})}),
        (20261003, 1, "2026-10-05", {"holidays": GOLDEN_WEEK, "extra_working_days": frozenset({date(2026, 10, 4)})}),
        (20260901, 2, "2026-09-14", {"working_weekdays": frozenset({6})}),
        (20261231, 1, "2027-01-02", {}),
        (20280228, 1, "2028-03-01", {}),
    ],
)
def test_end_of_a_working_day(business_day: int, number: int, end: str, changes: dict[str, Any]) -> None:
    calendar = Calendar(SHANGHAI, time(0), PERIODS, **changes)
    expected = datetime.fromisoformat(end).replace(tzinfo=SHANGHAI)
    assert calendar.end_of_working_day_us(business_day, number) == expected.timestamp() * 1_000_000


def test_working_day_ends_at_the_cut_over() -> None:
    calendar = Calendar(BERLIN, time(4), PERIODS)
    expected = datetime(2026, 10, 28, 4, tzinfo=BERLIN)  # clocks change on 25 October
    assert calendar.end_of_working_day_us(20261024, 2) == expected.timestamp() * 1_000_000


def test_working_days_end_with_the_calendar() -> None:
    calendar = Calendar(SHANGHAI, time(0), PERIODS)
    assert calendar.end_of_working_day_us(99991231, 3) == calendar.end_us(99991231)
    assert calendar.end_of_working_day_us(99991229, 30) == calendar.end_us(99991231)
