"""The encrypted channel under the messages: greeting, Noise handshake, then length-prefixed records.

Knows bytes and keys; does not know messages, sockets, or which stations there are (keys are asked for).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from wire.errors import Breach, LocalProtocolError, PeerProtocolError
from wire.noise import HANDSHAKE_MESSAGE_BYTES, TAG_BYTES, CipherState, Handshake, NoiseError

MAGIC = b"TAPS"
GREETING_VERSION = 1
GREETING_FIXED_BYTES = len(MAGIC) + 3
STATION_NAME_BYTES_MAX = 32
LENGTH_BYTES = 2
RECORD_BYTES_MAX = 65_535
"""Of a sealed record without its length prefix: the largest Noise message."""
PLAINTEXT_BYTES_MAX = RECORD_BYTES_MAX - TAG_BYTES

_length: Final = Struct(">H").pack

FindKey = Callable[[str, int], bytes | None]
"""Given a station's name and key number, its 32-byte pre-shared key, or None if there is no such key."""


class Greeting(NamedTuple):
    """What a station says in clear before the handshake: who it is and which of its keys it holds."""

    station: str
    key_number: int

    def encode(self) -> bytes:
        """The bytes on the wire; they are the handshake's prologue, so altering them breaks it."""
        name = self.station.encode("ascii")
        if not 1 <= len(name) <= STATION_NAME_BYTES_MAX:
            raise LocalProtocolError(f"a station's name has 1 to {STATION_NAME_BYTES_MAX} ASCII characters")
        return MAGIC + bytes([GREETING_VERSION, self.key_number, len(name)]) + name

    @classmethod
    def decode(cls, data: bytes) -> Greeting | None:
        """The greeting at the start of `data`, or None while it is incomplete. Raises PeerProtocolError."""
        if data[: len(MAGIC)] != MAGIC[: len(data)]:
            raise PeerProtocolError(Breach.GREETING, "the connection does not begin with the greeting's magic")
        if len(data) < GREETING_FIXED_BYTES:
            return None
        version, key_number, name_bytes = data[len(MAGIC) : GREETING_FIXED_BYTES]
        if version != GREETING_VERSION:
            raise PeerProtocolError(Breach.GREETING, f"greeting version {version}, expected {GREETING_VERSION}")
        if not 1 <= name_bytes <= STATION_NAME_BYTES_MAX:
            raise PeerProtocolError(Breach.GREETING, f"station name of {name_bytes} bytes")
        name = data[GREETING_FIXED_BYTES : GREETING_FIXED_BYTES + name_bytes]
        if not name.isascii():
            raise PeerProtocolError(Breach.GREETING, "the station name is not ASCII")
        return cls(name.decode("ascii"), key_number) if len(name) == name_bytes else None


def frame(record: bytes) -> bytes:
    """A record or handshake message with its two-byte big-endian length before it."""
    return _length(len(record)) + record


class Channel(ABC):
    """One end of a channel. Feed bytes to `receive`; `output` holds handshake bytes that must be sent."""

    __slots__ = (
        "_buffer",
        "_ephemeral",
        "_opening",
        "_record_bytes_max",
        "_sealing",
        "greeting",
        "output",
    )

    def __init__(self, ephemeral: bytes, record_bytes_max: int) -> None:
        self._ephemeral = ephemeral
        self._record_bytes_max = record_bytes_max
        self._buffer = b""
        self._sealing: CipherState | None = None
        self._opening: CipherState | None = None
        self.greeting: Greeting | None = None
        self.output = b""

    @property
    def established(self) -> bool:
        """True once both directions have keys. It proves the peer only after a record of its has opened."""
        return self._opening is not None

    def seal(self, plaintext: bytes) -> bytes:
        """One framed record. Raises LocalProtocolError before the handshake or past PLAINTEXT_BYTES_MAX."""
        if self._sealing is None:
            raise LocalProtocolError("records can be sealed only after the handshake")
        if len(plaintext) > PLAINTEXT_BYTES_MAX:
            raise LocalProtocolError(f"{len(plaintext)} bytes do not fit a record of {PLAINTEXT_BYTES_MAX}")
        record = self._sealing.seal(plaintext)
        return _length(len(record)) + record  # `frame`, without a call for every record

    def receive(self, data: bytes) -> list[bytes]:
        """The plaintexts of the records that `data` completes. Raises PeerProtocolError; then close."""
        buffer = self._buffer + data if self._buffer else data
        if self._opening is None:
            buffer = self._advance_handshake(buffer)
            if self._opening is None:
                self._buffer = buffer
                return []
        opening, longest, plaintexts = self._opening, self._record_bytes_max, []
        start, available = 0, len(buffer)
        try:
            while (body := start + LENGTH_BYTES) <= available:
                length = (buffer[start] << 8) | buffer[start + 1]
                if not TAG_BYTES <= length <= longest:
                    raise PeerProtocolError(
                        Breach.RECORD_SIZE, f"a record of {length} bytes; {TAG_BYTES} to {longest} are allowed"
                    )
                end = body + length
                if end > available:
                    break
                plaintexts.append(opening.open(buffer[body:end]))
                start = end
        except NoiseError as error:
            raise PeerProtocolError(Breach.RECORD_UNOPENED, str(error)) from error
        self._buffer = buffer[start:]
        return plaintexts

    def _take_handshake_message(self, buffer: bytes, start: int) -> tuple[bytes, bytes] | None:
        """(message, rest) or None while incomplete."""
        body = start + LENGTH_BYTES
        if len(buffer) < body:
            return None
        length = (buffer[start] << 8) | buffer[start + 1]
        if length != HANDSHAKE_MESSAGE_BYTES:
            raise PeerProtocolError(
                Breach.HANDSHAKE, f"a handshake message of {length} bytes, expected {HANDSHAKE_MESSAGE_BYTES}"
            )
        end = body + length
        return (buffer[body:end], buffer[end:]) if len(buffer) >= end else None

    @abstractmethod
    def _advance_handshake(self, buffer: bytes) -> bytes:
        """Take what the handshake needs from `buffer`; return the rest."""


class StationChannel(Channel):
    """The initiator's end: `output` holds greeting and first handshake message from the start."""

    __slots__ = ("_handshake",)

    def __init__(
        self, greeting: Greeting, key: bytes, ephemeral: bytes, record_bytes_max: int = RECORD_BYTES_MAX
    ) -> None:
        super().__init__(ephemeral, record_bytes_max)
        self.greeting = greeting
        prologue = greeting.encode()
        self._handshake = Handshake(prologue, key, ephemeral)
        self.output = prologue + frame(self._handshake.write_first())

    def _advance_handshake(self, buffer: bytes) -> bytes:
        taken = self._take_handshake_message(buffer, 0)
        if taken is None:
            return buffer
        message, rest = taken
        try:
            self._handshake.read_second(message)
        except NoiseError as error:
            raise PeerProtocolError(Breach.HANDSHAKE, f"the switch does not hold this key: {error}") from error
        self._sealing, self._opening = self._handshake.split()
        return rest


class SwitchChannel(Channel):
    """The responder's end: learns who the station is from its greeting and asks `find_key` for its key."""

    __slots__ = ("_find_key",)

    def __init__(self, find_key: FindKey, ephemeral: bytes, record_bytes_max: int = RECORD_BYTES_MAX) -> None:
        super().__init__(ephemeral, record_bytes_max)
        self._find_key = find_key

    def _advance_handshake(self, buffer: bytes) -> bytes:
        greeting = Greeting.decode(buffer)
        if greeting is None:
            return buffer
        prologue = greeting.encode()
        taken = self._take_handshake_message(buffer, len(prologue))
        if taken is None:
            return buffer
        message, rest = taken
        self.greeting = greeting
        key = self._find_key(greeting.station, greeting.key_number)
        if key is None:
            raise PeerProtocolError(
                Breach.UNKNOWN_STATION, f"no station {greeting.station!r} with key number {greeting.key_number}"
            )
        handshake = Handshake(prologue, key, self._ephemeral)
        try:
            handshake.read_first(message)
            self.output = frame(handshake.write_second())
        except NoiseError as error:
            raise PeerProtocolError(Breach.HANDSHAKE, f"station {greeting.station!r}: {error}") from error
        self._opening, self._sealing = handshake.split()
        return rest
