"""Balance inquiry and mini statement: the account as it is."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.auditor.model.checks import APPROVED, card_problem, terminal_problem
from simulators.auditor.world import NOTHING, Outcome, Rules, World, shown
from wire.messages import BalanceInquiry, MiniStatement


def inquiry_outcomes(
    world: World, request: BalanceInquiry | MiniStatement, rules: Rules
) -> Iterator[tuple[World, Outcome]]:
    """Nothing happens."""
    code, reason = terminal_problem(request, rules) or card_problem(world, request, rules) or APPROVED
    yield world, Outcome(code, reason, NOTHING, shown(code, world.purses))
