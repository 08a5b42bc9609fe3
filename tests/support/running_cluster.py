"""What a running switch says of itself, and waiting until it says something."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from running_switch import RunningSwitch

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
