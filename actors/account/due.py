"""When something happens to an account by itself, without anybody asking for it."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.purses import SUBSIDY, held_in
from actors.account.state import Account


def with_due(account: Account) -> Account:
    """The account that says when something is next due.

    What is in its subsidy purse may expire, and so may a hold; the review of a loss may be overdue.
    """
    times_us = [hold.expires_us for hold in account.holds]
    if account.subsidy_expires_us and held_in(account.purses, SUBSIDY):
        times_us.append(account.subsidy_expires_us)
    if account.loss is not None and account.loss.review_due_us:
        times_us.append(account.loss.review_due_us)
    due_us = min(times_us, default=0)
    return account if due_us == account.due_us else replace(account, due_us=due_us)
