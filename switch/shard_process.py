"""One shard in a process of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Any

import structlog

from actors.lmdb_store import LmdbStore, Made
from actors.placement import slots_of
from actors.shard import Shard
from actors.store import StoreFormatError
from switch.batches import Answered, ParcelSent, decode_parcels, encode_answered
from switch.cluster_process import ClusterProcess
from switch.cluster_status import ShardStatus
from switch.data_folder import recover_shard, shard_folder
from switch.embedded import EmbeddedShard
from switch.mailbox import refusal
from switch.metric_sources import SHARD_STAGES, Families, Source, of_disk, of_process, of_shards
from switch.minute_log import head
from switch.process_settings import Place, ProcessSettings
from switch.readiness import Check, check_clock, check_disk, check_map
from switch.registry import Registry
from switch.shard_host import ShardHost
from wire.codes import Code, Reason

log = structlog.get_logger()


class ShardProcess(ClusterProcess):
    """Serves calls from any number of gateways.

    While another process has the data open, or while they cannot be read, it waits and tries again, and calls wait with
    it as long as their terminals do. If a commit fails in a way that leaves unknown what is on disk, the process ends
    at once.
    """

    def __init__(self, settings: ProcessSettings, find_place: Callable[[], Place], shard: int, shards: int) -> None:
        super().__init__(f"shard-{shard}", settings, find_place)
        self._shard = shard
        self._shards = shards
        self._slots = slots_of(shard, shards)
        self._folder = shard_folder(self.place.data, shard)
        self._store: LmdbStore | None = None
        self._embedded: EmbeddedShard | None = None
        self._host: ShardHost | None = None
        self._opened = asyncio.Event()

    async def answer(self, call: bytes) -> bytes:
        """See ShardHost.answer; waits until the shard has started, but not longer than the call's terminals do."""
        received = monotonic()  # what waits too long for the shard to start is too late
        if self._host is None:
            parcels = decode_parcels(call)
            try:
                async with asyncio.timeout(_patience_s(parcels)):
                    await self._opened.wait()
            except TimeoutError:
                return self._too_late(parcels)
        assert self._host is not None, "it is open"
        return await self._host.answer(call, received)

    async def status(self, _newest_registry: int) -> ShardStatus:
        """What this shard is doing. Never waits."""
        embedded, told = self._embedded, self.told() | {"first_slot": self._slots[0], "last_slot": self._slots[-1]}
        if embedded is None:
            return ShardStatus(**told)
        shard = embedded.shard
        told["problem"] = embedded.problem() or told["problem"]
        return ShardStatus(
            **told,
            position=shard.head.position,
            time_us=shard.time_us,
            mailbox=embedded.mailbox.depth,
            snapshot_lag=shard.snapshot_lag,
            imbalance=shard.ledger.imbalance,
        )

    async def open(self, registry: Registry) -> None:
        """See ClusterProcess."""
        settings, campus = self.settings, registry.campus
        store = LmdbStore.open(self._folder, map_bytes=settings.map_bytes)
        try:
            self._check_same_folder(store.made)
            shard = await _finished_even_if_cancelled(asyncio.to_thread(recover_shard, store))
            self._check_same_journal(shard)
        except BaseException:
            store.close()
            raise
        self._store = store
        self._embedded = EmbeddedShard(
            shard, campus.policy, settings.clock, self.meters, campus.sessions.mailbox_max,
            on_delivered=lambda: None, on_broken=lambda _: os._exit(1),
        )  # fmt: skip
        log.info("recovered", shard=self._shard, replayed=shard.snapshot_lag, **head(shard))
        self._host = ShardHost(self._embedded, self.meters)
        self._opened.set()

    async def close(self) -> None:
        """Answer what is in the mailbox, write all snapshots, and let go of the data."""
        if self._embedded is not None:
            await self._embedded.stop()
        if self._store is not None:
            self._store.close()

    def registry_changed(self, registry: Registry) -> None:
        """See ClusterProcess."""
        assert self._embedded is not None, "it is open"
        self._embedded.policy = registry.campus.policy

    def checks(self) -> list[Check]:
        """See ClusterProcess."""
        embedded = self._embedded
        assert embedded is not None, "it is open"
        return [
            check_map("map", embedded.shard.usage()),
            check_disk(self.place.data),
            check_clock(self.settings.clock, embedded.shard.time_us),
        ]

    def sources(self) -> list[Source]:
        """See ClusterProcess."""
        return [
            lambda: of_process(self.meters, self.settings.clock, SHARD_STAGES),
            lambda: of_disk(self.place.data),
            self._of_shard,
        ]

    def shards(self) -> Mapping[int, Shard]:
        """See ClusterProcess."""
        return {} if self._embedded is None else {self._shard: self._embedded.shard}

    def _too_late(self, parcels: Sequence[ParcelSent]) -> bytes:
        # The gateway has given the call up, and Ray does not say so. Calls that stayed would take all places of this
        # process, and then it could not even say why it does not start.
        code, reason = Code.TOO_LATE, Reason.WAITED_TOO_LONG
        self.meters.refusals[int(code), reason.value] += sum(len(parcel.requests) for parcel in parcels)
        answers = [[refusal(request, code, reason) for request in parcel.requests] for parcel in parcels]
        return encode_answered(Answered(0, answers))

    def _of_shard(self) -> Families:
        shards = {} if self._embedded is None else {self._shard: self._embedded}
        return of_shards(self.meters, shards, self.newest_registry().campus)

    def _check_same_folder(self, made: Made) -> None:
        if (made.data_folder, made.shard, made.shards) != (self.settings.data_folder, self._shard, self._shards):
            raise StoreFormatError(
                f"{self._folder}: this is another data folder than the one that the "
                "switch was started with; put it back, or restart the switch"
            )

    def _check_same_journal(self, shard: Shard) -> None:
        if shard.head.position < self.position_seen:
            raise StoreFormatError(
                f"{self._folder}: its journal ends at position {shard.head.position}, but it has been at "
                f"{self.position_seen}: this is an older copy; put the newest back, or restart the switch to use it"
            )


def _patience_s(parcels: Sequence[ParcelSent]) -> float:
    """Until the last of the terminals stops waiting."""
    requests: list[tuple[int, Any]] = [(parcel.age_ms, request) for parcel in parcels for request in parcel.requests]
    return max((request.wait_ms - age_ms for age_ms, request in requests), default=0) / 1_000


async def _finished_even_if_cancelled(work: Coroutine[Any, Any, Shard]) -> Shard:
    """The work's result; a cancellation waits for its end, because a thread that reads a store cannot be stopped."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait([task])
