"""Purchase: one purse after the other pays.

More than one outcome where something is not modelled: a merchant's hours, or spending on a day or in a meal period that
the audit saw only a part of.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulators.accounts import Purses
from simulators.auditor.model.checks import (
    OUTSIDE_HOURS,
    Verdict,
    amount_problem,
    card_problem,
    terminal_problem,
)
from simulators.auditor.model.limits import limits_of, spendable, spending_problems
from simulators.auditor.world import Outcome, Rules, World, added, decide, negative, refuse
from wire.codes import Code, Reason
from wire.messages import Purchase


def purchase_outcomes(world: World, request: Purchase, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """In the order of checks; the last one is where the checks certainly end."""
    for problem in _problems(world, request, rules):
        if problem is not None:
            yield refuse(world, request, *problem)
            continue
        paid = paid_by(spendable(world, rules), request.amount, rules.spending_order)
        change = negative(paid)
        outcome = Outcome(Code.APPROVED, Reason.NONE, change, added(world.purses, change), paid, authorized=True)
        yield decide(world, request, outcome, rules.period, spent=world.spent + request.amount)


def paid_by(purses: Purses, amount: int, spending_order: tuple[int, ...]) -> Purses:
    """One purse after the other is emptied, until the amount is paid."""
    parts = [0, 0, 0]
    for purse in spending_order:
        parts[purse] = min(purses[purse], amount - sum(parts))
    return parts[0], parts[1], parts[2]


def _problems(world: World, request: Purchase, rules: Rules) -> Iterator[Verdict | None]:
    """What may be wrong with it; None where nothing is."""
    if (refused := terminal_problem(request, rules)) is not None:
        yield refused
        return
    if rules.terminals[request.terminal].keeps_hours:
        yield OUTSIDE_HOURS
    unusable = amount_problem(request.amount) or card_problem(world, request, rules)
    if unusable is not None:
        yield unusable
        return
    amount, limits = request.amount, limits_of(world, rules)
    if limits.purchase_max and amount > limits.purchase_max:
        yield Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT
        return
    missing = (Code.INSUFFICIENT_FUNDS, Reason.FUNDS) if amount > sum(spendable(world, rules)) else None
    for over in spending_problems(world, amount, rules):
        yield over or missing
