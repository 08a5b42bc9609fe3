"""Amounts as people write them."""

from __future__ import annotations

MINOR_UNITS_PER_YUAN = 100


def yuan(minor_units: int) -> str:
    """12345 as 123.45, with thousands separators."""
    sign = "-" if minor_units < 0 else ""
    whole, cents = divmod(abs(minor_units), MINOR_UNITS_PER_YUAN)
    return f"{sign}{whole:,}.{cents:02}"
