"""Is the amount one that may be asked for?"""

from __future__ import annotations

from typing import Final

from actors.account.checks.refusal import Refusal
from actors.account.purses import MAIN
from actors.account.state import Account
from actors.policy import Limits
from wire.codes import Code, Reason

AMOUNT_MAX: Final = 100_000_000
"""The largest amount of one request, in minor units: a million yuan."""

AMOUNT_OUT_OF_RANGE: Final = Refusal(Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)
_PURCHASE_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT)
_DAY_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT)
_TOP_UP_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT)
_BALANCE_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.BALANCE_LIMIT)
_FUNDS: Final = Refusal(Code.INSUFFICIENT_FUNDS, Reason.FUNDS)


def range_check(amount: int) -> Refusal | None:
    """At least 1, at most AMOUNT_MAX."""
    return None if 0 < amount <= AMOUNT_MAX else AMOUNT_OUT_OF_RANGE


def spending_check(account: Account, amount: int, business_day: int, limits: Limits) -> Refusal | None:
    """One purchase, and all of the business day, within the limits."""
    if limits.purchase_max and amount > limits.purchase_max:
        return _PURCHASE_LIMIT
    if limits.day_max and (account.spent if account.spending_day == business_day else 0) + amount > limits.day_max:
        return _DAY_LIMIT
    return None


def funds_check(account: Account, amount: int) -> Refusal | None:
    """All purses together hold the amount."""
    purses = account.purses
    return _FUNDS if amount > (purses[0] if len(purses) == 1 else sum(purses)) else None


def credit_check(account: Account, amount: int, limits: Limits) -> Refusal | None:
    """One top-up, and the main purse after it, within the limits."""
    if limits.top_up_max and amount > limits.top_up_max:
        return _TOP_UP_LIMIT
    if limits.balance_max and account.purses[MAIN] + amount > limits.balance_max:
        return _BALANCE_LIMIT
    return None
