"""Expiry: what is overdue of an account. No terminal asks for it: whoever next looks at the account finds it."""

from __future__ import annotations

from actors.account.events import SubsidyExpired
from actors.account.purses import SUBSIDY, Amounts, change, held_in, into
from actors.account.state import Account
from actors.calendar import Moment


def fall_due(account: Account, moment: Moment) -> SubsidyExpired:
    """What is left of a subsidy goes back; `account.due_us` says that its time is over."""
    amount = held_in(account.purses, SUBSIDY)
    return SubsidyExpired(
        account.number, moment.time_us, account.position, amount, account.subsidy_expires_us, moment.business_day,
        change(account.purses, into(SUBSIDY, -amount)),
    )  # fmt: skip


def unexpired(account: Account, moment: Moment) -> Amounts:
    """The purses as they will be once what is overdue was taken back."""
    if 0 < account.due_us <= moment.time_us:
        return fall_due(account, moment).balances
    return account.purses
