"""What stands in suspense: what was posted although the purses did not hold it."""

from __future__ import annotations

from simulators.auditor.requests import Key
from simulators.auditor.world import World


def shortfalls(world: World) -> int:
    """Minor units that the account of this world owes: of what is suspicious, and neither settled nor undone."""
    return sum(
        owed_now(world, key)
        for key in world.suspicious
        if key not in world.settled and not world.decided[key].is_reversed
    )


def owed_now(world: World, key: Key) -> int:
    """What refunds have left of what an item owed when it was posted; 0 if it is not suspicious."""
    return world.suspicious[key] - world.decided[key].settled if key in world.suspicious else 0
