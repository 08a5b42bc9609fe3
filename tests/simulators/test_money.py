"""Yuan in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.money import format_yuan, parse_yuan


@given(st.integers(0, 10**10))
def test_there_and_back(amount):
    assert parse_yuan(format_yuan(amount)) == amount


@pytest.mark.parametrize(("text", "amount"), [("12", 1_200), ("12.5", 1_250), (" 0.05 ", 5)])
def test_forms(text, amount):
    assert parse_yuan(text) == amount


@pytest.mark.parametrize("text", ["", "-1", "1.234", "1,5", "1e3", "\u0663"])
def test_not_an_amount(text):
    with pytest.raises(ValueError, match=r"12\.50"):
        parse_yuan(text)


def test_negative():
    assert format_yuan(-5) == "-0.05"
