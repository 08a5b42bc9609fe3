"""PINs: how an account keeps one without knowing it, and which ones are too easy to guess."""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import Final

TRIES_MAX: Final = 3
"""Wrong PINs in a row that lock it."""

_HASH_BYTES: Final = 16
_MONTHS, _DAYS = range(1, 13), range(1, 32)


def keyed_hash(key: bytes, account: str, pin: str) -> bytes:
    """What an account keeps of its PIN: without the key it says nothing, and no two accounts' are alike."""
    return blake2b(f"{account} {pin}".encode(), key=key, digest_size=_HASH_BYTES, person=b"tapswitch PIN").digest()


def is_weak(pin: str) -> bool:
    """Whether six digits are among those that a thief tries first: a run, one digit repeated, or a birthday."""
    return _is_run(pin) or _is_birthday(pin)


def _is_run(pin: str) -> bool:
    """Each digit follows the one before it by the same step: up, down, or none. 0 follows 9."""
    steps = {(int(later) - int(earlier)) % 10 for earlier, later in pairwise(pin)}
    return steps in ({0}, {1}, {9})


def _is_birthday(pin: str) -> bool:
    """YYMMDD, DDMMYY, MMDDYY, or a year of this century or the last with a month: YYYYMM, MMYYYY."""
    first, second, third = int(pin[:2]), int(pin[2:4]), int(pin[4:])
    return (
        (second in _MONTHS and (third in _DAYS or first in _DAYS))
        or (first in _MONTHS and second in _DAYS)
        or (first in {19, 20} and third in _MONTHS)
        or (second in {19, 20} and first in _MONTHS)
    )
