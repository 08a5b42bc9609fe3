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
from switch.gap_watch import GapWatch
from switch.gateway import Gateway
from switch.http import HttpServer, metrics_page, readyz
from switch.interpreter import settle_in
from switch.lifetime import Lifetime
from switch.loop_lag import LoopLag
from switch.meters import Meters
from switch.metric_sources import (
    GATEWAY_STAGES,
    SHARD_STAGES,
    of_checks,
    of_disk,
    of_gaps,
    of_gateway,
    of_process,
    of_shards,
)
from switch.metrics import Metrics
from switch.minute_log import head, log_every_minute
from switch.open_files import raise_open_file_limit
from switch.readiness import Readiness, descriptors_needed
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
    readiness = Readiness(shards, gateway, settings.clock, settings.data)
    gap_watch = GapWatch(stores, recovered)
    http = HttpServer(
        readyz(readiness.checks, settings.clock),
        metrics_page(_metrics(settings, meters, gateway, shards, readiness, gap_watch)),
    )
    raise_open_file_limit(descriptors_needed(limits.connections_max, len(recovered)))
    settle_in()
    loop_lag = LoopLag(meters.event_loop_lag)
    background = [
        asyncio.create_task(log_every_minute(readiness.checks, dict(enumerate(recovered)))),
        asyncio.create_task(gap_watch.run()),
    ]
    try:
        web = await http.listen(settings.http.host, settings.http.port)
        terminals = await gateway.listen(settings.listen.host, settings.listen.port)
        click.echo(f"ready terminals={Address(*terminals)} http={web}")
        return await lifetime.ended or await _stop(gateway, shards)
    finally:
        for task in background:
            task.cancel()
        loop_lag.stop()
        await http.stop()
        for index, shard in enumerate(recovered):
            log.info("stopped", shard=index, **head(shard))


def _metrics(
    settings: Settings,
    meters: Meters,
    gateway: Gateway,
    shards: Shards[EmbeddedShard],
    readiness: Readiness,
    gap_watch: GapWatch,
) -> Metrics:
    return Metrics(
        lambda: of_process(meters, settings.clock, (*SHARD_STAGES, *GATEWAY_STAGES)),
        lambda: of_checks(readiness.checks()),
        lambda: of_shards(meters, dict(enumerate(shards.handles)), gateway.campus),
        lambda: of_disk(settings.data),
        lambda: of_gateway(meters, gateway),
        lambda: of_gaps(gap_watch),
    )


async def _stop(gateway: Gateway, shards: Shards[EmbeddedShard]) -> int:
    """Answer what is in flight and write all snapshots; returns the exit status."""
    log.info("stopping")
    await gateway.stop()
    await asyncio.gather(*(shard.stop() for shard in shards.handles))
    return int(any(shard.broken for shard in shards.handles))
