"""The clocks: the system's own, the simulated one, and when neither may be believed."""

from __future__ import annotations

import pickle
import time

import pytest

from switch import clock as clock_module
from switch.clock import JUMP_US_MAX, Clock

SECOND_US = 1_000_000
START_US = 1_788_235_200_000_000


class Times:
    """The two clocks of the operating system, in nanoseconds, moved by hand."""

    def __init__(self) -> None:
        self.system_ns = 1_700_000_000_000_000_000
        self.running_ns = 5_000_000_000

    def time_ns(self) -> int:
        return self.system_ns

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def clock_gettime_ns(self, clock: int) -> int:
        assert clock == time.CLOCK_BOOTTIME
        return self.running_ns

    def pass_seconds(self, seconds: float) -> None:
        self.system_ns += int(seconds * 1e9)
        self.running_ns += int(seconds * 1e9)


@pytest.fixture
def times(monkeypatch) -> Times:
    made = Times()
    monkeypatch.setattr(clock_module, "time", made)
    return made


def test_by_default_it_is_the_systems_time():
    clock = Clock()
    assert not clock.simulated
    before_us = time.time_ns() // 1_000
    assert before_us <= clock.now_us() <= time.time_ns() // 1_000
    assert clock.problem(0) is None


def test_a_simulated_clock_keeps_real_time_after_its_end(times):
    clock = pickle.loads(pickle.dumps(Clock(START_US, 60, START_US + 120 * SECOND_US)))
    times.pass_seconds(2)
    assert clock.now_us() == START_US + 120 * SECOND_US
    times.pass_seconds(3)
    assert clock.now_us() == START_US + 123 * SECOND_US


def test_a_simulated_clock_begins_where_it_is_told_and_runs_at_its_speed(times):
    clock = Clock(START_US, 60)
    assert clock.simulated
    assert clock.now_us() == START_US
    times.pass_seconds(2)
    assert clock.now_us() == START_US + 120 * SECOND_US
    assert clock.problem(START_US) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_jump_of_the_system_clock(times, sign):
    clock = Clock()
    times.pass_seconds(10_000)
    assert clock.jump_us() == 0
    times.system_ns += sign * JUMP_US_MAX * 1_000
    assert clock.problem(0) is None
    times.system_ns += sign * 1_000_000
    assert clock.jump_us() == sign * (JUMP_US_MAX + 1_000)
    assert "jumped" in clock.problem(0)
    assert "restart" in clock.problem(0)


def test_a_clock_behind_the_journal(times):
    clock = Clock(START_US)
    assert clock.problem(START_US + JUMP_US_MAX) is None
    assert "3601 s behind" in clock.problem(START_US + JUMP_US_MAX + SECOND_US)
    times.pass_seconds(2)
    assert clock.problem(START_US + JUMP_US_MAX + SECOND_US) is None
