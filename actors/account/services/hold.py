"""Hold (ISO 8583 0100): an amount is reserved for goods whose quantity shows only when they were taken."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from actors.account.checks.amounts import funds_check, limits_of, range_check, spending_check
from actors.account.checks.card import card_check
from actors.account.checks.pin import spending_pin_check
from actors.account.checks.refusal import Refusal
from actors.account.checks.terminal import UNREGISTERED, hours_check, service_check
from actors.account.events import Event, Held, HeldWithPin, HoldDeclined, HoldDeclinedWithPin
from actors.account.family import spendable
from actors.account.holds import held, with_hold
from actors.account.service import DECLINED, DECLINED_WITH_PIN, EventRow, ServiceRow, approved
from actors.account.state import Account, OutstandingHold, with_wrong_tries
from actors.calendar import Moment
from actors.policy import Limits, Policy, Service, Terminal
from wire.codes import Code, Reason
from wire.messages import Hold
from wire.pin import PinUse

HOLDS_MAX: Final = 8
"""Outstanding holds of one account: its state is unpacked for every tap, and nobody baths in nine places."""

_HOLDS_LIMIT: Final = Refusal(Code.OVER_COUNT_LIMIT, Reason.HOLDS_LIMIT)


# What is asked of a purchase is asked of a hold, so that its capture has to ask for nothing.


def _refusal_before_pin(account: Account, request: Hold, terminal: Terminal, moment: Moment) -> Refusal | None:
    return (
        service_check(terminal, Service.HOLD)
        or hours_check(terminal, moment.period)
        or range_check(request.amount)
        or card_check(account, request.card, moment.business_day)
    )


def _refusal_after_pin(account: Account, request: Hold, moment: Moment, limits: Limits) -> Refusal | None:
    return (
        spending_check(account, request.amount, moment, limits)
        or _count_check(account)
        or funds_check(spendable(account, moment.business_day), request.amount, limits.balance_min, held(account))
    )


def _count_check(account: Account) -> Refusal | None:
    return _HOLDS_LIMIT if len(account.holds) >= HOLDS_MAX else None


def _decide(
    account: Account, request: Hold, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Held | HoldDeclined:
    terminal, limits = policy.terminals.get(request.terminal, UNREGISTERED), limits_of(account, policy)
    wrong_tries = None
    refusal = _refusal_before_pin(account, request, terminal, moment)
    if refusal is None and limits.purchase_max and request.amount > limits.purchase_max:
        refusal, wrong_tries, _ = spending_pin_check(account, request, PinUse.HOLD, policy.pin_keys)
    if refusal is None:
        refusal = _refusal_after_pin(account, request, moment, limits)
    if refusal is not None:
        declined = (
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            request.amount, terminal.merchant, moment.business_day, moment.period, refusal.code, refusal.reason,
            account.purses,
        )  # fmt: skip
        return HoldDeclined(*declined) if wrong_tries is None else HoldDeclinedWithPin(*declined, wrong_tries)
    event = Held if wrong_tries is None else HeldWithPin
    return event(
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


def _apply_with_pin(account: Account, event: HeldWithPin, position: int) -> Account:
    return replace(_apply(account, event, position), pin=with_wrong_tries(account.pin, 0))


HOLD: Final = ServiceRow(
    service=Service.HOLD,
    request=Hold,
    content=("card", "amount"),
    decide=_decide,
    events={
        Held: EventRow(_apply, approved),
        HeldWithPin: EventRow(_apply_with_pin, approved),
        HoldDeclined: DECLINED,
        HoldDeclinedWithPin: DECLINED_WITH_PIN,
    },
)
