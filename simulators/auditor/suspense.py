"""What stands in suspense: what was posted although the purses did not hold it."""

from __future__ import annotations

from simulators.auditor.requests import identity_of
from simulators.auditor.world import World
from wire.messages import Advice, Capture, Reversal, TopUp


def shortfalls(world: World) -> int:
    """Minor units that the account of this world owes: of offline purchases, captures, and top-ups that were undone."""
    owed = 0
    for key, decision in world.decided.items():
        request, outcome = decision.request, decision.outcome
        if request is None or outcome is None or not outcome.authorized or key != identity_of(request):
            continue
        match request:
            case Advice() | Capture() if not decision.is_reversed:
                owed += request.amount + sum(outcome.change)
            case Reversal() if _is_of_top_up(world, request):
                owed += request.amount + sum(outcome.change)
            case _:
                pass
    return owed


def _is_of_top_up(world: World, request: Reversal) -> bool:
    original = world.decided.get((request.original_terminal, request.original_stan))
    return original is not None and isinstance(original.request, TopUp)
