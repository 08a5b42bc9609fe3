"""What ends a switch, and that what SIGHUP asks for is done in order."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from switch.lifetime import Lifetime

WAIT_S_MAX = 20.0


@pytest.fixture
async def hang_ups():
    """How many have begun, and what lets each of them end."""
    begun: list[int] = []
    done: list[int] = []
    go_on = asyncio.Semaphore(0)

    async def on_hang_up() -> None:
        number = len(begun)
        begun.append(number)
        await go_on.acquire()
        done.append(number)

    lifetime = Lifetime(on_hang_up)
    yield lifetime, begun, done, go_on
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.remove_signal_handler(number)


async def until(condition) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not condition():  # noqa: ASYNC110 - a signal's handler has no event
            await asyncio.sleep(0.001)


async def test_a_second_hang_up_waits_for_the_first(hang_ups):
    _, begun, done, go_on = hang_ups
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: begun == [0])
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.05)
    assert begun == [0]
    go_on.release()
    await until(lambda: begun == [0, 1])
    assert done == [0]
    go_on.release()
    await until(lambda: done == [0, 1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well_and_the_first_status_counts(hang_ups, number):
    lifetime, *_ = hang_ups
    os.kill(os.getpid(), number)
    async with asyncio.timeout(WAIT_S_MAX):
        assert await lifetime.ended == 0
    lifetime.end(1)
    assert lifetime.ended.result() == 0
