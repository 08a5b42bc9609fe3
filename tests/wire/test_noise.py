"""The handshake against public vectors, and against bytes that nobody with the key would send."""

from typing import NamedTuple

import pytest

from wire.noise import HANDSHAKE_MESSAGE_BYTES, CipherState, Handshake, NoiseError

# Source: Debian package golang-github-flynn-noise-dev, vectors.txt, cacophony format; the four blocks for
# Noise_NNpsk0_25519_AESGCM_SHA256, which share their keys and the payloads of their transport messages.
INITIATOR = bytes.fromhex("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f")
RESPONDER = bytes.fromhex("4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60")
PSK = bytes.fromhex("2176657279736563726574766572797365637265747665727973656372657421")
TRANSPORT = (
    ("79656c6c6f777375626d6172696e65", "6a7b199c69a64cc2ea3c556cf17489fd2ae452d3f3c2a0871cebd327fc31c6"),
    ("7375626d6172696e6579656c6c6f77", "e58d43e0c69d8c15df523586b2c58ca40cb0472b5b3775f1cca807fee28a71"),
)


class Vector(NamedTuple):
    prologue: str
    first_payload: str
    first: str
    second_payload: str
    second: str


VECTORS = (
    Vector(
        "",
        "",
        "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd1662544833316e6c21d899aec6c5f0c6e85e13",
        "",
        "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466d3ec4419885d86e6d7310fb1d2263afd",
    ),
    Vector(
        "",
        "746573745f6d73675f30",
        "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd16625"
        "4d2f8054fcaf80f34700607e4422560b0626b1bc69e65290f6437",
        "746573745f6d73675f31",
        "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
        "e21a3177614fce09f014bde7e996fb8c8300777068e6fd2aa7c4",
    ),
    Vector(
        "6e6f74736563726574",
        "",
        "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd16625486959ba2f588031f633a6c0e54a14ae5",
        "",
        "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466c8783e80be055a8f51e32418393af7cd",
    ),
    Vector(
        "6e6f74736563726574",
        "746573745f6d73675f30",
        "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd16625"
        "4d2f8054fcaf80f347006e0fc25590a31fd33c4626fe59283ea40",
        "746573745f6d73675f31",
        "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
        "e21a3177614fce09f014af55e853ed6b88b0e4628e071b23e905",
    ),
)


@pytest.mark.parametrize("vector", VECTORS)
def test_public_vectors(vector: Vector) -> None:
    prologue = bytes.fromhex(vector.prologue)
    initiator, responder = Handshake(prologue, PSK, INITIATOR), Handshake(prologue, PSK, RESPONDER)

    first = initiator.write_first(bytes.fromhex(vector.first_payload))
    assert first.hex() == vector.first
    assert responder.read_first(first).hex() == vector.first_payload
    second = responder.write_second(bytes.fromhex(vector.second_payload))
    assert second.hex() == vector.second
    assert initiator.read_second(second).hex() == vector.second_payload

    for sealing, opening, (payload, sealed) in zip(initiator.split(), responder.split(), TRANSPORT, strict=True):
        assert sealing.seal(bytes.fromhex(payload)).hex() == sealed
        assert opening.open(bytes.fromhex(sealed)).hex() == payload


@pytest.mark.parametrize("place", range(HANDSHAKE_MESSAGE_BYTES))
def test_every_altered_byte_of_either_message_is_noticed(place: int) -> None:
    initiator = Handshake(b"", PSK, INITIATOR)
    first = initiator.write_first()
    with pytest.raises(NoiseError):
        Handshake(b"", PSK, RESPONDER).read_first(altered(first, place))

    responder = Handshake(b"", PSK, RESPONDER)
    responder.read_first(first)
    with pytest.raises(NoiseError):
        initiator.read_second(altered(responder.write_second(), place))


@pytest.mark.parametrize("length", [0, 1, 31, 32, 47])
def test_short_messages(length: int) -> None:
    initiator = Handshake(b"", PSK, INITIATOR)
    first = initiator.write_first()
    with pytest.raises(NoiseError):
        Handshake(b"", PSK, RESPONDER).read_first(first[:length])

    responder = Handshake(b"", PSK, RESPONDER)
    responder.read_first(first)
    with pytest.raises(NoiseError):
        initiator.read_second(responder.write_second()[:length])


@pytest.mark.parametrize(("prologue", "psk"), [(b"another", PSK), (b"", bytes(32))])
def test_another_prologue_or_key(prologue: bytes, psk: bytes) -> None:
    with pytest.raises(NoiseError):
        Handshake(prologue, psk, RESPONDER).read_first(Handshake(b"", PSK, INITIATOR).write_first())


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)])
def test_low_order_public_key_under_the_right_key(point: bytes) -> None:
    """The message authenticates, but the shared secret would be zero: known to everybody."""
    forger = Handshake(b"", PSK, INITIATOR)
    forger._symmetric.mix_key_and_hash(PSK)
    forger._mix_ephemeral(point)
    first = point + forger._symmetric.seal_and_hash(b"")
    responder = Handshake(b"", PSK, RESPONDER)
    assert responder.read_first(first) == b""
    with pytest.raises(NoiseError, match="ephemeral key"):
        responder.write_second()


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_not_taken(length: int) -> None:
    with pytest.raises(AssertionError):
        Handshake(b"", bytes(length), INITIATOR)


def test_a_cipher_that_failed_to_open_still_opens_what_is_next() -> None:
    sealing, opening = CipherState(PSK), CipherState(PSK)
    sealed = sealing.seal(b"one")
    with pytest.raises(NoiseError):
        opening.open(altered(sealed, 0))
    assert opening.open(sealed) == b"one"
    with pytest.raises(NoiseError):
        opening.open(sealed)


def altered(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :]
