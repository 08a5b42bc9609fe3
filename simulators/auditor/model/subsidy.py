"""A subsidy: granted once for each batch, claimed by the card's first tap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from msgspec.structs import replace

from simulators.accounts import Purses
from simulators.auditor.model.checks import Verdict, card_problem, terminal_problem
from simulators.auditor.world import NOTHING, Outcome, Rules, World, added, decide, refuse
from wire.codes import Code, Reason
from wire.messages import AccountRequest, Advice, GrantSubsidy, Hold, Purchase, SubsidyClaim

BATCHES_MAX = 120

Step = tuple[Purses, Purses, Mapping[str, Any]]


def grant_problem(world: World, request: GrantSubsidy, rules: Rules) -> Verdict | None:
    """Of an account that is open and an amount that is one."""
    if request.batch in world.batches:
        return Code.INVALID_TRANSACTION, Reason.GRANTED_BEFORE
    if not _is_day(request.last_day) or request.last_day < rules.today:
        return Code.INVALID_TRANSACTION, Reason.EXPIRY_NOT_POSSIBLE
    return (Code.INVALID_TRANSACTION, Reason.BATCHES_USED_UP) if len(world.batches) >= BATCHES_MAX else None


def grant_step(world: World, request: GrantSubsidy) -> Step:
    """It waits."""
    grants = (*world.grants, (request.amount, request.last_day))
    return NOTHING, NOTHING, {"grants": grants, "batches": world.batches | {request.batch}}


def at_tap(world: World, request: AccountRequest, rules: Rules) -> World:
    """What a tap makes of the world before it is decided itself."""
    if not isinstance(request, Purchase | Hold | Advice):
        return world
    if terminal_problem(request, rules) is not None or card_problem(world, request, rules) is not None:
        return world
    return _claimed(world, rules)


def expired(world: World, rules: Rules) -> World:
    """What is in the subsidy purse after its last day belongs to the school again, whoever finds it there."""
    if not world.purses[1] or not 0 < world.subsidy_last_day < rules.today:
        return world
    return replace(world, purses=added(world.purses, (0, -world.purses[1], 0)))


def claim_outcomes(world: World, request: SubsidyClaim, rules: Rules) -> Iterator[tuple[World, Outcome]]:
    """One outcome: everything that it depends on is known."""
    problem = terminal_problem(request, rules) or card_problem(world, request, rules)
    after = _claimed(world, rules)
    if problem is None and after is world:
        problem = Code.INVALID_TRANSACTION, Reason.NOTHING_GRANTED
    if problem is not None:
        yield refuse(world, request, *problem)
        return
    change = 0, after.purses[1] - world.purses[1], 0
    outcome = Outcome(Code.APPROVED, Reason.NONE, change, added(world.purses, change), NOTHING, authorized=True)
    yield decide(world, request, outcome, grants=(), subsidy_last_day=after.subsidy_last_day)


def _claimed(world: World, rules: Rules) -> World:
    """All that is in time moves; the purse lasts as long as what lasts longest of all that is then in it."""
    in_time = [(amount, last_day) for amount, last_day in world.grants if last_day >= rules.today]
    if not in_time:
        return world
    last_day = max(last_day for _, last_day in in_time)
    if world.purses[1]:
        last_day = 0 if world.subsidy_last_day == 0 else max(last_day, world.subsidy_last_day)
    purses = added(world.purses, (0, sum(amount for amount, _ in in_time), 0))
    return replace(world, purses=purses, grants=(), subsidy_last_day=last_day)


def _is_day(number: int) -> bool:
    text = f"{number:08}"
    try:
        date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    except ValueError:
        return False
    return True
