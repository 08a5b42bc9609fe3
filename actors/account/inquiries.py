"""Requests without an effect: answered from the account as it is, and not recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.account.decide import UNREGISTERED
from actors.account.events import (
    Event,
    Opened,
    Purchased,
    PurchaseDeclined,
    ReversalDeclined,
    Reversed,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.refusals import inquiry_refusal
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service
from wire.codes import Code, Reason
from wire.messages import AccountReply, Answer, BalanceInquiry, MiniStatement, Statement, StatementEntry


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
    refusal = inquiry_refusal(account, request, terminal, moment)
    if refusal is not None:
        return Answer(request.terminal, request.stan, refusal.code, refusal.reason, 0, (), ())
    if isinstance(request, MiniStatement):
        entries = tuple(statement_entry(event) for event in newest)
        return Statement(request.terminal, request.stan, account.purses, entries)
    return Answer(request.terminal, request.stan, Code.APPROVED, Reason.NONE, 0, account.purses, ())


def statement_entry(event: Event) -> StatementEntry:
    """One line of an account's statement: what it was, what it changed, and the balances after it."""
    service, code, amount = _line(event)
    terminal, stan = (0, 0) if isinstance(event, Opened) else (event.terminal, event.stan)
    return StatementEntry(event.time_us, service, code, amount, event.balances, terminal, stan)


def _line(event: Any) -> tuple[str, Code, int]:
    match event:
        case Opened():
            return "opening", Code.APPROVED, sum(event.balances)
        case Purchased():
            return Service.PURCHASE.value, Code.APPROVED, -event.amount
        case PurchaseDeclined():
            return Service.PURCHASE.value, event.code, 0
        case ToppedUp():
            return Service.TOP_UP.value, Code.APPROVED, event.amount
        case TopUpDeclined():
            return Service.TOP_UP.value, event.code, 0
        case Reversed():
            return Service.REVERSAL.value, Code.APPROVED, sum(event.returned)
        case Tombstoned():
            return Service.REVERSAL.value, Code.APPROVED, 0
        case ReversalDeclined():
            return Service.REVERSAL.value, event.code, 0
        case _:
            raise AssertionError(f"an event without a statement line: {type(event).__name__}")
