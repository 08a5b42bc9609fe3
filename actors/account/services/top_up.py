"""Top-up (ISO 8583 0200/21): money comes into the main purse through a channel."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import credit_check, limits_of, range_check
from actors.account.checks.card import card_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, service_check
from actors.account.events import Event, ToppedUp, TopUpDeclined
from actors.account.postings import CHANNELS, MAIN_PURSE, Booking
from actors.account.purses import change
from actors.account.service import DECLINED, EventRow, ServiceRow, approved
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.messages import TopUp


def _refusal(account: Account, request: TopUp, terminal: Terminal, moment: Moment, policy: Policy) -> Refusal | None:
    return (
        service_check(terminal, Service.TOP_UP)
        or range_check(request.amount)
        or card_check(account, request.card, moment.business_day)
        or credit_check(account, request.amount, limits_of(account, policy))
    )


def _decide(
    account: Account, request: TopUp, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> ToppedUp | TopUpDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = _refusal(account, request, terminal, moment, policy)
    if refusal is not None:
        return TopUpDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            request.amount, request.channel, terminal.merchant, moment.business_day, moment.period, refusal.code,
            refusal.reason, account.purses,
        )  # fmt: skip
    return ToppedUp(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
        request.amount, request.channel, terminal.merchant, moment.business_day, moment.period,
        change(account.purses, (request.amount,)), authorization,
    )  # fmt: skip


def _apply(account: Account, event: ToppedUp, position: int) -> Account:
    return replace(account, position=position, purses=event.balances)


def _book(event: ToppedUp) -> Booking:
    amount = event.amount
    return (
        (event.business_day, event.merchant, event.terminal, Service.TOP_UP.value, event.period),
        amount,
        ((MAIN_PURSE, amount), ((CHANNELS, event.channel), -amount)),
    )


TOP_UP: Final = ServiceRow(
    service=Service.TOP_UP,
    request=TopUp,
    content=("card", "amount", "channel"),
    decide=_decide,
    events={
        ToppedUp: EventRow(_apply, approved, lambda event: event.amount, _book),
        TopUpDeclined: DECLINED,
    },
)
