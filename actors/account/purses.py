"""The purses of an account: minor units by purse, main first.

A purse that never held anything may be missing at the end, and is empty: so most accounts carry one number.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from operator import sub
from typing import Final

MAIN: Final = 0
SUBSIDY: Final = 1
FAMILY: Final = 2

Amounts = tuple[int, ...]
"""Minor units by purse; those that are missing at the end are 0."""


def opening_purses(main: int, subsidy: int, family: int) -> Amounts:
    """The purses of a new account."""
    if family:
        return main, subsidy, family
    return (main, subsidy) if subsidy else (main,)


def draw(purses: Amounts, amount: int, spending_order: Iterable[int], balance_min: int = 0) -> Amounts:
    """What each purse gives towards `amount`, which they hold together above the `balance_min` of the main one.

    `spending_order` names every purse.
    """
    if len(purses) == 1:
        return (amount,)
    drawn = [0] * len(purses)
    for purse in spending_order:
        if purse < len(purses):
            held = purses[purse] - balance_min if purse == MAIN else purses[purse]
            if held >= amount:
                drawn[purse] = amount
                return tuple(drawn)
            if held > 0:
                drawn[purse] = held
                amount -= held
    raise AssertionError("they hold it, and every purse was asked")


def draw_deposit(purses: Amounts, amount: int, spending_order: Iterable[int], balance_min: int) -> Amounts:
    """As `draw`, for what has happened already: the purses hold `amount`, and `balance_min` pays too if it must."""
    above = max(0, purses[MAIN] - balance_min) + sum(purses[1:])
    if amount <= above:
        return draw(purses, amount, spending_order, balance_min)
    return change(draw(purses, above, spending_order, balance_min), (amount - above,))


def left(purses: Amounts, drawn: Amounts) -> Amounts:
    """The purses after `draw`."""
    return tuple(map(sub, purses, drawn))


def held_in(purses: Amounts, purse: int) -> int:
    """What one purse holds."""
    return purses[purse] if purse < len(purses) else 0


def emptied(purses: Amounts, purse: int) -> Amounts:
    """The purses once one of them has nothing any more."""
    return tuple(0 if place == purse else held for place, held in enumerate(purses))


def into(purse: int, amount: int) -> Amounts:
    """The change of all purses that puts `amount` into one."""
    return (*(0,) * purse, amount)


def change(purses: Amounts, changes: Amounts) -> Amounts:
    """The purses after `changes`, of which each purse's may be missing at the end."""
    return tuple(before + change for before, change in zip_longest(purses, changes, fillvalue=0))
