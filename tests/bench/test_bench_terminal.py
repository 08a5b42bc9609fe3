"""A terminal of the recovery benchmark goes on after whatever may happen to its switch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from campus_folder import KEYS, NORTH, NORTH_TILLS, card_of
from switch_in_process import ALICE, GatewayInProcess, gateway_in_process

import bench.terminal
from actors.memory_store import MemoryStore
from bench.campus import Station
from bench.terminal import Terminal
from wire.codes import Code, Reason

STATION = Station(NORTH, KEYS[NORTH], NORTH_TILLS)


class NoWait(Random):
    """For a back-off of nothing."""

    def random(self) -> float:
        return 0.0


@pytest.fixture(autouse=True)
def cards_of_the_test_campus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.terminal, "card_serial", card_of)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[GatewayInProcess]:
    async with gateway_in_process(tmp_path, MemoryStore()) as running:
        yield running


@pytest.fixture
async def terminal(running: GatewayInProcess) -> AsyncIterator[Terminal]:
    terminal = Terminal(STATION, running.address, NoWait())
    yield terminal
    terminal.disconnect()


async def test_every_purchase_is_a_new_one(terminal: Terminal) -> None:
    for _ in range(3):
        await terminal.approved(ALICE)
    assert terminal.connects == 1
    assert terminal.codes == {Code.APPROVED: 3}
    assert len(set(terminal.authorizations)) == 3


async def test_lost_connection_is_made_again(running: GatewayInProcess, terminal: Terminal) -> None:
    await terminal.approved(ALICE)
    for session in running.gateway.sessions:
        session.abort()
    await terminal.approved(ALICE)
    assert terminal.connects == 2
    assert terminal.codes == {Code.APPROVED: 2, None: 1}


async def test_refused_sign_on_is_no_answer(running: GatewayInProcess, terminal: Terminal) -> None:
    running.gateway.sign_ons_refused = Reason.NOT_READY
    assert await terminal.ask(ALICE) is None
    running.gateway.sign_ons_refused = None
    await terminal.approved(ALICE)
    assert terminal.connects == 1


async def test_decline_is_an_answer(terminal: Terminal) -> None:
    answer = await terminal.ask("999")
    assert answer is not None
    assert answer.code is Code.NO_SUCH_ACCOUNT
    assert not terminal.authorizations


async def test_nobody_listens(running: GatewayInProcess, terminal: Terminal) -> None:
    await running.gateway.stop()
    assert await terminal.ask(ALICE) is None
    assert terminal.connects == 0


async def test_silent_switch_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.terminal, "UNANSWERED_S_MAX", 0.01)
    left = asyncio.Event()

    async def hear_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        left.set()

    async with await asyncio.start_server(hear_only, "127.0.0.1", 0) as server:
        terminal = Terminal(STATION, server.sockets[0].getsockname(), NoWait())
        assert await terminal.ask(ALICE) is None
        await left.wait()
    assert terminal.codes == {None: 1}
