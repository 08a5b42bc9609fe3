"""Closed-loop load: every terminal asks again as soon as it is answered."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from itertools import cycle
from time import time_ns
from typing import Any, Final, cast

from bench.campus import ACCOUNTS, Station, account_number, card_serial
from wire.connection import Connection
from wire.messages import PROTOCOL_VERSION, Purchase, SignedOn, SignOn

WAIT_MS: Final = 10_000
AMOUNT: Final = 1
ECHO_BYTES: Final = 62
"""About the size of a sealed purchase of one terminal."""

CARDS_PER_STATION: Final = 4_093


class Client(asyncio.Protocol):
    """A station with as many requests in flight as it has terminals."""

    def __init__(self, station: Station, seed: int, answers: Counter[int]) -> None:
        self.signed_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._station = station
        self._answers = answers
        self._connection = Connection.station(station.name, 1, station.key, os.urandom(32))
        self._next_stan = time_ns() // 1_000
        generator = random.Random(seed)
        accounts = [account_number(generator.randrange(ACCOUNTS)) for _ in range(CARDS_PER_STATION)]
        self._cards = cycle([(account, card_serial(account)) for account in accounts])
        self._stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._connection.take_output())

    def data_received(self, data: bytes) -> None:
        """Count answers, and ask again for the terminals they were for."""
        messages = self._connection.receive(data)
        if not self.signed_on.done():
            self._advance(messages)
        elif messages:
            self._count(messages)
            if not self._stopped:
                self._ask([message.terminal for message in messages])

    def connection_lost(self, exc: Exception | None) -> None:
        """A lost connection is a failed measurement."""
        if not self.signed_on.done():
            self.signed_on.set_exception(exc or ConnectionError("closed before sign-on"))

    def start(self) -> None:
        """Every terminal asks."""
        self._ask(list(self._station.terminals))

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _advance(self, messages: list[Any]) -> None:
        if messages:
            assert isinstance(messages[0], SignedOn), "the first answer is to the sign-on"
            self.signed_on.set_result(None)
        else:
            self._transport.write(self._connection.send([SignOn(PROTOCOL_VERSION)]))

    def _count(self, messages: list[Any]) -> None:
        self._answers.update([int(message.code) for message in messages])

    def _ask(self, terminals: list[int]) -> None:
        stan = self._next_stan
        self._next_stan += 1
        cards = self._cards
        purchases = [Purchase(terminal, stan, WAIT_MS, *next(cards), AMOUNT) for terminal in terminals]
        self._transport.write(self._connection.send(purchases))


class EchoClient(asyncio.Protocol):
    """One frame in flight."""

    def __init__(self, answers: Counter[int]) -> None:
        self.signed_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers = answers
        self._frame = bytes(ECHO_BYTES)
        self._stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing to agree on."""
        self._transport = cast("asyncio.Transport", transport)
        self.signed_on.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Send it again."""
        self._answers[0] += 1
        if not self._stopped:
            self._transport.write(data)

    def start(self) -> None:
        """Send the first frame."""
        self._transport.write(self._frame)

    def stop(self) -> None:
        """Send no more."""
        self._stopped = True

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
