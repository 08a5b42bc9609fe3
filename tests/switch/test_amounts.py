"""Amounts for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.amounts import yuan


@pytest.mark.parametrize(
    ("minor_units", "text"),
    [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (100, "1.00"), (12_345, "123.45"), (-123_456_789, "-1,234,567.89")],
)
def test_yuan(minor_units, text):
    assert yuan(minor_units) == text


@given(st.integers(-(2**63), 2**63 - 1))
def test_no_minor_unit_is_lost(minor_units):
    assert int(yuan(minor_units).replace(",", "").replace(".", "")) == minor_units
