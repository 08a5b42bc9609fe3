"""Hold (ISO 8583 0100): an amount is reserved for goods whose quantity shows only when they were taken."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import funds_check, limits_of, range_check, spending_check
from actors.account.checks.card import card_check
from actors.account.checks.pin import PURCHASE_LIMIT
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, hours_check, service_check
from actors.account.events import Event, Held, HoldDeclined
from actors.account.family import spendable
from actors.account.holds import held, with_hold
from actors.account.service import DECLINED, EventRow, ServiceRow, approved
from actors.account.state import Account, OutstandingHold
from actors.calendar import Moment
from actors.policy import Limits, Policy, Service, Terminal
from wire.codes import Code, Reason
from wire.messages import Hold

HOLDS_MAX: Final = 8
"""Outstanding holds of one account: its state is unpacked for every tap, and nobody baths in nine places."""

_HOLDS_LIMIT: Final = Refusal(Code.OVER_COUNT_LIMIT, Reason.HOLDS_LIMIT)


def _refusal(account: Account, request: Hold, terminal: Terminal, moment: Moment, limits: Limits) -> Refusal | None:
    """What is asked of a purchase is asked of a hold, so that its capture has to ask for nothing."""
    return (
        service_check(terminal, Service.HOLD)
        or hours_check(terminal, moment.period)
        or range_check(request.amount)
        or card_check(account, request.card, moment.business_day)
        or (PURCHASE_LIMIT if limits.purchase_max and request.amount > limits.purchase_max else None)
        or spending_check(account, request.amount, moment, limits)
        or _count_check(account)
        or funds_check(spendable(account, moment.business_day), request.amount, limits.balance_min, held(account))
    )


def _count_check(account: Account) -> Refusal | None:
    return _HOLDS_LIMIT if len(account.holds) >= HOLDS_MAX else None


def _decide(
    account: Account, request: Hold, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Held | HoldDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = _refusal(account, request, terminal, moment, limits_of(account, policy))
    if refusal is not None:
        return HoldDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            request.amount, terminal.merchant, moment.business_day, moment.period, refusal.code, refusal.reason,
            account.purses,
        )  # fmt: skip
    return Held(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.card, request.amount,
        moment.time_us + policy.hold_lifetime_us, terminal.merchant, moment.business_day, moment.period,
        account.purses, authorization,
    )  # fmt: skip


def _apply(account: Account, event: Held, position: int) -> Account:
    hold = OutstandingHold(
        event.terminal,
        event.stan,
        event.amount,
        event.expires_us,
        event.merchant,
        event.business_day,
        event.period,
    )
    return replace(with_hold(account, hold), position=position)


HOLD: Final = ServiceRow(
    service=Service.HOLD,
    request=Hold,
    content=("card", "amount"),
    decide=_decide,
    events={Held: EventRow(_apply, approved), HoldDeclined: DECLINED},
)
