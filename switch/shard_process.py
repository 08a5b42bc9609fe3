"""One shard in a process of its own. It starts by itself when it is first asked anything, also after a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from time import monotonic
from typing import Any, Final

import structlog
from msgspec import Struct

from actors.lmdb_store import LmdbStore, Made
from actors.placement import slots_of
from actors.shard import Shard
from actors.store import StoreFormatError, StoreLockedError
from switch import logs
from switch.campus import ConfigurationError, read_campus
from switch.data_folder import recover_shard, shard_folder
from switch.embedded import EmbeddedShard
from switch.interpreter import settle_in
from switch.meters import Meters
from switch.process_settings import ProcessSettings
from switch.shard_host import ShardHost

BACK_OFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to start; the last one is repeated."""

log = structlog.get_logger()


class ShardStatus(Struct, frozen=True):
    """What a shard says of itself."""

    shard: int
    pid: int
    first_slot: int
    last_slot: int
    problem: str | None
    """Why it is not serving, or None."""

    position: int = 0
    """Of its newest event."""

    time_us: int = 0
    """Of its newest event: when it last committed one."""

    mailbox: int = 0
    """Requests waiting for their turn."""

    snapshot_lag: int = 0
    imbalance: int = 0
    """Minor units; must be 0."""


class ShardProcess:
    """Serves calls from any number of gateways.

    While another process has the data open, or while they cannot be read, it waits and tries again: calls wait with it,
    and `status` says why. If a commit fails in a way that leaves unknown what is on disk, the process ends at once.
    """

    def __init__(self, settings: ProcessSettings, shard: int, shards: int) -> None:
        self._settings = settings
        self._shard = shard
        self._shards = shards
        self._slots = slots_of(shard, shards)
        self._problem: str | None = "not started"
        self._store: LmdbStore | None = None
        self._embedded: EmbeddedShard | None = None
        self._starting: asyncio.Task[ShardHost] | None = None

    async def answer(self, call: bytes) -> bytes:
        """See ShardHost.answer; waits until the shard has started."""
        received = monotonic()  # what waits too long for the shard to start is too late
        return await (await self._host()).answer(call, received)

    async def status(self) -> ShardStatus:
        """What this shard is doing. Never waits."""
        self._start()
        first, last, embedded = self._slots[0], self._slots[-1], self._embedded
        if embedded is None:
            return ShardStatus(self._shard, os.getpid(), first, last, self._problem)
        shard = embedded.shard
        return ShardStatus(
            self._shard, os.getpid(), first, last, embedded.problem(), shard.head.position, shard.time_us,
            embedded.mailbox.depth, shard.snapshot_lag, shard.ledger.imbalance,
        )  # fmt: skip

    async def stop(self) -> None:
        """Answer what is in the mailbox, write all snapshots, and let go of the data."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self._embedded is not None:
            await self._embedded.stop()
        if self._store is not None:
            self._store.close()
        log.info("stopped", shard=self._shard)

    def _start(self) -> asyncio.Task[ShardHost]:
        if self._starting is None:
            logs.configure(self._settings.log_level)
            self._starting = asyncio.get_running_loop().create_task(self._started())
        return self._starting

    async def _host(self) -> ShardHost:
        return await asyncio.shield(self._start())

    async def _started(self) -> ShardHost:
        attempt = 0
        while True:
            try:
                return await self._open()
            except (StoreLockedError, StoreFormatError, ConfigurationError, OSError) as error:
                self._problem = str(error)
                log.warning("cannot start; trying again", shard=self._shard, problem=self._problem)
            except Exception as error:
                self._problem = repr(error)
                log.critical("cannot start; trying again", shard=self._shard, problem=self._problem, exc_info=error)
            await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
            attempt += 1

    def _check_same_folder(self, made: Made) -> None:
        if (made.data_folder, made.shard, made.shards) != (self._settings.data_folder, self._shard, self._shards):
            raise StoreFormatError(
                f"{shard_folder(self._settings.data, self._shard)}: this is another data folder than the one that the "
                "switch was started with; put it back, or restart the switch"
            )

    async def _open(self) -> ShardHost:
        settings = self._settings
        campus = read_campus(settings.campus_file)
        self._problem = "recovering"
        store = LmdbStore.open(shard_folder(settings.data, self._shard), map_bytes=settings.map_bytes)
        try:
            self._check_same_folder(store.made)
            shard = await _finished_even_if_cancelled(asyncio.to_thread(recover_shard, store))
        except BaseException:
            store.close()
            raise
        meters = Meters()
        self._store = store
        self._embedded = EmbeddedShard(
            shard, campus.policy, settings.clock, meters, campus.sessions.mailbox_max,
            on_delivered=lambda: None, on_broken=lambda _: os._exit(1),
        )  # fmt: skip
        settle_in()
        log.info("recovered", shard=self._shard, position=shard.head.position, hash=shard.head.hash.hex(),
                 replayed=shard.snapshot_lag)  # fmt: skip
        return ShardHost(self._embedded, meters)


async def _finished_even_if_cancelled(work: Coroutine[Any, Any, Shard]) -> Shard:
    """The work's result; a cancellation waits for its end, because a thread that reads a store cannot be stopped."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait([task])
