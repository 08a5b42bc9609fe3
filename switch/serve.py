"""The embedded switch as a whole: what is started, in which order, and how it stops."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import structlog
from msgspec import Struct

from actors.lmdb_store import LmdbStore
from actors.shard import Shard
from switch.addresses import Address
from switch.campus import Campus
from switch.clock import Clock
from switch.data_folder import close_all, open_all, recover_shard
from switch.embedded import EmbeddedShard
from switch.gateway import Gateway
from switch.http import HttpServer
from switch.interpreter import settle_in
from switch.meters import Meters
from switch.metrics import make_registry
from switch.open_files import raise_open_file_limit
from switch.readiness import Readiness, descriptors_needed
from switch.secrets_file import Secrets
from switch.shards import Shards

HEAD_LOG_S: Final = 60.0

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
    stores = open_all(settings.data, partial(LmdbStore.open, map_bytes=settings.map_bytes))
    try:
        return await _serve(settings, [recover_shard(store) for store in stores])
    finally:
        close_all(stores)


async def _serve(settings: Settings, recovered: Sequence[Shard]) -> int:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def end(status: int) -> None:
        if not stop.done():
            stop.set_result(status)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, 0)
    for index, shard in enumerate(recovered):
        log.info("recovered", shard=index, replayed=shard.snapshot_lag, **_head(shard))
    meters = Meters()

    def flush() -> None:
        gateway.flush()

    shards = Shards([
        EmbeddedShard(
            shard, settings.campus.policy, settings.clock, meters, settings.campus.sessions.mailbox_max,
            on_delivered=flush, on_broken=lambda _: end(1),
        )
        for shard in recovered
    ])  # fmt: skip
    gateway = Gateway(
        settings.campus, settings.secrets, shards, settings.clock, meters, log_requests=settings.log_requests
    )
    registry = make_registry(meters, shards, gateway)
    readiness = Readiness(shards, gateway, settings.clock, settings.data)
    http = HttpServer(readiness, registry, settings.clock)
    raise_open_file_limit(descriptors_needed(settings.campus.sessions.connections_max))
    settle_in()
    head_log = loop.create_task(_log_every_minute(recovered, readiness))
    try:
        web = await http.listen(settings.http.host, settings.http.port)
        terminals = await gateway.listen(settings.listen.host, settings.listen.port)
        click.echo(f"ready terminals={Address(*terminals)} http={Address(*web)}")
        status = await stop
        if status == 0:
            log.info("stopping")
            await gateway.stop()
            await asyncio.gather(*(shard.stop() for shard in shards.handles))
            status = 1 if any(shard.broken for shard in shards.handles) else 0
        return status
    finally:
        head_log.cancel()
        await http.stop()
        for index, shard in enumerate(recovered):
            log.info("stopped", shard=index, **_head(shard))


async def _log_every_minute(shards: Sequence[Shard], readiness: Readiness) -> None:
    """Say where the journals end, so that an older head can be checked against the folder, and what is not well."""
    while True:
        for check in readiness.checks():
            if not check.ok or check.warning:
                log.warning("look at this", check=check.name, ok=check.ok, explanation=check.explanation)
        await asyncio.sleep(HEAD_LOG_S)
        for number, shard in enumerate(shards):
            log.info("journal head", shard=number, **_head(shard))


def _head(shard: Shard) -> dict[str, Any]:
    return {"position": shard.head.position, "hash": shard.head.hash.hex()}
