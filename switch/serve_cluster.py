"""The switch on Ray as a whole: what is started, how it is watched, and how it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click
import structlog
from aiohttp import web

from switch.addresses import Address
from switch.cluster_http import application
from switch.process_settings import ProcessSettings
from switch.ray_cluster import RayCluster
from switch.supervisor import Supervisor

READY_SECONDS_MAX: Final = 60.0

log = structlog.get_logger()


async def serve_cluster(settings: ProcessSettings, http: Address, shards: int, gateways: int) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status.

    Raises ClusterError if Ray cannot start, or OSError if an address cannot be used; nothing is left behind then.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def end() -> None:
        if not stop.done():
            stop.set_result(0)

    def on_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)

    on_signals()
    with reserved(settings.listen) as listen:
        cluster = await asyncio.to_thread(RayCluster, settings._replace(listen=listen), shards, gateways)
        on_signals()  # Ray has put its own in their place, which end the process
        supervisor = Supervisor(cluster)
        asking = loop.create_task(supervisor.run())
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
            await cluster.stop()
            await runner.cleanup()
            log.info("stopped")


@contextmanager
def reserved(listen: Address) -> Iterator[Address]:
    """The address, with a port if it had none, kept for the gateways: bound, but not listened on by this process."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reservation.bind((listen.host, listen.port))
        yield Address(listen.host, reservation.getsockname()[1])


async def _until_ready(supervisor: Supervisor, stop: asyncio.Future[int]) -> None:
    """Wait until every process serves; what does not is in the log and in /readyz meanwhile."""
    while supervisor.status.problems and not stop.done():
        await asyncio.wait([stop], timeout=0.05)
