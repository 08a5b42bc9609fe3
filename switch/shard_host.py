"""A shard as its own process offers it: a call brings parcels, and returns when all of them are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from switch.batches import Answered, ParcelSent, decode_parcels, encode_answered
from switch.embedded import EmbeddedShard
from switch.mailbox import Parcel, is_urgent, refusal
from switch.meters import Meters
from switch.shards import room_for
from wire.codes import Code


class ShardHost:
    """Calls may overlap: they only fill the mailbox, and the shard takes its turns as it does beside a gateway."""

    def __init__(self, embedded: EmbeddedShard, meters: Meters) -> None:
        self._embedded = embedded
        self._meters = meters

    async def answer(self, call: bytes, received: float | None = None) -> bytes:
        """Answer parcels (see `switch.batches`). What the shard has no room for is refused and reaches no actor.

        `received`: monotonic seconds when the call came; now, if it is not given.
        """
        received = monotonic() if received is None else received
        sent = decode_parcels(call)
        waiting = _Call(sum(len(parcel.requests) for parcel in sent))
        senders = [_ParcelSender(waiting) for _ in sent]
        for parcel, sender in zip(sent, senders, strict=True):
            self._submit(parcel, sender, received)
        await waiting.answered
        return encode_answered(Answered(self._embedded.time_us, [sender.answers for sender in senders]))

    def _submit(self, sent: ParcelSent, sender: _ParcelSender, received: float) -> None:
        requests: list[Any] = sent.requests
        embedded = self._embedded
        room, reason = room_for(embedded, urgent=is_urgent(requests))
        if len(requests) > room:
            self._meters.refusals[int(Code.TRY_AGAIN), reason.value] += len(requests) - room
            sender.take([refusal(request, Code.TRY_AGAIN, reason) for request in requests[room:]])
            requests = requests[:room]
        if requests:
            embedded.submit(Parcel(sender, requests, received - sent.age_ms / 1_000))


class _Call:
    """How many of a call's requests are unanswered."""

    def __init__(self, requests: int) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = requests
        self.count(0)

    def count(self, answers: int) -> None:
        """So many answers came."""
        self._left -= answers
        if not self._left and not self.answered.done():  # done already if whoever called has been cancelled
            self.answered.set_result(None)


class _ParcelSender:
    """Collects the answers of one parcel of a call."""

    def __init__(self, call: _Call) -> None:
        self.answers: list[bytes] = []
        self._call = call

    def deliver(self, _parcel: Parcel, answers: Sequence[bytes]) -> None:
        """See switch.mailbox.Sender."""
        self.take(answers)

    def take(self, answers: Sequence[bytes]) -> None:
        """Some of the parcel's requests are answered."""
        self.answers += answers
        self._call.count(len(answers))
