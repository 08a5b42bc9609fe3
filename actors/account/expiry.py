"""What is overdue of an account. No terminal asks for it: whoever next looks at the account finds it."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.due import with_due
from actors.account.events import HoldExpired, ReviewOverdue, SubsidyExpired
from actors.account.holds import freed
from actors.account.purses import SUBSIDY, Amounts, emptied, held_in
from actors.account.state import Account
from actors.calendar import Moment
from actors.effect import Effect, EffectName


def fall_due(account: Account, moment: Moment) -> HoldExpired | ReviewOverdue | SubsidyExpired:
    """What `account.due_us` says is due.

    A hold is free again, the review of a loss is overdue, or what is left of a subsidy goes back.
    """
    for hold in account.holds:
        if hold.expires_us == account.due_us:
            return HoldExpired(
                account.number, moment.time_us, account.position, hold.terminal, hold.stan, hold.amount,
                hold.expires_us, hold.merchant, hold.business_day, hold.period, account.purses,
            )  # fmt: skip
    loss = account.loss
    if loss is not None and loss.review_due_us == account.due_us:
        return ReviewOverdue(
            account.number, moment.time_us, account.position, account.card, loss.reported_us, loss.review_due_us,
            account.purses,
        )  # fmt: skip
    amount = held_in(account.purses, SUBSIDY)
    return SubsidyExpired(
        account.number, moment.time_us, account.position, amount, account.subsidy_expires_us, moment.business_day,
        emptied(account.purses, SUBSIDY),
    )  # fmt: skip


def unexpired(account: Account, moment: Moment) -> Amounts:
    """The purses as they will be once what is overdue was taken back."""
    overdue = 0 < account.subsidy_expires_us <= moment.time_us
    return emptied(account.purses, SUBSIDY) if overdue else account.purses


def apply_hold_expired(account: Account, event: HoldExpired, position: int) -> Account:
    """The account without that hold."""
    return replace(freed(account, event.original_terminal, event.original_stan), position=position)


def apply_review_overdue(account: Account, _event: ReviewOverdue, position: int) -> Account:
    """The account whose loss waits on, and of which nothing more is told."""
    loss = account.loss if account.loss is None else replace(account.loss, review_due_us=0)
    return with_due(replace(account, position=position, loss=loss))


def effect_of_overdue_review(event: ReviewOverdue) -> Effect:
    """Operators should look at the loss."""
    return Effect(
        EffectName.REVIEW_OVERDUE,
        {"card": event.card, "reported_us": event.reported_us, "review_due_us": event.review_due_us},
    )
