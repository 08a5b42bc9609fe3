"""Balance inquiry and mini statement: what may be spent, and the account as it is."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.auditor.model.checks import APPROVED, card_problem, terminal_problem
from simulators.auditor.model.limits import drawn
from simulators.auditor.world import NOTHING, Outcome, Rules, World, added, negative, shown
from wire.messages import BalanceInquiry, MiniStatement


def inquiry_outcomes(
    world: World, request: BalanceInquiry | MiniStatement, rules: Rules
) -> Iterator[tuple[World, Outcome]]:
    """Nothing happens."""
    code, reason = terminal_problem(request, rules) or card_problem(world, request, rules) or APPROVED
    purses = world.purses
    if isinstance(request, BalanceInquiry):
        purses = added(purses, negative(drawn(world, min(world.held, world.balance), rules)))
    yield world, Outcome(code, reason, NOTHING, shown(code, purses))
