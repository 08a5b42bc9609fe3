"""Change of the PIN: the old one is proof, the new one is another and not easy to guess."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulators.auditor.model.checks import Verdict, card_problem, terminal_problem
from simulators.auditor.model.pin import PIN_NOT_OFFERED, PIN_UNREADABLE, entry_problem, is_easy, opened
from simulators.auditor.world import Outcome, Rules, World, decide, refuse
from wire.codes import Code, Reason
from wire.messages import ChangePin
from wire.pin import PinContext, PinUse


def change_pin_outcomes(world: World, request: ChangePin, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: everything that it depends on is known."""
    problem = terminal_problem(request, rules)
    if problem is None and request.terminal not in rules.pin_keys:
        problem = PIN_NOT_OFFERED
    problem = problem or card_problem(world, request, rules)
    changes: dict[str, Any] = {}
    if problem is None:
        problem, changes = _pin_problem(world, request, rules)
    if problem is not None:
        yield refuse(world, request, *problem, **changes)
        return
    yield decide(world, request, Outcome(Code.APPROVED, Reason.NONE, balances=world.purses), **changes)


def _pin_problem(world: World, request: ChangePin, rules: Rules) -> tuple[Verdict | None, dict[str, Any]]:
    """What is wrong with the two PINs, and what the request changes in the world."""
    if not world.pin:
        return (Code.INCORRECT_PIN, Reason.PIN_NOT_SET), {}
    old = PinContext(PinUse.OLD, request.terminal, request.stan, request.account)
    problem, tries = entry_problem(world, request.old_pin, old, rules)
    changes: dict[str, Any] = {"wrong_tries": tries}
    if problem is not None:
        return problem, changes
    new = opened(request.new_pin, old._replace(use=PinUse.NEW), rules)
    if new is None:
        return PIN_UNREADABLE, changes
    if is_easy(new):
        return (Code.INCORRECT_PIN, Reason.PIN_WEAK), changes
    if new == world.pin:
        return (Code.INCORRECT_PIN, Reason.PIN_UNCHANGED), changes
    return None, {**changes, "pin": new, "is_initial_pin": False}
