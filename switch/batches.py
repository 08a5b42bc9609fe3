"""What travels between a gateway and a shard in another process: parcels there, their answers back, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from wire.messages import Request


class ParcelSent(Struct, array_like=True, frozen=True):
    """Requests that came in one record."""

    age_ms: int
    """How long ago they were received: the clocks of two machines are never compared."""

    requests: list[Request]


class Answered(Struct, array_like=True, frozen=True):
    """All answers of one call."""

    time_us: int
    """Time of the shard's newest event."""

    parcels: list[list[bytes]]
    """For each parcel its encoded answers, one for each request, in no particular order."""


_encoder: Final = msgspec.msgpack.Encoder()
_parcels_decoder: Final = msgspec.msgpack.Decoder(list[ParcelSent])
_answered_decoder: Final = msgspec.msgpack.Decoder(Answered)


def encode_parcels(parcels: Sequence[ParcelSent]) -> bytes:
    """One call's parcels."""
    return _encoder.encode(parcels)


def decode_parcels(call: bytes) -> list[ParcelSent]:
    """What `encode_parcels` made."""
    return _parcels_decoder.decode(call)


def encode_answered(answered: Answered) -> bytes:
    """One call's answers."""
    return _encoder.encode(answered)


def decode_answered(reply: bytes) -> Answered:
    """What `encode_answered` made."""
    return _answered_decoder.decode(reply)
