"""Reversal: an unknown or declined original is marked, so that it never happens; an approved one is undone."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.auditor.model.checks import Verdict, terminal_problem
from simulators.auditor.world import NOTHING, Decision, Outcome, Rules, World, added, decide, negative, refuse
from wire.codes import Code, Reason
from wire.messages import Purchase, Reversal, TopUp


def reversal_outcomes(world: World, request: Reversal, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: everything that it depends on is known."""
    original_key = request.original_terminal, request.original_stan
    original = world.decided.get(original_key, Decision(None, None))
    problem = terminal_problem(request, rules) or _original_problem(request, original)
    if problem is not None:
        yield refuse(world, request, *problem)
        return
    marked = original._replace(request=original.request or _named(request), is_reversed=True)
    outcome, spent = Outcome(Code.APPROVED, Reason.NONE), world.spent
    if original.outcome is not None and original.outcome.authorized and not original.is_reversed:
        # What a top-up's holder has already spent cannot be taken back: the main purse stops at zero.
        main, subsidy, family = negative(original.outcome.change)
        change = max(main, -world.purses[0]), subsidy, family
        balances = added(world.purses, change)
        outcome = Outcome(Code.APPROVED, Reason.NONE, change, balances, NOTHING, authorized=True)
        if isinstance(original.request, Purchase):
            spent -= sum(original.outcome.paid)
    yield decide(world, request, outcome, spent=spent, decided={original_key: marked})


def _named(request: Reversal) -> Purchase:
    """A stand-in for an original that nobody has seen: only its amount is known."""
    return Purchase(request.original_terminal, request.original_stan, 0, request.account, "?", request.amount)


def _original_problem(request: Reversal, original: Decision) -> Verdict | None:
    if original.given_back != NOTHING:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED
    if isinstance(original.request, Purchase | TopUp):
        differs = original.request.amount != request.amount
        return (Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS) if differs else None
    return None if original.request is None else (Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)
