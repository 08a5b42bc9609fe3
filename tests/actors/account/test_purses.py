"""Which purse pays, and where money goes back to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.account.purses import change, draw, left, opening_purses
from actors.policy import SPENDING_ORDER

DRAWN = {
    "one purse": ((1_000,), 300, (300,)),
    "the subsidy is enough": ((1_000, 500, 200), 500, (0, 500, 0)),
    "then the family": ((1_000, 500, 200), 650, (0, 500, 150)),
    "then the main purse": ((1_000, 500, 200), 1_700, (1_000, 500, 200)),
    "no family purse was ever used": ((1_000, 500), 700, (200, 500)),
    "an empty purse is passed over": ((1_000, 0, 200), 300, (100, 0, 200)),
}


@pytest.mark.parametrize(("purses", "amount", "drawn"), DRAWN.values(), ids=DRAWN)
def test_draw_in_the_default_order(purses: tuple[int, ...], amount: int, drawn: tuple[int, ...]) -> None:
    assert draw(purses, amount, SPENDING_ORDER) == drawn


def test_draw_in_another_order() -> None:
    assert draw((1_000, 500, 200), 1_100, (0, 2, 1)) == (1_000, 0, 100)


def test_draw_leaves_the_deposit_in_the_main_purse() -> None:
    assert draw((1_000, 500), 1_400, (0, 1, 2), 100) == (900, 500)
    assert draw((99, 500), 500, (0, 1, 2), 100) == (0, 500)
    with pytest.raises(AssertionError):
        draw((1_000, 500), 1_401, (0, 1, 2), 100)


def test_draw_of_more_than_they_hold_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        draw((1_000, 500), 1_501, SPENDING_ORDER)


@given(
    st.lists(st.integers(0, 1_000), min_size=1, max_size=3).map(tuple),
    st.permutations((0, 1, 2)),
    st.integers(0, 3_000),
)
def test_draw_takes_the_amount_and_overdraws_nothing(purses: tuple[int, ...], order: list[int], wanted: int) -> None:
    amount = min(wanted, sum(purses))
    drawn = draw(purses, amount, order)
    rest = left(purses, drawn)
    assert rest == change(purses, tuple(-part for part in drawn))
    assert sum(drawn) == amount
    assert min(drawn) >= 0
    assert min(rest) >= 0
    first_not_emptied = next(
        (place for place, purse in enumerate(order) if purse < len(rest) and rest[purse]), len(order)
    )
    assert not any(drawn[purse] for purse in order[first_not_emptied + 1 :] if purse < len(drawn))


@pytest.mark.parametrize(
    ("purses", "changes", "after"),
    [((100,), (5,), (105,)), ((100,), (0, 5), (100, 5)), ((100, 20, 3), (-1,), (99, 20, 3))],
)
def test_change(purses: tuple[int, ...], changes: tuple[int, ...], after: tuple[int, ...]) -> None:
    assert change(purses, changes) == after


@pytest.mark.parametrize(
    ("held", "purses"),
    [((7, 0, 0), (7,)), ((0, 0, 0), (0,)), ((7, 2, 0), (7, 2)), ((0, 0, 3), (0, 0, 3)), ((7, 2, 3), (7, 2, 3))],
)
def test_purses_that_never_held_anything_are_left_out(held: tuple[int, int, int], purses: tuple[int, ...]) -> None:
    assert opening_purses(*held) == purses
