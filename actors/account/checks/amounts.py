"""Is the amount one that may be asked for?"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.refusal import Refusal
from actors.account.holds import available
from actors.account.purses import MAIN, Amounts, held_in
from actors.account.state import Account, OwnLimits
from actors.calendar import Moment
from actors.policy import Limits, Policy
from wire.codes import Code, Reason

AMOUNT_MAX: Final = 100_000_000
"""The largest amount of one request, in minor units: a million yuan."""

AMOUNT_OUT_OF_RANGE: Final = Refusal(Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)
_DAY_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT)
_PERIOD_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.PERIOD_LIMIT)
_DAY_COUNT_LIMIT: Final = Refusal(Code.OVER_COUNT_LIMIT, Reason.DAY_COUNT_LIMIT)
_PERIOD_COUNT_LIMIT: Final = Refusal(Code.OVER_COUNT_LIMIT, Reason.PERIOD_COUNT_LIMIT)
_TOP_UP_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT)
_BALANCE_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.BALANCE_LIMIT)
_FUNDS: Final = Refusal(Code.INSUFFICIENT_FUNDS, Reason.FUNDS)


def range_check(amount: int) -> Refusal | None:
    """At least 1, at most AMOUNT_MAX."""
    return None if 0 < amount <= AMOUNT_MAX else AMOUNT_OUT_OF_RANGE


def limit_check(*limits: int) -> Refusal | None:
    """Each is an amount that a purchase may have, or 0; counts have the same range."""
    return None if all(0 <= limit <= AMOUNT_MAX for limit in limits) else AMOUNT_OUT_OF_RANGE


def limits_of(account: Account, policy: Policy) -> Limits:
    """The limits that hold for this account: the school's for its holder's class, and the holder's own where lower."""
    limits = policy.class_limits.get(account.person_class, policy.limits)
    return limits if account.own_limits is None else _tightened(limits, account.own_limits)


def _tightened(limits: Limits, own: OwnLimits) -> Limits:
    return replace(
        limits,
        purchase_max=_lower(limits.purchase_max, own.purchase_max),
        day_max=_lower(limits.day_max, own.day_max),
        period_max=_lower(limits.period_max, own.period_max),
        day_count_max=_lower(limits.day_count_max, own.day_count_max),
        period_count_max=_lower(limits.period_count_max, own.period_count_max),
    )


def _lower(limit: int, other: int) -> int:
    """The lower one of two limits, where 0 is none."""
    return min(limit, other) if limit and other else limit or other


def spending_check(account: Account, amount: int, moment: Moment, limits: Limits) -> Refusal | None:
    """All purchases of the business day and of its meal period within the limits: amounts, then counts.

    Who has bought in a later period of the day already, at a merchant where it began sooner, stays in that one.
    What one purchase may be is not asked here, because a PIN may make more possible: see `checks.pin`.
    """
    same_day = account.spending_day == moment.business_day
    same_period = same_day and account.spending_period >= moment.period
    if limits.day_max and (account.spent if same_day else 0) + amount > limits.day_max:
        return _DAY_LIMIT
    if limits.period_max and (account.period_spent if same_period else 0) + amount > limits.period_max:
        return _PERIOD_LIMIT
    if same_day and limits.day_count_max and account.purchases >= limits.day_count_max:
        return _DAY_COUNT_LIMIT
    if same_period and limits.period_count_max and account.period_purchases >= limits.period_count_max:
        return _PERIOD_COUNT_LIMIT
    return None


def funds_check(purses: Amounts, amount: int, balance_min: int = 0, reserved: int = 0) -> Refusal | None:
    """All purses together have the amount beside what is reserved, and `balance_min` stays in the main purse.

    Nothing can always be paid, even from purses that hold less than is reserved.
    """
    held = purses[MAIN] - balance_min
    if len(purses) > 1:
        held = max(0, held) + sum(purses[1:])
    return _FUNDS if amount > held - reserved and amount else None


def purse_check(account: Account, purse: int, change: int) -> Refusal | None:
    """By `change`, a purse does not fall below zero, nor all of them below what is held."""
    return _FUNDS if held_in(account.purses, purse) + change < 0 or -change > available(account) else None


def credit_check(account: Account, amount: int, limits: Limits, purse: int = MAIN) -> Refusal | None:
    """One top-up, and the purse after it, within the limits."""
    if limits.top_up_max and amount > limits.top_up_max:
        return _TOP_UP_LIMIT
    if limits.balance_max and held_in(account.purses, purse) + amount > limits.balance_max:
        return _BALANCE_LIMIT
    return None
