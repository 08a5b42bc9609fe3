"""One gateway in a process of its own. It starts by itself when it is first asked anything, also after a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence

import structlog
from msgspec import Struct

from switch import logs
from switch.campus import read_campus
from switch.gateway import Gateway
from switch.interpreter import settle_in
from switch.meters import Meters
from switch.open_files import raise_open_file_limit
from switch.process_settings import ProcessSettings
from switch.readiness import descriptors_needed
from switch.remote_shard import RemoteShard
from switch.secrets_file import read_secrets, refuse_marked_beyond_loopback
from switch.shards import Shards

log = structlog.get_logger()


class GatewayStatus(Struct, frozen=True):
    """What a gateway says of itself."""

    gateway: int
    pid: int
    problem: str | None
    """Why it is not serving, or None."""

    connections: int = 0
    stations: int = 0
    """Stations with a session."""

    waiting: int = 0
    """Requests that wait for a call to a shard."""


class GatewayProcess:
    """Listens on the port that all gateways share, and brings requests to the shards by calls."""

    def __init__(
        self, settings: ProcessSettings, gateway: int, calls: Sequence[Callable[[bytes], Awaitable[bytes]]]
    ) -> None:
        """`calls`: for each shard, what brings a batch to it."""
        self._settings = settings
        self._number = gateway
        self._calls = calls
        self._gateway: Gateway | None = None
        self._shards: Shards[RemoteShard] | None = None
        self._starting: asyncio.Task[None] | None = None

    async def status(self) -> GatewayStatus:
        """What this gateway is doing."""
        if self._starting is None:
            logs.configure(self._settings.log_level)
            self._starting = asyncio.get_running_loop().create_task(self._start())
        gateway, shards = self._gateway, self._shards
        if gateway is None or shards is None:
            failed = self._starting.exception() if self._starting.done() else None
            if failed is not None:
                self._starting = None  # and the next question is the next attempt
            return GatewayStatus(self._number, os.getpid(), str(failed) if failed else "starting")
        return GatewayStatus(
            self._number, os.getpid(), "stopping" if gateway.stopping else None, len(gateway.sessions),
            len(gateway.by_station), sum(shard.mailbox.depth for shard in shards.handles),
        )  # fmt: skip

    async def stop(self) -> None:
        """Accept nothing more, answer what is in flight, say goodbye."""
        if self._gateway is not None and self._shards is not None:
            await self._gateway.stop()
            await asyncio.gather(*(shard.stop() for shard in self._shards.handles))
        log.info("stopped", gateway=self._number)

    async def _start(self) -> None:
        settings, meters = self._settings, Meters()
        campus = read_campus(settings.campus_file)
        secrets = read_secrets(settings.secrets_file, campus.stations)
        refuse_marked_beyond_loopback(settings.secrets_file, secrets, settings.listen.host)

        def flush() -> None:
            gateway.flush()

        shards = Shards([RemoteShard(call, meters, campus.sessions.mailbox_max, flush) for call in self._calls])
        gateway = Gateway(campus, secrets, shards, settings.clock, meters, log_requests=settings.log_level == "debug")
        try:
            raise_open_file_limit(descriptors_needed(campus.sessions.connections_max))
            await gateway.listen(settings.listen.host, settings.listen.port, share_port=True)
        except BaseException as error:
            log.warning("cannot start; trying again", gateway=self._number, problem=str(error))
            gateway.close()
            for shard in shards.handles:
                shard.close()
            raise
        settle_in()
        self._gateway, self._shards = gateway, shards
        log.info("listening", gateway=self._number, address=str(settings.listen))
