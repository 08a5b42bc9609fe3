"""Greeting, framing and the limits of a record; what its messages say is no matter here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.channel import PLAINTEXT_BYTES_MAX, RECORD_BYTES_MAX, Channel, Greeting, StationChannel, SwitchChannel, frame
from wire.errors import Breach, LocalProtocolError, PeerProtocolError

KEY = b"INSECURE" + bytes(24)
GREETING = Greeting("north-1", 1)
names = st.text(st.characters(max_codepoint=127), min_size=1, max_size=32)


@given(names, st.integers(0, 255))
def test_greeting_round_trip(name: str, key_number: int) -> None:
    encoded = Greeting(name, key_number).encode()
    assert Greeting.decode(encoded) == (name, key_number)
    assert Greeting.decode(encoded + b"what follows") == (name, key_number)
    for length in range(len(encoded)):
        assert Greeting.decode(encoded[:length]) is None


@pytest.mark.parametrize("name", ["", "x" * 33])
def test_our_own_name_must_fit(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="1 to 32"):
        Greeting(name, 1).encode()


@pytest.mark.parametrize(
    ("data", "explanation"),
    [
        (b"X", "magic"),
        (b"TAPZ", "magic"),
        (b"GET / HTTP/1.1\r\n", "magic"),
        (b"TAPS\0\1\1a", "version 0"),
        (b"TAPS\2\1\1a", "version 2"),
        (b"TAPS\1\1\0", "0 bytes"),
        (b"TAPS\1\1\x21", "33 bytes"),
        (b"TAPS\1\1\2\xc3\xa9", "ASCII"),
    ],
)
def test_a_greeting_that_is_none(data: bytes, explanation: str) -> None:
    with pytest.raises(PeerProtocolError, match=explanation) as raised:
        switch_channel().receive(data)
    assert raised.value.breach is Breach.GREETING


@pytest.mark.parametrize("greeting", [Greeting("north-2", 1), Greeting("north-1", 2)])
def test_unknown_station_or_key_number(greeting: Greeting) -> None:
    switch = switch_channel()
    with pytest.raises(PeerProtocolError) as raised:
        switch.receive(StationChannel(greeting, KEY, b"\1" * 32).output)
    assert raised.value.breach is Breach.UNKNOWN_STATION
    assert switch.output == b""


def test_a_station_with_another_key_gets_no_answer() -> None:
    switch = switch_channel()
    with pytest.raises(PeerProtocolError) as raised:
        switch.receive(StationChannel(GREETING, bytes(32), b"\1" * 32).output)
    assert raised.value.breach is Breach.HANDSHAKE
    assert switch.output == b""
    assert not switch.established


@pytest.mark.parametrize("length", [0, 47, 49, 65_535])
def test_handshake_message_of_another_length_is_refused_before_it_came(length: int) -> None:
    prefix = length.to_bytes(2, "big")
    with pytest.raises(PeerProtocolError) as raised:
        switch_channel().receive(GREETING.encode() + prefix)
    assert raised.value.breach is Breach.HANDSHAKE
    with pytest.raises(PeerProtocolError) as raised:
        StationChannel(GREETING, KEY, b"\1" * 32).receive(prefix)
    assert raised.value.breach is Breach.HANDSHAKE


def test_a_switch_without_the_key_is_noticed() -> None:
    with pytest.raises(PeerProtocolError, match="does not hold this key") as raised:
        StationChannel(GREETING, KEY, b"\1" * 32).receive(frame(bytes(48)))
    assert raised.value.breach is Breach.HANDSHAKE


def test_nothing_is_sealed_before_the_handshake() -> None:
    with pytest.raises(LocalProtocolError, match="handshake"):
        switch_channel().seal(b"x")


@pytest.mark.parametrize("length", [0, 1, PLAINTEXT_BYTES_MAX])
def test_records_of_every_size(length: int) -> None:
    station, switch = established()
    plaintext = b"x" * length
    record = station.seal(plaintext)
    assert int.from_bytes(record[:2], "big") == len(record) - 2 == length + 16
    assert switch.receive(record) == [plaintext]
    assert station.receive(switch.seal(plaintext)) == [plaintext]


def test_a_plaintext_that_fits_no_record() -> None:
    station, _ = established()
    with pytest.raises(LocalProtocolError, match="do not fit"):
        station.seal(bytes(PLAINTEXT_BYTES_MAX + 1))


@pytest.mark.parametrize("length", [0, 15, 101, 65_535])
def test_a_record_outside_the_limits_is_refused_at_its_length(length: int) -> None:
    _, switch = established(record_bytes_max=100)
    with pytest.raises(PeerProtocolError) as raised:
        switch.receive(length.to_bytes(2, "big"))
    assert raised.value.breach is Breach.RECORD_SIZE


def test_the_largest_record_that_a_limit_allows() -> None:
    station, switch = established(record_bytes_max=100)
    assert switch.receive(station.seal(bytes(84))) == [bytes(84)]


def test_what_follows_the_handshake_in_the_same_bytes_is_read() -> None:
    station, switch = StationChannel(GREETING, KEY, b"\1" * 32), switch_channel()
    switch.receive(station.output)
    assert station.receive(switch.output + switch.seal(b"one") + switch.seal(b"two")) == [b"one", b"two"]


def switch_channel(record_bytes_max: int = RECORD_BYTES_MAX) -> SwitchChannel:
    return SwitchChannel(lambda *asked: KEY if asked == GREETING else None, b"\2" * 32, record_bytes_max)


def established(record_bytes_max: int = RECORD_BYTES_MAX) -> tuple[Channel, Channel]:
    station, switch = StationChannel(GREETING, KEY, b"\1" * 32), switch_channel(record_bytes_max)
    assert switch.receive(station.output) == []
    assert station.receive(switch.output) == []
    assert station.established
    assert switch.established
    return station, switch
