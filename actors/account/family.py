"""The family purse: how much of it purchases may draw under its guardian's policy, and how much they did."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.purses import FAMILY, Amounts, held_in
from actors.account.state import Account


def spendable(account: Account, business_day: int) -> Amounts:
    """The purses, of which the family purse has no more than its guardian allows one purchase to draw now."""
    purses, family = account.purses, account.family
    if family is None or not held_in(purses, FAMILY):
        return purses
    allowed = purses[FAMILY]
    if family.purchase_max:
        allowed = min(allowed, family.purchase_max)
    if family.day_max:
        drawn = account.family_drawn if account.family_day == business_day else 0
        allowed = min(allowed, max(0, family.day_max - drawn))
    return (*purses[:FAMILY], allowed)


def with_drawn(account: Account, business_day: int, drawn: int) -> Account:
    """The account of which a purchase of that day drew so much from the family purse. An earlier day counts no more."""
    if not drawn or business_day < account.family_day:
        return account
    before = account.family_drawn if account.family_day == business_day else 0
    return replace(account, family_day=business_day, family_drawn=before + drawn)


def with_returned(account: Account, business_day: int, returned: int) -> Account:
    """The account to whose family purse comes back what was drawn on that day: today's may be drawn again."""
    if not returned or account.family_day != business_day:
        return account
    return replace(account, family_drawn=account.family_drawn - returned)
