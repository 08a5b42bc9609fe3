"""A station and a switch joined in memory."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import settings

from wire.codes import Code, Reason
from wire.connection import Connection
from wire.messages import SignedOn, SignOn

settings.register_profile("no-timing", deadline=None)  # how long an example takes says nothing about its truth
settings.load_profile("no-timing")

KEY = b"INSECURE" + bytes(24)
RECORD_BYTES_MAX = 4_096


class Pair(NamedTuple):
    station: Connection
    switch: Connection


def shake_hands(station_ephemeral: bytes = b"\1" * 32, switch_ephemeral: bytes = b"\2" * 32) -> Pair:
    """Both ends after the handshake, before the sign-on."""
    station = Connection.station("north-1", 1, KEY, station_ephemeral)
    switch = Connection.switch(_find_key, switch_ephemeral, RECORD_BYTES_MAX)
    assert switch.receive(station.take_output()) == []
    assert station.receive(switch.take_output()) == []
    return Pair(station, switch)


def _find_key(station: str, key_number: int) -> bytes | None:
    return KEY if (station, key_number) == ("north-1", 1) else None


def sign_on() -> Pair:
    """Both ends in an open session."""
    pair = shake_hands()
    assert pair.switch.receive(pair.station.send([SignOn(1)])) == [SignOn(1)]
    signed_on = SignedOn(Code.APPROVED, Reason.NONE, 1, 0, 256, RECORD_BYTES_MAX, 300_000, 60_000)
    assert pair.station.receive(pair.switch.send([signed_on])) == [signed_on]
    return pair


# Functions, because a property needs a new pair for every example.
@pytest.fixture(scope="session")
def handshaken() -> Callable[..., Pair]:
    return shake_hands


@pytest.fixture(scope="session")
def signed_on() -> Callable[[], Pair]:
    return sign_on
