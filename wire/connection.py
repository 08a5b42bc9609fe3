"""One end of a connection: the channel and its messages, with the order in which things may happen.

The same class serves both sides; `Connection.station` and `Connection.switch` make them.

    GREETING ──handshake──▶ SIGN_ON ──SignOn / SignedOn──▶ OPEN ──close──▶ CLOSED

The first record of a station is one SignOn, the first of the switch the SignedOn that answers it; anything else is
an error: ours (LocalProtocolError) when sending, the peer's (PeerProtocolError) when receiving. After its SignOn a
station may send requests at once; both sides are OPEN when SignedOn is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

from wire import codec
from wire.channel import RECORD_BYTES_MAX, Channel, FindKey, Greeting, StationChannel, SwitchChannel
from wire.codec import MessageDecoder, Unreadable
from wire.errors import Breach, LocalProtocolError, PeerProtocolError
from wire.messages import Reply, Request, SignedOn, SignOn


class State(Enum):
    """Where a connection is in its life."""

    GREETING = auto()
    SIGN_ON = auto()
    OPEN = auto()
    CLOSED = auto()


# Looked at for every record, and an enumeration's member costs 0.1 microseconds to reach.
_OPEN, _CLOSED = State.OPEN, State.CLOSED


class Connection:
    """Sans-I/O: bytes in, messages out, and the reverse."""

    __slots__ = ("_channel", "_decoder", "_first_received", "_first_sent", "_received_first", "_sent_first", "state")

    def __init__(self, channel: Channel, decoder: MessageDecoder[Any], sends: type, receives: type) -> None:
        self._channel = channel
        self._decoder = decoder
        self._first_sent = sends
        self._first_received = receives
        self._sent_first = False
        self._received_first = False
        self.state = State.GREETING

    @classmethod
    def station(cls, name: str, key_number: int, key: bytes, ephemeral: bytes) -> Connection:
        """The terminal's or concentrator's end. `ephemeral`: 32 fresh random bytes."""
        channel = StationChannel(Greeting(name, key_number), key, ephemeral)
        return cls(channel, codec.reply_decoder, SignOn, SignedOn)

    @classmethod
    def switch(cls, find_key: FindKey, ephemeral: bytes, record_bytes_max: int = RECORD_BYTES_MAX) -> Connection:
        """The switch's end. `ephemeral`: 32 fresh random bytes."""
        channel = SwitchChannel(find_key, ephemeral, record_bytes_max)
        return cls(channel, codec.request_decoder, SignedOn, SignOn)

    @property
    def peer(self) -> Greeting | None:
        """Who the station says it is; believe it once `state` is past SIGN_ON or a SignOn has been received."""
        return self._channel.greeting

    def take_output(self) -> bytes:
        """Handshake bytes that must be sent now; empty when there are none."""
        output, self._channel.output = self._channel.output, b""
        return output

    def receive(self, data: bytes) -> list[Any]:
        """The messages (and Unreadable ones) that `data` completes. Raises PeerProtocolError; then close."""
        if self.state is _CLOSED:
            return []
        try:
            plaintexts = self._channel.receive(data)
            if self._received_first and len(plaintexts) == 1:
                return self._decoder.decode(plaintexts[0])
            if self.state is State.GREETING and self._channel.established:
                self.state = State.SIGN_ON
            return [message for plaintext in plaintexts for message in self._read(plaintext)]
        except PeerProtocolError:
            self.state = State.CLOSED
            raise

    def send(self, messages: Sequence[Request | Reply]) -> bytes:
        """The bytes of the records that carry the messages. Raises LocalProtocolError in a wrong state."""
        if not self._sent_first:
            self._check_first_sent(messages)
        elif self.state is _CLOSED:
            raise LocalProtocolError("the connection is closed")
        return self._seal(codec.encode(messages))

    def send_encoded(self, messages: Sequence[bytes]) -> bytes:
        """As `send`, for messages from `codec.encode_message`. Raises LocalProtocolError unless OPEN."""
        if self.state is not _OPEN:
            raise LocalProtocolError("the connection is not open")
        plaintexts = codec.join(messages)
        return self._channel.seal(plaintexts[0]) if len(plaintexts) == 1 else self._seal(plaintexts)

    def close(self) -> None:
        """Nothing more is received or sent."""
        self.state = State.CLOSED

    def _seal(self, plaintexts: Sequence[bytes]) -> bytes:
        return b"".join([self._channel.seal(plaintext) for plaintext in plaintexts])

    def _read(self, plaintext: bytes) -> list[Any]:
        messages = self._decoder.decode(plaintext)
        if not self._received_first:
            first = messages[0]
            if len(messages) != 1 or not isinstance(first, self._first_received):
                found = first.explanation if isinstance(first, Unreadable) else type(first).__name__
                raise PeerProtocolError(
                    Breach.SIGN_ON_EXPECTED,
                    f"the first record is one {self._first_received.__name__}, not {len(messages)} beginning {found}",
                )
            self._received_first = True
            self._open_when_both_signed_on()
        return messages

    def _check_first_sent(self, messages: Sequence[Request | Reply]) -> None:
        if self.state is not State.SIGN_ON or len(messages) != 1 or not isinstance(messages[0], self._first_sent):
            raise LocalProtocolError(f"the first record is one {self._first_sent.__name__}, after the handshake")
        if self._first_sent is SignedOn and not self._received_first:
            raise LocalProtocolError("SignedOn answers a SignOn")
        self._sent_first = True
        self._open_when_both_signed_on()

    def _open_when_both_signed_on(self) -> None:
        if self._sent_first and self._received_first:
            self.state = State.OPEN
