"""What operators ask over HTTP: is it alive, is it ready, what does it count."""

from __future__ import annotations

import msgspec
from aiohttp import web

from switch.clock import Clock
from switch.metrics import CONTENT_TYPE, Registry, render
from switch.readiness import Readiness


class HttpServer:
    """Serves on the switch's own event loop."""

    def __init__(self, readiness: Readiness, registry: Registry, clock: Clock) -> None:
        self._readiness = readiness
        self._registry = registry
        self._clock = clock
        application = web.Application()
        application.add_routes([
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
        ])  # fmt: skip
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, keepalive_timeout=15.0)

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin to serve; returns the address in use."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        address = self._runner.addresses[0]
        return address[0], address[1]

    async def stop(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        checks = self._readiness.checks()
        ready = all(check.ok for check in checks)
        body = msgspec.json.encode({
            "ready": ready,
            "simulated_clock": self._clock.simulated,
            "time_us": self._clock.now_us(),
            "checks": checks,
        })  # fmt: skip
        return web.Response(status=200 if ready else 503, body=msgspec.json.format(body) + b"\n",
                            content_type="application/json")  # fmt: skip

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=render(self._registry), headers={"Content-Type": CONTENT_TYPE})
