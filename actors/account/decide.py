"""The rule book: what a request does to an account. Pure and total: every request gets exactly one event.

DECIDE has one row a service. It sees only requests that were not decided before; the shard answers repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.account.events import (
    Decided,
    Event,
    Purchased,
    PurchaseDeclined,
    ReversalDeclined,
    Reversed,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.purses import MAIN, Amounts, change, draw
from actors.account.refusals import Refusal, purchase_refusal, reversal_refusal, top_up_refusal
from actors.account.state import Account
from actors.calendar import Moment
from actors.policy import Policy, Service, Terminal
from wire.codes import Code, Reason
from wire.messages import Purchase, Reversal, TopUp

_AMOUNT_DIFFERS = Refusal(Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS)
_NOT_REVERSIBLE = Refusal(Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)
UNREGISTERED = Terminal(0, 0, frozenset(), None)


def _purchase(
    account: Account, request: Purchase, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Purchased | PurchaseDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = purchase_refusal(account, request, terminal, moment, policy)
    if refusal is not None:
        return PurchaseDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
            request.amount, terminal.merchant, moment.business_day, moment.period, refusal.code, refusal.reason,
            account.purses,
        )  # fmt: skip
    amount, purses = request.amount, account.purses
    if len(purses) == 1:  # nearly every account: no call for every tap
        paid: Amounts = (amount,)
        balances: Amounts = (purses[0] - amount,)
    else:
        paid = draw(purses, amount, policy.spending_order)
        balances = change(purses, tuple(-part for part in paid))
    return Purchased(
        account.number, moment.time_us, account.position, request.terminal, request.stan, request.card,
        amount, terminal.merchant, moment.business_day, moment.period, paid, balances, authorization,
    )  # fmt: skip


def _top_up(
    account: Account, request: TopUp, _original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> ToppedUp | TopUpDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = top_up_refusal(account, request, terminal, moment, policy)
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


def _reversal(
    account: Account, request: Reversal, original: Event | None, moment: Moment, policy: Policy, authorization: int
) -> Reversed | Tombstoned | ReversalDeclined:
    terminal = policy.terminals.get(request.terminal, UNREGISTERED)
    refusal = reversal_refusal(request, terminal) or _irreversible(request, original)
    if refusal is not None:
        return ReversalDeclined(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, request.amount, terminal.merchant, moment.business_day,
            moment.period, refusal.code, refusal.reason, account.purses,
        )  # fmt: skip
    if not isinstance(original, Purchased | ToppedUp):
        return Tombstoned(
            account.number, moment.time_us, account.position, request.terminal, request.stan,
            request.original_terminal, request.original_stan, request.amount, terminal.merchant, moment.business_day,
            moment.period, account.purses,
        )  # fmt: skip
    if isinstance(original, Purchased):
        service, channel, returned, shortfall = Service.PURCHASE, 0, original.paid, 0
    else:
        # The money of a spent top-up is gone: what is left goes back, and the rest is owed in suspense.
        taken = min(original.amount, account.purses[MAIN])
        service, channel, returned, shortfall = (
            Service.TOP_UP,
            original.channel,
            (-taken,),
            original.amount - taken,
        )
    return Reversed(
        account.number, moment.time_us, account.position, request.terminal, request.stan,
        request.original_terminal, request.original_stan, request.amount, service.value, channel, terminal.merchant,
        original.merchant, original.business_day, moment.business_day, moment.period, returned, shortfall,
        change(account.purses, returned), authorization,
    )  # fmt: skip


def _irreversible(request: Reversal, original: Event | None) -> Refusal | None:
    """Why what the request names cannot be reversed by it. An unknown original can be, and so can a refused one."""
    if (request.original_terminal, request.original_stan) == (request.terminal, request.stan):
        return _NOT_REVERSIBLE
    match original:
        case None:
            return None
        case Purchased() | ToppedUp() | PurchaseDeclined() | TopUpDeclined():
            return None if original.amount == request.amount else _AMOUNT_DIFFERS
        case Reversed() | Tombstoned() if _names_same_original(request, original):
            return None if original.amount == request.amount else _AMOUNT_DIFFERS
        case _:
            return _NOT_REVERSIBLE


def _names_same_original(request: Reversal, earlier: Reversed | Tombstoned) -> bool:
    return earlier.original_terminal == request.original_terminal and earlier.original_stan == request.original_stan


DECIDE: Final[dict[type, Callable[[Account, Any, Event | None, Moment, Policy, int], Decided]]] = {
    Purchase: _purchase,
    TopUp: _top_up,
    Reversal: _reversal,
}
"""By request: (account, request, what settles the original it names or None, moment, policy, authorization number if
approved) → what happens."""
