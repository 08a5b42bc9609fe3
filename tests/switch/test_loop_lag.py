"""The timer that tells how long the event loop keeps its callers waiting."""

from __future__ import annotations

import asyncio
from time import monotonic

from switch.loop_lag import INTERVAL_S, LoopLag
from switch.meters import LOOP_LAG_EDGES_S, Histogram


class Rings(Histogram):
    """Lets a test wait for what is counted."""

    def __init__(self) -> None:
        super().__init__(LOOP_LAG_EDGES_S)
        self.rung = asyncio.Semaphore(0)

    def observe(self, value: float, times: int = 1) -> None:
        super().observe(value, times)
        self.rung.release()


async def test_it_counts_again_and_again_until_it_is_stopped():
    rings = Rings()
    loop_lag = LoopLag(rings)
    async with asyncio.timeout(20):
        await rings.rung.acquire()
        await rings.rung.acquire()
    loop_lag.stop()
    await asyncio.sleep(2 * INTERVAL_S)
    assert sum(rings.counts) == 2


async def test_a_stalled_loop_is_seen():
    rings = Rings()
    loop_lag = LoopLag(rings)
    until = monotonic() + INTERVAL_S + 0.5
    while monotonic() < until:
        pass
    async with asyncio.timeout(20):
        await rings.rung.acquire()
    loop_lag.stop()
    assert rings.sum >= 0.499
