"""How fast a journal grows, and when that fills what there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from campus_folder import write_campus
from running_switch import make_data
from switch_in_process import purchase

from actors.account.kind import ACCOUNT
from actors.lmdb_store import LmdbStore
from actors.recovery import recover
from switch.campus import read_campus
from switch.data_folder import create, shard_folder
from switch.growth import DAYS_MAX, Growth, days_left, measure_growth, shown_days

DAY_US = 86_400_000_000
OPENED = 20


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, OPENED)


@pytest.fixture
def store(data) -> Iterator[LmdbStore]:
    opened = LmdbStore.open(shard_folder(data))
    yield opened
    opened.close()


@pytest.fixture
def opened_us(store) -> int:
    return recover(store, ACCOUNT).time_us


@pytest.fixture
def spent(tmp_path, store, opened_us) -> int:
    """A purchase each hour of thirty days after the opening; when the last one was."""
    policy, shard = read_campus(write_campus(tmp_path)).policy, recover(store, ACCOUNT)
    for hour in range(1, 30 * 24 + 1):
        turn = shard.decide([purchase(hour, 1)], policy.calendar.moment(opened_us + hour * DAY_US // 24), policy)
        shard.commit(turn)
        shard.adopt(turn)
    return shard.time_us


def test_the_rate_of_the_last_week(store, spent):
    found = measure_growth(store, spent)
    assert found is not None
    assert found.events_per_day == pytest.approx(24, rel=0.01)
    assert found.bytes_per_event == store.journal_bytes() / (OPENED + 720)
    assert 100 < found.bytes_per_event < 1_000
    assert found.bytes_per_day == pytest.approx(24 * found.bytes_per_event, rel=0.01)


def test_a_week_in_which_less_happens(store, spent):
    found = measure_growth(store, spent + 4 * DAY_US)
    assert found is not None
    assert found.events_per_day == pytest.approx(24 * 3 / 7, rel=0.02)
    later = measure_growth(store, spent + 8 * DAY_US)
    assert later is not None
    assert later.events_per_day == 0


@pytest.mark.parametrize(("hours", "per_day"), [(1, 21 * 24), (2, 22 * 12), (24, 44)])
def test_a_young_journal(tmp_path, store, opened_us, hours, per_day):
    policy, shard = read_campus(write_campus(tmp_path)).policy, recover(store, ACCOUNT)
    for hour in range(1, hours + 1):
        turn = shard.decide([purchase(hour, 1)], policy.calendar.moment(opened_us + hour * DAY_US // 24), policy)
        shard.commit(turn)
        shard.adopt(turn)
    found = measure_growth(store, shard.time_us)
    assert found is not None
    assert found.events_per_day == pytest.approx(per_day, rel=0.001)


def test_too_young_or_empty_to_tell(tmp_path, store, opened_us):
    assert measure_growth(store, opened_us + DAY_US // 24 - 1) is None
    create(tmp_path / "empty")
    empty = LmdbStore.open_read_only(shard_folder(tmp_path / "empty"))
    assert measure_growth(empty, opened_us) is None
    empty.close()


@pytest.mark.parametrize(("room", "per_day", "days"), [
    (1_000, 10, 100), (0, 10, 0), (-5, 10, 0), (1_000, 0, DAYS_MAX), (10**15, 1, DAYS_MAX),
])  # fmt: skip
def test_days_left(room, per_day, days):
    assert days_left(room, per_day) == days


def test_when_that_is():
    assert shown_days(31.2, 1_767_225_600_000_000) == "in 31 days, 2026-02-01"
    assert shown_days(DAYS_MAX, 0) == "not within a hundred years"


def test_a_day_of_growth():
    assert Growth(100.0, 250.0).bytes_per_day == 25_000
