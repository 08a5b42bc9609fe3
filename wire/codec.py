"""Messages to and from the plaintext of a record: a msgpack array of messages, each read on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from wire.channel import PLAINTEXT_BYTES_MAX
from wire.errors import Breach, LocalProtocolError, PeerProtocolError
from wire.messages import Reply, Request, Stan, TerminalNumber

MESSAGES_PER_RECORD_MAX = 1_024

T = TypeVar("T")


class Unreadable(Struct, frozen=True):
    """A message that could not be read: where it stood in its record, why, and whose it was if that is legible."""

    place: int
    explanation: str
    terminal: int = 0
    stan: int = 0


class _Addressed(Struct, array_like=True, frozen=True):
    """How every message about a terminal's request begins, whatever follows."""

    tag: Annotated[int, Meta(ge=10)]
    terminal: TerminalNumber
    stan: Stan


# Text that is not UTF-8 raises a UnicodeError, and nesting beyond the interpreter's stack a RecursionError.
_DECODING_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)

_ARRAY_HEADERS: Final = tuple(
    bytes((0x90 | count,)) if count <= 15 else b"\xdc" + count.to_bytes(2, "big")
    for count in range(MESSAGES_PER_RECORD_MAX + 1)
)
"""How a msgpack array of so many elements begins (msgpack specification: fixarray, array 16)."""

_encoder = msgspec.msgpack.Encoder()
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_addressed_decoder = msgspec.msgpack.Decoder(_Addressed)


class MessageDecoder(Generic[T]):
    """Reads records of one direction."""

    def __init__(self, message_type: Any) -> None:
        self._all = msgspec.msgpack.Decoder(list[message_type])
        self._one = msgspec.msgpack.Decoder(message_type)

    def decode(self, plaintext: bytes) -> list[T | Unreadable]:
        """Every message in order. Raises PeerProtocolError if the record is not an array of messages."""
        try:
            messages: list[T | Unreadable] = self._all.decode(plaintext)
        except _DECODING_ERRORS:
            return self._decode_each(plaintext)
        if not 1 <= len(messages) <= MESSAGES_PER_RECORD_MAX:
            raise _wrong_count(messages)
        return messages

    def decode_message(self, message: bytes) -> T:
        """One message that is known to be good, as `encode_message` made it."""
        decoded: T = self._one.decode(message)
        return decoded

    def _decode_each(self, plaintext: bytes) -> list[T | Unreadable]:
        try:
            parts = _raw_decoder.decode(plaintext)
        except _DECODING_ERRORS as error:
            raise PeerProtocolError(Breach.RECORD_STRUCTURE, f"not a msgpack array: {error}") from error
        if not 1 <= len(parts) <= MESSAGES_PER_RECORD_MAX:  # the costly part is one exception for every bad message
            raise _wrong_count(parts)
        return [self._decode_one(place, part) for place, part in enumerate(parts)]

    def _decode_one(self, place: int, part: msgspec.Raw) -> T | Unreadable:
        try:
            message: T = self._one.decode(part)
        except _DECODING_ERRORS as error:
            return Unreadable(place, str(error), *_whose(part))
        return message


request_decoder: MessageDecoder[Request] = MessageDecoder(Request)
reply_decoder: MessageDecoder[Reply] = MessageDecoder(Reply)


encode_message: Final[Callable[[Request | Reply], bytes]] = _encoder.encode
"""A message as it stands in a record, for `join`."""


def encode(messages: Sequence[Request | Reply]) -> list[bytes]:
    """The plaintexts of records that hold all the messages, in order. Raises LocalProtocolError as `join` does."""
    return join([encode_message(message) for message in messages])


def join(messages: Sequence[bytes]) -> list[bytes]:
    """The plaintexts of records that hold all the encoded messages, in order, halving until they fit.

    Raises LocalProtocolError without messages, or for one that fits no record.
    """
    count = len(messages)
    if not count:
        raise LocalProtocolError("a record holds at least one message")
    if count <= MESSAGES_PER_RECORD_MAX:
        plaintext = _ARRAY_HEADERS[count] + b"".join(messages)
        if len(plaintext) <= PLAINTEXT_BYTES_MAX:
            return [plaintext]
        if count == 1:
            raise LocalProtocolError(f"one message of {len(plaintext)} bytes does not fit a record")
    half = count // 2
    return join(messages[:half]) + join(messages[half:])


def _wrong_count(messages: Sequence[object]) -> PeerProtocolError:
    return PeerProtocolError(
        Breach.RECORD_STRUCTURE, f"a record of {len(messages)} messages; 1 to {MESSAGES_PER_RECORD_MAX} are allowed"
    )


def _whose(part: msgspec.Raw) -> tuple[int, int]:
    """Terminal and STAN of a message whose other fields are wrong, so that its terminal can be told; else zeros."""
    try:
        message = _addressed_decoder.decode(part)
    except _DECODING_ERRORS:
        return 0, 0
    return message.terminal, message.stan
