"""Refund: what was paid, or a part of it, goes back to the purses that paid it; what was never paid, to nobody."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.accounts import Purses
from simulators.auditor.model.checks import Verdict, amount_problem, closed_problem, terminal_problem
from simulators.auditor.requests import identity_of
from simulators.auditor.world import NOTHING, Decision, Outcome, Rules, World, added, decide, negative, refuse
from wire.codes import Code, Reason
from wire.messages import Advice, Capture, Purchase, Refund


def refund_outcomes(world: World, request: Refund, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: everything that it depends on is known."""
    original_key = request.original_terminal, request.original_stan
    original = world.decided.get(original_key)
    problem = (
        terminal_problem(request, rules)
        or amount_problem(request.amount)
        or closed_problem(world)
        or _original_problem(world, request, original, rules)
    )
    if problem is not None or original is None:
        yield refuse(world, request, *(problem or _NOT_FOUND))
        return
    settled = min(request.amount, original.owed)
    change = _taken_last_first(_left(original), request.amount - settled, rules.spending_order)
    outcome = Outcome(Code.APPROVED, Reason.NONE, change, added(world.purses, change), NOTHING, authorized=True)
    refunded = original._replace(given_back=added(original.given_back, change), settled=original.settled + settled)
    keys = original_key, original_key if original.request is None else identity_of(original.request)
    yield decide(world, request, outcome, decided=dict.fromkeys(keys, refunded))


_NOT_FOUND: Verdict = Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND


def _original_problem(world: World, request: Refund, original: Decision | None, rules: Rules) -> Verdict | None:
    if original is None:
        return _NOT_FOUND
    if original.is_reversed:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED
    if (request.original_terminal, request.original_stan) in world.settled:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_SETTLED
    if not isinstance(original.request, Purchase | Capture | Advice):
        return Code.INVALID_TRANSACTION, Reason.NOT_REFUNDABLE
    if original.outcome is None or not original.outcome.authorized:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_DECLINED
    if rules.terminals[request.terminal].merchant != rules.terminals[_sold_by(original.request)].merchant:
        return Code.NOT_PERMITTED_TO_TERMINAL, Reason.OTHER_MERCHANT
    more = request.amount > sum(_left(original)) + original.owed
    return (Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT) if more else None


def _sold_by(payment: Purchase | Capture | Advice) -> int:
    """The terminal; of a capture, that of its hold."""
    return payment.original_terminal if isinstance(payment, Capture) else payment.terminal


def _left(original: Decision) -> Purses:
    """What it paid and no refund has returned yet."""
    change = NOTHING if original.outcome is None else original.outcome.change
    return added(negative(change), negative(original.given_back))


def _taken_last_first(left: Purses, amount: int, spending_order: tuple[int, ...]) -> Purses:
    """The purse that paid last is repaid first, as if less had been bought."""
    keeps = sum(left) - amount
    kept = [0, 0, 0]
    for purse in spending_order:
        kept[purse] = min(left[purse], keeps)
        keeps -= kept[purse]
    return left[0] - kept[0], left[1] - kept[1], left[2] - kept[2]
