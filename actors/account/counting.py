"""What of an account's purchases counts towards its limits."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.state import Account


def uncount(account: Account, business_day: int, period: int, amount: int, purchases: int) -> Account:
    """Money and purchases of this day and meal period no longer count, if these are still the ones that are counted."""
    if account.spending_day != business_day:
        return account
    if account.spending_period != period:
        return replace(account, spent=account.spent - amount, purchases=account.purchases - purchases)
    return replace(
        account, spent=account.spent - amount, purchases=account.purchases - purchases,
        period_spent=account.period_spent - amount, period_purchases=account.period_purchases - purchases,
    )  # fmt: skip
