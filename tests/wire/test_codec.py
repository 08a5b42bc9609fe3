"""From the plaintext of a record to messages: one bad message costs itself, a bad record everything."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wire import codec
from wire.channel import PLAINTEXT_BYTES_MAX
from wire.codec import MESSAGES_PER_RECORD_MAX, Unreadable, encode_message, reply_decoder, request_decoder
from wire.codes import Code, Reason
from wire.errors import Breach, LocalProtocolError, PeerProtocolError
from wire.messages import (
    Answer,
    BalanceInquiry,
    Echo,
    Echoed,
    Purchase,
    Rejected,
    SignOff,
    Statement,
    StatementEntry,
)

pack = msgspec.msgpack.encode
PURCHASE = Purchase(1001, 42, 3000, "20260001", "C0020260001", 1250)

BAD_MESSAGES = {
    "a field is missing": [10, 1001, 42, 3000, "20260001", "C"],
    "no fields": [10],
    "no tag": [],
    "unknown tag": [99, 1001, 42],
    "a reply": [110, 1001, 42, 0, "", 0, [], []],
    "text for a number": [10, 1001, 42, "3000", "20260001", "C", 1250],
    "a float": [10, 1001, 42, 3000, "20260001", "C", 12.5],
    "a boolean": [10, 1001, 42, 3000, "20260001", "C", True],
    "nil": [10, 1001, 42, 3000, "20260001", "C", None],
    "bin for text": [10, 1001, 42, 3000, b"20260001", "C", 1250],
    "a list for text": [10, 1001, 42, 3000, ["20260001"], "C", 1250],
    "an empty account": [10, 1001, 42, 3000, "", "C", 1250],
    "an account of 20 characters": [10, 1001, 42, 3000, "2" * 20, "C", 1250],
    "an empty card": [10, 1001, 42, 3000, "20260001", "", 1250],
    "a card of 21 characters": [10, 1001, 42, 3000, "20260001", "C" * 21, 1250],
    "an amount beyond 64 bits": [10, 1001, 42, 3000, "20260001", "C", 2**63],
    "a negative wait": [10, 1001, 42, -1, "20260001", "C", 1250],
    "a wait of hours": [10, 1001, 42, 600_001, "20260001", "C", 1250],
    "channel 4": [11, 1001, 42, 3000, "20260001", "C", 1250, 4],
    "4 statement entries": [13, 1001, 42, 3000, "20260001", "C", 4],
    "21 statement entries": [13, 1001, 42, 3000, "20260001", "C", 21],
    "an original of terminal 0": [14, 1001, 42, 3000, "20260001", 0, 41, 1250],
}
HEADLESS = {
    "a map": {"terminal": 1001, "stan": 42},
    "a number": 10,
    "nil": None,
    "terminal 0": [10, 0, 42, 3000, "20260001", "C", 1250],
    "terminal of nine digits": [10, 100_000_000, 42, 3000, "20260001", "C", 1250],
    "STAN 0": [10, 1001, 0, 3000, "20260001", "C", 1250],
    "STAN beyond 63 bits": [10, 1001, 2**63, 3000, "20260001", "C", 1250],
    "STAN as a boolean": [10, 1001, True, 3000, "20260001", "C", 1250],
    "a bad echo": [3, 1001.5, 42],
    "a bad sign-on": [1, 1001, 42],
}
NOT_UTF8 = b"\x97\x0a\xcd\x03\xe9\x2a\x0a\xa2\xff\xff\xa1C\x05"
DEEP = 60_000


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("name", [*BAD_MESSAGES, *HEADLESS, "not UTF-8"])
def test_one_bad_message_costs_only_itself(name: str, place: int) -> None:
    bad = NOT_UTF8 if name == "not UTF-8" else pack(BAD_MESSAGES.get(name, HEADLESS.get(name)))
    parts = [pack(PURCHASE), pack(Echo(7))]
    parts.insert(place, bad)
    expected: list[object] = [PURCHASE, Echo(7)]

    decoded = request_decoder.decode(b"\x93" + b"".join(parts))

    unreadable = decoded.pop(place)
    assert decoded == expected
    assert isinstance(unreadable, Unreadable)
    assert unreadable.place == place
    assert unreadable.explanation


@pytest.mark.parametrize("message", [m for m in BAD_MESSAGES.values() if len(m) > 2])
def test_a_bad_message_is_traced_to_its_terminal(message: object) -> None:
    (unreadable,) = request_decoder.decode(pack([message]))
    assert isinstance(unreadable, Unreadable)
    assert (unreadable.terminal, unreadable.stan) == (1001, 42)


@pytest.mark.parametrize("message", HEADLESS.values(), ids=HEADLESS)
def test_a_bad_message_without_a_legible_origin(message: object) -> None:
    (unreadable,) = request_decoder.decode(pack([message]))
    assert isinstance(unreadable, Unreadable)
    assert (unreadable.terminal, unreadable.stan) == (0, 0)


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"\x90",
        b"\x80",
        b"\xc0",
        b"\xc1",
        pack("text"),
        pack([Echo(7)]) + b"\x00",
        pack([Echo(7), Echo(8)])[:-1],
        b"\xdd\xff\xff\xff\xff" + pack(Echo(7)),
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * DEEP + b"\xc0",
        b"\x92\x92\x03\x07\x93\x03\x07" + b"\x91" * DEEP + b"\xc0",
        b"\x91\x93\x03\x07" + b"\x81\x01" * (DEEP // 2) + b"\xc0",
        b"\xdd\x00\x00\xea\x60" + b"\xc0" * 60_000,
        b"\xdd\x00\x00\x4e\x20" + pack(Echo(7)) * 20_000,
        pack([Echo(7)] * (MESSAGES_PER_RECORD_MAX + 1)),
    ],
    ids=lambda plaintext: f"{len(plaintext)}-{plaintext[:6].hex()}",
)
def test_a_record_without_structure(plaintext: bytes) -> None:
    for decoder in (request_decoder, reply_decoder):
        with pytest.raises(PeerProtocolError) as raised:
            decoder.decode(plaintext)
        assert raised.value.breach is Breach.RECORD_STRUCTURE


def test_too_many_messages_are_refused_before_each_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bad message costs an exception; a record can hold 65,000 of them."""
    looked_at: list[int] = []
    monkeypatch.setattr(codec.MessageDecoder, "_decode_one", lambda _self, place, _part: looked_at.append(place))
    with pytest.raises(PeerProtocolError):
        request_decoder.decode(pack([None] * (MESSAGES_PER_RECORD_MAX + 1)))
    assert looked_at == []
    request_decoder.decode(pack([None] * MESSAGES_PER_RECORD_MAX))
    assert len(looked_at) == MESSAGES_PER_RECORD_MAX


@given(st.binary(max_size=200))
@example(b"\x91" + NOT_UTF8)
@example(b"\x91\x93\x01\x01\xa1\xff")
def test_random_bytes_raise_nothing_but_a_breach(plaintext: bytes) -> None:
    for decoder in (request_decoder, reply_decoder):
        try:
            messages = decoder.decode(plaintext)
        except PeerProtocolError as error:
            assert error.breach is Breach.RECORD_STRUCTURE  # noqa: PT017 - not raising is right, too
        else:
            assert messages


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(st.lists(json_values, max_size=8) | json_values, min_size=1, max_size=5))
def test_any_msgpack_array_is_read_place_by_place(values: list[object]) -> None:
    decoded = request_decoder.decode(pack(values))
    assert len(decoded) == len(values)
    for place, message in enumerate(decoded):
        if isinstance(message, Unreadable):
            assert message.place == place
            assert 1 <= len(message.explanation) <= 400


@pytest.mark.parametrize("depth", [1, 64])
def test_a_later_field_may_be_nested(depth: int) -> None:
    later = b"\x91" * depth + b"\xc0"
    assert request_decoder.decode(b"\x91\x93\x03\x07" + later) == [Echo(7)]
    assert request_decoder.decode(b"\x92\x93\x03\x07" + later + b"\xc0")[0] == Echo(7)


def test_non_ascii_digits_count_as_characters() -> None:
    message = BalanceInquiry(1001, 42, 3000, "学" * 19, "卡" * 20)
    assert request_decoder.decode(pack([message])) == [message]


@given(st.integers(1, 3 * MESSAGES_PER_RECORD_MAX))
def test_many_messages_become_records_that_the_peer_takes(count: int) -> None:
    messages = [Echo(token) for token in range(count)]
    plaintexts = codec.encode(messages)
    assert [m for plaintext in plaintexts for m in request_decoder.decode(plaintext)] == messages


def test_large_messages_become_records_that_fit() -> None:
    messages = [Rejected(0, 0, Code.FORMAT_ERROR, Reason.UNREADABLE, 0, "x" * 20_000)] * 10
    plaintexts = codec.encode(messages)
    assert max(map(len, plaintexts)) <= PLAINTEXT_BYTES_MAX
    assert [m for plaintext in plaintexts for m in reply_decoder.decode(plaintext)] == messages


def test_a_message_that_fits_no_record_and_a_record_without_messages() -> None:
    large = Rejected(0, 0, Code.FORMAT_ERROR, Reason.UNREADABLE, 0, "x" * PLAINTEXT_BYTES_MAX)
    with pytest.raises(LocalProtocolError, match="does not fit"):
        codec.encode([large])
    with pytest.raises(LocalProtocolError, match="at least one"):
        codec.encode([])


REPLIES = {
    "answer": Answer(1001, 2**63 - 1, Code.TRY_AGAIN, Reason.BUSY_SHARD, 0, (), (), 200),
    "approved": Answer(99_999_999, 1, Code.APPROVED, Reason.NONE, 2**62, (9_000, 5), (-1_000, 0)),
    "statement": Statement(
        1001, 42, (9_600,), (StatementEntry(1, "purchase", Code.APPROVED, -400, (9_600,), 1001, 41),)
    ),
    "empty statement": Statement(1001, 42, (), ()),
    "rejected": Rejected(0, 0, Code.FORMAT_ERROR, Reason.UNREADABLE, 3, "学\n"),
    "echoed": Echoed(7, 1),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_an_encoded_message_is_the_message(reply: Any) -> None:
    encoded = encode_message(reply)
    assert encoded == pack(reply)
    assert reply_decoder.decode_message(encoded) == reply


def test_joined_messages_are_what_they_would_be_encoded_together() -> None:
    for count in [*range(1, 40), 255, 256, MESSAGES_PER_RECORD_MAX]:
        messages = [Echoed(token, 1) for token in range(count)]
        assert codec.join([encode_message(message) for message in messages]) == [pack(messages)]


@given(st.lists(st.sampled_from(list(REPLIES.values())), min_size=1, max_size=40))
def test_joined_messages_are_read_back_in_their_order(replies: list[Any]) -> None:
    plaintexts = codec.join([encode_message(reply) for reply in replies])
    assert plaintexts == codec.encode(replies) == [pack(replies)]
    assert [message for plaintext in plaintexts for message in reply_decoder.decode(plaintext)] == replies


@given(st.lists(st.integers(1, PLAINTEXT_BYTES_MAX // 2), min_size=1, max_size=30), st.integers(0, 3_000))
def test_joined_messages_become_records_that_the_peer_takes(lengths: list[int], small: int) -> None:
    large = [Rejected(0, 0, Code.FORMAT_ERROR, Reason.UNREADABLE, place, "x" * n) for place, n in enumerate(lengths)]
    messages = [*large, *(Echoed(token, 1) for token in range(small))]
    plaintexts = codec.join([encode_message(message) for message in messages])
    assert max(map(len, plaintexts)) <= PLAINTEXT_BYTES_MAX
    assert [message for plaintext in plaintexts for message in reply_decoder.decode(plaintext)] == messages


def test_a_record_may_be_full_to_the_last_byte() -> None:
    (one,) = codec.join([b"\xc0" * (PLAINTEXT_BYTES_MAX - 1)])
    assert len(one) == PLAINTEXT_BYTES_MAX
    (sixteen,) = codec.join([b"\xc0"] * 15 + [b"\xc0" * (PLAINTEXT_BYTES_MAX - 18)])
    assert len(sixteen) == PLAINTEXT_BYTES_MAX
    assert len(codec.join([b"\xc0"] * 15 + [b"\xc0" * (PLAINTEXT_BYTES_MAX - 17)])) == 2


def test_an_encoded_message_that_fits_no_record_and_a_record_without_messages() -> None:
    with pytest.raises(LocalProtocolError, match=f"one message of {PLAINTEXT_BYTES_MAX + 1} bytes does not fit"):
        codec.join([encode_message(Echoed(7, 1)), b"\xc0" * PLAINTEXT_BYTES_MAX])
    with pytest.raises(LocalProtocolError, match="at least one"):
        codec.join([])


def test_directions_do_not_mix() -> None:
    answer = Answer(1001, 42, Code.APPROVED, Reason.NONE, 1, (0,), (0,))
    assert isinstance(request_decoder.decode(pack([answer]))[0], Unreadable)
    assert isinstance(reply_decoder.decode(pack([SignOff()]))[0], Unreadable)
