"""How fast a journal grows, measured from what it has, and when that fills the room there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from actors.account.kind import ACCOUNT
from actors.journal import Journal
from actors.lmdb_store import LmdbStore

RECENT_US: Final = 7 * 86_400_000_000
"""A week, so that a weekend is in it."""

SPAN_US_MIN: Final = 3_600_000_000
"""Less than an hour tells nothing of a day."""

DAYS_MAX: Final = 36_500.0
"""A forecast beyond a hundred years says no more."""

_DAY_US: Final = 86_400_000_000


class Growth(Struct, frozen=True):
    """Of one journal."""

    events_per_day: float
    bytes_per_event: float
    """On disk, in whole pages, over the whole journal: small batches take more for each event than large ones."""

    @property
    def bytes_per_day(self) -> float:
        """At the recent rate."""
        return self.events_per_day * self.bytes_per_event


def measure_growth(store: LmdbStore, now_us: int) -> Growth | None:
    """The rate of the last week, or of all there is if that is less; None if it is less than an hour.

    Raises JournalBrokenError if an event on the way cannot be read.
    """
    journal = Journal(store, ACCOUNT.event_type)
    newest = journal.head().position
    if not newest:
        return None
    since_us = max(now_us - RECENT_US, journal.event_at(1).time_us)
    if now_us - since_us < SPAN_US_MIN:
        return None
    events = newest - _events_before(journal, newest, since_us)
    return Growth(events * _DAY_US / (now_us - since_us), store.journal_bytes() / newest)


def days_left(room_bytes: float, bytes_per_day: float) -> float:
    """How many days the room lasts, DAYS_MAX at most."""
    return min(max(room_bytes, 0.0) / bytes_per_day, DAYS_MAX) if bytes_per_day else DAYS_MAX


def shown_days(days: float, now_us: int) -> str:
    """When that is, for people."""
    if days >= DAYS_MAX:
        return "not within a hundred years"
    full = datetime.fromtimestamp(now_us / 1e6, UTC) + timedelta(days=days)
    return f"in {days:,.0f} days, {full:%Y-%m-%d}"


def _events_before(journal: Journal, newest: int, time_us: int) -> int:
    """How many events are older: their times never run backwards, so halving finds it."""
    first, beyond = 1, newest + 1
    while first < beyond:
        middle = (first + beyond) // 2
        if journal.event_at(middle).time_us < time_us:
            first = middle + 1
        else:
            beyond = middle
    return first - 1
