"""What operators see of an embedded switch: its pages, its log's minutes, and what is measured for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from actors.store import Store
from switch.activity import Pulse
from switch.addresses import Address
from switch.busiest import Busiest
from switch.clock import Clock
from switch.embedded import EmbeddedShard
from switch.gap_watch import GapWatch
from switch.gateway import Gateway
from switch.http import HttpServer, metrics_page, readyz
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
from switch.minute_log import log_every_minute
from switch.readiness import Readiness
from switch.shards import Shards
from switch.status_page import status_pages
from switch.switch_status import SwitchStatus, of_embedded


class EmbeddedWatch:
    """Watches from the moment it is made until it is stopped."""

    def __init__(
        self,
        data: Path,
        clock: Clock,
        meters: Meters,
        gateway: Gateway,
        shards: Shards[EmbeddedShard],
        stores: Sequence[Store],
    ) -> None:
        self._clock = clock
        self._gateway = gateway
        self._shards = shards
        self._readiness = Readiness(shards, gateway, clock, data)
        self._busiest = Busiest(gateway)
        hosted = [embedded.shard for embedded in shards.handles]
        gap_watch = GapWatch(stores, hosted)
        metrics = Metrics(
            lambda: of_process(meters, clock, (*SHARD_STAGES, *GATEWAY_STAGES)),
            lambda: of_checks(self._readiness.checks()),
            lambda: of_shards(meters, dict(enumerate(shards.handles)), gateway.campus),
            lambda: of_disk(data),
            lambda: of_gateway(meters, gateway),
            lambda: of_gaps(gap_watch),
        )
        self._http = HttpServer(
            readyz(self._readiness.checks, clock), metrics_page(metrics), *status_pages(self._status)
        )  # fmt: skip
        self._pulse, self._loop_lag = Pulse(meters), LoopLag(meters.event_loop_lag)
        self._tasks = [
            asyncio.create_task(log_every_minute(self._readiness.checks, dict(enumerate(hosted)))),
            asyncio.create_task(gap_watch.run()),
        ]

    async def listen(self, host: str, port: int) -> Address:
        """Serve the pages; returns the address in use."""
        return await self._http.listen(host, port)

    async def stop(self) -> None:
        """Watch no more."""
        for task in self._tasks:
            task.cancel()
        self._pulse.stop()
        self._loop_lag.stop()
        await self._http.stop()

    def _status(self) -> SwitchStatus:
        window = self._pulse.window(self._busiest.now())
        return of_embedded(self._readiness.checks(), window, self._gateway, self._shards, self._clock)
