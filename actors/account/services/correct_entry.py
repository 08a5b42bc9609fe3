"""Correct an entry: nothing that was posted is changed; a counter-entry sets it right."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import purse_check, range_check
from actors.account.checks.card import open_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.subsidy import no_cash_check
from actors.account.due import with_due
from actors.account.events import EntryCorrected
from actors.account.office import office_service
from actors.account.postings import CORRECTIONS, Booking
from actors.account.purses import change, into
from actors.account.service import EventRow, ServiceRow, approved
from actors.account.state import Account
from actors.calendar import Moment
from actors.ledger import PURSES
from actors.policy import Policy, Service
from wire.messages import CorrectEntry, CorrectionReason

_NUMBERS: Final = {reason: number for number, reason in enumerate(CorrectionReason, 1)}
"""The number of the ledger account of each reason."""


def _refusal(account: Account, request: CorrectEntry, _moment: Moment, _policy: Policy) -> Refusal | None:
    return (
        range_check(abs(request.amount))
        or (None if _pays_out_the_rest(account, request) else open_check(account))
        or no_cash_check(request.purse, request.reason)
        or purse_check(account, request.purse, request.amount)
    )


def _pays_out_the_rest(account: Account, request: CorrectEntry) -> bool:
    """Of an account that was closed: money may have come back to it since."""
    return account.opened_at > 0 and request.reason is CorrectionReason.PAID_OUT and request.amount < 0


def _approve(
    account: Account, request: CorrectEntry, moment: Moment, policy: Policy, authorization: int
) -> EntryCorrected:
    return EntryCorrected(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.clerk, account.card,
        moment.business_day, change(account.purses, into(request.purse, request.amount)), request.purse,
        request.amount, request.reason, policy.terminals[request.terminal].merchant, moment.period, authorization,
    )  # fmt: skip


def _apply(account: Account, event: EntryCorrected, position: int) -> Account:
    return with_due(replace(account, position=position, purses=event.balances))


def _book(event: EntryCorrected) -> Booking:
    amount = event.amount
    return (
        (event.business_day, event.merchant, event.terminal, Service.CORRECT_ENTRY.value, event.period),
        amount,
        (((PURSES, event.purse), amount), ((CORRECTIONS, _NUMBERS[event.reason]), -amount)),
    )


CORRECT_ENTRY: Final[ServiceRow] = office_service(
    Service.CORRECT_ENTRY,
    CorrectEntry,
    ("purse", "amount", "reason"),
    _refusal,
    _approve,
    {EntryCorrected: EventRow(_apply, approved, lambda event: event.amount, _book)},
)
