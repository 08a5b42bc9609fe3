"""The switch on Ray as a whole: what is started, how it is watched, and how it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click
import structlog
from aiohttp import web

from switch.addresses import Address
from switch.cluster_http import application
from switch.process_settings import ProcessSettings
from switch.ray_cluster import RayCluster
from switch.supervisor import Supervisor

log = structlog.get_logger()


async def serve_cluster(settings: ProcessSettings, http: Address, shards: int, gateways: int) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status.

    Raises ClusterError if Ray cannot start, or OSError if an address cannot be used; nothing is left behind then.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def end(status: int = 0) -> None:
        if not stop.done():
            stop.set_result(status)

    def lost(asking: asyncio.Task[None]) -> None:
        if not asking.cancelled():
            if (error := asking.exception()) is not None:
                log.critical("supervision failed", error=repr(error), exc_info=error)
            end(1)

    def on_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end, 0)

    on_signals()
    _refuse_if_listened_on(http)
    with reserved(settings.listen) as listen:
        cluster = await asyncio.to_thread(RayCluster, settings._replace(listen=listen), shards, gateways)
        on_signals()  # Ray has put its own in their place, which end the process
        supervisor = Supervisor(cluster)
        asking = loop.create_task(supervisor.run())
        asking.add_done_callback(lost)
        runner = web.AppRunner(application(supervisor), access_log=None, shutdown_timeout=1.0)
        try:
            await runner.setup()
            await web.TCPSite(runner, http.host, http.port).start()
            web_host, web_port = runner.addresses[0][:2]
            await _until_ready(supervisor, stop)
            if not stop.done():
                click.echo(f"ready terminals={listen} http={Address(web_host, web_port)}")
            return await stop
        finally:
            log.info("stopping")
            asking.cancel()
            supervisor.stopping()
            try:
                await cluster.stop()
            except TimeoutError:
                log.critical("Ray does not stop; leaving it behind")
                os._exit(1)
            await runner.cleanup()
            log.info("stopped")


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


async def _until_ready(supervisor: Supervisor, stop: asyncio.Future[int]) -> None:
    """Wait until every process serves; what does not is in the log and in /readyz meanwhile."""
    while supervisor.status.problems and not stop.done():
        await asyncio.wait([stop], timeout=0.05)
