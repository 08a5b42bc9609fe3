"""What a running switch says of itself, and waiting until it says something."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from running_switch import RunningSwitch

from actors.lmdb_store import LmdbStore
from actors.store import StoreLockedError
from switch.data_folder import shard_folder

WAIT_S_MAX = 60.0


def status(switch: RunningSwitch) -> dict[str, Any]:
    """What /status.json says."""
    return json.loads(switch.get("/status.json")[1])


def process_numbers(switch: RunningSwitch) -> dict[str, int]:
    """By name."""
    found = status(switch)
    return {process["name"]: process["pid"] for process in (*found["shards"], *found["gateways"])}


def is_ready(switch: RunningSwitch) -> bool:
    """Whether /readyz says so."""
    return switch.get("/readyz")[0] == 200


async def until(condition: Callable[[], Any]) -> Any:
    """The first true value of a condition that asks another process."""
    async with asyncio.timeout(WAIT_S_MAX):
        while not (value := await asyncio.to_thread(condition)):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)
        return value


def taken(data: Path, shard: int) -> LmdbStore | None:
    """A shard's data, once its owner is gone: as long as they are open here, no process can serve them."""
    try:
        return LmdbStore.open(shard_folder(data, shard))
    except StoreLockedError:
        return None
