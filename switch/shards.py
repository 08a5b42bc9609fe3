"""The shards as a gateway sees them: which one answers a request, wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from actors.placement import SLOTS, shard_of, slot_of
from switch.mailbox import Parcel
from wire.codes import Reason


class ShardHandle(Protocol):
    """One shard, in this process or in another."""

    @property
    def refusal(self) -> Reason | None:
        """Why nothing should be submitted now (to be answered 91), or None."""
        ...

    @property
    def time_us(self) -> int:
        """Time of its newest event, as far as it is known here."""
        ...

    def room(self, *, urgent: bool = False) -> int:
        """How many more requests it takes, emergencies or others."""
        ...

    def submit(self, parcel: Parcel) -> None:
        """Take a parcel for which there is room. Each of its requests is answered once, to the parcel's sender."""
        ...

    async def drain(self) -> None:
        """Wait until everything that was submitted is answered."""
        ...


def room_for(shard: ShardHandle, *, urgent: bool = False) -> tuple[int, Reason]:
    """How many of a parcel's requests the shard takes now, and why it does not take more (to be answered 91).

    Emergencies are taken as long as anything can be recorded at all.
    """
    shut = shard.refusal
    if shut is None or (urgent and shut is Reason.BUSY_SHARD):
        return shard.room(urgent=urgent), Reason.BUSY_SHARD
    return 0, shut


Handle = TypeVar("Handle", bound=ShardHandle)


class Shards(Generic[Handle]):
    """All shards of a switch, by number."""

    def __init__(self, handles: Sequence[Handle]) -> None:
        self.handles: Final = tuple(handles)
        self._only = self.handles[0] if len(self.handles) == 1 else None
        self._by_slot = [self.handles[shard_of(slot, len(self.handles))] for slot in range(SLOTS)]

    def sort(self, requests: list[Any]) -> Sequence[tuple[Handle, list[Any]]]:
        """The requests by the shard that owns their account, in their order."""
        if self._only is not None:
            return ((self._only, requests),)
        sorted_requests: dict[Handle, list[Any]] = {}
        for request in requests:
            sorted_requests.setdefault(self._by_slot[slot_of(request.account)], []).append(request)
        return tuple(sorted_requests.items())

    def of_terminal(self, terminal: int) -> Handle:
        """The shard that records what happens to the terminal itself."""
        return self._by_slot[slot_of(str(terminal))]

    @property
    def time_us(self) -> int:
        """Time of the newest event of all."""
        return max(handle.time_us for handle in self.handles)

    async def drain(self) -> None:
        """Wait until everything that was submitted is answered."""
        await asyncio.gather(*(handle.drain() for handle in self.handles))
