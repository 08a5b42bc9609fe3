"""A data folder for another number of shards answers as the old one did, and gives no authorization number again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from example_campus import (
    BREAKFAST_TILL,
    CALENDAR,
    DAY_US,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TILL,
    TOP_UP_MACHINE,
    advice,
    answer_of,
    answers_of,
    events_of,
    opened_shard,
    opening,
    perform,
    purchase,
    reversal,
    top_up,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors import resharding
from actors.account.kind import ACCOUNT
from actors.authorizations import Authorizations
from actors.calendar import Moment
from actors.comparison import compare
from actors.journal import Journal
from actors.memory_store import MemoryStore
from actors.opening import open_accounts
from actors.placement import shard_of, slot_of, slots_of
from actors.recovery import recover
from actors.resharding import rewrite
from actors.shard import Shard
from actors.snapshots import Snapshots
from actors.store import Row, Store, StoredBatch, StoreFormatError
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import Advice, Reversal

NUMBERS = [f"2026{index:04}" for index in range(0, 5_000, 500)]
MACHINES = [TILL.number, OTHER_TILL.number, TOP_UP_MACHINE.number]


class Folder:
    """The shards of a data folder in memory."""

    def __init__(self, shards: int, after: int = 0, **bounds: int) -> None:
        self.stores: list[Store] = [MemoryStore() for _ in range(shards)]
        self.after = after
        self.bounds = bounds
        self.shards: list[Shard] = []
        self.restart()

    def restart(self) -> None:
        self.shards = [
            recover(store, ACCOUNT, number, authorizations_after=self.after, **self.bounds)
            for number, store in enumerate(self.stores)
        ]

    def owner(self, number: str) -> Shard:
        return self.shards[shard_of(slot_of(number), len(self.shards))]

    def open(self, numbers: Sequence[str], moment: Moment) -> None:
        for shard in self.shards:
            open_accounts(shard, [opening(number) for number in numbers if self.owner(number) is shard], moment)

    def ask(self, requests: Sequence[Any], moment: Moment) -> list[Any]:
        """The answers in the requests' order, each shard's in one turn."""
        answers = {}
        for shard in self.shards:
            own = [place for place, request in enumerate(requests) if self.owner(request.account) is shard]
            answers.update(zip(own, perform(shard, *(requests[place] for place in own), moment=moment), strict=True))
        return [answers[place] for place in range(len(requests))]

    def repeat(self, request: Any, moment: Moment) -> Any:
        """The answer to a request that was sent before: it must have no effect."""
        shard = self.owner(request.account)
        turn = shard.decide([request], moment, POLICY)
        assert not turn.entries, f"{request} had a second effect"
        shard.drop(turn)
        (answer,) = answers_of(turn)
        return answer

    def resharded(self, shards: int) -> Folder:
        """As the command does it."""
        after = max(shard.head.position for shard in self.shards) + self.after
        new = Folder(shards, after, **self.bounds)
        rewrite([ReadOnly(store) for store in self.stores], new.stores, ACCOUNT)
        new.restart()
        return new

    def verify(self) -> None:
        authorizations = Authorizations(self.after)
        for number, store in enumerate(self.stores):
            slots = slots_of(number, len(self.stores))
            verify(store, ACCOUNT, shard=number, slots=slots, authorizations=authorizations)

    def statement(self, number: str) -> list[Any]:
        """The account's events, newest first, but for their positions."""
        shard = self.owner(number)
        state = shard.state(number)
        return [replace(event, previous=0) for _, event in shard.journal.chain(state.position)] if state else []

    def state(self, number: str) -> Any:
        """The account's state, but for its positions."""
        state = self.owner(number).state(number)
        return state and replace(state, position=0, opened_at=0)

    def authorizations(self) -> list[int]:
        """All that were given."""
        return [
            event.authorization
            for store in self.stores
            for event in events_of(store)
            if hasattr(event, "authorization")
        ]


class ReadOnly:
    """A store to which nothing may be written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        assert name != "commit", "the old folder was written to"
        return getattr(self._store, name)


# --- any history, resharded any number of times ----------------------------------------------------------------------

NEVER_OPENED = "20269999"
STANS = st.integers(1, 12)
AMOUNTS = st.sampled_from([1, 100, 4_000, 9_999, 20_001, 0, 100_001])
SOME = st.sampled_from([*NUMBERS, "unknown"])
TERMINALS = st.sampled_from([TILL.number, OTHER_TILL.number, BREAKFAST_TILL.number])
REQUESTS = st.one_of(
    st.builds(purchase, STANS, AMOUNTS, SOME, TERMINALS),
    st.builds(top_up, STANS, AMOUNTS, SOME, st.just(TOP_UP_MACHINE.number), st.integers(1, 3)),
    st.builds(
        lambda stan, number, account, amount: advice(
            stan, 10 * [*NUMBERS, NEVER_OPENED].index(account) + number, amount, account
        ),
        STANS,
        st.integers(1, 3),
        st.sampled_from([*NUMBERS, NEVER_OPENED]),
        st.sampled_from([100, 101, 20_001]),
    ),  # a number of one account only: another shard would not know it
    st.builds(Reversal, TERMINALS, STANS, st.just(3_000), SOME, st.sampled_from(MACHINES), STANS, AMOUNTS),
)
TURNS = st.lists(st.lists(REQUESTS, min_size=1, max_size=8), max_size=6)
BOUNDS = st.sampled_from([{}, {"snapshot_lag": 3, "active_max": 2}])
REVERSED_SINCE = (Code.INVALID_TRANSACTION, Reason.REVERSED, ())


def spoken(history: list[tuple[Any, Any]], requests: Sequence[Any], answers: Sequence[Any]) -> None:
    history += zip(requests, answers, strict=True)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([(1, 3), (3, 2), (2, 5), (1, 1), (1, 4, 2, 1), (5, 256, 3)]),
    st.data(),
    BOUNDS,
    st.sampled_from([(1, 1), (3, 4), (3, 1_000), (512, 200_000)]),
)
def test_every_request_ever_sent_is_answered_as_before(
    sizes: tuple[int, ...], data: st.DataObject, bounds: dict[str, int], batching: tuple[int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resharding, "EVENTS_PER_COMMIT", batching[0])
        patch.setattr(resharding, "SNAPSHOT_LAG", batching[1])
        moments = (CALENDAR.moment(NOON_US + turn * DAY_US // 3) for turn in range(1_000))
        folder = Folder(sizes[0], **bounds)
        folder.open(NUMBERS, next(moments))
        history: list[tuple[Any, Any]] = []
        for shards in sizes[1:]:
            for requests in data.draw(TURNS):
                spoken(history, requests, folder.ask(requests, next(moments)))
            folder = check_resharding(folder, shards, history, next(moments))
        given = folder.authorizations()
        bought = [purchase(1_000 + place, 1, number) for place, number in enumerate(NUMBERS)]
        answers = folder.ask(bought, next(moments))
        new = [answer.authorization for answer in answers if answer.code is Code.APPROVED]
        assert len({*given, *new}) == len(given) + len(new)
        folder.verify()


def check_resharding(old: Folder, shards: int, history: list[tuple[Any, Any]], moment: Moment) -> Folder:
    """The new folder, once everything about it is found right."""
    expected = [old.repeat(request, moment) for request, _ in history]
    new = old.resharded(shards)
    assert all(shard.snapshot_lag == 0 for shard in new.shards)
    new.verify()
    compare(old.stores, new.stores)
    for (request, answer), before in zip(history, expected, strict=True):
        again = new.repeat(request, moment)
        assert again == before
        # An offline purchase that came under a STAN of something else may have come under one of its own since.
        posted_since = isinstance(request, Advice) and answer.reason in {Reason.CONTENT_DIFFERS, Reason.REVERSED}
        assert posted_since or again == answer or (again.code, again.reason, again.balances) == REVERSED_SINCE
    for number in (NEVER_OPENED, *NUMBERS):
        assert number == NEVER_OPENED or new.statement(number)
        assert new.statement(number) == old.statement(number)
        assert new.state(number) == old.state(number)
    assert sorted(new.authorizations()) == sorted(old.authorizations())
    assert all(number < new.after * 4_096 + 4_096 for number in old.authorizations())
    times = [[event.time_us for event in events_of(store)] for store in new.stores]
    assert times == [sorted(shard) for shard in times]
    return new


def test_the_accounts_of_these_tests_are_spread_over_the_shards() -> None:
    for shards in (2, 3, 4, 5):
        assert {shard_of(slot_of(number), shards) for number in NUMBERS} == set(range(shards))


# --- reversals over a reshard ----------------------------------------------------------------------------------------


def test_a_purchase_from_before_is_reversed_after() -> None:
    old = Folder(2)
    old.open(NUMBERS, CALENDAR.moment(NOON_US))
    bought = [purchase(stan, 700, number) for stan, number in enumerate(NUMBERS, 1)]
    old.ask(bought, CALENDAR.moment(NOON_US + 1))
    early = [purchase(900 + stan, 50, number, OTHER_TILL.number) for stan, number in enumerate(NUMBERS)]
    old.ask([reversal(500 + stan, late) for stan, late in enumerate(early)], CALENDAR.moment(NOON_US + 2))
    new = old.resharded(3)
    moment = CALENDAR.moment(NOON_US + 3)
    undone = new.ask([reversal(800 + stan, original) for stan, original in enumerate(bought)], moment)
    assert {(answer.code, answer.balances) for answer in undone} == {(Code.APPROVED, (10_000,))}
    assert {new.repeat(late, moment).reason for late in early} == {Reason.REVERSED}
    assert {new.repeat(original, moment).reason for original in bought} == {Reason.REVERSED}
    new.verify()


def test_a_number_that_was_given_to_accounts_of_two_shards_is_answered_as_before() -> None:
    """Each of them was posted, because no shard could know of the other; together in one shard, each keeps its own."""
    old = Folder(2)
    one = NUMBERS[0]
    other, third = [number for number in NUMBERS if old.owner(number) is not old.owner(one)][:2]
    old.open([one, other, third], CALENDAR.moment(NOON_US))
    moment = CALENDAR.moment(NOON_US + 1)
    sent = [advice(1, 7, 100, one), advice(1, 7, 200, other), advice(2, 8, 300, other)]
    answers = old.ask(sent, moment)
    merged = old.resharded(1)
    for folder in (merged, merged.resharded(2), merged.resharded(1)):
        folder.verify()
        compare(old.stores, folder.stores)
        assert [folder.repeat(request, moment) for request in sent] == answers
    assert merged.repeat(advice(3, 7, 100, third), moment).code is Code.DUPLICATE


def test_limits_of_the_day_are_kept() -> None:
    old = Folder(1)
    old.open([NUMBERS[0]], CALENDAR.moment(NOON_US))
    moment = CALENDAR.moment(NOON_US + 1)
    old.ask([top_up(1, 90_000, NUMBERS[0]), *(purchase(stan, 20_000, NUMBERS[0]) for stan in (1, 2))], moment)
    (refused,) = old.resharded(2).ask([purchase(3, 10_001, NUMBERS[0])], moment)
    assert refused.reason is Reason.DAY_LIMIT


# --- the order of events, and of what is read and written ------------------------------------------------------------


def shard_with(number: int, *times: int) -> Store:
    """A shard with an account that is opened, and buys at these times; its authorization numbers name the shard."""
    store = MemoryStore()
    account = NUMBERS[number]
    shard = opened_shard(store, opening(account), number=number)
    for stan, time_us in enumerate(times, 1):
        answer_of(shard, purchase(stan, 1, account), CALENDAR.moment(time_us))
    return store


def test_events_are_in_order_of_time_then_shard_then_position() -> None:
    old = [shard_with(0, NOON_US, NOON_US, NOON_US + 5), shard_with(1, NOON_US, NOON_US + 2, NOON_US + 5)]
    (new,) = Folder(1).stores
    rewrite(old, [new], ACCOUNT)
    found = [(event.account, getattr(event, "stan", 0), event.previous) for event in events_of(new)]
    one, other = NUMBERS[:2]
    assert found == [
        (one, 0, 0), (other, 0, 0), (one, 1, 1), (one, 2, 3), (other, 1, 2), (other, 2, 5), (one, 3, 4), (other, 3, 6),
    ]  # fmt: skip


class Watched(MemoryStore):
    """Knows how many batches were read, and after how many of them each of its own commits came."""

    read = 0

    def __init__(self) -> None:
        super().__init__()
        self.read_at_commit: list[int] = []

    def batches(self, position: int) -> Iterator[StoredBatch]:
        for batch in super().batches(position):
            self.read += 1
            yield batch


def test_no_more_is_in_memory_than_a_batch_of_each_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resharding, "EVENTS_PER_COMMIT", 4)
    monkeypatch.setattr(resharding, "SNAPSHOT_LAG", 8)
    old = Watched()
    shard = opened_shard(old, opening(NUMBERS[0]))
    for stan in range(1, 101):
        answer_of(shard, purchase(stan, 1, NUMBERS[0]))
    committed, replayed_from = [], []

    class Noting(MemoryStore):
        def commit(self, batch: StoredBatch | None, rows: list[Row]) -> None:
            super().commit(batch, rows)
            if batch is not None:
                committed.append((old.read, batch.last_position))
                replayed_from.append(batch.last_position - Snapshots(self).ledger().position)

    old.read = 0
    rewrite([old], [Noting()], ACCOUNT)
    assert len(committed) == 26
    assert all(read <= last + 1 for read, last in committed)
    assert max(replayed_from) <= 8


def test_progress_counts_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resharding, "EVENTS_PER_COMMIT", 3)
    told: list[int] = []
    rewrite([shard_with(0, *range(NOON_US, NOON_US + 9))], Folder(2).stores, ACCOUNT, told.append)
    assert told == [3, 6, 9, 10]


def test_a_folder_without_events() -> None:
    new = Folder(3).resharded(2)
    new.verify()
    assert compare(Folder(3).stores, new.stores).events == 0


# --- what is damaged -------------------------------------------------------------------------------------------------


def test_a_damaged_journal_is_named_by_shard_and_position() -> None:
    damaged = shard_with(1, NOON_US)
    damaged.commit(StoredBatch(3, bytes(40)), [])
    with pytest.raises(StoreFormatError, match="shard 1: the journal is damaged at position 3: "):
        rewrite([shard_with(0, NOON_US), damaged], Folder(2).stores, ACCOUNT)
    assert Journal(damaged, ACCOUNT.event_type).head().position == 3
