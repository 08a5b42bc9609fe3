"""One gateway in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from switch.busiest import Busiest
from switch.cluster_process import ClusterProcess
from switch.cluster_status import GatewayStatus
from switch.gateway import Gateway
from switch.metric_sources import GATEWAY_STAGES, Families, Source, of_gateway, of_process
from switch.open_files import raise_open_file_limit
from switch.process_settings import Place, ProcessSettings
from switch.readiness import Check, check_open_files, descriptors_needed
from switch.registry import Registry
from switch.remote_shard import RemoteShard
from switch.shards import Shards
from wire.codes import Reason

STALE_S: Final = 10.0
"""A gateway that has not heard for so long that its registry is the newest one takes no sign-ons."""

log = structlog.get_logger()


class GatewayProcess(ClusterProcess):
    """Listens on the port that all gateways share, and brings requests to the shards by calls."""

    def __init__(
        self,
        settings: ProcessSettings,
        find_place: Callable[[], Place],
        gateway: int,
        calls: Sequence[Callable[[bytes], Awaitable[bytes]]],
    ) -> None:
        """`calls`: for each shard, what brings a batch to it."""
        super().__init__(f"gateway-{gateway}", settings, find_place)
        self._calls = calls
        self._gateway: Gateway | None = None
        self._busiest: Busiest | None = None
        self._shards: Shards[RemoteShard] | None = None
        self._staleness: asyncio.TimerHandle | None = None

    async def status(self, newest_registry: int) -> GatewayStatus:
        """What this gateway is doing. It learns from the question whether its registry is the newest one."""
        gateway, shards = self._gateway, self._shards
        if gateway is None or shards is None:
            return GatewayStatus(**self.told())
        if gateway.registry.version == newest_registry:
            self._be_fresh(gateway)
        told = self.told()
        if gateway.stopping:
            told["problem"] = "stopping"
        return GatewayStatus(
            **told,
            connections=len(gateway.sessions),
            stations=len(gateway.by_station),
            waiting=sum(shard.mailbox.depth for shard in shards.handles),
        )

    async def open(self, registry: Registry) -> None:
        """See ClusterProcess."""
        settings, meters = self.settings, self.meters

        def flush() -> None:
            gateway.flush()

        limits = registry.campus.sessions
        shards = Shards([RemoteShard(call, meters, limits.mailbox_max, flush) for call in self._calls])
        gateway = Gateway(registry, shards, settings.clock, meters, log_requests=settings.log_level == "debug")
        try:
            raise_open_file_limit(descriptors_needed(limits.connections_max))
            await gateway.listen(settings.listen.host, settings.listen.port, share_port=True)
        except BaseException:
            gateway.close()
            for shard in shards.handles:
                shard.close()
            raise
        self._gateway, self._shards, self._busiest = gateway, shards, Busiest(gateway)
        self._be_fresh(gateway)
        log.info("listening", gateway=self.name, address=str(settings.listen))

    async def close(self) -> None:
        """Accept nothing more, answer what is in flight, say goodbye."""
        if self._staleness is not None:
            self._staleness.cancel()
        if self._gateway is not None and self._shards is not None:
            await self._gateway.stop()
            await asyncio.gather(*(shard.stop() for shard in self._shards.handles))

    def registry_changed(self, registry: Registry) -> None:
        """See ClusterProcess."""
        assert self._gateway is not None, "it is open"
        self._gateway.change_registry(registry)
        self._be_fresh(self._gateway)

    def checks(self) -> list[Check]:
        """See ClusterProcess."""
        gateway = self._gateway
        assert gateway is not None, "it is open"
        fresh = gateway.sign_ons_refused is None
        text = f"version {gateway.registry.version}" + ("" if fresh else f", not confirmed for {STALE_S:.0f} s")
        return [check_open_files(gateway.campus.sessions.connections_max), Check("registry", fresh, text)]

    def busiest(self) -> tuple[Mapping[int, float], Mapping[str, float]]:
        """See ClusterProcess."""
        return ({}, {}) if self._busiest is None else self._busiest.now()

    def sources(self) -> list[Source]:
        """See ClusterProcess."""
        return [lambda: of_process(self.meters, self.settings.clock, GATEWAY_STAGES), self._of_gateway]

    def _of_gateway(self) -> Families:
        return of_gateway(self.meters, self._gateway) if self._gateway is not None else iter(())

    def _be_fresh(self, gateway: Gateway) -> None:
        gateway.sign_ons_refused = None
        if self._staleness is not None:
            self._staleness.cancel()
        self._staleness = asyncio.get_running_loop().call_later(STALE_S, self._be_stale, gateway)

    def _be_stale(self, gateway: Gateway) -> None:
        log.warning("registry not confirmed; taking no sign-ons", gateway=self.name, seconds=STALE_S)
        gateway.sign_ons_refused = Reason.NOT_READY
