"""A station and a switch joined in memory: what each tells the other, and what hostile bytes can do."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.codec import Unreadable, encode_message
from wire.codes import Code, Reason
from wire.connection import Connection, State
from wire.errors import Breach, LocalProtocolError, PeerProtocolError
from wire.messages import Answer, Echo, Echoed, Purchase, SignedOn, SignOff, SignOn
from wire.noise import CipherState

Join = Callable[..., Any]
SIGNED_ON = SignedOn(Code.APPROVED, Reason.NONE, 1, 0, 256, 4_096, 300_000, 60_000)
requests = st.one_of(
    st.builds(Echo, st.integers(0, 2**63 - 1)),
    st.builds(
        Purchase,
        st.integers(1, 9_999),
        st.integers(1, 2**63 - 1),
        st.integers(0, 600_000),
        st.text("0123456789", min_size=1, max_size=19),
        st.text(min_size=1, max_size=20),
        st.integers(-(2**63), 2**63 - 1),
    ),
)
records = st.lists(st.lists(requests, min_size=1, max_size=4), min_size=1, max_size=5)


def test_a_session_from_greeting_to_sign_off(handshaken: Join) -> None:
    station, switch = handshaken()
    assert (station.state, switch.state) == (State.SIGN_ON, State.SIGN_ON)
    assert switch.peer == ("north-1", 1)
    assert switch.receive(station.send([SignOn(1, "till")])) == [SignOn(1, "till")]
    assert station.receive(switch.send([SIGNED_ON])) == [SIGNED_ON]
    assert (station.state, switch.state) == (State.OPEN, State.OPEN)
    assert switch.receive(station.send([Echo(7), SignOff()])) == [Echo(7), SignOff()]
    assert station.receive(switch.send([Echoed(7, 1)])) == [Echoed(7, 1)]
    switch.close()
    assert switch.receive(b"anything") == []
    with pytest.raises(LocalProtocolError, match="closed"):
        switch.send([Echoed(8, 1)])


def test_requests_may_follow_the_sign_on_at_once(handshaken: Join) -> None:
    station, switch = handshaken()
    assert switch.receive(station.send([SignOn(1)]) + station.send([Echo(7)])) == [SignOn(1), Echo(7)]


@given(records, st.data())
def test_any_split_of_the_stream_gives_the_same_messages(batches: list[list[Any]], data: st.DataObject) -> None:
    """Handshake, sign-on and records of both directions, cut and joined at will."""
    station, switch = Connection.station("north-1", 1, KEY, b"\1" * 32), switch_end()
    for piece in cut(station.take_output(), data):
        assert switch.receive(piece) == []
    for piece in cut(switch.take_output(), data):
        assert station.receive(piece) == []

    stream = b"".join(station.send(batch) for batch in ([SignOn(1)], *batches))
    received = [message for piece in cut(stream, data) for message in switch.receive(piece)]
    assert received == [SignOn(1), *(message for batch in batches for message in batch)]

    replies = [Echoed(token, token) for token in range(len(batches))]
    stream = b"".join(switch.send([reply]) for reply in (SIGNED_ON, *replies))
    assert [message for piece in cut(stream, data) for message in station.receive(piece)] == [SIGNED_ON, *replies]


def test_every_single_cut_of_a_stream(handshaken: Join) -> None:
    station = handshaken()[0]
    stream = Connection.station("north-1", 1, KEY, b"\1" * 32).take_output()
    stream += station.send([SignOn(1)]) + station.send([Echo(7), Echo(8)]) + station.send([Echo(9)])
    for place in range(len(stream) + 1):
        switch = switch_end()
        received = [*switch.receive(stream[:place]), *switch.receive(stream[place:])]
        assert received == [SignOn(1), Echo(7), Echo(8), Echo(9)]


def test_a_truncated_stream_gives_only_whole_records(signed_on: Join) -> None:
    station = signed_on()[0]
    record = station.send([Echo(7)])
    for length in range(len(record)):
        switch = signed_on()[1]
        assert switch.receive(record[:length]) == []
        assert switch.state is State.OPEN


def test_an_altered_record_ends_the_connection_wherever_it_was_altered(signed_on: Join) -> None:
    record = signed_on()[0].send([Echo(7)])
    for place in range(2, len(record)):
        expect_breach(signed_on()[1], flipped(record, place), Breach.RECORD_UNOPENED)


@pytest.mark.parametrize("length", [0, 15, 4_097, 65_535])
def test_a_record_of_a_size_that_is_not_allowed(signed_on: Join, length: int) -> None:
    expect_breach(signed_on()[1], length.to_bytes(2, "big"), Breach.RECORD_SIZE)


def test_a_replayed_record(signed_on: Join) -> None:
    station, switch = signed_on()
    record = station.send([Echo(7)])
    assert switch.receive(record) == [Echo(7)]
    expect_breach(switch, record, Breach.RECORD_UNOPENED)


def test_reordered_records_and_a_record_left_out(signed_on: Join) -> None:
    station, switch = signed_on()
    station.send([Echo(1)])
    expect_breach(switch, station.send([Echo(2)]), Breach.RECORD_UNOPENED)


def test_reflected_records(signed_on: Join) -> None:
    station, switch = signed_on()
    expect_breach(station, station.send([Echo(7)]), Breach.RECORD_UNOPENED)
    expect_breach(switch, switch.send([Echoed(7, 1)]), Breach.RECORD_UNOPENED)


def test_a_record_of_another_session(handshaken: Join, signed_on: Join) -> None:
    station, _ = handshaken(b"\3" * 32, b"\4" * 32)
    expect_breach(signed_on()[1], station.send([SignOn(1)]), Breach.RECORD_UNOPENED)


def test_a_replayed_handshake_gets_no_session() -> None:
    """Greeting, first handshake message and sign-on as an eavesdropper recorded them; the switch's key is fresh."""
    station, switch = Connection.station("north-1", 1, KEY, b"\1" * 32), switch_end(b"\2" * 32)
    opening = station.take_output()
    switch.receive(opening)
    station.receive(switch.take_output())
    sign_on = station.send([SignOn(1)])
    assert switch.receive(sign_on) == [SignOn(1)]

    deceived = switch_end(b"\3" * 32)
    assert deceived.receive(opening) == []
    assert deceived.state is State.SIGN_ON
    expect_breach(deceived, sign_on, Breach.RECORD_UNOPENED)


@pytest.mark.parametrize(
    "messages",
    [[Echo(7)], [SignOff()], [SignOn(1), Echo(7)], [Echo(7), SignOn(1)], [SignOn(1), SignOn(1)], [SignOn("1")]],
    ids=repr,
)
def test_a_first_record_that_is_no_sign_on(handshaken: Join, messages: list[Any]) -> None:
    station, switch = handshaken()
    station._sent_first = True  # a station that does not keep to the rules
    expect_breach(switch, station.send(messages), Breach.SIGN_ON_EXPECTED)


@pytest.mark.parametrize("messages", [[Echoed(7, 1)], [SIGNED_ON, Echoed(7, 1)]], ids=repr)
def test_a_switch_whose_first_record_is_no_sign_on(handshaken: Join, messages: list[Any]) -> None:
    station, switch = handshaken()
    switch._sent_first = True
    expect_breach(station, switch.send(messages), Breach.SIGN_ON_EXPECTED)


def test_our_own_first_record_is_the_sign_on(handshaken: Join) -> None:
    station, switch = handshaken()
    for messages in ([], [Echo(7)], [SignOn(1), Echo(7)]):
        with pytest.raises(LocalProtocolError):
            station.send(messages)
    with pytest.raises(LocalProtocolError, match="answers a SignOn"):
        switch.send([SIGNED_ON])
    with pytest.raises(LocalProtocolError, match="after the handshake"):
        switch_end().send([SIGNED_ON])


def test_a_malformed_message_among_good_ones_costs_only_itself(signed_on: Join) -> None:
    station, switch = signed_on()
    bad = Purchase(1001, 42, 3000, "", "C", 5)
    first, unreadable, last = switch.receive(station.send([Echo(7), bad, Echo(8)]))
    assert (first, last) == (Echo(7), Echo(8))
    assert isinstance(unreadable, Unreadable)
    assert (unreadable.place, unreadable.terminal, unreadable.stan) == (1, 1001, 42)
    assert switch.receive(station.send([Echo(9)])) == [Echo(9)]


def test_more_messages_than_a_record_holds(signed_on: Join) -> None:
    station, switch = signed_on()
    answers = [Answer(1001, n + 1, Code.APPROVED, Reason.NONE, n, (5,), (5,)) for n in range(3_000)]
    assert station.receive(switch.send(answers)) == answers


@pytest.mark.parametrize("count", [1, 15, 16, 3_000])
def test_encoded_messages_are_sent_as_the_messages_are(signed_on: Join, count: int) -> None:
    replies = [Answer(1001, n + 1, Code.APPROVED, Reason.NONE, n, (5,), (5,)) for n in range(count)]
    station, switch = signed_on()
    sent = switch.send_encoded([encode_message(reply) for reply in replies])
    assert station.receive(sent) == replies
    assert sent == signed_on()[1].send(replies)


def test_encoded_messages_are_sent_only_in_an_open_session(handshaken: Join, signed_on: Join) -> None:
    encoded = [encode_message(SIGNED_ON)]
    closed = signed_on()[1]
    closed.close()
    for connection in (switch_end(), handshaken()[1], closed):
        with pytest.raises(LocalProtocolError, match="not open"):
            connection.send_encoded(encoded)
    with pytest.raises(LocalProtocolError, match="at least one"):
        signed_on()[1].send_encoded([])


@given(st.binary(min_size=1, max_size=300), st.data())
def test_random_bytes_on_a_new_connection(noise: bytes, data: st.DataObject) -> None:
    for prefix in (b"", b"TAPS\1\1\7north-1", b"TAPS\1\1\7north-1\0\x30"):
        survive(switch_end(), cut(prefix + noise, data))
    survive(Connection.station("north-1", 1, KEY, b"\1" * 32), cut(noise, data))
    survive(Connection.station("north-1", 1, KEY, b"\1" * 32), cut(b"\0\x30" + noise, data))


@given(st.binary(min_size=1, max_size=300), st.data())
def test_random_bytes_in_an_open_session(signed_on: Join, noise: bytes, data: st.DataObject) -> None:
    for end in signed_on():
        survive(end, cut(noise, data))


@given(st.binary(max_size=300))
def test_random_plaintexts_from_a_station_that_holds_the_key(signed_on: Join, plaintext: bytes) -> None:
    station, switch = signed_on()
    record = station._channel.seal(plaintext)
    survive(switch, [record])


def test_a_cipher_is_not_used_by_both_directions(signed_on: Join) -> None:
    station, switch = signed_on()
    sealing: CipherState = station._channel._sealing
    assert sealing.seal(b"x") != switch._channel._sealing.seal(b"x")


KEY = b"INSECURE" + bytes(24)


def switch_end(ephemeral: bytes = b"\2" * 32) -> Connection:
    return Connection.switch(lambda *asked: KEY if asked == ("north-1", 1) else None, ephemeral, 4_096)


def cut(stream: bytes, data: st.DataObject) -> list[bytes]:
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def flipped(record: bytes, place: int) -> bytes:
    return record[:place] + bytes([record[place] ^ 1]) + record[place + 1 :]


def expect_breach(connection: Connection, data: bytes, breach: Breach) -> None:
    with pytest.raises(PeerProtocolError) as raised:
        connection.receive(data)
    assert raised.value.breach is breach
    assert connection.state is State.CLOSED
    assert connection.receive(data) == []


def survive(connection: Connection, pieces: Sequence[bytes]) -> None:
    """Nothing but PeerProtocolError comes out, and after it nothing at all."""
    for piece in pieces:
        try:
            connection.receive(piece)
        except PeerProtocolError:
            assert connection.state is State.CLOSED
