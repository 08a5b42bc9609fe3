"""A handle whose calls are lost, doubled, cut and late: every request is answered once, and never wrongly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import Any

import pytest
from campus_folder import account_number, write_campus
from controlled_store import ControlledStore
from recorder import Recorder
from structlog.testing import capture_logs
from switch_in_process import ACCOUNTS, ALICE, BALANCE, EmbeddedInProcess, purchase

from switch import remote_shard
from switch.batches import decode_parcels
from switch.campus import read_campus
from switch.mailbox import Parcel
from switch.meters import Meters
from switch.remote_shard import CALLS_MAX, RemoteShard, ShardUnreachableError
from switch.shard_host import ShardHost
from wire.codes import Code, Reason

Call = Callable[[bytes], Awaitable[bytes]]


class Line:
    """The way to a shard, which does to each call what the test says."""

    def __init__(self, host: ShardHost) -> None:
        self.host = host
        self.calls: list[list[Any]] = []
        """The requests of each call so far."""

        self.in_flight = 0
        self.most_in_flight = 0
        self.fault: Callable[[Call], Call] = lambda answer: answer

    async def __call__(self, call: bytes) -> bytes:
        self.calls.append([request for parcel in decode_parcels(call) for request in parcel.requests])
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.fault(self.host.answer)(call)
        finally:
            self.in_flight -= 1


def never_arrives(_answer: Call) -> Call:
    async def lost(_call: bytes) -> bytes:
        raise ShardUnreachableError("gone")

    return lost


def answer_is_lost(answer: Call) -> Call:
    async def lost(call: bytes) -> bytes:
        await answer(call)
        raise ShardUnreachableError("gone")

    return lost


def hangs(_answer: Call) -> Call:
    async def wait(_call: bytes) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError("never set")

    return wait


@pytest.fixture
async def inside(tmp_path) -> AsyncIterator[EmbeddedInProcess]:
    made = EmbeddedInProcess(ControlledStore(), read_campus(write_campus(tmp_path)).policy, mailbox_max=10_000)
    yield made
    await made.embedded.stop()


@pytest.fixture
def line(inside) -> Line:
    return Line(ShardHost(inside.embedded, inside.meters))


@pytest.fixture
async def remote(line, monkeypatch) -> AsyncIterator[RemoteShard]:
    monkeypatch.setattr(remote_shard, "SEND_AGAIN_S", 0.002)
    made = RemoteShard(line, Meters(), 10_000, lambda: None)
    yield made
    made._tick.cancel()
    for task in list(made._calls):
        task.cancel()
    await asyncio.gather(*made._calls, return_exceptions=True)


def submit(remote: RemoteShard, sender: Recorder, *requests: Any) -> None:
    remote.submit(Parcel(sender, list(requests), monotonic()))


def balance(inside: EmbeddedInProcess) -> int:
    return inside.embedded.shard.state(ALICE).purses[0]


async def test_what_gathers_while_calls_are_in_flight_is_one_call(remote, line):
    sender, gate = Recorder(), asyncio.Event()

    def held(answer: Call) -> Call:
        async def wait(call: bytes) -> bytes:
            await gate.wait()
            return await answer(call)

        return wait

    line.fault = held
    for stan in range(1, 4):
        submit(remote, sender, purchase(stan))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [len(call) for call in line.calls] == [3]
    for stan in range(4, 10):
        submit(remote, sender, purchase(stan))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gate.set()
    await remote.drain()
    assert [len(call) for call in line.calls] == [3, 1, 5]
    assert line.most_in_flight == CALLS_MAX
    assert sorted(answer.stan for answer in sender.answers) == list(range(1, 10))


@pytest.mark.parametrize("fault", [never_arrives, answer_is_lost])
async def test_a_call_that_fails_is_made_again_and_counts_once(remote, line, inside, fault):
    sender = Recorder()
    line.fault = fault
    submit(remote, sender, purchase(1), purchase(2, amount=BALANCE * 2))
    while len(line.calls) < 3:  # noqa: ASYNC110 - the line only counts
        await asyncio.sleep(0.001)
    line.fault = lambda answer: answer
    await sender.wait_for(2)
    assert [(answer.stan, answer.code) for answer in sender.answers] == [
        (1, Code.APPROVED), (2, Code.OVER_AMOUNT_LIMIT),
    ]  # fmt: skip
    assert balance(inside) == BALANCE - 100


async def test_an_outage_is_logged_once_and_its_end(remote, line):
    sender = Recorder()
    with capture_logs() as logged:
        for stan in (1, 2):
            line.fault = never_arrives
            calls = len(line.calls)
            submit(remote, sender, purchase(stan))
            while len(line.calls) < calls + 3:  # noqa: ASYNC110 - the line only counts
                await asyncio.sleep(0.001)
            line.fault = lambda answer: answer
            await sender.wait_for(stan)
    assert [(entry["event"].partition(";")[0], entry["log_level"]) for entry in logged] == [
        ("shard out of reach", "warning"), ("shard answers again", "info"),
    ] * 2  # fmt: skip


async def test_try_again_is_no_answer_once_a_copy_may_have_been_decided(remote, line, inside):
    sender = Recorder()
    line.fault = answer_is_lost
    submit(remote, sender, purchase(1))
    while not line.calls or line.in_flight:  # noqa: ASYNC110 - the line only counts
        await asyncio.sleep(0.001)
    line.fault = lambda answer: answer
    inside.embedded.refusal = Reason.NOT_READY
    asked = len(line.calls)
    while len(line.calls) < asked + 3:  # noqa: ASYNC110 - the line only counts
        await asyncio.sleep(0.001)
    assert sender.answers == []
    inside.embedded.refusal = None
    (answer,) = await sender.wait_for(1)
    assert (answer.code, balance(inside)) == (Code.APPROVED, BALANCE - 100)


async def test_try_again_is_an_answer_where_no_copy_was_sent_before(remote, line, inside):
    sender = Recorder()
    inside.embedded.refusal = Reason.NOT_READY
    submit(remote, sender, purchase(1))
    (answer,) = await sender.wait_for(1)
    assert (answer.code, answer.reason, len(line.calls)) == (Code.TRY_AGAIN, Reason.NOT_READY, 1)
    assert inside.meters.refusals == {(int(Code.TRY_AGAIN), Reason.NOT_READY.value): 1}


@pytest.mark.parametrize("fault", [never_arrives, answer_is_lost, hangs])
async def test_outcome_is_unknown_at_the_deadline(remote, line, fault):
    sender = Recorder()
    line.fault = fault
    submit(remote, sender, purchase(1, wait_ms=150))
    (answer,) = await sender.wait_for(1)
    assert (answer.code, answer.reason) == (Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN)
    line.fault = lambda answer: answer


async def test_a_call_that_nobody_waits_for_frees_its_place(remote, line, inside):
    sender = Recorder()
    line.fault = hangs
    for stan in range(1, CALLS_MAX + 1):
        submit(remote, sender, purchase(stan, wait_ms=50))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await sender.wait_for(CALLS_MAX)
    line.fault = lambda answer: answer
    submit(remote, sender, purchase(9))
    assert (await sender.wait_for(CALLS_MAX + 1))[-1].code is Code.APPROVED
    async with asyncio.timeout(20):
        await remote.drain()
    assert (line.in_flight, balance(inside)) == (0, BALANCE - 100)


async def test_what_was_never_handed_over_is_too_late(remote, line, inside):
    sender = Recorder()
    line.fault = hangs
    for stan in range(1, CALLS_MAX + 1):
        submit(remote, sender, purchase(stan))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    submit(remote, sender, purchase(9, wait_ms=50))
    (answer,) = await sender.wait_for(1)
    assert (answer.stan, answer.code, answer.reason) == (9, Code.TOO_LATE, Reason.WAITED_TOO_LONG)
    assert balance(inside) == BALANCE


async def test_an_answer_that_cannot_be_read_is_96_and_costs_only_its_call(remote, line):
    sender = Recorder()

    def garbled(_answer: Call) -> Call:
        async def noise(_call: bytes) -> bytes:
            return b"\xc1"

        return noise

    line.fault = garbled
    submit(remote, sender, purchase(1))
    (answer,) = await sender.wait_for(1)
    assert answer.code is Code.SYSTEM_MALFUNCTION
    line.fault = lambda answer: answer
    submit(remote, sender, purchase(2))
    assert (await sender.wait_for(2))[1].code is Code.APPROVED


def someones(stan: int) -> Any:
    """A purchase of 1 on one of all accounts: their chains are short, so that no walk for a copy is put off."""
    return purchase(stan, amount=1, account=account_number(1 + stan % ACCOUNTS))


@pytest.mark.parametrize("seed", range(8))
async def test_each_request_is_answered_once_whatever_happens_to_calls(remote, line, inside, seed):
    chance = random.Random(seed)
    faults = [never_arrives, answer_is_lost, lambda answer: answer, lambda answer: answer]

    def any_fault(answer: Call) -> Call:
        return chance.choice(faults)(answer)

    line.fault = any_fault
    senders = [Recorder() for _ in range(5)]
    expected: list[list[int]] = [[] for _ in senders]
    for stan in range(1, 200):
        place = chance.randrange(len(senders))
        asked = [someones(stan), *([someones(chance.randint(1, stan))] if stan % 7 == 0 else [])]
        expected[place] += [request.stan for request in asked]
        submit(remote, senders[place], *asked)
        if chance.random() < 0.3:
            await asyncio.sleep(0)
    await remote.drain()
    assert [sorted(answer.stan for answer in sender.answers) for sender in senders] == [sorted(s) for s in expected]
    answers = [answer for sender in senders for answer in sender.answers]
    assert {answer.code for answer in answers} == {Code.APPROVED}, f"seed {seed}"
    assert len({answer.authorization for answer in answers}) == 199
    held = sum(inside.embedded.shard.state(account_number(number)).purses[0] for number in range(1, ACCOUNTS + 1))
    assert held == ACCOUNTS * BALANCE - 199
