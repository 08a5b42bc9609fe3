"""Settlement: what was posted although it was not clean is looked at once, and then owes nothing in suspense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.accounts import Purses
from simulators.auditor.model.checks import Verdict
from simulators.auditor.model.limits import paid_by
from simulators.auditor.suspense import owed_now
from simulators.auditor.world import NOTHING, Rules, World, negative
from wire.codes import Code, Reason
from wire.messages import Reversal, Settlement, SettleSuspicion


def settlement_problem(world: World, request: SettleSuspicion) -> Verdict | None:
    """It was posted here, is suspicious, stands, waits to be settled, and can be in this manner."""
    named = request.original_terminal, request.original_stan
    original = world.decided.get(named)
    if original is None:
        return Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND
    if named in world.settled:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_SETTLED
    if original.is_reversed:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED
    owed = owed_now(world, named)
    if original.is_refunded and not owed:
        return Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED
    if named not in world.suspicious:
        return Code.INVALID_TRANSACTION, Reason.NOT_SUSPICIOUS
    if request.how is Settlement.ACCEPT:
        return (Code.INVALID_TRANSACTION, Reason.OWED) if owed else None
    if not owed:
        return Code.INVALID_TRANSACTION, Reason.NOTHING_OWED
    short = request.how is Settlement.COLLECT and owed > _collectable(world, request)
    return (Code.INSUFFICIENT_FUNDS, Reason.FUNDS) if short else None


def settlement_step(world: World, request: SettleSuspicion, rules: Rules) -> tuple[Purses, Purses, Mapping[str, Any]]:
    """Money goes from the purses only if it is collected."""
    named = request.original_terminal, request.original_stan
    changes = {"settled": world.settled | {named}}
    if request.how is not Settlement.COLLECT:
        return NOTHING, NOTHING, changes
    owed = owed_now(world, named)
    paid = (owed, 0, 0) if _is_of_top_up(world, request) else paid_by(world.purses, owed, rules.spending_order)
    return negative(paid), paid, changes


def _collectable(world: World, request: SettleSuspicion) -> int:
    """What is owed for a top-up comes from the main purse, and all else from any."""
    return min(world.available, world.purses[0]) if _is_of_top_up(world, request) else world.available


def _is_of_top_up(world: World, request: SettleSuspicion) -> bool:
    """Nothing else that is undone can owe anything."""
    named = world.decided[request.original_terminal, request.original_stan]
    return isinstance(named.request, Reversal)
