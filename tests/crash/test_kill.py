"""The switch dies or is stopped at noon: nothing acknowledged is missing afterwards, and nothing counts twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from campus_folder import write_campus
from crowd import Crowd
from running_switch import RunningSwitch, make_data
from witnesses import check, journaled

ACCOUNTS = 300
ANSWERS_MAX = 1_500
DELAY_SECONDS_MAX = 0.01
"""The switch is killed at most so many answers, and then so much time, after the beginning of a round."""


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, ACCOUNTS)


async def started(data: Path, campus: Path, crowd: Crowd) -> RunningSwitch:
    switch = await asyncio.to_thread(RunningSwitch, data, campus)
    crowd.address.now = switch.address
    return switch


async def kill_while_at_work(switch: RunningSwitch, crowd: Crowd, random: Random) -> None:
    loop = asyncio.get_running_loop()
    killed = asyncio.Event()

    def kill() -> None:
        switch.process.kill()
        killed.set()

    # At the very moment of an answer, when a switch that answers too early is found out; or at any other.
    delay = random.choice((0, random.uniform(0, DELAY_SECONDS_MAX)))
    then = (lambda: loop.call_later(delay, kill)) if delay else kill
    crowd.after_answers(random.randint(1, ANSWERS_MAX), then)
    crowd.begin()
    async with asyncio.timeout(60):
        await killed.wait()
    await asyncio.to_thread(switch.kill)


async def test_killed_at_a_random_moment(pytestconfig, campus, data, crowd):
    switch = await started(data, campus, crowd)
    try:
        for seed in range(1, pytestconfig.getoption("--crash-rounds") + 1):
            await kill_while_at_work(switch, crowd, Random(seed))
            switch = await started(data, campus, crowd)
            await crowd.settle()
            await crowd.audit()
            check(crowd, data, seed)
    finally:
        switch.kill()
    assert crowd.retries
    assert crowd.reversals
    recovered = switch.logged("recovered")
    assert [line["position"] for line in recovered] == sorted(line["position"] for line in recovered)
    assert all(line["replayed"] > 0 for line in recovered[1:])


async def test_stopped_under_load(campus, data, crowd):
    switch = await started(data, campus, crowd)
    try:
        terminated = asyncio.Event()

        def terminate() -> None:
            switch.process.terminate()
            terminated.set()

        crowd.after_answers(300, terminate)
        crowd.begin()
        async with asyncio.timeout(60):
            await terminated.wait()
        status = await asyncio.to_thread(switch.wait)
        assert status == 0, switch.log.read_text()
        decided = {(event.terminal, event.stan) for event in journaled(data)}
        assert len(decided) >= 250
        assert decided <= crowd.answered.keys(), "decided, but its answer never left"
        switch = await started(data, campus, crowd)
        assert [line["replayed"] for line in switch.logged("recovered")] == [0, 0]
        await crowd.settle()
        await crowd.audit()
        check(crowd, data, 0)
        assert len(switch.logged("stopped")) == 1
    finally:
        switch.kill()
