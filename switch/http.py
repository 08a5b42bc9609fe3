"""What operators ask a process over HTTP: is it alive, is it ready, what does it count."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from switch.addresses import Address
from switch.clock import Clock
from switch.metrics import CONTENT_TYPE, Metrics
from switch.readiness import Check


class HttpServer:
    """Serves pages on the process's own event loop, `/healthz` among them."""

    def __init__(self, *pages: web.RouteDef) -> None:
        application = web.Application()
        application.add_routes([web.get("/healthz", _healthz), *pages])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, keepalive_timeout=15.0)

    async def listen(self, host: str, port: int) -> Address:
        """Begin to serve; returns the address in use."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return Address(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()


def readyz(checks: Callable[[], Sequence[Check]], clock: Clock) -> web.RouteDef:
    """`/readyz`: 200 if every check is ok, otherwise 503; and what each of them found."""

    async def page(_request: web.Request) -> web.Response:
        found = checks()
        ready = all(check.ok for check in found)
        return json_page(
            {"ready": ready, "simulated_clock": clock.simulated, "time_us": clock.now_us(), "checks": found},
            200 if ready else 503,
        )

    return web.get("/readyz", page)


def metrics_page(metrics: Metrics) -> web.RouteDef:
    """`/metrics`, for Prometheus."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    return web.get("/metrics", page)


def json_page(value: object, status: int = 200) -> web.Response:
    """A page that programs read, and people can."""
    body = msgspec.json.format(msgspec.json.encode(value)) + b"\n"
    return web.Response(status=status, body=body, content_type="application/json")


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response(text="alive\n")
