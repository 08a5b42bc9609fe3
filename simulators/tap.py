"""One transaction as a terminal vendor wants to see it: every step, its size, its decoded messages, its plaintext."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict, replace

from simulators.campus import StationKey
from simulators.station import Address
from wire import codec
from wire.channel import LENGTH_BYTES
from wire.codes import Code
from wire.connection import Connection, State
from wire.errors import PeerProtocolError
from wire.messages import PROTOCOL_VERSION, Answer, Purchase, Rejected, SignedOff, SignedOn, SignOff, SignOn
from wire.noise import HANDSHAKE_MESSAGE_BYTES, KEY_BYTES, TAG_BYTES

STEP_SECONDS = 10.0
SOFTWARE = "tapswitch tap"
Print = Callable[[str], None]


class TapError(Exception):
    """The switch could not be reached, or did not answer as the protocol says."""


async def tap_once(
    address: Address, station: str, key: StationKey, request: Purchase, show: Print, *, fresh_stan: bool
) -> Answer | Rejected:
    """Connect, sign on, send `request`, sign off; `show` gets the transcript line by line.

    With `fresh_stan` the STAN is the switch's time in microseconds, as sign-on tells it. Raises TapError.
    """
    try:
        async with asyncio.timeout(STEP_SECONDS):
            reader, writer = await asyncio.open_connection(*address)
    except (OSError, TimeoutError) as error:
        raise TapError(f"{address}: {_why(error)}") from error
    connection = Connection.station(station, key.number, key.key, secrets.token_bytes(KEY_BYTES))
    dialogue = _Dialogue(address, reader, writer, connection, show)
    try:
        signed_on = await dialogue.sign_on()
        answer = await dialogue.ask(replace(request, stan=signed_on.time_us) if fresh_stan else request)
        await dialogue.sign_off()
    except PeerProtocolError as error:
        raise TapError(str(error)) from error
    finally:
        writer.close()
    return answer


class _Dialogue:
    def __init__(
        self,
        address: Address,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: Connection,
        show: Print,
    ) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer
        self._connection = connection
        self._show = show
        self._received: list[Any] = []

    async def sign_on(self) -> SignedOn:
        greeting = self._connection.take_output()
        clear = len(greeting) - LENGTH_BYTES - HANDSHAKE_MESSAGE_BYTES
        peer = self._connection.peer
        assert peer is not None, "a station knows its own greeting"
        self._show(f"→ greeting, {clear} bytes: station {peer.station!r}, key number {peer.key_number}")
        self._show(f"    {greeting[:clear].hex()}")
        self._show(f"→ handshake, {LENGTH_BYTES} + {HANDSHAKE_MESSAGE_BYTES} bytes: psk, e")
        self._show(f"    {greeting[clear:].hex()}")
        self._writer.write(greeting)
        while self._connection.state is State.GREETING:
            await self._receive()
        self._show(
            f"← handshake, {LENGTH_BYTES} + {HANDSHAKE_MESSAGE_BYTES} bytes: e, ee; the channel is encrypted now"
        )
        self._send(SignOn(PROTOCOL_VERSION, SOFTWARE))
        signed_on: SignedOn = await self._expect(SignedOn)
        if signed_on.code is not Code.APPROVED:
            raise TapError(f"the switch refused the sign-on: {signed_on.code:02d} {signed_on.reason}")
        return signed_on

    async def ask(self, request: Purchase) -> Answer | Rejected:
        self._send(request)
        answer: Answer | Rejected = await self._expect(Answer, Rejected)
        return answer

    async def sign_off(self) -> None:
        self._send(SignOff())
        await self._expect(SignedOff)

    def _send(self, message: Any) -> None:
        record = self._connection.send([message])
        self._show_record("→", len(record), codec.encode([message])[0], message)
        self._writer.write(record)

    async def _expect(self, *kinds: type) -> Any:
        while True:
            for index, message in enumerate(self._received):
                if isinstance(message, kinds):
                    del self._received[: index + 1]
                    return message
            await self._receive()

    async def _receive(self) -> None:
        try:
            async with asyncio.timeout(STEP_SECONDS):
                data = await self._reader.read(65_536)
        except (OSError, TimeoutError) as error:
            raise TapError(f"{self._address}: connected, but nothing came from the switch: {_why(error)}") from error
        if not data:
            raise TapError("the switch closed the connection: wrong station name, key number or key? Its log says why")
        for message in self._connection.receive(data):
            plaintext = codec.encode([message])[0]
            self._show_record("←", LENGTH_BYTES + len(plaintext) + TAG_BYTES, plaintext, message)
            self._received.append(message)

    def _show_record(self, arrow: str, size: int, plaintext: bytes, message: Any) -> None:
        self._show(f"{arrow} record, {size} bytes: {type(message).__name__}")
        for name, value in asdict(message).items():
            self._show(f"    {name:<15} {_readable(value)}")
        self._show(f"    plaintext {plaintext.hex()}")


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {STEP_SECONDS:g} seconds"
    return error.strerror or str(error)


def _readable(value: Any) -> str:
    if isinstance(value, Code):
        return f"{value:02d} {value.name.lower().replace('_', ' ')}"
    return str(value)
