"""Business days and meal periods: what a moment means at the campus."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

MICROSECONDS_PER_SECOND = 1_000_000
WORKING_WEEKDAYS = frozenset(range(5))
"""Monday to Friday, as numbers from Monday on."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MealPeriod(Struct, frozen=True):
    """A part of the local day that ends before `until`; it begins where the period before it ends."""

    name: str
    until: time


class Moment(Struct, frozen=True, gc=False):
    """One instant as the rules see it."""

    time_us: int
    business_day: int
    """As a number: 20260901 is 1 September 2026."""

    period: int
    """Index into the calendar's meal periods; their count when the moment is after the last."""


class Calendar(Struct, frozen=True):
    """Turns a time into a business day and a meal period. `periods` are in order of `until`."""

    zone: ZoneInfo
    cut_over: time
    """Local time at which a business day begins; 00:00 makes it the calendar day."""

    periods: tuple[MealPeriod, ...]
    working_weekdays: frozenset[int] = WORKING_WEEKDAYS
    holidays: frozenset[date] = frozenset()
    """No working days, whatever their weekday."""

    extra_working_days: frozenset[date] = frozenset()
    """Working days, whatever their weekday."""

    def moment(self, time_us: int) -> Moment:
        """What `time_us` (microseconds since the Unix epoch) means here."""
        local = datetime.fromtimestamp(time_us // MICROSECONDS_PER_SECOND, self.zone)
        clock = local.time()
        day = local.date() - timedelta(days=1) if clock < self.cut_over else local.date()
        period = bisect_right([period.until for period in self.periods], clock)
        return Moment(time_us, _number_of(day), period)

    def end_us(self, business_day: int) -> int:
        """When a business day that the calendar has is over: its last microsecond if it is the last one of all."""
        day = _date_of(business_day)
        if day == date.max:
            end = datetime.combine(day, time.max, self.zone)
        else:
            end = datetime.combine(day + timedelta(days=1), self.cut_over, self.zone)
        return (end - _EPOCH) // timedelta(microseconds=1)

    def end_of_working_day_us(self, business_day: int, number: int) -> int:
        """When the working day is over that is the `number`-th after this business day, as `end_us`."""
        day = _date_of(business_day)
        while number > 0 and day < date.max:
            day += timedelta(days=1)
            number -= self._is_working_day(day)
        return self.end_us(_number_of(day))

    def _is_working_day(self, day: date) -> bool:
        if day in self.extra_working_days:
            return True
        return day.weekday() in self.working_weekdays and day not in self.holidays


def _date_of(business_day: int) -> date:
    return date(business_day // 10_000, business_day // 100 % 100, business_day % 100)


def _number_of(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
