"""A terminal that goes on whatever happens to the switch: it connects again, and asks again with a new purchase."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from random import Random
from time import time_ns
from typing import Final

from bench.campus import Station, card_serial
from wire.codes import Code
from wire.connection import Connection, State
from wire.errors import PeerProtocolError
from wire.messages import PROTOCOL_VERSION, Answer, Purchase, SignedOn, SignOn

AMOUNT: Final = 1
WAIT_MS: Final = 500
UNANSWERED_S_MAX: Final = 1.0
"""After so long, also without the switch's own 68 or 96, it asks again with a new purchase."""

BACK_OFF_S_MAX: Final = 30.0
READ_BYTES: Final = 65_536


class Terminal:
    """A station of one terminal, with one request in flight."""

    def __init__(self, station: Station, address: tuple[str, int], random: Random) -> None:
        self.connects = 0
        self.codes: Counter[Code | None] = Counter()
        """Of all answers; None: no answer came, or the connection was lost."""

        self.authorizations: list[int] = []
        """Of all approvals."""

        self._station = station
        self._address = address
        self._random = random
        self._number = station.terminals[0]
        self._stan = time_ns() // 1_000
        self._failures = 0
        self._connection: Connection
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def approved(self, account: str) -> None:
        """Ask with one new purchase after the other until one is approved."""
        while (answer := await self.ask(account)) is None or answer.code is not Code.APPROVED:
            if answer is not None:
                await asyncio.sleep(answer.retry_after_ms / 1_000)

    async def ask(self, account: str) -> Answer | None:
        """Ask with a new purchase, once; None if no answer came. Without a connection, it is made first."""
        if self._writer is None:
            # As docs/protocol.md asks for: a random part of a second, and twice as long after each failure.
            await asyncio.sleep(min(self._random.random() * 2**self._failures, BACK_OFF_S_MAX))
        answer: Answer | None = None
        try:
            async with asyncio.timeout(UNANSWERED_S_MAX) as patience:
                if self._writer is None:
                    await self.connect()
                answer = await self._exchange(account)
        except (OSError, PeerProtocolError):  # TimeoutError is an OSError
            if not patience.expired():
                self.disconnect()
        self.codes[None if answer is None else answer.code] += 1
        if answer is not None and answer.code is Code.APPROVED:
            self.authorizations.append(answer.authorization)
        return answer

    async def connect(self) -> None:
        """Connect and sign on, also if it is connected. Raises OSError or PeerProtocolError."""
        self.disconnect()
        self._failures += 1
        self._connection = Connection.station(self._station.name, 1, self._station.key, secrets.token_bytes(32))
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        try:
            await self._sign_on(self._writer)
        except BaseException:
            self.disconnect()
            raise
        self._failures = 0
        self.connects += 1

    def disconnect(self) -> None:
        """Go without a word."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _sign_on(self, writer: asyncio.StreamWriter) -> None:
        writer.write(self._connection.take_output())
        while self._connection.state is State.GREETING:
            await self._receive()
        writer.write(self._connection.send([SignOn(PROTOCOL_VERSION)]))
        while not (messages := await self._receive()):
            pass
        if not isinstance(messages[0], SignedOn) or messages[0].code is not Code.APPROVED:
            raise ConnectionError(f"not signed on: {messages[0]}")

    async def _exchange(self, account: str) -> Answer:
        assert self._writer is not None, "it is connected"
        self._stan += 1
        purchase = Purchase(self._number, self._stan, WAIT_MS, account, card_serial(account), AMOUNT)
        self._writer.write(self._connection.send([purchase]))
        while True:
            for message in await self._receive():
                if isinstance(message, Answer) and message.stan == self._stan:
                    return message

    async def _receive(self) -> list[object]:
        """What the next bytes complete."""
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise ConnectionError("the switch closed the connection")
        return self._connection.receive(data)
