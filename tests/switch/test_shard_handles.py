"""What a shard's handle promises, whether the shard is in this process or behind calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import monotonic
from typing import Any

import pytest
from campus_folder import write_campus
from controlled_store import ControlledStore
from recorder import Recorder
from switch_in_process import ALICE, BALANCE, EmbeddedInProcess, inquiry, purchase

from switch.campus import read_campus
from switch.mailbox import Parcel
from switch.meters import Meters
from switch.remote_shard import RemoteShard
from switch.shard_host import ShardHost
from switch.shards import ShardHandle
from wire.codes import Code, Reason

LONG_AGO_S = 1_000
MAILBOX_MAX = 50


class Joined:
    """A handle, and the shard that it leads to."""

    def __init__(self, handle: ShardHandle, inside: EmbeddedInProcess) -> None:
        self.handle = handle
        self.inside = inside

    def submit(self, sender: Recorder, *requests: Any, received: float | None = None) -> None:
        self.handle.submit(Parcel(sender, list(requests), monotonic() if received is None else received))

    @property
    def balance(self) -> int:
        return self.inside.embedded.shard.state(ALICE).purses[0]


@pytest.fixture
def store() -> Iterator[ControlledStore]:
    made = ControlledStore()
    yield made
    made.let_go()


@pytest.fixture(params=["local", "remote"])
async def joined(request, store, tmp_path) -> AsyncIterator[Joined]:
    policy = read_campus(write_campus(tmp_path)).policy
    inside = EmbeddedInProcess(store, policy, mailbox_max=MAILBOX_MAX)
    if request.param == "local":
        yield Joined(inside.embedded, inside)
    else:
        remote = RemoteShard(ShardHost(inside.embedded, inside.meters).answer, Meters(), MAILBOX_MAX, lambda: None)
        yield Joined(remote, inside)
        store.let_go()
        store.mend()
        await remote.stop()
    store.let_go()
    store.mend()
    await inside.embedded.stop()


@pytest.fixture
def sender() -> Recorder:
    return Recorder()


def words(answers: list[Any]) -> list[tuple[Code, Reason]]:
    return [(answer.code, answer.reason) for answer in answers]


async def test_an_answer_leaves_only_when_its_commit_has_returned(joined, store, sender):
    store.hold()
    joined.submit(sender, purchase(1))
    await store.begun()
    assert (sender.answers, joined.balance) == ([], BALANCE)
    store.let_go()
    (answer,) = await sender.wait_for(1)
    assert (answer.code, answer.balances) == (Code.APPROVED, (BALANCE - 100,))
    assert joined.handle.time_us == joined.inside.embedded.shard.time_us > 0


async def test_every_request_is_answered_once_to_its_own_sender(joined, sender):
    other = Recorder()
    joined.submit(sender, purchase(1), inquiry(2), purchase(3, account="404"))
    joined.submit(other, purchase(4), purchase(1))
    await joined.handle.drain()
    assert [(answer.stan, answer.code) for answer in sender.answers] == [
        (1, Code.APPROVED), (2, Code.APPROVED), (3, Code.NO_SUCH_ACCOUNT),
    ]  # fmt: skip
    assert sorted(answer.stan for answer in other.answers) == [1, 4]
    assert joined.balance == BALANCE - 200


async def test_what_nobody_waits_for_any_more_has_no_effect(joined, sender):
    joined.submit(sender, purchase(1, wait_ms=10), purchase(2), received=monotonic() - 0.5)
    answers = sorted(await sender.wait_for(2), key=lambda answer: answer.stan)
    assert words(answers) == [(Code.TOO_LATE, Reason.WAITED_TOO_LONG), (Code.APPROVED, Reason.NONE)]
    assert joined.balance == BALANCE - 100


async def test_outcome_is_unknown_when_the_commit_outlasts_the_terminals_patience(joined, store, sender):
    store.hold()
    joined.submit(sender, purchase(1, wait_ms=100), purchase(2))
    await store.begun()
    (unknown,) = await sender.wait_for(1)
    assert (unknown.stan, unknown.code, unknown.reason) == (1, Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN)
    store.let_go()
    await sender.wait_for(2)
    assert (sender.answers[1].stan, sender.answers[1].code) == (2, Code.APPROVED)
    joined.submit(sender, purchase(1))
    assert (await sender.wait_for(3))[2].code is Code.APPROVED
    assert joined.balance == BALANCE - 200


async def test_a_refused_commit_is_told_to_try_again(joined, store, sender):
    store.refuse()
    joined.submit(sender, purchase(1), inquiry(2))
    answers = sorted(await sender.wait_for(2), key=lambda answer: answer.stan)
    assert {answer.code for answer in answers} == {Code.TRY_AGAIN}
    store.mend()
    joined.submit(sender, purchase(1))
    assert (await sender.wait_for(3))[2].code is Code.APPROVED
    assert joined.balance == BALANCE - 100


async def test_room_is_what_the_mailbox_has_left(joined, store, sender):
    store.hold()
    joined.submit(sender, purchase(1))
    await store.begun()
    before = joined.handle.room()
    waiting = [purchase(stan) for stan in range(2, before + 2)]
    joined.submit(sender, *waiting)
    await asyncio.sleep(0)
    assert joined.handle.room() in {0, before}  # a second call may already carry them
    store.let_go()
    await joined.handle.drain()
    assert joined.handle.room() == MAILBOX_MAX
    assert len(sender.answers) == before + 1
