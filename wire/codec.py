"""Messages to and from the plaintext of a record: a msgpack array of messages, each read on its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from wire.channel import PLAINTEXT_BYTES_MAX
from wire.errors import Breach, LocalProtocolError, PeerProtocolError
from wire.messages import Reply, Request

MESSAGES_PER_RECORD_MAX = 1_024

T = TypeVar("T")


class Unreadable(Struct, frozen=True):
    """A message that could not be read: where it stood in its record, why, and whose it was if that is legible."""

    place: int
    explanation: str
    terminal: int = 0
    stan: int = 0


_encoder = msgspec.msgpack.Encoder()
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_any_decoder = msgspec.msgpack.Decoder()


class MessageDecoder(Generic[T]):
    """Reads records of one direction."""

    def __init__(self, message_type: Any) -> None:
        self._all = msgspec.msgpack.Decoder(list[message_type])
        self._one = msgspec.msgpack.Decoder(message_type)

    def decode(self, plaintext: bytes) -> list[T | Unreadable]:
        """Every message in order. Raises PeerProtocolError if the record is not an array of messages."""
        try:
            messages: list[T | Unreadable] = self._all.decode(plaintext)
        except msgspec.MsgspecError:
            messages = self._decode_each(plaintext)
        if not 1 <= len(messages) <= MESSAGES_PER_RECORD_MAX:
            raise PeerProtocolError(
                Breach.RECORD_STRUCTURE,
                f"a record of {len(messages)} messages; 1 to {MESSAGES_PER_RECORD_MAX} are allowed",
            )
        return messages

    def _decode_each(self, plaintext: bytes) -> list[T | Unreadable]:
        try:
            parts = _raw_decoder.decode(plaintext)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise PeerProtocolError(Breach.RECORD_STRUCTURE, f"not a msgpack array: {error}") from error
        return [self._decode_one(place, part) for place, part in enumerate(parts)]

    def _decode_one(self, place: int, part: msgspec.Raw) -> T | Unreadable:
        try:
            message: T = self._one.decode(part)
        except (msgspec.MsgspecError, RecursionError) as error:
            return Unreadable(place, str(error), *_whose(part))
        return message


request_decoder: MessageDecoder[Request] = MessageDecoder(Request)
reply_decoder: MessageDecoder[Reply] = MessageDecoder(Reply)


def encode(messages: Sequence[Request | Reply]) -> list[bytes]:
    """The plaintexts of as few records as hold all the messages, in order."""
    plaintext = _encoder.encode(messages)
    if len(plaintext) <= PLAINTEXT_BYTES_MAX and len(messages) <= MESSAGES_PER_RECORD_MAX:
        return [plaintext]
    if len(messages) == 1:
        raise LocalProtocolError(f"one message of {len(plaintext)} bytes does not fit a record")
    half = len(messages) // 2
    return encode(messages[:half]) + encode(messages[half:])


def _whose(part: msgspec.Raw) -> tuple[int, int]:
    """Terminal and STAN of an account request whose other fields are wrong, so that its terminal can be told."""
    try:
        fields = _any_decoder.decode(part)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return 0, 0
    match fields:
        case [int(), int(terminal), int(stan), *_] if 0 < terminal < 2**63 and 0 < stan < 2**63:
            return terminal, stan
        case _:
            return 0, 0
