"""What a process says of itself every minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from actors.shard import Shard
from switch.readiness import Check

MINUTE_S: Final = 60.0

log = structlog.get_logger()


async def log_every_minute(checks: Callable[[], Sequence[Check]], shards: Mapping[int, Shard]) -> None:
    """Say where the journals end, so that an older head can be checked against the folder, and what is not well.

    And let the stores forget who was killed while reading them.
    """
    while True:
        for check in checks():
            if not check.ok or check.warning:
                log.warning("look at this", check=check.name, ok=check.ok, explanation=check.explanation)
        await asyncio.sleep(MINUTE_S)
        for number, shard in shards.items():
            log.info("journal head", shard=number, **head(shard))
            if dead := shard.forget_dead_readers():
                log.warning(
                    "forgot readers that were killed: their pages can be used again", shard=number, readers=dead
                )


def head(shard: Shard) -> dict[str, Any]:
    """Where a shard's journal ends, for a line of the log."""
    return {"position": shard.head.position, "hash": shard.head.hash.hex()}
