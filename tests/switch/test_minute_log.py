"""What a process does every minute."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace

import structlog

from actors.journal import Head
from switch import minute_log
from switch.minute_log import log_every_minute
from switch.readiness import Check


async def test_heads_what_is_not_well_and_readers_that_were_killed(monkeypatch):
    monkeypatch.setattr(minute_log, "MINUTE_S", 0.001)
    dead = [0, 2]
    shard = SimpleNamespace(head=Head(7, b"\x12" * 32), forget_dead_readers=lambda: dead.pop() if dead else 0)
    checks = [Check("map", ok=True, explanation="nearly full", warning=True), Check("disk", ok=True, explanation="")]
    done = asyncio.Event()

    def looked() -> list[Check]:
        if not dead:
            done.set()
        return checks

    # A logger of its own: the module's may be bound already to how an earlier test configured logging.
    lines = structlog.testing.LogCapture()
    monkeypatch.setattr(minute_log, "log", structlog.wrap_logger(None, processors=[lines]))
    task = asyncio.create_task(log_every_minute(looked, {3: shard}))
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert {line["event"]: line for line in lines.entries}.keys() == {
        "look at this", "journal head", "forgot readers that were killed: their pages can be used again",
    }  # fmt: skip
    assert [line["check"] for line in lines.entries if line["event"] == "look at this"][:2] == ["map", "map"]
    assert [line["readers"] for line in lines.entries if "readers" in line] == [2]
    assert next(line["position"] for line in lines.entries if line["event"] == "journal head") == 7
