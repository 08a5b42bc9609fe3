"""docs/protocol.md is the contract: its vectors are what the code does, and its tables list what the code has."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wire import channel, codec, messages
from wire.codec import Unreadable
from wire.codes import TECHNICAL_CODES, Code, Reason
from wire.connection import Connection
from wire.errors import Breach, PeerProtocolError
from wire.messages import Echo, HotCard, MealPeriodEnd, Rejected, Reply, Request, ServiceTotal, StatementEntry
from wire.pin import PinContext, PinUse, open_pin, seal_pin

PAGE: Final = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
NOT_FIELDS: Final = frozenset({"vector", "name", "message", "plaintext"})
Vector = dict[str, str]


def leaves(union: UnionType) -> Iterator[Any]:
    for part in get_args(union):
        if isinstance(part, UnionType):
            yield from leaves(part)
        else:
            yield part


MESSAGES: Final = {message.__name__: message for message in (*leaves(Request), *leaves(Reply))}


BYTES_FIELDS: Final = {
    field.name
    for message in MESSAGES.values()
    for field in msgspec.inspect.type_info(message).fields
    if isinstance(field.type, msgspec.inspect.BytesType)
}


def read_vectors() -> dict[str, list[Vector]]:
    """By kind, in the page's order. A vector is a fenced block of `key = value` lines."""
    found: dict[str, list[Vector]] = {}
    for block in re.findall(r"^```vector\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        vector = dict(line.split(" = ", 1) for line in block.splitlines())
        found.setdefault(vector["vector"], []).append(vector)
    return found


def read_tables(first_heading: str) -> list[list[list[str]]]:
    """The rows of every table whose first column has this heading; cells without their back-quotes."""
    tables = re.findall(rf"^\| {first_heading} \|[^\n]*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [
        [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
        for table in tables
    ]


VECTORS: Final = read_vectors()
(LIMITS,) = VECTORS["limits"]
(HANDSHAKE,) = VECTORS["handshake"]


def secret(name: str) -> bytes:
    return bytes.fromhex(HANDSHAKE[name])


def vectors(kind: str) -> Any:
    return pytest.mark.parametrize(
        "vector", VECTORS[kind], ids=lambda vector: vector.get("name") or vector.get("message") or vector.get("from")
    )


def message_of(vector: Vector) -> Any:
    kind = MESSAGES[vector["message"]]
    fields = [
        bytes.fromhex(json.loads(value)) if name in BYTES_FIELDS else json.loads(value)
        for name, value in vector.items()
        if name not in NOT_FIELDS
    ]
    return msgspec.convert([kind.__struct_config__.tag, *fields], kind)


def decoder_of(message: Any) -> Any:
    return codec.request_decoder if message.__struct_config__.tag < 100 else codec.reply_decoder


def find_key(station: str, key_number: int) -> bytes | None:
    return secret("psk") if (station, str(key_number)) == (HANDSHAKE["station"], HANDSHAKE["key_number"]) else None


def switch_end() -> Connection:
    (signed_on,) = (v for v in VECTORS["message"] if v["message"] == "SignedOn" and v["code"] == "0")
    return Connection.switch(find_key, secret("switch_ephemeral"), int(signed_on["record_bytes_max"]))


def station_end() -> Connection:
    return Connection.station(
        HANDSHAKE["station"], int(HANDSHAKE["key_number"]), secret("psk"), secret("station_ephemeral")
    )


def records(sender: str) -> list[bytes]:
    return [bytes.fromhex(vector["record"]) for vector in VECTORS["record"] if vector["from"] == sender]


def test_limits() -> None:
    assert {
        "vector": "limits",
        "magic": channel.MAGIC.decode(),
        "greeting_version": str(channel.GREETING_VERSION),
        "station_name_bytes_max": str(channel.STATION_NAME_BYTES_MAX),
        "protocol_version": str(messages.PROTOCOL_VERSION),
        "record_bytes_max": str(channel.RECORD_BYTES_MAX),
        "plaintext_bytes_max": str(channel.PLAINTEXT_BYTES_MAX),
        "messages_per_record_max": str(codec.MESSAGES_PER_RECORD_MAX),
    } == LIMITS


def test_example_keys_are_marked() -> None:
    assert secret("psk").startswith(b"INSECURE")


def test_handshake_as_the_code_does_it() -> None:
    station, switch = station_end(), switch_end()
    opening = station.take_output()
    assert opening.hex() == HANDSHAKE["greeting"] + HANDSHAKE["message_1"]
    assert switch.receive(opening) == []
    answer = switch.take_output()
    assert answer.hex() == HANDSHAKE["message_2"]
    assert station.receive(answer) == []


def test_handshake_as_the_page_spells_it() -> None:
    """Steps 1 to 14 of the page, with nothing from the code: what somebody does who has only the page."""

    def hashed(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    def hkdf(ck: bytes, data: bytes, count: int) -> list[bytes]:
        key, outputs = hmac.digest(ck, data, "sha256"), [b""]
        for number in range(1, count + 1):
            outputs.append(hmac.digest(key, outputs[-1] + bytes([number]), "sha256"))
        return outputs[1:]

    def seal(k: bytes, n: int, ad: bytes, plaintext: bytes) -> bytes:
        return AESGCM(k).encrypt(bytes(4) + n.to_bytes(8, "big"), plaintext, ad)

    a, b = (X25519PrivateKey.from_private_bytes(secret(name)) for name in ("station_ephemeral", "switch_ephemeral"))
    public_a, public_b = a.public_key().public_bytes_raw(), b.public_key().public_bytes_raw()
    assert (public_a, public_b) == (secret("station_public"), secret("switch_public"))
    h = ck = b"Noise_NNpsk0_25519_AESGCM_SHA256"  # 1
    h = hashed(h + secret("greeting"))  # 2
    assert h == secret("h_after_step_2")
    ck, t, k = hkdf(ck, secret("psk"), 3)  # 3
    h = hashed(h + t)
    h = hashed(h + public_a)  # 5
    ck, k = hkdf(ck, public_a, 2)
    tag_1 = seal(k, 0, h, b"")  # 6
    assert b"\x00\x30" + public_a + tag_1 == secret("message_1")
    h = hashed(h + tag_1)  # 8
    assert (h, ck) == (secret("h_after_step_8"), secret("ck_after_step_8"))
    h = hashed(h + public_b)  # 10
    ck, k = hkdf(ck, public_b, 2)
    d = a.exchange(X25519PublicKey.from_public_bytes(public_b))  # 11
    assert d == secret("d")
    ck, k = hkdf(ck, d, 2)
    assert ck == secret("ck_after_step_11")
    assert b"\x00\x30" + public_b + seal(k, 0, h, b"") == secret("message_2")  # 12
    keys = dict(zip(("station", "switch"), hkdf(ck, b"", 2), strict=True))  # 14
    assert keys == {"station": secret("k1"), "switch": secret("k2")}

    for vector in VECTORS["record"]:
        sealed = seal(keys[vector["from"]], int(vector["n"]), b"", bytes.fromhex(vector["plaintext"]))
        assert vector["record"] == (len(sealed).to_bytes(2, "big") + sealed).hex()


def test_records_as_the_code_does_them() -> None:
    ends = {"station": station_end(), "switch": switch_end()}
    ends["switch"].receive(ends["station"].take_output())
    ends["station"].receive(ends["switch"].take_output())
    assert len(VECTORS["record"]) >= 4
    for vector in VECTORS["record"]:
        sender, receiver = (ends[name] for name in sorted(ends, key=lambda name, by=vector["from"]: name != by))
        decoder = codec.request_decoder if vector["from"] == "station" else codec.reply_decoder
        sent = decoder.decode(bytes.fromhex(vector["plaintext"]))
        assert sender.send(sent).hex() == vector["record"]
        assert receiver.receive(bytes.fromhex(vector["record"])) == sent


@vectors("message")
def test_messages(vector: Vector) -> None:
    message = message_of(vector)
    assert list(message.__struct_fields__) == [name for name in vector if name not in NOT_FIELDS]
    assert [plaintext.hex() for plaintext in codec.encode([message])] == [vector["plaintext"]]
    assert decoder_of(message).decode(bytes.fromhex(vector["plaintext"])) == [message]


def test_every_message_has_a_vector() -> None:
    assert {vector["message"] for vector in VECTORS["message"]} == set(MESSAGES)


@vectors("accepted")
def test_other_encodings_that_are_accepted(vector: Vector) -> None:
    message = message_of(vector)
    plaintext = bytes.fromhex(vector["plaintext"])
    assert decoder_of(message).decode(plaintext) == [message]


@vectors("unreadable")
def test_unreadable_messages(vector: Vector) -> None:
    unreadable, good = codec.request_decoder.decode(bytes.fromhex(vector["record"]))
    assert good == Echo(7)
    assert isinstance(unreadable, Unreadable)
    told = (unreadable.terminal, unreadable.stan, unreadable.place)
    assert told == (int(vector["terminal"]), int(vector["stan"]), int(vector["place"]))
    explanation = json.loads(vector["explanation"])
    rejected = Rejected(told[0], told[1], Code.FORMAT_ERROR, Reason.UNREADABLE, told[2], explanation)
    assert codec.encode([rejected])[0].hex() == vector["rejected"]


@vectors("breach")
def test_breaches(vector: Vector) -> None:
    switch = switch_end()
    if vector["after"] in {"handshake", "sign-on"}:
        switch.receive(station_end().take_output())
    if vector["after"] == "sign-on":
        switch.receive(records("station")[0])
        signed_on = codec.reply_decoder.decode(bytes.fromhex(VECTORS["record"][1]["plaintext"]))
        switch.send(signed_on)
    data = bytes.fromhex(vector["bytes"])
    if vector["breach"] == "none":
        assert switch.receive(data) == []
        return
    with pytest.raises(PeerProtocolError) as raised:
        switch.receive(data)
    assert raised.value.breach == vector["breach"]


@vectors("sealed-pin")
def test_sealed_pins(vector: Vector) -> None:
    key, nonce, sealed = (bytes.fromhex(vector[name]) for name in ("key", "nonce", "sealed"))
    assert key.startswith(b"INSECURE")
    terminal, stan, amount = (int(vector[name]) for name in ("terminal", "stan", "amount"))
    context = PinContext(PinUse(vector["name"]), terminal, stan, vector["account"], amount)
    assert seal_pin(vector["pin"], key, nonce, context) == sealed
    assert open_pin(sealed, key, context) == vector["pin"]
    # And as the page spells it, with nothing from the code.
    associated = " ".join(["PIN", *(vector[name] for name in ("name", "terminal", "stan", "amount", "account"))])
    assert associated.encode("ascii").hex() == vector["associated"]
    assert nonce + AESGCM(key).encrypt(nonce, vector["pin"].encode("ascii"), associated.encode("ascii")) == sealed


def test_every_use_of_a_pin_has_a_vector_and_stands_in_a_message() -> None:
    assert {vector["name"] for vector in VECTORS["sealed-pin"]} == set(PinUse)
    sealed = {vector[name] for vector in VECTORS["message"] for name in ("pin", "old_pin", "new_pin") if name in vector}
    assert {json.dumps(vector["sealed"]) for vector in VECTORS["sealed-pin"]} == sealed - {'""'}


def test_every_breach_has_a_vector_and_a_row() -> None:
    assert {vector["breach"] for vector in VECTORS["breach"]} == {*Breach, "none"}
    (table,) = read_tables("breach")
    assert [row[0] for row in table] == list(Breach)


def test_every_message_has_its_fields_in_order_and_no_other_has() -> None:
    sections = re.findall(r"^#### (\w+)(?:, tag (\d+))?\n(.*?)(?=^#)", PAGE, re.MULTILINE | re.DOTALL)
    documented = {}
    for name, tag, text in sections:
        rows = re.findall(r"^\| (\w+) \| (?:integer|text|list|bytes) \|", text, re.MULTILINE)
        documented[name] = (int(tag) if tag else None, tuple(rows))
    actual = {
        message.__name__: (message.__struct_config__.tag, message.__struct_fields__)
        for message in (*MESSAGES.values(), StatementEntry, ServiceTotal, MealPeriodEnd, HotCard)
    }
    assert documented == actual
    assert len(sections) == len(documented), "each stands there once"


def number(text: str) -> int:
    base, _, exponent = text.removesuffix(" - 1").replace(",", "").partition("^")
    return int(base) ** int(exponent) - 1 if exponent else int(base)


def test_ranges_are_those_that_the_code_accepts() -> None:
    rows = re.findall(r"^\| (\w+) \| (?:integer|text) \| ([\d,]+) to ([\d,]+(?:\^63 - 1)?)\b(.*)\|", PAGE, re.MULTILINE)
    documented = {name: (number(low), number(high), "characters" in rest) for name, low, high, rest in rows}
    amount = documented.pop("amount")
    accepted = {
        field.encode_name: (field.type.min_length, field.type.max_length, True)
        if isinstance(field.type, msgspec.inspect.StrType)
        else (field.type.ge, field.type.le, False)
        for message in (
            messages.Echo,
            messages.Purchase,
            messages.MiniStatement,
            messages.Reversal,
            messages.Advice,
            messages.CorrectEntry,
            messages.OpenAccount,
            messages.HotListInquiry,
            messages.GrantSubsidy,
            messages.BindFamily,
            messages.SettleSuspicion,
            messages.ExplainGap,
        )
        for field in msgspec.inspect.type_info(message).fields
        if isinstance(field.type, msgspec.inspect.StrType | msgspec.inspect.IntType)
    }
    assert amount == (1, 100_000_000, False)
    assert accepted.pop("amount") == (-(2**63), 2**63 - 1, False)
    assert accepted.pop("version") == (None, 4_096, True)
    assert documented == accepted


def test_every_code_has_its_row() -> None:
    (table,) = read_tables("code")
    assert [(row[0], row[1]) for row in table] == [(f"{code:02d}", code.name) for code in Code]
    technical = [Code(int(row[0])) for row in table if row[2] == "technical"]
    assert set(technical) == TECHNICAL_CODES
    assert {row[2] for row in table} == {"technical", "business"}


def test_every_reason_has_its_row_and_a_code() -> None:
    (table,) = read_tables("reason")
    assert [row[0] for row in table] == ["*(empty)*" if reason is Reason.NONE else reason for reason in Reason]
    codes = {int(row[1]) for row in table}
    assert codes == set(Code) - {Code.DO_NOT_HONOUR}


def test_every_code_and_reason_that_the_text_speaks_of_belongs_together() -> None:
    (table,) = read_tables("reason")
    code_of = {row[0]: row[1] for row in table}
    spoken = re.findall(r"\b(\d\d) `([a-z-]+)`", PAGE)
    assert len(spoken) > 30
    for code, reason in spoken:
        assert code_of[reason] == code


def test_links_lead_somewhere() -> None:
    headings = {slug(heading) for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    targets = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert targets
    assert set(targets) <= headings


def slug(heading: str) -> str:
    """How GitHub names a heading's anchor."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
