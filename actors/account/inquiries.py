"""Requests without an effect: answered from the account as it is, and not recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from actors.account.checks.amounts import limits_of
from actors.account.checks.card import card_check
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.events import Event, HoldExpired, Opened, ReviewOverdue, SubsidyClaimedAtTap, SubsidyExpired
from actors.account.expiry import unexpired
from actors.account.holds import drawn
from actors.account.purses import Amounts, left
from actors.account.service import asked
from actors.account.state import Account
from actors.account.tables import EVENTS, SERVICE
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.codes import Code, Reason
from wire.messages import AccountReply, Answer, BalanceInquiry, MiniStatement, Statement, StatementEntry

_INQUIRIES: Final = {BalanceInquiry: Service.BALANCE_INQUIRY, MiniStatement: Service.MINI_STATEMENT}


def events_wanted(request: BalanceInquiry | MiniStatement) -> int:
    """How many of the account's newest events the answer needs."""
    return request.count if isinstance(request, MiniStatement) else 0


def inquire(
    account: Account,
    request: BalanceInquiry | MiniStatement,
    newest: Sequence[Event],
    moment: Moment,
    policy: Policy,
) -> AccountReply:
    """The answer; `newest` are as many of the account's events as `events_wanted` said, newest first."""
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = service_check(terminal, _INQUIRIES[type(request)]) or card_check(
        account, request.card, moment.business_day
    )
    if refusal is not None:
        return Answer(request.terminal, request.stan, refusal.code, refusal.reason, 0, (), ())
    balances = unexpired(account, moment)
    if isinstance(request, MiniStatement):
        entries = tuple(statement_entry(event) for event in newest)
        return Statement(request.terminal, request.stan, balances, entries)
    if account.holds:
        balances = _available(account, balances, moment, policy)
    return Answer(request.terminal, request.stan, Code.APPROVED, Reason.NONE, 0, balances, ())


def _available(account: Account, purses: Amounts, moment: Moment, policy: Policy) -> Amounts:
    """What would be left in each purse if all that is outstanding were captured now."""
    reserved = sum(hold.amount for hold in account.holds if hold.expires_us > moment.time_us)
    balance_min, holder = limits_of(account, policy).balance_min, replace(account, purses=purses)
    reserved = min(reserved, sum(purses))
    return left(purses, drawn(holder, reserved, moment.business_day, policy.spending_order, balance_min))


def statement_entry(event: Any) -> StatementEntry:
    """One line of an account's statement: what it was, what it changed, and the balances after it."""
    if isinstance(event, Opened):
        gained = sum(event.balances)
        return StatementEntry(event.time_us, "opening", Code.APPROVED, gained, event.balances, 0, 0)
    if isinstance(event, SubsidyClaimedAtTap):
        return StatementEntry(
            event.time_us, Service.SUBSIDY_CLAIM.value, Code.APPROVED, event.amount, event.balances, 0, 0
        )
    if isinstance(event, HoldExpired):
        return StatementEntry(
            event.time_us, "hold-expiry", Code.APPROVED, 0, event.balances, event.original_terminal, event.original_stan
        )
    if isinstance(event, SubsidyExpired):
        return StatementEntry(event.time_us, "subsidy-expiry", Code.APPROVED, -event.amount, event.balances, 0, 0)
    if isinstance(event, ReviewOverdue):
        return StatementEntry(event.time_us, "review-overdue", Code.APPROVED, 0, event.balances, 0, 0)
    service, gained = SERVICE[type(asked(event))], EVENTS[type(event)].gained(event)
    code = getattr(event, "code", Code.APPROVED)
    return StatementEntry(event.time_us, service, code, gained, event.balances, event.terminal, event.stan)
