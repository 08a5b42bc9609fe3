"""What operators ask a cluster over HTTP: is it alive, is it ready, what does each process do."""

from __future__ import annotations

import msgspec
from aiohttp import web

from switch.supervisor import Supervisor


def application(supervisor: Supervisor) -> web.Application:
    """/healthz, /readyz and /status.json."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_request: web.Request) -> web.Response:
        problems = supervisor.status.problems
        return _json({"ready": not problems, "problems": problems}, 503 if problems else 200)

    async def status(_request: web.Request) -> web.Response:
        return _json(supervisor.status)

    made = web.Application()
    made.add_routes([
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/status.json", status),
    ])  # fmt: skip
    return made


def _json(value: object, status: int = 200) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(value)) + b"\n"
    return web.Response(status=status, body=body, content_type="application/json")
