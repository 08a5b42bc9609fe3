"""What is wrong with the shape of a value in a TOML file, in words for whoever wrote the file."""

from __future__ import annotations

import re
from typing import Any, Final

_KINDS: Final = {
    "str": "text in quotes",
    "int": "a whole number without quotes",
    "float": "a number without quotes",
    "bool": "true or false",
    "array": "a list in square brackets",
    "object": "a table of keys",
    "date": "a day such as 2026-10-01, without quotes",
    "null": "nothing",
}
_MEASURES: Final = {
    "int": "a whole number of {}",
    "str of length": "text with a length of {}",
    "array of length": "a list with a length of {}",
}
_BOUNDS: Final = {">=": "at least", "<=": "at most", "==": "exactly"}
_KIND: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_BOUND: Final = re.compile(r"Expected `(\w+)`( of length)? (>=|<=|==) ([0-9-]+)")


def shape_in_words(reason: str, value: Any) -> str:
    """`reason` is what msgspec says of the value that it found."""
    if (kind := _KIND.fullmatch(reason)) is not None:
        expected, found = kind[1].split(" | "), kind[2]
        if "str" in expected and type(value) in {int, float}:
            text = f"{value:.2f}" if isinstance(value, float) else str(value)
            return f'{text} is a number; expected text: write "{text}" in quotes'
        words = " or ".join(_KINDS.get(each, each) for each in expected if each != "null")
        return f"found {_KINDS.get(found, found)}; expected {words}"
    bound = _BOUND.fullmatch(reason)
    if bound is not None and (measure := _MEASURES.get(f"{bound[1]}{bound[2] or ''}")) is not None:
        shown = f"{value!r}: " if isinstance(value, int) else ""
        return f"{shown}expected {measure.format(f'{_BOUNDS[bound[3]]} {bound[4]}')}"
    return f"{reason[:1].lower()}{reason[1:]}"
