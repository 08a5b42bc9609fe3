"""The embedded switch as a whole: what is started, in which order, and how it stops."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from pathlib import Path
from typing import Final

import click
import structlog
from msgspec import Struct

from actors.lmdb_store import LmdbStore
from actors.shard import Shard
from switch.addresses import Address
from switch.campus import Campus
from switch.clock import Clock
from switch.data_folder import recover_shard, shard_folder
from switch.embedded import EmbeddedShard
from switch.gateway import Gateway
from switch.http import HttpServer
from switch.meters import Meters
from switch.metrics import make_registry
from switch.readiness import Readiness, raise_open_file_limit
from switch.secrets_file import Secrets

HEAD_LOG_S: Final = 60.0
SWITCH_INTERVAL_S: Final = 0.0002
"""How long the event loop may keep the interpreter while the commit thread wants it."""

log = structlog.get_logger()


class Settings(Struct, frozen=True):
    """What `tapswitch serve` was asked for."""

    data: Path
    campus: Campus
    secrets: Secrets
    listen: Address
    http: Address
    clock: Clock
    map_bytes: int
    log_requests: bool


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status: 0 after a clean stop, 1 if the shard broke.

    Raises StoreLockedError, StoreFormatError, or OSError if an address cannot be used; nothing is left behind then.
    """
    store = LmdbStore.open(shard_folder(settings.data), map_bytes=settings.map_bytes)
    try:
        return await _serve(settings, store)
    finally:
        store.close()


async def _serve(settings: Settings, store: LmdbStore) -> int:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not stop.done():
            stop.set_result(status)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, 0)
    recovered = recover_shard(store)
    log.info(
        "recovered", position=recovered.head.position, hash=recovered.head.hash.hex(), replayed=recovered.snapshot_lag
    )
    meters = Meters()

    def flush() -> None:
        gateway.flush()

    shard = EmbeddedShard(
        recovered, settings.campus.policy, settings.clock, meters, settings.campus.sessions.mailbox_max,
        on_delivered=flush, on_broken=lambda _: end(1),
    )  # fmt: skip
    gateway = Gateway(
        settings.campus, settings.secrets, shard, settings.clock, meters, log_requests=settings.log_requests
    )
    registry = make_registry(meters, shard, gateway)
    readiness = Readiness(shard, gateway, settings.clock, settings.data)
    http = HttpServer(readiness, registry, settings.clock)
    raise_open_file_limit(settings.campus.sessions.connections_max)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # What was made so far stays for good: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    head_log = loop.create_task(_log_every_minute(recovered, readiness))
    try:
        web = await http.listen(settings.http.host, settings.http.port)
        terminals = await gateway.listen(settings.listen.host, settings.listen.port)
        click.echo(f"ready terminals={Address(*terminals)} http={Address(*web)}")
        status = await stop
        if status == 0:
            log.info("stopping")
            await gateway.stop()
            await shard.stop()
            status = 1 if shard.broken else 0
        return status
    finally:
        head_log.cancel()
        await http.stop()
        log.info("stopped", position=recovered.head.position, hash=recovered.head.hash.hex())


async def _log_every_minute(shard: Shard, readiness: Readiness) -> None:
    """Say where the journal ends, so that an older head can be checked against the folder, and what is not well."""
    while True:
        for check in readiness.checks():
            if not check.ok or check.warning:
                log.warning("look at this", check=check.name, ok=check.ok, explanation=check.explanation)
        await asyncio.sleep(HEAD_LOG_S)
        log.info("journal head", position=shard.head.position, hash=shard.head.hash.hex())
