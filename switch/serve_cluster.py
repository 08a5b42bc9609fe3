"""The switch on Ray as a whole: what is started, how it is watched, and how it stops."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, TextIO, TypeVar

import click
import structlog

from switch.addresses import Address
from switch.cluster_http import cluster_http
from switch.lifetime import Lifetime
from switch.node_resources import Offer, OfferError
from switch.process_settings import ProcessSettings
from switch.ray_cluster import ClusterError, RayCluster
from switch.registry import RegistryFiles
from switch.supervisor import Supervisor

OFFER_S_MAX: Final = 60.0
"""How long a switch waits for the Ray that it is to join, and then for nodes with all the data and enough room."""

JOIN_S_MAX: Final = 20.0
ASK_AGAIN_S: Final = 0.1
ANSWER_S_MAX: Final = 5.0

Found = TypeVar("Found")

log = structlog.get_logger()


class ClusterOptions(NamedTuple):
    """Which Ray, and how much on it."""

    address: Address | None
    """Of the Ray to join; None: one of its own on this machine, with the shards of `data`."""

    data: Path | None
    shards: int | None
    """How many there must be; None: any number."""

    gateways: int


async def serve_cluster(
    options: ClusterOptions, settings: ProcessSettings, http: Address, registry_files: RegistryFiles
) -> int:
    """Serve until SIGTERM or SIGINT, and read the registry again on SIGHUP; returns the exit status.

    Raises ClusterError if Ray cannot be had, or OSError if an address cannot be used; nothing is left behind then.
    """
    supervisor: Supervisor | None = None

    async def read_registry_again() -> None:
        registry = await asyncio.to_thread(registry_files.read_again)
        if supervisor is not None:
            supervisor.registry = registry

    lifetime = Lifetime(read_registry_again)
    _refuse_if_listened_on(http)
    ours = sys.stdout
    with (
        redirect_stdout(sys.stderr),  # Ray prints what it likes, whenever it likes, and fails if nobody reads it
        reserved(settings.listen) if options.address is None else nullcontext(settings.listen) as listen,
    ):
        if options.address is not None and await _in_time(partial(_listening, options.address), lifetime) is None:
            return await lifetime.ended
        async with _connected(options) as cluster:
            lifetime.heed_signals()  # Ray has put its own in their place, which end the process
            offer = await _in_time(partial(_enough, cluster, options), lifetime)
            if offer is None:
                return await lifetime.ended
            settings = settings._replace(listen=listen, data_folder=offer.data_folder)
            await asyncio.to_thread(cluster.start_processes, settings, offer.shards, options.gateways)
            supervisor = Supervisor(cluster, registry_files.newest)
            return await _supervise(cluster, supervisor, settings, http, lifetime, ours)


@asynccontextmanager
async def _connected(options: ClusterOptions) -> AsyncIterator[RayCluster]:
    """A Ray; it is left at the end, and one of its own is stopped."""
    if options.address is not None:
        cluster = await _joined(options.address)
    else:
        assert options.data is not None, "without an address, the data are here"
        cluster = await asyncio.to_thread(RayCluster.start, options.data, options.gateways)
    try:
        yield cluster
    finally:
        try:
            await cluster.leave()
        except TimeoutError:
            log.critical("Ray does not stop; leaving it behind")
            os._exit(1)
        log.info("stopped")


async def _joined(address: Address) -> RayCluster:
    try:
        async with asyncio.timeout(JOIN_S_MAX):
            return await asyncio.to_thread(RayCluster.join, str(address))
    except TimeoutError:
        # Ray would try for ever, in a thread that nobody can stop.
        click.echo(f"Error: {address} listens, but does not let this process join within {JOIN_S_MAX:.0f} s: is it "
                   "a Ray, and has it the same token (RAY_AUTH_TOKEN, or ~/.ray/auth_token)?", err=True)  # fmt: skip
        os._exit(1)


async def _listening(address: Address) -> Address:
    """The address, if anybody listens there. Raises OfferError."""
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            _, writer = await asyncio.open_connection(*address)
    except (OSError, TimeoutError) as error:
        raise OfferError(
            f"nobody listens at {address}; the head is started with `tapswitch cluster node --head {address}`"
        ) from error
    writer.close()
    return address


async def _in_time(attempt: Callable[[], Awaitable[Found]], lifetime: Lifetime) -> Found | None:
    """What the attempt finds as soon as it raises no OfferError any more; None if the switch is to end before.

    Raises ClusterError if that takes too long.
    """
    began, missing = monotonic(), ""
    while not lifetime.ended.done():
        try:
            return await attempt()
        except OfferError as error:
            if str(error) != missing:
                missing = str(error)
                log.warning("waiting for the cluster", missing=missing)
            if monotonic() - began > OFFER_S_MAX:
                raise ClusterError(f"{error} (waited {OFFER_S_MAX:.0f} s for it)") from error
        await asyncio.wait([lifetime.ended], timeout=ASK_AGAIN_S)
    return None


async def _enough(cluster: RayCluster, options: ClusterOptions) -> Offer:
    """What the nodes offer. Raises OfferError as long as it is not enough, ClusterError if it never will be."""
    offer = await cluster.offer()
    if options.shards is not None and offer.shards != options.shards:
        raise ClusterError(
            f"--shards {options.shards}: the nodes have a data folder of {offer.shards}; `tapswitch reshard` makes one "
            "with another number"
        )
    if offer.gateways < options.gateways:
        raise OfferError(f"--gateways {options.gateways}: the nodes have room for {offer.gateways}")
    return offer


async def _supervise(
    cluster: RayCluster,
    supervisor: Supervisor,
    settings: ProcessSettings,
    http: Address,
    lifetime: Lifetime,
    output: TextIO,
) -> int:
    def lost(asking: asyncio.Task[None]) -> None:
        if not asking.cancelled():
            if (error := asking.exception()) is not None:
                log.critical("supervision failed", error=repr(error), exc_info=error)
            lifetime.end(1)

    asking = asyncio.get_running_loop().create_task(supervisor.run())
    asking.add_done_callback(lost)
    pages = cluster_http(supervisor, settings.clock)
    try:
        web = await pages.listen(http.host, http.port)
        await _until_ready(supervisor, lifetime)
        if not lifetime.ended.done():
            click.echo(f"ready terminals={settings.listen} http={web}", file=output)
        return await lifetime.ended
    finally:
        log.info("stopping")
        supervisor.stopping = True
        asking.cancel()
        if not supervisor.nobody_left:
            await cluster.stop_processes()
        await pages.stop()


async def _until_ready(supervisor: Supervisor, lifetime: Lifetime) -> None:
    """Wait until every process serves; what does not is in the log and in /readyz meanwhile."""
    while not supervisor.status.serving and not lifetime.ended.done():
        await asyncio.wait([lifetime.ended], timeout=0.05)


@contextmanager
def reserved(listen: Address) -> Iterator[Address]:
    """The address, with a port if it had none, kept for the gateways: bound, but not listened on by this process."""
    # Another switch of this user shares its port as well: two ledgers would answer in turn.
    _refuse_if_listened_on(listen)
    with socket.socket(_family(listen), socket.SOCK_STREAM) as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind((listen.host, listen.port))
        yield Address(listen.host, reservation.getsockname()[1])


def _refuse_if_listened_on(address: Address) -> None:
    """Raises OSError if anybody listens there."""
    with socket.socket(_family(address), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address.host, address.port))


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
