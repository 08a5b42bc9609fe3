"""Business days and meal periods: what a moment means at the campus."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

MICROSECONDS_PER_SECOND = 1_000_000
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

    def moment(self, time_us: int) -> Moment:
        """What `time_us` (microseconds since the Unix epoch) means here."""
        local = datetime.fromtimestamp(time_us // MICROSECONDS_PER_SECOND, self.zone)
        clock = local.time()
        day = local.date() - timedelta(days=1) if clock < self.cut_over else local.date()
        period = bisect_right([period.until for period in self.periods], clock)
        return Moment(time_us, day.year * 10_000 + day.month * 100 + day.day, period)

    def end_us(self, business_day: int) -> int:
        """When a business day that the calendar has is over: its last microsecond if it is the last one of all."""
        day = date(business_day // 10_000, business_day // 100 % 100, business_day % 100)
        if day == date.max:
            end = datetime.combine(day, time.max, self.zone)
        else:
            end = datetime.combine(day + timedelta(days=1), self.cut_over, self.zone)
        return (end - _EPOCH) // timedelta(microseconds=1)
