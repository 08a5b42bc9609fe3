"""What of an account's purchases counts towards its limits, in the business day and the meal period of the newest."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.state import Account


def count_now(account: Account, business_day: int, period: int, amount: int) -> Account:
    """One more is counted; what was counted on an earlier day, or in an earlier period, is counted no more.

    It is counted in a later period of the day if one is being counted already.
    """
    if account.spending_day != business_day:
        account = replace(account, spending_day=business_day, spent=0, purchases=0, spending_period=-1)
    if account.spending_period < period:
        account = replace(account, spending_period=period, period_spent=0, period_purchases=0)
    return count(account, business_day, account.spending_period, amount, 1)


def count(account: Account, business_day: int, period: int, amount: int, purchases: int) -> Account:
    """So much more is counted for that day and that meal period, if they are still those that are counted."""
    if account.spending_day != business_day:
        return account
    if account.spending_period == period:
        account = replace(
            account, period_spent=account.period_spent + amount, period_purchases=account.period_purchases + purchases
        )
    return replace(account, spent=account.spent + amount, purchases=account.purchases + purchases)


def uncount(account: Account, business_day: int, period: int, amount: int, purchases: int) -> Account:
    """Money and purchases of this day and meal period no longer count, if these are still the ones that are counted."""
    return count(account, business_day, period, -amount, -purchases)
