"""Reversal: an unknown or declined original is marked, so that it never happens; an approved one is undone."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.auditor.model.checks import Verdict, terminal_problem
from simulators.auditor.requests import key_of
from simulators.auditor.world import (
    NOTHING,
    Decision,
    HoldState,
    Outcome,
    Rules,
    World,
    added,
    decide,
    negative,
    refuse,
)
from simulators.auditor.world import Hold as HeldAmount
from wire.codes import Code, Reason
from wire.messages import Capture, Hold, Purchase, Reversal, TopUp


def reversal_outcomes(world: World, request: Reversal, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: everything that it depends on is known."""
    original_key = request.original_terminal, request.original_stan
    original = world.decided.get(original_key, Decision(None, None))
    hold = world.holds.get(original_key)
    problem = terminal_problem(request, rules)
    if problem is None and original_key in world.settled:
        problem = Code.INVALID_TRANSACTION, Reason.ORIGINAL_SETTLED
    problem = problem or _original_problem(request, original, hold)
    if problem is not None:
        yield refuse(world, request, *problem)
        return
    marked = original._replace(request=original.request or _named(request), is_reversed=True)
    outcome, holds, suspicious = Outcome(Code.APPROVED, Reason.NONE), world.holds, world.suspicious
    if hold is not None and hold.state is HoldState.OUTSTANDING:
        holds = {**holds, original_key: hold._replace(state=HoldState.REVERSED)}
        outcome = Outcome(Code.APPROVED, Reason.NONE, NOTHING, world.purses, NOTHING, authorized=True)
    elif hold is None and original.outcome is not None and original.outcome.authorized and not original.is_reversed:
        change, paid = negative(original.outcome.change), original.outcome.change
        if isinstance(original.request, TopUp):
            # What its holder has spent, or reserved, cannot be taken back.
            owed, taken = -change[0], min(-change[0], world.purses[0], world.available)
            if taken < owed:
                suspicious = {**suspicious, key_of(request): owed - taken}
            change, paid = (-taken, 0, 0), NOTHING
        outcome = Outcome(Code.APPROVED, Reason.NONE, change, added(world.purses, change), paid, authorized=True)
    decided = {original_key: marked}
    yield decide(world, request, outcome, holds=holds, suspicious=suspicious, decided=decided)


def _named(request: Reversal) -> Purchase:
    """A stand-in for an original that nobody has seen: only its amount is known."""
    return Purchase(request.original_terminal, request.original_stan, 0, request.account, "?", request.amount)


def _original_problem(request: Reversal, original: Decision, hold: HeldAmount | None) -> Verdict | None:
    if hold is not None and hold.state is HoldState.CAPTURED:
        return Code.INVALID_TRANSACTION, Reason.HOLD_CAPTURED
    if original.is_refunded:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED
    if isinstance(original.request, Purchase | TopUp | Hold | Capture):
        differs = original.request.amount != request.amount
        return (Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS) if differs else None
    return None if original.request is None else (Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)
