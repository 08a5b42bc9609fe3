"""When something happens to an account by itself, without anybody asking for it."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.purses import SUBSIDY, held_in
from actors.account.state import Account


def with_due(account: Account) -> Account:
    """The account that says when something is next due: what is in its subsidy purse may expire, and so may a hold."""
    due_us = account.subsidy_expires_us if held_in(account.purses, SUBSIDY) else 0
    if account.holds:
        first_us = min(hold.expires_us for hold in account.holds)
        due_us = min(due_us, first_us) if due_us else first_us
    return account if due_us == account.due_us else replace(account, due_us=due_us)
