"""The embedded runtime: turns, commits and deadlines, with a store that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import monotonic
from typing import Any

import pytest
from campus_folder import write_campus
from controlled_store import ControlledStore
from msgspec.structs import replace
from recorder import Recorder
from switch_in_process import ALICE, BALANCE, TILL, EmbeddedInProcess, card_of, inquiry, purchase

from actors.account.kind import ACCOUNT
from actors.placement import slot_of
from actors.recovery import recover
from switch import clock as clock_module
from switch import embedded as embedded_module
from switch.campus import SERVICES_BY_KIND, read_campus
from switch.mailbox import Parcel
from wire.codes import Code, Reason
from wire.messages import Hold

LONG_AGO_S = 1_000


@pytest.fixture
def store() -> Iterator[ControlledStore]:
    made = ControlledStore()
    yield made
    made.let_go()


@pytest.fixture
def policy(tmp_path):
    return read_campus(write_campus(tmp_path)).policy


@pytest.fixture
async def inside(store, policy) -> AsyncIterator[EmbeddedInProcess]:
    made = EmbeddedInProcess(store, policy)
    yield made
    store.let_go()
    store.mend()
    await made.embedded.stop()


@pytest.fixture
def sender() -> Recorder:
    return Recorder()


def submit(inside: EmbeddedInProcess, sender: Recorder, *requests: Any, received: float | None = None) -> Parcel:
    parcel = Parcel(sender, list(requests), monotonic() if received is None else received)
    inside.embedded.submit(parcel)
    return parcel


def balance(inside: EmbeddedInProcess) -> int:
    return inside.embedded.shard.state(ALICE).purses[0]


def codes(answers: list[Any]) -> list[tuple[Code, Reason]]:
    return [(answer.code, answer.reason) for answer in answers]


async def test_an_answer_leaves_only_when_its_commit_has_returned(inside, store, sender):
    order: list[str] = []
    store.on_durable = lambda: order.append("durable")
    sender.on_answers = lambda: order.append("answered")
    store.hold()
    submit(inside, sender, purchase(1))
    await store.begun()
    assert order == []
    assert balance(inside) == BALANCE
    store.let_go()
    (answer,) = await sender.wait_for(1)
    assert order == ["durable", "answered"]
    assert (answer.code, answer.balances) == (Code.APPROVED, (BALANCE - 100,))


async def test_what_arrives_during_a_commit_is_one_turn(inside, store, sender):
    store.hold()
    submit(inside, sender, purchase(1))
    await store.begun()
    before = store.commits
    for stan in range(2, 52):
        submit(inside, sender, purchase(stan))
    assert inside.embedded.mailbox.depth == 50
    store.let_go()
    answers = await sender.wait_for(51)
    assert store.commits == before + 2
    assert [answer.stan for answer in answers] == list(range(1, 52))
    assert {answer.code for answer in answers} == {Code.APPROVED}
    assert inside.meters.batch_sizes.sum == 51
    assert sum(inside.meters.batch_sizes.counts) == 2


async def test_what_arrives_in_one_round_of_the_loop_is_one_turn(inside, store, sender):
    before = store.commits
    for stan in range(1, 11):
        submit(inside, sender, purchase(stan))
    await sender.wait_for(10)
    assert store.commits == before + 1


async def test_a_turn_has_an_upper_bound(inside, store, sender, monkeypatch):
    monkeypatch.setattr(embedded_module, "TURN_REQUESTS_MAX", 4)
    before = store.commits
    for stan in range(1, 11):
        submit(inside, sender, purchase(stan))
    await sender.wait_for(10)
    assert store.commits == before + 3


async def test_answers_go_to_those_who_asked(inside, sender):
    other = Recorder()
    submit(inside, sender, purchase(1), purchase(2))
    submit(inside, other, purchase(3))
    submit(inside, sender, purchase(4))
    assert [answer.stan for answer in await sender.wait_for(3)] == [1, 2, 4]
    assert [answer.stan for answer in await other.wait_for(1)] == [3]


async def test_an_inquiry_needs_no_commit(inside, store, sender):
    before = store.commits
    submit(inside, sender, inquiry(1))
    (answer,) = await sender.wait_for(1)
    assert answer.balances == (BALANCE,)
    assert store.commits == before


async def test_a_repeat_is_answered_from_the_record_without_a_commit(inside, store, sender):
    submit(inside, sender, purchase(1))
    (first,) = await sender.wait_for(1)
    before = store.commits
    submit(inside, sender, purchase(1), purchase(1))
    assert await sender.wait_for(3) == [first] * 3
    assert store.commits == before
    assert inside.meters.repeats == 2
    assert inside.meters.answers == {("purchase", 0): 1}


async def test_who_waited_too_long_in_the_queue_is_told_so_and_nothing_happens(inside, store, sender):
    store.hold()
    submit(inside, sender, purchase(1))
    await store.begun()
    submit(inside, sender, purchase(2, wait_ms=500), purchase(3), received=monotonic() - 1)
    (late,) = await sender.wait_for(1)
    assert (late.stan, late.code, late.reason) == (2, Code.TOO_LATE, Reason.WAITED_TOO_LONG)
    assert inside.embedded.mailbox.depth == 1
    store.let_go()
    answers = await sender.wait_for(3)
    assert [answer.stan for answer in answers] == [2, 1, 3]
    assert balance(inside) == BALANCE - 200
    assert inside.meters.refusals == {(68, "waited-too-long"): 1}


async def test_who_is_late_already_when_the_turn_begins_is_left_out_of_it(inside, store, sender):
    before = store.commits
    submit(inside, sender, purchase(1, wait_ms=500), received=monotonic() - 1)
    (late,) = await sender.wait_for(1)
    assert late.code is Code.TOO_LATE
    assert store.commits == before
    assert balance(inside) == BALANCE


async def test_a_sender_whose_requests_were_all_late_hears_nothing_more(inside, store, sender):
    late = Recorder()
    store.hold()
    submit(inside, late, purchase(1, wait_ms=500), received=monotonic() - 1)
    submit(inside, sender, purchase(2))
    await store.begun()
    await late.wait_for(1)
    store.let_go()
    await sender.wait_for(1)
    assert late.deliveries == [1]


async def test_who_waits_too_long_for_a_commit_is_told_that_nobody_knows(inside, store, sender):
    store.hold()
    parcel = submit(inside, sender, purchase(1), purchase(2, wait_ms=600_000))
    await store.begun()
    parcel.received, parcel.deadline = parcel.received - 100, parcel.deadline - 100
    (unknown,) = await sender.wait_for(1)
    assert (unknown.stan, unknown.code, unknown.reason) == (1, Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN)
    store.let_go()
    answers = await sender.wait_for(2)
    assert [answer.stan for answer in answers] == [1, 2]
    assert answers[1].code is Code.APPROVED
    assert balance(inside) == BALANCE - 200
    submit(inside, sender, purchase(1))
    *_, again = await sender.wait_for(3)
    assert again.code is Code.APPROVED
    assert balance(inside) == BALANCE - 200


async def test_a_late_commit_delivers_nothing_to_who_has_been_answered(inside, store, sender):
    other = Recorder()
    store.hold()
    parcel = submit(inside, sender, purchase(1))
    submit(inside, other, purchase(2))
    await store.begun()
    parcel.received, parcel.deadline = parcel.received - LONG_AGO_S, parcel.deadline - LONG_AGO_S
    (unknown,) = await sender.wait_for(1)
    assert unknown.code is Code.SYSTEM_MALFUNCTION
    store.let_go()
    await other.wait_for(1)
    assert sender.deliveries == [1]


async def test_a_refused_commit_is_undone_and_a_later_one_works(inside, store, sender):
    shard = inside.embedded.shard
    head = shard.head
    store.refuse()
    submit(inside, sender, purchase(1), inquiry(2))
    answers = await sender.wait_for(2)
    assert codes(answers) == [(Code.TRY_AGAIN, Reason.STORE_FULL)] * 2
    assert all(answer.retry_after_ms > 0 for answer in answers)
    assert (shard.head, balance(inside)) == (head, BALANCE)
    assert [terminal.pending for terminal in shard.terminals.values() if terminal.pending] == []
    assert "full" in inside.embedded.problem()
    assert inside.meters.commits_refused == 1
    assert inside.meters.answers == {}
    store.mend()
    submit(inside, sender, purchase(1))
    *_, answer = await sender.wait_for(3)
    assert (answer.code, answer.balances) == (Code.APPROVED, (BALANCE - 100,))
    assert inside.embedded.problem() is None
    assert inside.broken == []


async def test_what_waited_behind_a_refused_commit_has_its_own_turn(inside, store, sender):
    store.hold()
    submit(inside, sender, purchase(1))
    await store.begun()
    submit(inside, sender, purchase(2))
    store.refuse()
    store.let_go()
    assert codes(await sender.wait_for(2)) == [(Code.TRY_AGAIN, Reason.STORE_FULL)] * 2
    assert inside.meters.commits_refused == 2


async def test_a_broken_commit_stops_the_shard(inside, store, sender):
    store.hold()
    submit(inside, sender, purchase(1))
    await store.begun()
    submit(inside, sender, purchase(2))
    store.break_down()
    store.let_go()
    async with asyncio.timeout(20):
        await inside.embedded.drain()
    assert inside.broken == [store.failure]
    assert sender.answers == []
    assert inside.embedded.refusal is Reason.NOT_READY
    assert "stopped" in inside.embedded.problem()
    assert balance(inside) == BALANCE


@pytest.mark.parametrize("step", ["decide", "adopt"])
async def test_a_turn_that_fails_in_the_shard_stops_it(inside, sender, monkeypatch, step):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(inside.embedded.shard, step, fail)
    submit(inside, sender, purchase(1))
    async with asyncio.timeout(20):
        await inside.embedded.drain()
    assert [str(error) for error in inside.broken] == ["a bug"]
    assert inside.embedded.refusal is Reason.NOT_READY
    assert inside.embedded.problem() is not None


async def test_drain_waits_for_everything_submitted(inside, store, sender):
    await inside.embedded.drain()
    store.hold()
    submit(inside, sender, purchase(1))
    draining = asyncio.create_task(inside.embedded.drain())
    await store.begun()
    submit(inside, sender, purchase(2))
    assert not draining.done()
    store.let_go()
    await draining
    assert len(sender.answers) == 2


async def test_after_a_stop_nothing_is_left_to_replay(store, policy, sender):
    inside = EmbeddedInProcess(store, policy)
    submit(inside, sender, purchase(1))
    await sender.wait_for(1)
    assert inside.embedded.shard.snapshot_lag == 1
    await inside.embedded.stop()
    again = recover(store, ACCOUNT)
    assert again.snapshot_lag == 0
    assert again.state(ALICE).purses == (BALANCE - 100,)


async def test_a_stop_without_space_leaves_the_journal_to_the_next_start(store, policy, sender):
    inside = EmbeddedInProcess(store, policy)
    submit(inside, sender, purchase(1))
    await sender.wait_for(1)
    store.refuse()
    await inside.embedded.stop()
    again = recover(store, ACCOUNT)
    assert again.snapshot_lag == 1
    assert again.state(ALICE).purses == (BALANCE - 100,)


@pytest.fixture
async def lagging(store, policy) -> AsyncIterator[EmbeddedInProcess]:
    """With snapshots that lag as far behind as they may after two events."""
    made = EmbeddedInProcess(store, policy, snapshot_lag=1)
    made.embedded.shard._pace = lambda _events: (0, 0)
    yield made
    store.let_go()
    store.mend()
    await made.embedded.stop()


async def test_nothing_is_admitted_while_snapshots_lag_too_far_behind(lagging, store, sender):
    submit(lagging, sender, purchase(1), purchase(2))
    await sender.wait_for(2)
    assert lagging.embedded.refusal is None
    assert lagging.embedded.problem() is None
    store.hold()
    submit(lagging, sender, purchase(3))
    await store.begun()
    store.let_go()
    await sender.wait_for(3)
    # The catching up goes on by itself, and when it is done requests are admitted again.
    async with asyncio.timeout(20):
        await lagging.embedded.drain()
    assert lagging.embedded.refusal is None
    assert lagging.embedded.shard.snapshot_lag == 0


async def test_while_it_catches_up_it_refuses(lagging, store, sender):
    submit(lagging, sender, purchase(1), purchase(2))
    await sender.wait_for(2)
    store.hold()
    submit(lagging, sender, purchase(3))
    await store.begun()
    sender.on_answers = store.hold
    store.let_go()
    await sender.wait_for(3)
    await store.begun()
    assert lagging.embedded.refusal is Reason.BUSY_SHARD
    assert "snapshots lag 3 events behind" in lagging.embedded.problem()


async def test_catching_up_without_space_rests_between_attempts(lagging, store, sender):
    submit(lagging, sender, purchase(1), purchase(2), purchase(3))
    sender.on_answers = store.refuse
    await sender.wait_for(3)
    async with asyncio.timeout(20):
        await lagging.embedded.drain()
        assert lagging.embedded.refusal is Reason.BUSY_SHARD
        assert lagging.meters.commits_refused == 1
        store.mend()
        while lagging.embedded.refusal is not None:
            store.hold()
            store.let_go()
            await store.begun()
            await lagging.embedded.drain()
    assert lagging.embedded.shard.snapshot_lag == 0


class JumpedClock:
    """The system clock, two hours off since the switch started."""

    def problem(self, _newest_event_us: int) -> str | None:
        return "the system clock jumped"

    def now_us(self) -> int:
        raise AssertionError("nothing may be stamped")


async def test_no_event_is_stamped_with_a_clock_that_jumped(inside, store, sender):
    before = store.commits
    inside.embedded._clock = JumpedClock()
    submit(inside, sender, purchase(1), inquiry(2))
    assert codes(await sender.wait_for(2)) == [(Code.TRY_AGAIN, Reason.NOT_READY)] * 2
    assert store.commits == before
    assert inside.embedded.problem() == "the system clock jumped"


async def test_a_clock_that_jumped_does_not_keep_a_lagging_shard_busy(lagging, sender):
    submit(lagging, sender, purchase(1), purchase(2), purchase(3))
    sender.on_answers = lambda: setattr(lagging.embedded, "_clock", JumpedClock())
    await sender.wait_for(3)
    async with asyncio.timeout(20):
        await lagging.embedded.drain()
    assert lagging.embedded.refusal is Reason.BUSY_SHARD


async def test_a_quiet_shard_finds_an_overdue_hold_by_itself(inside, store, sender, monkeypatch):
    policy, shard = inside.embedded.policy, inside.embedded.shard
    bath = replace(policy.terminals[TILL], services=SERVICES_BY_KIND["bath"])
    inside.embedded.policy = replace(policy, terminals={TILL: bath})
    submit(inside, sender, Hold(TILL, 1, 60_000, ALICE, card_of(ALICE), 100))
    await sender.wait_for(1)
    assert len(shard.state(ALICE).holds) == 1
    expires_us = shard.state(ALICE).due_us
    monkeypatch.setattr(embedded_module, "SWEEP_INTERVAL_S", 0.0)
    monkeypatch.setattr(inside.clock, "now_us", lambda: expires_us)
    monkeypatch.setattr(inside.clock, "problem", lambda _: None)
    monkeypatch.setattr(embedded_module, "SLOTS", 1)  # it goes round: the next is again the account's
    inside.embedded._next_swept = slot_of(ALICE)
    before = store.commits
    store.hold()
    await store.begun()
    assert len(shard.state(ALICE).holds) == 1
    store.let_go()
    async with asyncio.timeout(20):
        await inside.embedded.drain()
    assert shard.state(ALICE).holds == ()
    assert store.commits == before + 1
    assert [answer.stan for answer in sender.answers] == [1]
    assert inside.meters.answers == {("hold", 0): 1}


async def test_the_sweep_goes_round_slot_by_slot_and_writes_nothing_where_nothing_is_due(inside, store, monkeypatch):
    swept: list[int | None] = []
    ended = asyncio.Event()
    decide = inside.embedded.shard.decide

    def watch(*arguments: Any, sweep: int | None = None) -> Any:
        swept.append(sweep)
        if len(swept) == 6:
            ended.set()
        return decide(*arguments, sweep=sweep)

    monkeypatch.setattr(embedded_module, "SLOTS", 3)
    monkeypatch.setattr(embedded_module, "SWEEP_INTERVAL_S", 0.0)
    monkeypatch.setattr(inside.embedded.shard, "decide", watch)
    inside.embedded._next_swept = 0
    before = store.commits
    async with asyncio.timeout(20):
        await ended.wait()
    assert swept[:6] == [0, 1, 2, 0, 1, 2]
    assert store.commits == before


async def test_nothing_is_swept_while_the_store_is_full(inside, store, sender, monkeypatch):
    store.refuse()
    submit(inside, sender, purchase(1))
    await sender.wait_for(1)
    monkeypatch.setattr(embedded_module, "SWEEP_INTERVAL_S", 0.0)
    assert inside.embedded.store_full
    assert not inside.embedded._must_sweep(monotonic())
    store.mend()
    submit(inside, sender, purchase(2))
    await sender.wait_for(2)
    assert inside.embedded._must_sweep(monotonic())


async def test_time_never_runs_backwards_in_the_journal(inside, sender, monkeypatch):
    submit(inside, sender, purchase(1))
    await sender.wait_for(1)
    first_us = inside.embedded.shard.time_us
    an_hour_less = clock_module.JUMP_US_MAX - 10_000_000
    now_us = inside.clock.now_us
    monkeypatch.setattr(inside.clock, "now_us", lambda: now_us() - an_hour_less)
    submit(inside, sender, purchase(2))
    *_, answer = await sender.wait_for(2)
    assert answer.code is Code.APPROVED
    assert inside.embedded.shard.time_us == first_us
