"""Which shard answers a request."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from switch_in_process import purchase

from actors.placement import slot_of, slots_of
from switch.mailbox import Parcel
from switch.shards import Shards
from wire.codes import Reason


class Idle:
    """A shard that takes everything and does nothing."""

    refusal: Reason | None = None

    def __init__(self, time_us: int = 0) -> None:
        self.time_us = time_us
        self.idle = asyncio.Event()

    def room(self) -> int:
        return 1_000

    def submit(self, parcel: Parcel) -> None:
        raise AssertionError("nothing is submitted here")

    async def drain(self) -> None:
        await self.idle.wait()


numbers = st.lists(st.text("0123456789", min_size=1, max_size=19), max_size=40)


@given(numbers, st.integers(1, 9))
def test_each_request_goes_to_the_owner_of_its_slot_in_order(accounts: list[str], count: int) -> None:
    shards = Shards([Idle() for _ in range(count)])
    requests: list[Any] = [purchase(stan, account=account) for stan, account in enumerate(accounts, 1)]
    given_out: list[Any] = []
    for handle, theirs in shards.sort(list(requests)):
        slots = slots_of(shards.handles.index(handle), count)
        assert all(slot_of(request.account) in slots for request in theirs)
        assert [request.stan for request in theirs] == sorted(request.stan for request in theirs)
        given_out += theirs
    assert sorted(request.stan for request in given_out) == [request.stan for request in requests]


def test_time_is_that_of_the_newest_event_of_all() -> None:
    assert Shards([Idle(5), Idle(9), Idle(7)]).time_us == 9


async def test_drained_when_every_shard_is() -> None:
    shards = Shards([Idle(), Idle()])
    draining = asyncio.ensure_future(shards.drain())
    shards.handles[0].idle.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not draining.done()
    shards.handles[1].idle.set()
    await draining
