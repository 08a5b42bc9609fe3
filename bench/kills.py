"""Rounds of kills on a running cluster under load, and how long after each what it touched is approved again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Sequence
from random import Random
from time import monotonic
from typing import Final, NamedTuple

import click
import msgspec
from msgspec import Struct

from actors.placement import shard_of, slot_of
from bench.campus import ACCOUNTS, Station, account_number
from bench.nodes import Node
from bench.processes import Measured
from bench.terminal import Terminal
from switch.cluster_status import ClusterStatus
from wire.codes import Code

LOADING: Final = 20
PAUSE_S: Final = 0.1
"""How many terminals are the load, and how long each waits between an answer and its next purchase."""

PROBING: Final = 16
"""Terminals that take the samples; of a gateway, those that it had, which is half of them on average."""

APPROVED_S_MAX: Final = 60.0
BACK_S_MAX: Final = 120.0
LOOK_AGAIN_S: Final = 0.1


class RecoveryError(Exception):
    """The switch did not do what it must; the text says what."""


class Victim(NamedTuple):
    """What a round kills."""

    kind: str
    """`shard` or `gateway`: its process; `node`: the one with the shard of that number."""

    number: int


class Round(Struct, frozen=True):
    """One kill."""

    kind: str
    samples_s: list[float]
    """From the kill to the first approval of a purchase that was sent after it."""


class Asked(Struct, frozen=True):
    """What all terminals were answered."""

    codes: Counter[Code | None]
    authorizations: list[int]


class Running(Struct, frozen=True):
    """A switch on nodes that can be killed: node N has the data of shard N."""

    nodes: list[Node]
    switch: Measured

    def status(self) -> ClusterStatus:
        """What `/status.json` says."""
        page = self.switch.page("/status.json")
        assert page is not None, "a switch on Ray has this page"
        return msgspec.json.decode(page, type=ClusterStatus)

    def pids(self, victim: Victim) -> dict[str, int]:
        """The processes that are lost with the victim, by name."""
        status = self.status()
        if victim.kind == "node":
            node = status.shards[victim.number].node
            return {process.name: process.pid for process in status.processes if process.node == node}
        name = f"{victim.kind}-{victim.number}"
        return {process.name: process.pid for process in status.processes if process.name == name}

    def is_back(self, lost: dict[str, int]) -> bool:
        """Whether others run in the place of those that were lost, and the switch is ready."""
        now = {process.name: process.pid for process in self.status().processes}
        return all(now[name] != pid for name, pid in lost.items()) and self.switch.page("/readyz") is not None


def accounts_of(shard: int, shards: int) -> list[str]:
    """The accounts that one of `shards` shards owns."""
    return [account for account in map(account_number, range(ACCOUNTS)) if shard_of(slot_of(account), shards) == shard]


async def measure(
    there: Running, stations: Sequence[Station], victims: Sequence[Victim], rounds: int, seed: int
) -> tuple[list[Round], Asked]:
    """Kill one of `victims` in each round, under load. Raises RecoveryError."""
    random = Random(seed)
    terminals = [
        Terminal(station, there.switch.terminals, Random(f"{seed} {station.name}"))
        for station in stations[: PROBING + LOADING]
    ]
    probing, loading = terminals[:PROBING], terminals[PROBING:]
    measured: list[Round] = []
    load = [asyncio.create_task(_spend(terminal, Random(f"{seed} {n}"))) for n, terminal in enumerate(loading)]
    try:
        for number in range(1, rounds + 1):
            victim = random.choice(victims)
            accounts = random.sample(accounts_of(victim.number, len(there.nodes)), PROBING)
            measured.append(await one_round(there, victim, probing, accounts))
            samples = ", ".join(f"{sample:.2f}" for sample in measured[-1].samples_s)
            click.echo(f"{number}: {victim.kind} {victim.number}: {samples} s", err=True)
    finally:
        for task in load:
            task.cancel()
        ends = await asyncio.gather(*load, return_exceptions=True)
        for terminal in terminals:
            terminal.disconnect()
    for end in ends:
        if not isinstance(end, asyncio.CancelledError):
            raise RecoveryError(f"a terminal of the load failed: {end!r}")
    codes: Counter[Code | None] = Counter()
    for terminal in terminals:
        codes += terminal.codes
    return measured, Asked(codes, [number for terminal in terminals for number in terminal.authorizations])


async def one_round(there: Running, victim: Victim, probing: Sequence[Terminal], accounts: Sequence[str]) -> Round:
    """Kill, take the samples, and wait until the switch is whole again. Raises RecoveryError."""
    # Anew, so that each gateway has some: after the last kill of one, all are with the other.
    await asyncio.gather(*(terminal.connect() for terminal in probing))
    connects = [terminal.connects for terminal in probing]
    lost = await asyncio.to_thread(there.pids, victim)
    began = monotonic()
    await _kill(there, victim, lost)
    waits, _ = await asyncio.gather(
        asyncio.gather(*(_approval(there, *asking, began) for asking in zip(probing, accounts, strict=True))),
        _start_again(there, victim),
    )
    await _until_back(there, victim, lost)
    if victim.kind == "gateway":
        hit = [terminal.connects > before for terminal, before in zip(probing, connects, strict=True)]
        waits = [wait for wait, lost_connection in zip(waits, hit, strict=True) if lost_connection]
    return Round(victim.kind, waits)


async def _spend(terminal: Terminal, random: Random) -> None:
    while True:
        await terminal.ask(account_number(random.randrange(ACCOUNTS)))
        await asyncio.sleep(PAUSE_S)


async def _kill(there: Running, victim: Victim, lost: dict[str, int]) -> None:
    if victim.kind == "node":
        await asyncio.to_thread(there.nodes[victim.number].kill)
    else:
        (pid,) = lost.values()
        os.kill(pid, signal.SIGKILL)


async def _start_again(there: Running, victim: Victim) -> None:
    """What systemd does for a node; of a process, Ray takes care."""
    if victim.kind == "node":
        await asyncio.to_thread(there.nodes[victim.number].start)


async def _approval(there: Running, terminal: Terminal, account: str, began: float) -> float:
    """Seconds until one new purchase after the other has led to an approval."""
    codes = terminal.codes.copy()
    try:
        async with asyncio.timeout(APPROVED_S_MAX):
            await terminal.approved(account)
    except TimeoutError as error:
        answers = dict(terminal.codes - codes)
        said = await asyncio.to_thread(_said, there)
        raise RecoveryError(
            f"account {account} was not approved within {APPROVED_S_MAX:.0f} s: {answers}; {said}"
        ) from error
    return monotonic() - began


async def _until_back(there: Running, victim: Victim, lost: dict[str, int]) -> None:
    try:
        async with asyncio.timeout(BACK_S_MAX):
            while not await asyncio.to_thread(there.is_back, lost):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError as error:
        said = await asyncio.to_thread(_said, there)
        raise RecoveryError(f"{victim.kind} {victim.number} is not back within {BACK_S_MAX:.0f} s: {said}") from error


def _said(there: Running) -> str:
    """What the switch says is wrong, and where to read on."""
    status = there.status()
    wrong = [f"{check.name}: {check.explanation}" for check in status.checks() if not check.ok]
    return f"{'; '.join(wrong) or 'everything serves'}; logs in {status.log_folder}"
