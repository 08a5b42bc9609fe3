"""Top-up: money comes into the main purse."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.auditor.model.checks import Verdict, amount_problem, card_problem, terminal_problem
from simulators.auditor.model.limits import limits_of
from simulators.auditor.world import NOTHING, Outcome, Rules, World, added, decide, refuse
from simulators.campus import Limits
from wire.codes import Code, Reason
from wire.messages import TopUp


def top_up_outcomes(world: World, request: TopUp, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: everything that it depends on is known."""
    problem = (
        terminal_problem(request, rules)
        or amount_problem(request.amount)
        or card_problem(world, request, rules)
        or _limit_problem(world, request.amount, limits_of(world, rules))
    )
    if problem is not None:
        yield refuse(world, request, *problem)
        return
    change = request.amount, 0, 0
    balances = added(world.purses, change)
    yield decide(world, request, Outcome(Code.APPROVED, Reason.NONE, change, balances, NOTHING, authorized=True))


def _limit_problem(world: World, amount: int, limits: Limits) -> Verdict | None:
    if limits.top_up_max and amount > limits.top_up_max:
        return Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT
    if limits.balance_max and world.purses[0] + amount > limits.balance_max:
        return Code.OVER_AMOUNT_LIMIT, Reason.BALANCE_LIMIT
    return None
