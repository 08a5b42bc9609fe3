"""A shard in another process, as a gateway's handle: parcels gather in a mailbox and travel in calls.

Batches form by themselves here too: whatever gathered while the previous calls were in flight is the next call. A call
that fails may or may not have reached the shard; its requests are sent again, which idempotency makes safe, until they
are answered or their terminals have stopped waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final

import structlog

from switch.batches import ParcelSent, decode_answered, encode_parcels
from switch.mailbox import DEADLINE_TICK_S, Mailbox, Parcel, refusal
from switch.meters import Meters
from wire.codec import reply_decoder
from wire.codes import Code, Reason

CALLS_MAX: Final = 2
"""In flight at once: one is answered while the next one travels."""

CALL_REQUESTS_MAX: Final = 2_048
SEND_AGAIN_S: Final = 0.1
_OF_THIS_COPY_ONLY: Final = frozenset({Code.TRY_AGAIN, Code.TOO_LATE})
"""Codes that say that this copy had no effect, and nothing of a copy that was sent before."""

log = structlog.get_logger()


class ShardUnreachableError(Exception):
    """A call failed; whether the shard got it is not known."""


class RemoteShard:
    """Answers every submitted request exactly once, at the latest a tick after its terminal has stopped waiting.

    What was never handed to the shard is then 68, and all else 96.
    """

    refusal: Reason | None = None

    def __init__(
        self,
        call: Callable[[bytes], Awaitable[bytes]],
        meters: Meters,
        mailbox_max: int,
        on_delivered: Callable[[], None],
    ) -> None:
        """`call` brings `switch.batches` to the shard; raises ShardUnreachableError.

        `on_delivered` is called after a round of answers has been handed to their senders.
        """
        self.mailbox = Mailbox(mailbox_max)
        self.time_us = 0
        self._call = call
        self._meters = meters
        self._on_delivered = on_delivered
        self._loop = asyncio.get_running_loop()
        self._calls: dict[asyncio.Task[None], list[Parcel]] = {}
        self._beginning = False
        self._out_of_reach = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._tick = self._loop.call_later(DEADLINE_TICK_S, self._expire)

    def room(self, *, urgent: bool = False) -> int:
        """How many more requests the mailbox takes, emergencies or others."""
        return self.mailbox.room(urgent=urgent)

    def submit(self, parcel: Parcel) -> None:
        """Take a parcel for which there is room."""
        self.mailbox.put(parcel)
        self._idle.clear()
        if not self._beginning and len(self._calls) < CALLS_MAX:
            self._beginning = True
            # After this iteration's other reads, so that all of them are in the call.
            self._loop.call_soon(self._begin_calls)

    async def drain(self) -> None:
        """Wait until everything that was submitted is answered."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Drain and close."""
        await self.drain()
        self.close()

    def close(self) -> None:
        """Look at deadlines no more."""
        self._tick.cancel()

    def _begin_calls(self) -> None:
        self._beginning = False
        while self.mailbox and len(self._calls) < CALLS_MAX:
            parcels = self._refuse_expired(self.mailbox.take(CALL_REQUESTS_MAX), Code.TOO_LATE, Reason.WAITED_TOO_LONG)
            if parcels:
                task = self._loop.create_task(self._answer(parcels))
                self._calls[task] = parcels
                task.add_done_callback(self._ended)
        self._on_delivered()
        if not self._calls:
            self._idle.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        parcels = self._calls.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("call failed; what it asked is answered 96", error=repr(error), exc_info=error)
            for parcel in parcels:
                self._refuse(parcel, parcel.requests, Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN)
                parcel.requests = []
        self._begin_calls()

    async def _answer(self, parcels: list[Parcel]) -> None:
        """Ask until all the parcels' requests are answered, here or by their deadlines."""
        asked_before = False
        while parcels:
            now = monotonic()
            sent = [ParcelSent(int((now - parcel.received) * 1_000), list(parcel.requests)) for parcel in parcels]
            try:
                answered = decode_answered(await self._call(encode_parcels(sent)))
            except ShardUnreachableError as error:
                self._log_reach(error)
            else:
                self._log_reach(None)
                self.time_us = max(self.time_us, answered.time_us)
                for parcel, answers in zip(parcels, answered.parcels, strict=True):
                    self._deliver(parcel, answers, asked_before=asked_before)
                self._on_delivered()
            asked_before = True
            parcels = [parcel for parcel in parcels if parcel.requests]
            if parcels:
                await asyncio.sleep(SEND_AGAIN_S)
                parcels = [parcel for parcel in parcels if parcel.requests]

    def _log_reach(self, error: ShardUnreachableError | None) -> None:
        """Log when the shard comes out of reach and when it is back, not each of the many calls in between."""
        if error is not None and not self._out_of_reach:
            log.warning("shard out of reach; asking again until it answers", error=str(error))
        elif error is None and self._out_of_reach:
            log.info("shard answers again")
        self._out_of_reach = error is not None

    def _deliver(self, parcel: Parcel, answers: Sequence[bytes], *, asked_before: bool) -> None:
        if asked_before or len(answers) != len(parcel.requests):
            answers = self._take_answered(parcel, answers, asked_before=asked_before)
        else:
            parcel.requests = []
        if answers:
            self._meters.total_latency.observe(monotonic() - parcel.received, len(answers))
            parcel.sender.deliver(parcel, answers)

    def _take_answered(self, parcel: Parcel, answers: Sequence[bytes], *, asked_before: bool) -> list[bytes]:
        """The answers to requests that are still unanswered, which they then are no more.

        Not those that speak of one copy only, where an earlier one may have been decided: that is asked again.
        """
        unanswered = Counter((request.terminal, request.stan) for request in parcel.requests)
        taken: list[bytes] = []
        for encoded in answers:
            answer: Any = reply_decoder.decode_message(encoded)
            whose = answer.terminal, answer.stan
            final = not asked_before or getattr(answer, "code", Code.APPROVED) not in _OF_THIS_COPY_ONLY
            if final and unanswered[whose]:
                unanswered[whose] -= 1
                taken.append(encoded)
        requests, parcel.requests = parcel.requests, []
        for request in requests:
            whose = request.terminal, request.stan
            if unanswered[whose]:
                unanswered[whose] -= 1
                parcel.requests.append(request)
        return taken

    def _expire(self) -> None:
        self._tick = self._loop.call_later(DEADLINE_TICK_S, self._expire)
        for parcel, requests in self.mailbox.take_expired(monotonic()):
            self._refuse(parcel, requests, Code.TOO_LATE, Reason.WAITED_TOO_LONG)
        for call, parcels in self._calls.items():
            if not self._refuse_expired(parcels, Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN):
                call.cancel()  # nobody waits for it any more, and others wait for its place
        self._on_delivered()

    def _refuse_expired(self, parcels: list[Parcel], code: Code, reason: Reason) -> list[Parcel]:
        """Answer what nobody waits for any more; returns the parcels with requests left."""
        now = monotonic()
        for parcel in parcels:
            self._refuse(parcel, parcel.take_expired(now), code, reason)
        return [parcel for parcel in parcels if parcel.requests]

    def _refuse(self, parcel: Parcel, requests: list[Any], code: Code, reason: Reason) -> None:
        if requests:
            self._meters.refusals[int(code), reason.value] += len(requests)
            self._meters.total_latency.observe(monotonic() - parcel.received, len(requests))
            parcel.sender.deliver(parcel, [refusal(request, code, reason) for request in requests])
