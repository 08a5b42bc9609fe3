"""Sealed PINs: what only one terminal and the switch can read, whoever carries it between the two.

A terminal that takes PINs shares a key with the switch that no station has. A sealed PIN is good for one use in one
request: it opens for nothing else. Nothing here draws a random number: nonces come in as arguments.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wire.noise import TAG_BYTES

PIN_DIGITS: Final = 6
PIN_NONCE_BYTES: Final = 12
SEALED_PIN_BYTES: Final = PIN_NONCE_BYTES + PIN_DIGITS + TAG_BYTES

_PIN: Final = re.compile(rb"[0-9]{6}")


class PinUse(StrEnum):
    """What a PIN is sealed for."""

    PURCHASE = "purchase"
    HOLD = "hold"
    OLD = "old"
    NEW = "new"


class PinContext(NamedTuple):
    """The request in which a sealed PIN is good; `amount` is that of a purchase or hold, otherwise 0."""

    use: PinUse
    terminal: int
    stan: int
    account: str
    amount: int = 0

    @property
    def associated(self) -> bytes:
        """The associated data under which it is sealed."""
        return f"PIN {self.use} {self.terminal} {self.stan} {self.amount} {self.account}".encode()


class PinUnreadableError(Exception):
    """The bytes are no PIN that was sealed under this key for this context."""


def seal_pin(pin: str, key: bytes, nonce: bytes, context: PinContext) -> bytes:
    """The PIN sealed under its terminal's 32-byte `key`. The 12-byte `nonce` is random, and never used again."""
    return nonce + AESGCM(key).encrypt(nonce, pin.encode("ascii"), context.associated)


def open_pin(sealed: bytes, key: bytes, context: PinContext) -> str:
    """The six digits of a sealed PIN. Raises PinUnreadableError if it is anything else."""
    if len(sealed) != SEALED_PIN_BYTES:
        raise PinUnreadableError(f"{len(sealed)} bytes instead of {SEALED_PIN_BYTES}")
    try:
        pin = AESGCM(key).decrypt(sealed[:PIN_NONCE_BYTES], sealed[PIN_NONCE_BYTES:], context.associated)
    except InvalidTag:
        raise PinUnreadableError("it does not open under this terminal's key, for this request") from None
    if not _PIN.fullmatch(pin):
        raise PinUnreadableError("it holds no six digits")
    return pin.decode("ascii")
