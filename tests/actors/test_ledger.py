"""The ledger: postings on one side, what actors hold on the other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.ledger import Ledger

PURSE, MERCHANT, CASH = ("purse", 0), ("merchant", 3), ("channel", 1)


def test_empty_ledger_is_in_balance() -> None:
    assert Ledger().imbalance == 0


def test_postings_add_up_by_account() -> None:
    ledger = Ledger()
    ledger.post([(PURSE, 500), (CASH, -500)])
    ledger.post([(PURSE, -120), (MERCHANT, 120)])
    assert ledger.balances == {PURSE: 380, CASH: -500, MERCHANT: 120}


@pytest.mark.parametrize(
    ("postings", "held", "imbalance"),
    [
        ([(PURSE, 500), (CASH, -500)], 500, 0),
        ([(PURSE, 500), (CASH, -500)], 499, 1),
        ([(PURSE, 500), (CASH, -500)], 0, 500),
        ([(PURSE, 500), (CASH, -490)], 500, 10),
        ([(PURSE, 500), (CASH, -500)], 510, 10),
        ([(PURSE, 500), (CASH, -510)], 510, 20),
        ([(("purse", 1), 5), (PURSE, -5)], 0, 0),
    ],
)
def test_imbalance_is_what_does_not_add_up(
    postings: list[tuple[tuple[str, int], int]], held: int, imbalance: int
) -> None:
    ledger = Ledger()
    ledger.post(postings)
    ledger.held = held
    assert ledger.imbalance == imbalance


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([CASH, MERCHANT]), st.integers(-(10**12), 10**12))), st.integers(-9, 9))
def test_any_missing_amount_shows(moves: list[tuple[tuple[str, int], int]], missing: int) -> None:
    ledger = Ledger()
    for other, amount in moves:
        ledger.post([(PURSE, amount), (other, -amount)])
        ledger.held += amount
    assert ledger.imbalance == 0
    ledger.held += missing
    assert ledger.imbalance == abs(missing)
