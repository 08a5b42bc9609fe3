"""What shards and gateways have in common where each has a process of its own: how they start and are seen."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from actors.shard import Shard
from actors.store import StoreFormatError, StoreLockedError
from switch import logs
from switch.activity import Pulse, Window
from switch.addresses import Address
from switch.http import HttpServer, metrics_page
from switch.interpreter import settle_in
from switch.loop_lag import LoopLag
from switch.meters import Meters
from switch.metric_sources import Families, Source, of_checks
from switch.metrics import Metrics
from switch.minute_log import log_every_minute
from switch.process_settings import Place, ProcessSettings
from switch.readiness import Check
from switch.registry import Registry

BACK_OFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to start; the last one is repeated."""

_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - asked for, not bound

log = structlog.get_logger()


class ClusterProcess(ABC):
    """Starts when it gets its first registry. If it cannot, it says why, waits and tries again."""

    def __init__(self, name: str, settings: ProcessSettings, find_place: Callable[[], Place]) -> None:
        """`find_place` tells where this process runs; it is asked once, in the process."""
        self.name = name
        self.settings = settings
        self.place = find_place()
        self.meters = Meters()
        self.position_seen = 0
        self._registry: Registry | None = None
        self._problem: str | None = "waits for the registry"
        self._http: HttpServer | None = None
        self._http_address = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._loop_lag: LoopLag | None = None
        self._pulse: Pulse | None = None
        self._stopped = False

    async def change_registry(self, registry: Registry, position_seen: int) -> None:
        """Go by this version from now on; start with it, if it is the first.

        `position_seen`: the newest position that was heard of from this shard, maybe from an earlier process; else 0.
        """
        first, self._registry = self._registry is None, registry
        if first:
            logs.configure(self.settings.log_level)
            self.position_seen = position_seen
            self._tasks = [asyncio.get_running_loop().create_task(self._start())]
        elif self._problem is None:
            self.registry_changed(registry)

    async def stop(self) -> None:
        """End in good order, once and for all."""
        if self._stopped:
            return
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for timer in (self._loop_lag, self._pulse):
            if timer is not None:
                timer.stop()
        await self.close()
        if self._http is not None:
            await self._http.stop()
        log.info("stopped", process=self.name)

    def told(self) -> dict[str, Any]:
        """What a `ProcessStatus` says, whatever the process does."""
        return {
            "name": self.name,
            "pid": os.getpid(),
            "node": self.place.node,
            "http": self._http_address,
            "problem": self._problem,
            "registry": self._registry.version if self._registry is not None else 0,
            "checks": self.checks() if self._problem is None else [],
            "window": Window() if self._pulse is None else self._pulse.window(self.busiest()),
            "problems": logs.problems(),
        }

    @abstractmethod
    async def open(self, registry: Registry) -> None:
        """Do what it is there for, or raise and leave nothing behind."""

    @abstractmethod
    async def close(self) -> None:
        """End what `open` began, if it did."""

    @abstractmethod
    def registry_changed(self, registry: Registry) -> None:
        """Go by another version."""

    @abstractmethod
    def checks(self) -> list[Check]:
        """What can be wrong while it serves."""

    @abstractmethod
    def sources(self) -> list[Source]:
        """Of its metrics."""

    def busiest(self) -> tuple[Mapping[int, float], Mapping[str, float]]:
        """Requests a second of the merchants and stations that ask most, as far as this process knows."""
        return {}, {}

    def shards(self) -> Mapping[int, Shard]:
        """Whose journals end in this process."""
        return {}

    def newest_registry(self) -> Registry:
        """What it goes by; once it was given one."""
        assert self._registry is not None, "without one, nothing is started"
        return self._registry

    async def _start(self) -> None:
        attempt = 0
        while not await self._started():
            await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
            attempt += 1
        settle_in()
        self._loop_lag, self._pulse = LoopLag(self.meters.event_loop_lag), Pulse(self.meters)
        self._tasks.append(asyncio.get_running_loop().create_task(log_every_minute(self.checks, self.shards())))

    async def _started(self) -> bool:
        """One attempt."""
        self._problem = "starting"
        try:
            await self._listen()
            await self.open(self.newest_registry())
        except (StoreLockedError, StoreFormatError, OSError) as error:
            self._problem = str(error)
            log.warning("cannot start; trying again", process=self.name, problem=self._problem)
            return False
        except Exception as error:
            self._problem = repr(error)
            log.critical("cannot start; trying again", process=self.name, problem=self._problem, exc_info=error)
            return False
        self._problem = None
        self.registry_changed(self.newest_registry())  # it may have changed meanwhile
        return True

    def _of_checks(self) -> Families:
        serving = Check("serving", self._problem is None, self._problem or "serving")
        return of_checks([serving, *(self.checks() if self._problem is None else [])])

    async def _listen(self) -> None:
        if self._http is None:
            host = self.settings.web_host or self.place.address
            server = HttpServer(metrics_page(Metrics(self._of_checks, *self.sources())))
            address = await server.listen(host, 0)
            self._http = server
            self._http_address = str(Address(self.place.address if host in _EVERYWHERE else host, address.port))
