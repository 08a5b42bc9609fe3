"""The family account: a guardian's money, spent by purchases within limits of the guardian's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.accounts import CardState, Purses
from simulators.auditor.model.checks import AMOUNT_MAX, BY_STATE, Verdict, amount_problem
from simulators.auditor.model.limits import limits_of
from simulators.auditor.world import NOTHING, FamilyPolicy, Rules, World
from wire.codes import Code, Reason
from wire.messages import BindFamily, CreditFamily, SetFamilyPolicy, UnbindFamily

FamilyCommand = BindFamily | UnbindFamily | SetFamilyPolicy | CreditFamily
Step = tuple[Purses, Purses, Mapping[str, Any]]

_OUT_OF_RANGE: Verdict = Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE


def family_amount_problem(request: FamilyCommand) -> Verdict | None:
    """What is wrong with its amounts, whatever the account is."""
    if isinstance(request, SetFamilyPolicy):
        limits = (request.day_max, request.purchase_max, request.alert_above)
        return None if all(limit in range(AMOUNT_MAX + 1) for limit in limits) else _OUT_OF_RANGE
    if isinstance(request, CreditFamily):
        odd = request.amount % 100 != 0
        return amount_problem(request.amount) or ((Code.INVALID_AMOUNT, Reason.NOT_WHOLE_YUAN) if odd else None)
    return None


def family_problem(world: World, request: FamilyCommand, rules: Rules) -> Verdict | None:
    """Of an account that is open."""
    if isinstance(request, BindFamily):
        return _binding_problem(world, rules)
    if world.family is None:
        return Code.INVALID_TRANSACTION, Reason.NO_FAMILY
    if isinstance(request, UnbindFamily) and world.purses[2]:
        return Code.INVALID_TRANSACTION, Reason.PURSES_NOT_EMPTY
    if isinstance(request, CreditFamily):
        limits = limits_of(world, rules)
        if limits.top_up_max and request.amount > limits.top_up_max:
            return Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT
        if limits.balance_max and world.purses[2] + request.amount > limits.balance_max:
            return Code.OVER_AMOUNT_LIMIT, Reason.BALANCE_LIMIT
    return None


def family_step(request: FamilyCommand) -> Step:
    """What an approved one changes."""
    if isinstance(request, CreditFamily):
        return (0, 0, request.amount), NOTHING, {}
    if isinstance(request, UnbindFamily):
        return NOTHING, NOTHING, {"family": None}
    if isinstance(request, BindFamily):
        return NOTHING, NOTHING, {"family": FamilyPolicy(0, 0)}
    return NOTHING, NOTHING, {"family": FamilyPolicy(request.day_max, request.purchase_max)}


def _binding_problem(world: World, rules: Rules) -> Verdict | None:
    card = world.card
    if card.person_class != "student":
        return Code.INVALID_TRANSACTION, Reason.NOT_A_STUDENT
    if world.family is not None:
        return Code.INVALID_TRANSACTION, Reason.FAMILY_BOUND
    if card.state is not CardState.ACTIVE:
        return BY_STATE[card.state]
    return BY_STATE[CardState.EXPIRED] if int(card.expires.strftime("%Y%m%d")) < rules.today else None
