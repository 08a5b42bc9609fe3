"""A bare uvloop echo server: what a connection costs when nothing is done with its bytes."""

from __future__ import annotations

import asyncio
import signal
from typing import cast

import uvloop


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(_Echo, "127.0.0.1", 0, backlog=4_096)
    host, port = server.sockets[0].getsockname()
    print(f"ready terminals={host}:{port}", flush=True)
    await stop.wait()


if __name__ == "__main__":
    uvloop.run(_serve())
