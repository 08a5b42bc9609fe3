"""A shard in this very process: turns on the event loop, commits in one helper thread.

Batches form by themselves: whatever arrives while one commit is in flight is the next turn. LMDB releases the
interpreter while it writes, so the event loop keeps reading meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from operator import attrgetter
from time import monotonic
from typing import Any, Final

import structlog

from actors.account.kind import ACCOUNT
from actors.placement import SLOTS
from actors.policy import Policy
from actors.shard import Shard, Turn
from actors.store import CommitBrokenError, CommitRefusedError, StoreDamagedError
from actors.terminal.events import EmergencyRaised
from switch.clock import Clock
from switch.mailbox import DEADLINE_TICK_S, Mailbox, Parcel, refusal
from switch.meters import Meters
from wire.codes import Code, Reason

TURN_REQUESTS_MAX: Final = 2_048

SWEEP_INTERVAL_S: Final = 0.1
"""How often a turn also settles what is due in one more slot: so each account is looked at every seven minutes."""

_deadline: Final = attrgetter("deadline")
_received: Final = attrgetter("received")
_requests: Final = attrgetter("requests")

log = structlog.get_logger()


class EmbeddedShard:
    """Answers every submitted request exactly once, at the latest a tick after its terminal has stopped waiting."""

    def __init__(
        self,
        shard: Shard,
        policy: Policy,
        clock: Clock,
        meters: Meters,
        mailbox_max: int,
        on_delivered: Callable[[], None],
        on_broken: Callable[[BaseException], None],
    ) -> None:
        """`on_delivered` is called after a round of answers has been handed to their senders.

        `on_broken` is called once if the shard must stop because it no longer knows what is on disk.
        """
        self.shard = shard
        self.policy = policy
        self.mailbox = Mailbox(mailbox_max)
        self.refusal: Reason | None = None
        """Why nothing should be submitted now (to be answered 91), or None."""

        self.store_full = False
        self._clock = clock
        self._meters = meters
        self._on_delivered = on_delivered
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._commit_thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._committing: list[Parcel] = []
        self._commit_began: float | None = None
        self._turn_running = False
        self._broken = False
        self._stopping = False
        self._swept = monotonic()
        self._next_swept = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tick = self._loop.call_later(DEADLINE_TICK_S, self._guard, self._expire)

    @property
    def broken(self) -> bool:
        """Whether the shard has stopped because of a fault."""
        return self._broken

    def problem(self) -> str | None:
        """Why this shard is not ready, or None."""
        if self._broken:
            return "a turn failed and the shard has stopped"
        if self.store_full:
            return "the store is full: no space for the last commit"
        if not self.shard.admits:
            return f"snapshots lag {self.shard.snapshot_lag} events behind"
        return self._clock.problem(self.shard.time_us)

    @property
    def time_us(self) -> int:
        """Time of the newest event."""
        return self.shard.time_us

    @property
    def commit_running_s(self) -> float:
        """How long the commit in flight has taken so far; 0 if none is."""
        return 0.0 if self._commit_began is None else monotonic() - self._commit_began

    def room(self, *, urgent: bool = False) -> int:
        """How many more requests the mailbox takes, emergencies or others."""
        return self.mailbox.room(urgent=urgent)

    def submit(self, parcel: Parcel) -> None:
        """Take a parcel for which the mailbox has room."""
        self.mailbox.put(parcel)
        if not self._turn_running:
            self._wake()

    async def drain(self) -> None:
        """Wait until everything that was submitted is answered."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Refuse what comes, and write all snapshots, so that the next start replays nothing."""
        self._stopping = True
        self.refusal = Reason.STOPPING
        self._tick.cancel()
        await self.drain()
        if not self._broken:
            try:
                await self._loop.run_in_executor(self._commit_thread, self.shard.checkpoint)
            except CommitRefusedError as error:
                log.warning("checkpoint refused; the next start replays the journal's tail", error=str(error))
            except (CommitBrokenError, StoreDamagedError) as error:
                self._broken = True
                log.critical("checkpoint failed; look at the disk before the next start", error=str(error))
        self._commit_thread.shutdown()

    def _wake(self) -> None:
        if not self._turn_running and not self._broken:
            self._turn_running = True
            self._idle.clear()
            # After this iteration's other reads, so that all of them are in the turn.
            self._loop.call_soon(self._guard, self._begin_turn)

    def _begin_turn(self) -> None:
        started = monotonic()
        parcels = self.mailbox.take(TURN_REQUESTS_MAX)
        if min(map(_deadline, parcels), default=started) < started:
            parcels = self._refuse_expired(parcels, started)
        if self._clock.problem(self.shard.time_us) is not None:
            # No event may be stamped with this time; nothing was decided, so trying again is safe.
            for parcel in parcels:
                self._refuse(parcel, parcel.requests, Code.TRY_AGAIN, Reason.NOT_READY)
            self._end_turn()
            return
        requests: list[Any] = list(chain.from_iterable(map(_requests, parcels)))
        self._meters.queue_latency.observe_waits(started, *_waits(parcels))
        shard = self.shard
        moment = self.policy.calendar.moment(max(self._clock.now_us(), shard.time_us))
        self._committing = parcels
        turn = shard.decide(requests, moment, self.policy, sweep=self._sweep(started))
        decided = monotonic()
        self._meters.decide_latency.observe(decided - started, len(requests))
        if turn.batch is None and not turn.rows:
            self._finish_turn(turn, requests)
            return
        self._commit_began = decided
        commit = self._loop.run_in_executor(self._commit_thread, shard.commit, turn)
        commit.add_done_callback(lambda done: self._guard(self._committed, done, turn, requests, decided))

    def _committed(self, commit: asyncio.Future[None], turn: Turn, requests: list[Any], began: float) -> None:
        error, self._commit_began = commit.exception(), None
        self._meters.commit_latency.observe(monotonic() - began)
        if isinstance(error, CommitRefusedError):
            self._undo_turn(turn, error)
        elif error is not None:
            self._break(error)
        else:
            if turn.batch is not None:
                self._meters.batch_sizes.observe(len(turn.entries))
            self.store_full = False
            self._finish_turn(turn, requests)

    def _finish_turn(self, turn: Turn, requests: list[Any]) -> None:
        self.shard.adopt(turn)
        for emergency in _emergencies(turn):
            log.warning("emergency", terminal=emergency.terminal, stan=emergency.stan)
        answers, start = turn.answers, 0
        if len(answers) == sum(map(len, map(_requests, self._committing))):
            for parcel in self._committing:
                end = start + len(parcel.requests)
                parcel.sender.deliver(parcel, answers[start:end])
                start = end
        else:
            self._deliver_unexpired(requests, answers)
        self._count(turn)
        self._end_turn()

    def _deliver_unexpired(self, requests: list[Any], answers: list[Any]) -> None:
        """Some requests were answered 96 while their commit was in flight: deliver only the others' answers."""
        by_request = {id(request): answer for request, answer in zip(requests, answers, strict=True)}
        for parcel in self._committing:
            if parcel.requests:
                parcel.sender.deliver(parcel, [by_request[id(request)] for request in parcel.requests])

    def _undo_turn(self, turn: Turn, error: CommitRefusedError) -> None:
        if not self.store_full:
            log.error("commit refused; nothing was recorded, terminals are told to try again", error=str(error))
        self.store_full = True
        self._meters.commits_refused += 1
        self.shard.drop(turn)
        for parcel in self._committing:
            self._refuse(parcel, parcel.requests, Code.TRY_AGAIN, Reason.STORE_FULL)
        self._end_turn()

    def _guard(self, step: Callable[..., None], *arguments: Any) -> None:
        """Run a step of a turn. Whatever it raises is a bug, and the shard cannot be trusted with another turn."""
        try:
            step(*arguments)
        except Exception as error:  # noqa: BLE001 - the event loop would only log it, and no turn would ever run again
            self._break(error)

    def _break(self, error: BaseException) -> None:
        self._broken = True
        self.refusal = Reason.NOT_READY
        self._idle.set()
        if isinstance(error, StoreDamagedError):
            log.critical("the data are damaged; stopping", error=str(error))
        else:
            log.critical("turn failed; stopping, because what is true is not known until the disk is read again",
                         error=repr(error), exc_info=error)  # fmt: skip
        self._on_broken(error)

    def _end_turn(self) -> None:
        self._committing = []
        self._on_delivered()
        if not self._stopping:
            self.refusal = None if self.shard.admits else Reason.BUSY_SHARD
        if self.mailbox or self._can_catch_up():
            self._loop.call_soon(self._guard, self._begin_turn)
        else:
            self._turn_running = False
            self._idle.set()

    def _can_catch_up(self) -> bool:
        """Whether snapshots lag too far behind and nothing forbids to write them now. If not, the tick asks again."""
        return not (self.shard.admits or self.store_full or self._clock.problem(self.shard.time_us))

    def _sweep(self, now: float) -> int | None:
        """The slot to sweep in this turn, or None."""
        if not self._must_sweep(now):
            return None
        slot, self._next_swept = self._next_swept, (self._next_swept + 1) % SLOTS
        self._swept = now
        return slot

    def _must_sweep(self, now: float) -> bool:
        """Whether the next slot's turn has come. Not while there is no room for what would be found."""
        return now - self._swept >= SWEEP_INTERVAL_S and self.shard.admits and not self.store_full

    def _count(self, turn: Turn) -> None:
        meters = self._meters
        meters.repeats += turn.repeats
        meters.emergencies += len(_emergencies(turn))
        if turn.put_off:
            meters.refusals[int(Code.TRY_AGAIN), Reason.BUSY_SHARD.value] += turn.put_off
        meters.count_answers(ACCOUNT.service, turn.recorded)
        meters.count_posted(turn.volume, turn.suspicious)
        meters.count_answers(ACCOUNT.service, turn.unrecorded)
        meters.total_latency.observe_waits(monotonic(), *_waits(self._committing))

    def _refuse_expired(self, parcels: list[Parcel], now: float) -> list[Parcel]:
        """Answer what nobody waits for any more; returns the parcels with requests left."""
        for parcel in parcels:
            self._refuse(parcel, parcel.take_expired(now), Code.TOO_LATE, Reason.WAITED_TOO_LONG)
        return [parcel for parcel in parcels if parcel.requests]

    def _refuse(self, parcel: Parcel, requests: list[Any], code: Code, reason: Reason) -> None:
        if not requests:
            return
        self._meters.refusals[int(code), reason.value] += len(requests)
        if code is not Code.TRY_AGAIN:
            # Whoever was kept waiting until the deadline is in the latency that dashboards show.
            self._meters.total_latency.observe(monotonic() - parcel.received, len(requests))
        parcel.sender.deliver(parcel, [refusal(request, code, reason) for request in requests])

    def _expire(self) -> None:
        self._tick = self._loop.call_later(DEADLINE_TICK_S, self._guard, self._expire)
        now = monotonic()
        for parcel, requests in self.mailbox.take_expired(now):
            self._refuse(parcel, requests, Code.TOO_LATE, Reason.WAITED_TOO_LONG)
        for parcel in self._committing:
            self._refuse(parcel, parcel.take_expired(now), Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN)
        self._on_delivered()
        if not self.shard.admits or self._must_sweep(now):
            self._wake()


def _emergencies(turn: Turn) -> list[EmergencyRaised]:
    """Those of its alarms that call for help."""
    return [alarm for alarm in turn.raised if isinstance(alarm, EmergencyRaised)]


def _waits(parcels: list[Parcel]) -> tuple[list[float], list[int]]:
    """When each parcel was received, in order, and how many requests it has."""
    parcels = sorted(parcels, key=_received)  # nearly sorted already: emergencies stand before older ones
    return list(map(_received, parcels)), list(map(len, map(_requests, parcels)))
