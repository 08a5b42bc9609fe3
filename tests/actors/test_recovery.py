"""A shard stopped anywhere is found again as it was, and never contradicts a simple model of its accounts."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from example_campus import (
    BREAKFAST_TILL,
    CALENDAR,
    DAY_US,
    KIOSK,
    LIMITS,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TERMINALS,
    TILL,
    TOP_UP_MACHINE,
    answer_of,
    answers_of,
    balance_inquiry,
    image,
    opened_shard,
    opening,
    perform,
    purchase,
    restarted,
    reversal,
    top_up,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from actors import shard as shard_module
from actors.account.kind import ACCOUNT
from actors.calendar import Moment
from actors.lmdb_store import LmdbStore
from actors.memory_store import MemoryStore
from actors.shard import Shard
from actors.store import Row, Store, StoredBatch, StoreFormatError
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import Purchase, Reversal, TopUp

NUMBERS = [f"2026{index:04}" for index in range(12)]
OPENING_BALANCE = 10_000
MACHINES = [TILL.number, OTHER_TILL.number, TOP_UP_MACHINE.number]


class RecordingStore(MemoryStore):
    """Remembers what was stored after each commit, so that a process can be let die there."""

    def __init__(self) -> None:
        super().__init__()
        self.after: list[MemoryStore] = []

    def commit(self, batch: StoredBatch | None, rows: list[Row]) -> None:
        super().commit(batch, rows)
        copy = MemoryStore()
        copy._rows, copy._batches = dict(self._rows), list(self._batches)
        self.after.append(copy)


class Traffic:
    """Requests as a troubled fleet sends them: new ones, copies, altered copies, reversals of this and that."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._stans = dict.fromkeys(MACHINES, 0)
        self._sent: list[Any] = []

    def batch(self) -> list[Any]:
        """The requests of a turn."""
        return [self._request() for _ in range(self._random.choice([1, 1, 2, 5, 12]))]

    def _request(self) -> Any:
        choose = self._random
        kind = choose.random()
        if self._sent and kind < 0.15:
            return choose.choice(self._sent)
        if self._sent and kind < 0.2:
            copy = choose.choice(self._sent)
            return replace(copy, amount=copy.amount + 1)
        if kind < 0.25:
            return balance_inquiry(1, choose.choice(NUMBERS))
        request = self._new(kind)
        self._sent.append(request)
        return request

    def _new(self, kind: float) -> Any:
        choose, number = self._random, self._random.choice(NUMBERS)
        terminal = TOP_UP_MACHINE.number if kind < 0.4 else choose.choice(MACHINES[:2])
        stan = self._stans[terminal] = self._stans[terminal] + choose.choice([1, 1, 1, 3])
        if self._sent and kind > 0.8:
            return reversal(stan, choose.choice(self._sent), terminal)
        if kind > 0.77:
            return reversal(stan, purchase(stan + choose.randint(-3, 6), 500, number), terminal)
        if terminal == TOP_UP_MACHINE.number:
            return top_up(stan, choose.choice([100, 5_000, 600_000]), number)
        return purchase(stan, choose.choice([50, 700, 3_000, 30_000]), number, terminal)


def moment_of(turn: int) -> Moment:
    """A few turns a day, so that days come and go."""
    return CALENDAR.moment(NOON_US + turn * DAY_US // 4)


def opened(store: Store, **bounds: int) -> Shard:
    return opened_shard(store, *(opening(number, OPENING_BALANCE) for number in NUMBERS), **bounds)


BOUNDS = [
    {"snapshot_lag": 1, "active_max": 2},
    {"snapshot_lag": 7, "active_max": 4},
    {"snapshot_lag": 60, "active_max": 2},
    {"snapshot_lag": 200_000, "active_max": 400_000},
]


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_stopped_after_any_commit_it_is_found_as_it_was(seed: int, bounds: dict[str, int]) -> None:
    store, traffic = RecordingStore(), Traffic(seed)
    shard = opened(store, **bounds)
    images = [image(shard, NUMBERS)]
    batches = [[]]
    for number in range(40):
        batch = traffic.batch()
        commits = len(store.after)
        perform(shard, *batch, moment=moment_of(number))
        if len(store.after) > commits:
            images.append(image(shard, NUMBERS))
            batches.append(batch)
        if number % 13 == 12:
            shard = restarted(store, **bounds)
    assert len(images) == len(store.after)
    for stored, expected in zip(store.after, images, strict=True):
        found = restarted(stored, **bounds)
        assert image(found, NUMBERS) == expected
        assert found.ledger.imbalance == 0
    assert verify(store, ACCOUNT).head == shard.head


@pytest.mark.parametrize("seed", range(4))
def test_bounds_change_nothing_that_is_recorded(seed: int) -> None:
    stores = []
    for bounds in BOUNDS:
        store, traffic = MemoryStore(), Traffic(seed)
        shard = opened(store, **bounds)
        for number in range(40):
            perform(shard, *traffic.batch(), moment=moment_of(number))
        stores.append(store)
    assert all(list(store.batches(1)) == list(stores[0].batches(1)) for store in stores)


@pytest.mark.parametrize("seed", range(3))
def test_crash_between_decide_and_commit_loses_nothing_acknowledged(seed: int) -> None:
    store, traffic = MemoryStore(), Traffic(seed)
    shard = opened(store, snapshot_lag=5, active_max=3)
    acknowledged: list[tuple[Any, Any]] = []
    for number in range(30):
        batch, moment = traffic.batch(), moment_of(number)
        before = image(shard, NUMBERS)
        shard.decide(batch, moment, POLICY)
        shard = restarted(store, snapshot_lag=5, active_max=3)
        assert image(shard, NUMBERS) == before
        acknowledged.extend(zip(batch, perform(shard, *batch, moment=moment), strict=True))
    recorded = [
        (request, answer) for request, answer in acknowledged if isinstance(request, Purchase | TopUp | Reversal)
    ]
    again = [perform(shard, request, moment=moment_of(30))[0] for request, _ in recorded]
    reversed_since = (Code.INVALID_TRANSACTION, Reason.REVERSED, ())
    for (request, answer), repeated in zip(recorded, again, strict=True):
        assert repeated == answer or (repeated.code, repeated.reason, repeated.balances) == reversed_since, request
    assert shard.ledger.imbalance == 0


def test_crash_between_commit_and_adopt_keeps_the_commit(store: Store) -> None:
    shard = opened(store, snapshot_lag=3)
    turn = shard.decide([purchase(1, 700, NUMBERS[0])], moment_of(0), POLICY)
    shard.commit(turn)
    again = restarted(store, snapshot_lag=3)
    shard.adopt(turn)
    assert image(again, NUMBERS) == image(shard, NUMBERS)
    assert perform(again, purchase(1, 700, NUMBERS[0])) == answers_of(turn)


def test_folder_closed_and_opened_again_and_again(folder: Path) -> None:
    traffic, expected = Traffic(99), None
    for opened_times in range(6):
        store = LmdbStore.open(folder)
        shard = (
            restarted(store, snapshot_lag=9, active_max=4) if expected else opened(store, snapshot_lag=9, active_max=4)
        )
        if expected:
            assert image(shard, NUMBERS) == expected
        for number in range(8):
            perform(shard, *traffic.batch(), moment=moment_of(8 * opened_times + number))
        if opened_times % 2:
            shard.checkpoint()
        expected = image(shard, NUMBERS)
        assert verify(store, ACCOUNT).head == shard.head
        store.close()


# --- a machine that drives the shard, beside a model that knows nothing of journals and turns -------------------------


class Settled(NamedTuple):
    """What the model remembers of a (terminal, STAN) on an account."""

    request: Any
    answer: tuple[Any, ...]
    reversed: bool = False


class Model:
    """Accounts as balances and dictionaries of what was settled. Every card is good; every day is the same."""

    def __init__(self) -> None:
        self.balances = dict.fromkeys(NUMBERS, OPENING_BALANCE)
        self.spent = dict.fromkeys(NUMBERS, 0)
        self.owed = 0
        self.settled: dict[tuple[str, int, int], Settled] = {}

    def answer(self, request: Any) -> tuple[Any, ...]:
        """(code, reason), and the balance where it is shown."""
        key = (request.account, request.terminal, request.stan)
        known = self.settled.get(key)
        if known is not None:
            if known.reversed:
                return Code.INVALID_TRANSACTION, Reason.REVERSED
            same = replace(request, wait_ms=0) == replace(known.request, wait_ms=0)
            return known.answer if same else (Code.DUPLICATE, Reason.CONTENT_DIFFERS)
        answer = self._decide(request)
        self.settled[key] = Settled(request, answer)
        return answer

    def _decide(self, request: Any) -> tuple[Any, ...]:
        services = {terminal.number: terminal.services for terminal in TERMINALS}[request.terminal]
        if ACCOUNT.service[type(request)] not in services:
            return Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED
        if isinstance(request, Reversal):
            return self._reverse(request)
        if isinstance(request, Purchase) and request.terminal == BREAKFAST_TILL.number:
            return Code.NOT_PERMITTED_TO_TERMINAL, Reason.OUTSIDE_HOURS
        if not 1 <= request.amount <= 100_000_000:
            return Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE
        # From here on the card was found good, so the balance is shown.
        code, reason = self._buy(request) if isinstance(request, Purchase) else self._pay_in(request)
        return code, reason, self.balances[request.account]

    def _buy(self, request: Purchase) -> tuple[Code, Reason]:
        if request.amount > LIMITS.purchase_max:
            return Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT
        if self.spent[request.account] + request.amount > LIMITS.day_max:
            return Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT
        if request.amount > self.balances[request.account]:
            return Code.INSUFFICIENT_FUNDS, Reason.FUNDS
        self.balances[request.account] -= request.amount
        self.spent[request.account] += request.amount
        return Code.APPROVED, Reason.NONE

    def _pay_in(self, request: TopUp) -> tuple[Code, Reason]:
        if request.amount > LIMITS.top_up_max:
            return Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT
        if self.balances[request.account] + request.amount > LIMITS.balance_max:
            return Code.OVER_AMOUNT_LIMIT, Reason.BALANCE_LIMIT
        self.balances[request.account] += request.amount
        return Code.APPROVED, Reason.NONE

    def _reverse(self, request: Reversal) -> tuple[Any, ...]:
        """The balance is shown only by a reversal that undid something."""
        key = (request.account, request.original_terminal, request.original_stan)
        if key == (request.account, request.terminal, request.stan):
            return Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE
        original = self.settled.get(key)
        if original is None:
            unseen = Purchase(*key[1:], 0, request.account, "never seen", request.amount)
            self.settled[key] = Settled(unseen, (), reversed=True)
            return Code.APPROVED, Reason.NONE
        if isinstance(original.request, Reversal):
            return Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE
        if original.request.amount != request.amount:
            return Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS
        self.settled[key] = original._replace(reversed=True)
        if original.reversed or original.answer[0] is not Code.APPROVED:
            return Code.APPROVED, Reason.NONE
        self._undo(original.request)
        return Code.APPROVED, Reason.NONE, self.balances[request.account]

    def _undo(self, original: Purchase | TopUp) -> None:
        if isinstance(original, Purchase):
            self.balances[original.account] += original.amount
            self.spent[original.account] -= original.amount
        else:
            taken = min(original.amount, self.balances[original.account])
            self.balances[original.account] -= taken
            self.owed += original.amount - taken


STANS = st.integers(1, 8)
TERMINAL_NUMBERS = st.sampled_from([*MACHINES, BREAKFAST_TILL.number, KIOSK.number])
AMOUNTS = st.sampled_from([1, 100, 4_000, 9_999, 20_000, 20_001, 0, -1, 100_000, 100_001, 100_000_001])
SOME = st.sampled_from(NUMBERS[:3])
REQUESTS = st.one_of(
    st.builds(purchase, STANS, AMOUNTS, SOME, TERMINAL_NUMBERS, wait_ms=st.integers(0, 5)),
    st.builds(top_up, STANS, AMOUNTS, SOME, st.just(TOP_UP_MACHINE.number), st.integers(1, 3)),
    st.builds(Reversal, TERMINAL_NUMBERS, STANS, st.integers(0, 5), SOME, TERMINAL_NUMBERS, STANS, AMOUNTS),
)


class ShardBesideItsModel(RuleBasedStateMachine):
    """Turns, refused turns, crashes and checkpoints in any order, turns in legs of any length: the model's answers."""

    make_store: Callable[[], Store] = MemoryStore

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()

    @initialize(
        lag=st.sampled_from([1, 3, 10, 1_000]),
        active_max=st.sampled_from([1, 2, 4, 100]),
        leg_requests=st.sampled_from([1, 2, 3, 64]),
    )
    def begin(self, lag: int, active_max: int, leg_requests: int) -> None:
        self.patch.setattr(shard_module, "LEG_REQUESTS", leg_requests)
        self.bounds = {"snapshot_lag": lag, "active_max": active_max}
        self.store = self.make_store()
        self.shard = opened(self.store, **self.bounds)
        self.model = Model()
        self.sent: list[Any] = []

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=6))
    def ask(self, requests: list[Any]) -> None:
        self._ask(requests)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        self._ask([data.draw(st.sampled_from(self.sent))])

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), stan=STANS, terminal=st.sampled_from(MACHINES))
    def reverse(self, data: st.DataObject, stan: int, terminal: int) -> None:
        self._ask([reversal(stan, data.draw(st.sampled_from(self.sent)), terminal)])

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=6))
    def commit_is_refused(self, requests: list[Any]) -> None:
        before = image(self.shard, NUMBERS)
        self.shard.drop(self.shard.decide(requests, moment_of(0), POLICY))
        assert image(self.shard, NUMBERS) == before

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=6))
    def commit_is_refused_and_then_done(self, requests: list[Any]) -> None:
        refused = self.shard.decide(requests, moment_of(0), POLICY)
        self.shard.drop(refused)
        assert self._ask(requests) == answers_of(refused)

    @rule()
    def crash(self) -> None:
        self.shard = restarted(self.store, **self.bounds)

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=6))
    def crash_after_the_commit(self, requests: list[Any]) -> None:
        for request in requests:
            self.model.answer(request)
        self.shard.commit(self.shard.decide(requests, moment_of(0), POLICY))
        self.shard = restarted(self.store, **self.bounds)

    @rule()
    def checkpoint(self) -> None:
        self.shard.checkpoint()
        assert self.shard.snapshot_lag == 0

    def _ask(self, requests: list[Any]) -> list[Any]:
        self.sent += requests
        answers = perform(self.shard, *requests, moment=moment_of(0))
        for request, answer in zip(requests, answers, strict=True):
            expected = self.model.answer(request)
            assert (answer.code, answer.reason, *answer.balances) == expected, request
        return answers

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        if hasattr(self, "shard"):
            held = {number: sum(self.shard.state(number).purses) for number in NUMBERS}
            assert held == self.model.balances
            assert self.shard.ledger.imbalance == 0
            assert self.shard.ledger.balances.get(("suspense", 0), 0) == -self.model.owed

    def teardown(self) -> None:
        self.patch.undo()
        if hasattr(self, "shard"):
            assert verify(self.store, ACCOUNT).head == self.shard.head
            assert image(restarted(self.store), NUMBERS) == image(self.shard, NUMBERS)


TestShardBesideItsModel = ShardBesideItsModel.TestCase
TestShardBesideItsModel.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


# --- what is damaged -------------------------------------------------------------------------------------------------


def test_damaged_tail_is_refused(store: Store) -> None:
    shard = opened_shard(store)
    answer_of(shard, purchase(1))
    store.commit(StoredBatch(shard.head.position + 1, bytes(40)), [])
    with pytest.raises(StoreFormatError, match=f"the journal is damaged at position {shard.head.position + 1}: "):
        restarted(store)


def test_unreadable_snapshot_is_refused(store: Store) -> None:
    shard = opened_shard(store)
    shard.checkpoint()
    store.commit(None, [(b"l", b"\xc1")])
    with pytest.raises(StoreFormatError, match="a snapshot cannot be read: "):
        restarted(store)
