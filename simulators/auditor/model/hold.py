"""Hold, capture and release: an amount is reserved, and then what was used of it is paid, or nothing."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.auditor.model.checks import OUTSIDE_HOURS, Verdict, amount_problem, card_problem, terminal_problem
from simulators.auditor.model.limits import drawn, limits_of, spendable, spending_problems
from simulators.auditor.model.pin import spending_pin_problem
from simulators.auditor.requests import Key, key_of
from simulators.auditor.world import (
    NOTHING,
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
from wire.messages import Capture, Hold, Release
from wire.pin import PinUse

HOLDS_MAX = 8
"""Outstanding at one time."""

_TOO_MANY: Verdict = Code.OVER_COUNT_LIMIT, Reason.HOLDS_LIMIT
_EXPIRED: Verdict = Code.INVALID_TRANSACTION, Reason.HOLD_EXPIRED
_OVER: dict[HoldState, Verdict] = {
    HoldState.CAPTURED: (Code.INVALID_TRANSACTION, Reason.HOLD_CAPTURED),
    HoldState.RELEASED: (Code.INVALID_TRANSACTION, Reason.HOLD_RELEASED),
}


def hold_outcomes(world: World, request: Hold, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """All that is asked of a purchase, and that not too much is outstanding."""
    for problem, tries in _hold_problems(world, request, rules):
        if problem is not None:
            yield refuse(world, request, *problem, wrong_tries=tries)
            continue
        held = HeldAmount(request.amount, world.now_us + rules.hold_lifetime_us)
        outcome = Outcome(Code.APPROVED, Reason.NONE, NOTHING, world.purses, NOTHING, authorized=True)
        yield decide(world, request, outcome, rules, holds={**world.holds, key_of(request): held}, wrong_tries=tries)


def _hold_problems(world: World, request: Hold, rules: Rules) -> Iterator[tuple[Verdict | None, int]]:
    """What may be wrong with it, None where nothing is; and the wrong tries of its PIN after it."""
    tries = world.wrong_tries
    if (refused := terminal_problem(request, rules)) is not None:
        yield refused, tries
        return
    if rules.terminals[request.terminal].keeps_hours:
        yield OUTSIDE_HOURS, tries
    unusable = amount_problem(request.amount) or card_problem(world, request, rules)
    limits = limits_of(world, rules)
    if unusable is None and limits.purchase_max and request.amount > limits.purchase_max:
        unusable, tries = spending_pin_problem(world, request, PinUse.HOLD, rules)
    if unusable is not None:
        yield unusable, tries
        return
    outstanding = sum(hold.state is HoldState.OUTSTANDING for hold in world.holds.values())
    too_many = _TOO_MANY if outstanding >= HOLDS_MAX else None
    free = sum(spendable(world, rules)) - world.held
    missing = (Code.INSUFFICIENT_FUNDS, Reason.FUNDS) if request.amount > free else None
    for over in spending_problems(world, request.amount, rules):
        yield over or too_many or missing, tries


def capture_outcomes(world: World, request: Capture, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome. A late one takes what no other hold reserves, and is never refused for money."""
    named = _named(request)
    problem = terminal_problem(request, rules) or amount_problem(request.amount) or _hold_problem(world, named)
    if problem is None and request.amount > world.holds[named].amount:
        problem = Code.INVALID_AMOUNT, Reason.MORE_THAN_HELD
    if problem is not None:
        yield refuse(world, request, *problem)
        return
    holds = _ended(world, named, HoldState.CAPTURED)
    reserved = sum(hold.amount for hold in holds.values() if hold.state is HoldState.OUTSTANDING)
    paid = drawn(world, min(request.amount, max(0, world.balance - reserved)), rules)
    change, owed = negative(paid), request.amount - sum(paid)
    late = world.holds[named].state is HoldState.EXPIRED
    suspicious = {**world.suspicious, key_of(request): owed} if late or owed else world.suspicious
    outcome = Outcome(Code.APPROVED, Reason.NONE, change, added(world.purses, change), paid, authorized=True)
    yield decide(world, request, outcome, rules, holds=holds, suspicious=suspicious)


def release_outcomes(world: World, request: Release, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: what has expired can no longer be released."""
    named = _named(request)
    problem = terminal_problem(request, rules) or _hold_problem(world, named)
    if problem is None and world.holds[named].state is HoldState.EXPIRED:
        problem = _EXPIRED
    if problem is not None:
        yield refuse(world, request, *problem)
        return
    outcome = Outcome(Code.APPROVED, Reason.NONE, NOTHING, world.purses, NOTHING, authorized=True)
    yield decide(world, request, outcome, holds=_ended(world, named, HoldState.RELEASED))


def _named(request: Capture | Release) -> Key:
    return request.original_terminal, request.original_stan


def _hold_problem(world: World, named: Key) -> Verdict | None:
    """There was no such hold, or it has come to its end by somebody's will."""
    if named in world.decided and world.decided[named].is_reversed:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED
    if named not in world.holds:
        return Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND
    return _OVER.get(world.holds[named].state)


def _ended(world: World, named: Key, state: HoldState) -> dict[Key, HeldAmount]:
    return {**world.holds, named: world.holds[named]._replace(state=state)}
