"""The embedded switch as a whole: what is started, in which order, and how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
import structlog
from msgspec import Struct

from actors.lmdb_store import LmdbStore
from actors.shard import Shard
from switch.addresses import Address
from switch.clock import Clock
from switch.data_folder import close_all, open_all, recover_shard
from switch.embedded import EmbeddedShard
from switch.embedded_watch import EmbeddedWatch
from switch.gateway import Gateway
from switch.interpreter import settle_in
from switch.lifetime import Lifetime
from switch.meters import Meters
from switch.minute_log import head
from switch.open_files import raise_open_file_limit
from switch.readiness import descriptors_needed
from switch.registry import RegistryFiles
from switch.shards import Shards

log = structlog.get_logger()


class Settings(Struct, frozen=True):
    """What `tapswitch serve` was asked for."""

    data: Path
    registry_files: RegistryFiles
    listen: Address
    http: Address
    clock: Clock
    map_bytes: int
    log_requests: bool


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, and read the registry again on SIGHUP.

    Returns the exit status: 0 after a clean stop, 1 if the shard broke.

    Raises StoreLockedError, StoreFormatError, or OSError if an address cannot be used; nothing is left behind then.
    """
    stores = open_all(settings.data, partial(LmdbStore.open, map_bytes=settings.map_bytes))
    try:
        return await _serve(settings, stores, [recover_shard(store) for store in stores])
    finally:
        close_all(stores)


async def _serve(settings: Settings, stores: Sequence[LmdbStore], recovered: Sequence[Shard]) -> int:
    async def read_registry_again() -> None:
        registry = await asyncio.to_thread(settings.registry_files.read_again)
        gateway.change_registry(registry)
        for shard in shards.handles:
            shard.policy = registry.campus.policy

    lifetime = Lifetime(read_registry_again)
    for index, shard in enumerate(recovered):
        log.info("recovered", shard=index, replayed=shard.snapshot_lag, **head(shard))
    meters, registry = Meters(), settings.registry_files.newest
    limits = registry.campus.sessions

    def flush() -> None:
        gateway.flush()

    shards = Shards([
        EmbeddedShard(
            shard, registry.campus.policy, settings.clock, meters, limits.mailbox_max,
            on_delivered=flush, on_broken=lambda _: lifetime.end(1),
        )
        for shard in recovered
    ])  # fmt: skip
    gateway = Gateway(registry, shards, settings.clock, meters, log_requests=settings.log_requests)
    raise_open_file_limit(descriptors_needed(limits.connections_max, len(recovered)))
    settle_in()
    watch = EmbeddedWatch(settings.data, settings.clock, meters, gateway, shards, stores)
    try:
        web = await watch.listen(settings.http.host, settings.http.port)
        terminals = await gateway.listen(settings.listen.host, settings.listen.port)
        click.echo(f"ready terminals={Address(*terminals)} http={web}")
        return await lifetime.ended or await _stop(gateway, shards)
    finally:
        await watch.stop()
        for index, shard in enumerate(recovered):
            log.info("stopped", shard=index, **head(shard))


async def _stop(gateway: Gateway, shards: Shards[EmbeddedShard]) -> int:
    """Answer what is in flight and write all snapshots; returns the exit status."""
    log.info("stopping")
    await gateway.stop()
    await asyncio.gather(*(shard.stop() for shard in shards.handles))
    return int(any(shard.broken for shard in shards.handles))
