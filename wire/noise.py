"""Noise_NNpsk0_25519_AESGCM_SHA256: the handshake and its two cipher states.

Source: The Noise Protocol Framework, revision 34, sections 5 and 9 (noiseprotocol.org/noise.html). The primitives
are those of `cryptography` and hashlib. Nothing here draws a random number: ephemeral keys come in as arguments.
"""

from __future__ import annotations

import hashlib
import hmac
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PROTOCOL_NAME = b"Noise_NNpsk0_25519_AESGCM_SHA256"
KEY_BYTES = 32
TAG_BYTES = 16
HANDSHAKE_MESSAGE_BYTES = KEY_BYTES + TAG_BYTES
"""Length of either handshake message with an empty payload."""

_pack_nonce: Final = Struct(">4xQ").pack
"""Section 12.4: 32 zero bits, then the counter as 64 bits big-endian. No session comes near 2**64 messages."""


class NoiseError(Exception):
    """The bytes do not authenticate under this key, or are no handshake message."""


class CipherState:
    """One direction of a session: seals or opens messages under a counter nonce (section 5.1)."""

    __slots__ = ("_aead", "_nonce")

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._nonce = 0

    def seal(self, plaintext: bytes, associated: bytes | None = None) -> bytes:
        """Return ciphertext and tag: 16 bytes longer than the plaintext."""
        nonce = self._nonce
        self._nonce = nonce + 1
        return self._aead.encrypt(_pack_nonce(nonce), plaintext, associated)

    def open(self, ciphertext: bytes, associated: bytes | None = None) -> bytes:
        """Return the plaintext; raise NoiseError if altered, replayed, reordered or sealed under another key."""
        nonce = self._nonce
        try:
            plaintext = self._aead.decrypt(_pack_nonce(nonce), ciphertext, associated)
        except (InvalidTag, ValueError) as error:
            raise NoiseError("the message does not open under this session's key") from error
        self._nonce = nonce + 1
        return plaintext


class _SymmetricState:
    """Chaining key, transcript hash and current cipher of a handshake (section 5.2)."""

    def __init__(self, prologue: bytes) -> None:
        self._transcript = self._chaining_key = PROTOCOL_NAME  # exactly the hash's length, so it stands for itself
        self._cipher: CipherState | None = None
        self.mix_hash(prologue)

    def mix_hash(self, data: bytes) -> None:
        self._transcript = hashlib.sha256(self._transcript + data).digest()

    def mix_key(self, material: bytes) -> None:
        self._chaining_key, key = self._derive(material, 2)
        self._cipher = CipherState(key)

    def mix_key_and_hash(self, material: bytes) -> None:
        self._chaining_key, extra, key = self._derive(material, 3)
        self.mix_hash(extra)
        self._cipher = CipherState(key)

    def seal_and_hash(self, plaintext: bytes) -> bytes:
        assert self._cipher is not None, "psk0 gives a key before the first payload"
        ciphertext = self._cipher.seal(plaintext, self._transcript)
        self.mix_hash(ciphertext)
        return ciphertext

    def open_and_hash(self, ciphertext: bytes) -> bytes:
        assert self._cipher is not None, "psk0 gives a key before the first payload"
        plaintext = self._cipher.open(ciphertext, self._transcript)
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        initiator_key, responder_key = self._derive(b"", 2)
        return CipherState(initiator_key), CipherState(responder_key)

    def _derive(self, material: bytes, outputs: int) -> list[bytes]:
        """HKDF of section 4.3, which is RFC 5869 with empty info."""
        secret = hmac.digest(self._chaining_key, material, "sha256")
        block, blocks = b"", []
        for index in range(1, outputs + 1):
            block = hmac.digest(secret, block + bytes([index]), "sha256")
            blocks.append(block)
        return blocks


class Handshake:
    """NNpsk0 for either side: `-> psk, e` then `<- e, ee`. Write one message, read the other, then split."""

    def __init__(self, prologue: bytes, psk: bytes, ephemeral: bytes) -> None:
        """`psk` and `ephemeral` (an X25519 private key, used for this handshake only) are 32 bytes each."""
        assert len(psk) == KEY_BYTES, "HKDF would accept a short key without a word"
        self._symmetric = _SymmetricState(prologue)
        self._psk = psk
        self._ephemeral = X25519PrivateKey.from_private_bytes(ephemeral)

    def write_first(self, payload: bytes = b"") -> bytes:
        """The initiator's message."""
        self._symmetric.mix_key_and_hash(self._psk)
        return self._write_ephemeral() + self._symmetric.seal_and_hash(payload)

    def read_first(self, message: bytes) -> bytes:
        """The responder reads the initiator's message; returns its payload or raises NoiseError."""
        self._symmetric.mix_key_and_hash(self._psk)
        self._read_ephemeral(message)
        return self._symmetric.open_and_hash(message[KEY_BYTES:])

    def write_second(self, payload: bytes = b"") -> bytes:
        """The responder's message."""
        written = self._write_ephemeral()
        self._mix_shared_secret()
        return written + self._symmetric.seal_and_hash(payload)

    def read_second(self, message: bytes) -> bytes:
        """The initiator reads the responder's message; returns its payload or raises NoiseError."""
        self._read_ephemeral(message)
        self._mix_shared_secret()
        return self._symmetric.open_and_hash(message[KEY_BYTES:])

    def split(self) -> tuple[CipherState, CipherState]:
        """Cipher states for initiator-to-responder and responder-to-initiator, in this order."""
        return self._symmetric.split()

    def _write_ephemeral(self) -> bytes:
        public = self._ephemeral.public_key().public_bytes_raw()
        self._mix_ephemeral(public)
        return public

    def _read_ephemeral(self, message: bytes) -> None:
        if len(message) < HANDSHAKE_MESSAGE_BYTES:
            raise NoiseError(f"a handshake message has at least {HANDSHAKE_MESSAGE_BYTES} bytes, not {len(message)}")
        self._remote = X25519PublicKey.from_public_bytes(message[:KEY_BYTES])
        self._mix_ephemeral(message[:KEY_BYTES])

    def _mix_ephemeral(self, public: bytes) -> None:
        self._symmetric.mix_hash(public)
        self._symmetric.mix_key(public)  # section 9.2: with a psk, "e" also mixes the key

    def _mix_shared_secret(self) -> None:
        try:
            secret = self._ephemeral.exchange(self._remote)
        except ValueError as error:  # a low-order point gives the all-zero secret
            raise NoiseError("the peer's ephemeral key is not usable") from error
        self._symmetric.mix_key(secret)
