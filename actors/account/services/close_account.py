"""Close: nothing more is bought on an account whose purses are empty, but for a subsidy: that goes back to the school.

What a reversal still brings back is paid out by a counter-entry; of a subsidy, the school has it at once.
What is held has to be resolved first, if only by its expiry, or its merchant would not get the money it was promised.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.card import open_check
from actors.account.checks.office import empty_check, no_holds_check
from actors.account.checks.refusal import Refusal
from actors.account.due import with_due
from actors.account.events import AccountClosed, AccountClosedForGood, AccountClosedWithSubsidy
from actors.account.office import done, event_start, hot_list_change, office_service
from actors.account.postings import Booking
from actors.account.purses import SUBSIDY, emptied, held_in
from actors.account.service import EventRow, ServiceRow
from actors.account.state import Account
from actors.account.subsidy import subsidy_postings
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.messages import CloseAccount


def _refusal(account: Account, _request: CloseAccount, _moment: Moment, _policy: Policy) -> Refusal | None:
    return open_check(account) or empty_check(account) or no_holds_check(account)


def _approve(
    account: Account, request: CloseAccount, moment: Moment, policy: Policy, _authorization: int
) -> AccountClosedForGood:
    start, amount = event_start(account, request, moment), held_in(account.purses, SUBSIDY)
    merchant = policy.terminals[request.terminal].merchant
    return AccountClosedForGood(*start[:-1], emptied(account.purses, SUBSIDY), amount, merchant, moment.period)


def _apply(account: Account, event: AccountClosed | AccountClosedWithSubsidy, position: int) -> Account:
    after = replace(
        account, position=position, card_state=CardState.CLOSED, loss=None, purses=event.balances, unclaimed=(),
        family=None,
    )  # fmt: skip
    return with_due(after)


def _apply_for_good(account: Account, event: AccountClosedForGood, position: int) -> Account:
    """From now on the subsidy purse is overdue whenever something is in it."""
    return replace(_apply(account, event, position), subsidy_expires_us=event.time_us)


def _book(event: AccountClosedWithSubsidy) -> Booking:
    totals = (event.business_day, event.merchant, event.terminal, Service.CLOSE_ACCOUNT.value, event.period)
    return totals, event.amount, subsidy_postings(-event.amount)


def _book_for_good(event: AccountClosedForGood) -> Booking:
    return _book(event) if event.amount else (None, 0, ())


_WITH_SUBSIDY: Final = EventRow(_apply, done, lambda event: -event.amount, _book, hot_list_change("closed"))

CLOSE_ACCOUNT: Final[ServiceRow] = office_service(
    Service.CLOSE_ACCOUNT,
    CloseAccount,
    (),
    _refusal,
    _approve,
    {
        AccountClosed: EventRow(_apply, done, effect=hot_list_change("closed")),
        AccountClosedWithSubsidy: _WITH_SUBSIDY,
        AccountClosedForGood: _WITH_SUBSIDY._replace(apply=_apply_for_good, book=_book_for_good),
    },
)
