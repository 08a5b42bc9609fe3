"""What is wrong with a value's shape, in words."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from switch.shape import shape_in_words


class File(Struct):
    text: Annotated[str, Meta(min_length=1)] = "x"
    maybe: str | None = None
    count: Annotated[int, Meta(ge=0, le=30)] = 0
    days: Annotated[tuple[date, ...], Meta(max_length=1)] = ()
    words: dict[str, str] = {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("text", 200.0, '200.00 is a number; expected text: write "200.00" in quotes'),
        ("text", 15, '15 is a number; expected text: write "15" in quotes'),
        ("text", True, "found true or false; expected text in quotes"),
        ("text", "", "expected text with a length of at least 1"),
        ("maybe", 1.5, '1.50 is a number; expected text: write "1.50" in quotes'),
        ("maybe", [], "found a list in square brackets; expected text in quotes"),
        ("count", "3", "found text in quotes; expected a whole number without quotes"),
        ("count", 2.5, "found a number without quotes; expected a whole number without quotes"),
        ("count", -1, "-1: expected a whole number of at least 0"),
        ("count", 31, "31: expected a whole number of at most 30"),
        (
            "days",
            date(2026, 10, 1),
            "found a day such as 2026-10-01, without quotes; expected a list in square brackets",
        ),
        ("days", [date(2026, 10, 1)] * 2, "expected a list with a length of at most 1"),
        ("words", 4, "found a whole number without quotes; expected a table of keys"),
    ],
)
def test_in_words(field: str, value: Any, said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert({field: value}, File)
    reason = str(raised.value).partition(" - at ")[0]
    assert shape_in_words(reason, value) == said


def test_what_it_has_no_words_for_stays() -> None:
    assert shape_in_words("Invalid date", "1 October") == "invalid date"
