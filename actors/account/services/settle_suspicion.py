"""Settle: somebody has looked at what was posted although it was not clean, and nothing of it is owed any more.

It is settled once. What it owes in suspense is collected from the account's purses, or written off as the school's
loss; what owes nothing is accepted. The account may be closed, or one that nobody opened.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.refusal import Refusal
from actors.account.checks.suspicious import Suspicious, collection_check, manner_check, owed, suspicious_check
from actors.account.checks.terminal import UNREGISTERED, command_check
from actors.account.due import with_due
from actors.account.events import Event, OfficeDeclined, Reversed, SuspicionSettled
from actors.account.office import event_start, office_declined
from actors.account.postings import LOSSES, Booking, purse_postings, suspense_postings
from actors.account.purses import Amounts, draw, left
from actors.account.service import DECLINED, EventRow, ServiceRow
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.codes import APPROVED, NO_REASON
from wire.messages import Answer, Settlement, SettleSuspicion


def _refusal(account: Account, request: SettleSuspicion, terminal: Terminal, original: Event | None) -> Refusal | None:
    refusal = command_check(terminal, Service.SETTLE, request.clerk) or suspicious_check(request, original)
    if refusal is not None:
        return refusal
    assert isinstance(original, Suspicious), "nothing else passes the check before"
    refusal = manner_check(request.how, original)
    if refusal is None and request.how is Settlement.COLLECT:
        return collection_check(account, original)
    return refusal


def _decide(
    account: Account, request: SettleSuspicion, original: Event | None, moment: Moment, policy: Policy,
    authorization: int,
) -> SuspicionSettled | OfficeDeclined:  # fmt: skip
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = _refusal(account, request, terminal, original)
    if refusal is not None:
        return office_declined(account, request, moment, refusal)
    assert isinstance(original, Suspicious), "nothing else passes the checks"
    paid = _collected(account, original, policy) if request.how is Settlement.COLLECT else ()
    start = event_start(account, request, moment)
    return SuspicionSettled(
        *start[:-1], left(account.purses, paid) if paid else account.purses, request.original_terminal,
        request.original_stan, request.how, request.note, owed(original), paid, terminal.merchant, moment.period,
        authorization,
    )  # fmt: skip


def _collected(account: Account, original: Suspicious, policy: Policy) -> Amounts:
    """What each purse gives: as for a purchase; but what came with a top-up goes from the main purse, as it came."""
    if isinstance(original, Reversed):
        return (original.shortfall, *(0,) * (len(account.purses) - 1))
    return draw(account.purses, owed(original), policy.spending_order)


def _apply(account: Account, event: SuspicionSettled, position: int) -> Account:
    return with_due(replace(account, position=position, purses=event.balances))


def _answer(event: SuspicionSettled) -> Answer:
    return Answer(event.terminal, event.stan, APPROVED, NO_REASON, event.authorization, event.balances, event.paid)


def _book(event: SuspicionSettled) -> Booking:
    totals = (event.business_day, event.merchant, event.terminal, Service.SETTLE.value, event.period)
    if not event.amount:
        return totals, 0, ()
    source = purse_postings(event.paid, -1) if event.paid else ((LOSSES, -event.amount),)
    return totals, event.amount, (*source, *suspense_postings(event.amount))


SETTLE_SUSPICION: Final = ServiceRow(
    service=Service.SETTLE,
    request=SettleSuspicion,
    content=("clerk", "original_terminal", "original_stan", "how", "note"),
    decide=_decide,
    events={
        SuspicionSettled: EventRow(_apply, _answer, lambda event: -sum(event.paid), _book, uses_original=True),
        OfficeDeclined: DECLINED,
    },
    names_original=True,
)
