"""What stands in suspense: what was posted although the purses did not hold it."""

from __future__ import annotations

from simulators.auditor.world import World


def shortfalls(world: World) -> int:
    """Minor units that the account of this world owes: of what is suspicious, and not settled, undone or refunded."""
    return sum(
        owed - world.decided[key].settled
        for key, owed in world.suspicious.items()
        if key not in world.settled and not world.decided[key].is_reversed
    )
