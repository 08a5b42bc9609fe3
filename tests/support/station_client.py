"""A station for tests: every step of a connection by itself, and raw bytes where a test needs them."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Any, Self

from campus_folder import KEY_NUMBER, KEYS, NORTH

from wire.connection import Connection, State
from wire.messages import PROTOCOL_VERSION, SignedOn, SignOn

STEP_SECONDS = 20.0
"""Far more than any step takes: a test that waits in vain ends with this."""


class StationClient:
    """One connection. `async with` connects and signs on; `open` and `shake_hands` stop earlier."""

    def __init__(self, address: tuple[str, int], name: str = NORTH, key: bytes | None = None) -> None:
        self.connection = Connection.station(name, KEY_NUMBER, key or KEYS[name], secrets.token_bytes(32))
        self.greeting = self.connection.take_output()
        """Greeting and first handshake message, as sent."""

        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self._address = address
        self._received: list[Any] = []

    async def __aenter__(self) -> Self:
        await self.open()
        await self.sign_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, **options: Any) -> None:
        """Connect, greet and shake hands; `options` are those of asyncio.open_connection."""
        self.reader, self.writer = await asyncio.open_connection(*self._address, **options)
        self.writer.write(self.greeting)
        while self.connection.state is State.GREETING:
            if not await self._read():
                raise ConnectionError("the switch closed the connection before the handshake was over")

    async def sign_on(self, protocol: int = PROTOCOL_VERSION) -> SignedOn:
        """Sign on and return the switch's answer."""
        self.send(SignOn(protocol))
        (answer,) = await self.receive(1)
        assert isinstance(answer, SignedOn)
        return answer

    def send(self, *messages: Any) -> None:
        """One record."""
        self.writer.write(self.connection.send(messages))

    def send_plaintext(self, plaintext: bytes) -> None:
        """One record of any content."""
        self.writer.write(self.connection._channel.seal(plaintext))

    async def receive(self, count: int) -> list[Any]:
        """The next `count` messages."""
        while len(self._received) < count:
            assert await self._read(), f"closed after {self._received}, of {count}"
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    async def ask(self, *messages: Any) -> list[Any]:
        """The replies to one record, as many as it has messages, in the order in which they come."""
        self.send(*messages)
        return await self.receive(len(messages))

    async def until_closed(self) -> list[Any]:
        """Everything that comes before the switch closes the connection."""
        while await self._read():
            pass
        taken, self._received = self._received, []
        return taken

    async def close(self) -> None:
        """Go without a word."""
        self.writer.close()
        with suppress(ConnectionError):  # the switch was first
            await self.writer.wait_closed()

    async def _read(self) -> bool:
        async with asyncio.timeout(STEP_SECONDS):
            try:
                data = await self.reader.read(65_536)
            except ConnectionError:
                return False
        self._received += self.connection.receive(data)
        return bool(data)
