"""Expiry: what is overdue of an account. No terminal asks for it: whoever next looks at the account finds it."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.events import HoldExpired, SubsidyExpired
from actors.account.holds import freed
from actors.account.purses import SUBSIDY, Amounts, change, held_in, into
from actors.account.state import Account
from actors.calendar import Moment


def fall_due(account: Account, moment: Moment) -> HoldExpired | SubsidyExpired:
    """What `account.due_us` says is due: a hold is free again, or what is left of a subsidy goes back."""
    for hold in account.holds:
        if hold.expires_us == account.due_us:
            return HoldExpired(
                account.number, moment.time_us, account.position, hold.terminal, hold.stan, hold.amount,
                hold.expires_us, hold.merchant, hold.business_day, hold.period, account.purses,
            )  # fmt: skip
    amount = held_in(account.purses, SUBSIDY)
    return SubsidyExpired(
        account.number, moment.time_us, account.position, amount, account.subsidy_expires_us, moment.business_day,
        change(account.purses, into(SUBSIDY, -amount)),
    )  # fmt: skip


def unexpired(account: Account, moment: Moment) -> Amounts:
    """The purses as they will be once what is overdue was taken back."""
    if held_in(account.purses, SUBSIDY) and 0 < account.subsidy_expires_us <= moment.time_us:
        return change(account.purses, into(SUBSIDY, -held_in(account.purses, SUBSIDY)))
    return account.purses


def apply_hold_expired(account: Account, event: HoldExpired, position: int) -> Account:
    """The account without that hold."""
    return replace(freed(account, event.original_terminal, event.original_stan), position=position)
