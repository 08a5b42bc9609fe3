"""Yuan as people write them, and the minor units that everything else counts in (1 yuan = 100 fen)."""

from __future__ import annotations

import re

MINOR_PER_YUAN = 100
AMOUNT_MAX = 100_000_000
"""The most that one amount can be for the switch, in minor units."""

_YUAN = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")


def parse_yuan(text: str) -> int:
    """Minor units of an amount such as `12`, `12.5` or `12.50`. Raises ValueError."""
    match = _YUAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount in yuan; write it like 12.50")
    return int(match[1]) * MINOR_PER_YUAN + int((match[2] or "").ljust(2, "0"))


def format_yuan(minor_units: int) -> str:
    """`-1250` becomes `-12.50`."""
    yuan, fen = divmod(abs(minor_units), MINOR_PER_YUAN)
    return f"{'-' if minor_units < 0 else ''}{yuan}.{fen:02d}"
