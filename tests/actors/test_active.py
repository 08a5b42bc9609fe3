"""Actors in memory: activated once, dropped when clean and unused, never lost while dirty."""

from __future__ import annotations

from example_campus import account
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from actors.account.state import Account
from actors.active import ActiveActors


class Stored:
    """Snapshots by number, and which were read."""

    def __init__(self, *numbers: str) -> None:
        self.rows = {number: account(number=number) for number in numbers}
        self.reads: list[str] = []

    def load(self, number: str) -> Account | None:
        self.reads.append(number)
        return self.rows.get(number)


def actors(stored: Stored, active_max: int) -> ActiveActors[Account]:
    return ActiveActors(stored.load, active_max)


def clean(_number: str) -> bool:
    return False


def test_actor_is_read_once() -> None:
    stored = Stored("1")
    active = actors(stored, 10)
    assert active.find("1") == active.find("1") == account(number="1")
    assert (stored.reads, len(active)) == (["1"], 1)


def test_unknown_actor_is_not_kept() -> None:
    stored = Stored()
    active = actors(stored, 10)
    assert active.find("1") is None
    assert (active.find("1"), len(active), stored.reads) == (None, 0, ["1", "1"])


def test_adopted_state_is_the_state() -> None:
    active = actors(Stored("1"), 10)
    first = active.find("1")
    for purse in (5, 2**40, 7):
        changed = account(number="1", purses=(purse,), card="x" * (purse % 19))
        active.adopt({"1": changed, "2": account(number="2")})
        assert active.find("1") == changed
    assert first == account(number="1")
    assert len(active) == 2


def test_unused_actors_leave_memory_and_used_ones_stay() -> None:
    stored = Stored("1", "2", "3", "4", "5")
    active = actors(stored, 4)
    for number in ("1", "2"):
        active.find(number)
    active.passivate(clean)
    for number in ("1", "3"):
        active.find(number)
    active.passivate(clean)
    assert len(active) == 2
    stored.reads.clear()
    for number in ("1", "3", "2"):
        active.find(number)
    assert stored.reads == ["2"]


def test_dirty_actor_stays_however_long_it_is_unused() -> None:
    stored = Stored("1", "2", "3", "4", "5")
    active = actors(stored, 2)
    changed = account(number="1", purses=(1,))
    active.adopt({"1": changed})
    for _ in range(5):
        for number in ("2", "3", "4", "5"):
            active.find(number)
            active.passivate(lambda number: number == "1")
    stored.reads.clear()
    assert active.find("1") == changed
    assert stored.reads == []


class ActorsBesideAPlainDictionary(RuleBasedStateMachine):
    """Whatever is found, adopted, stored and passivated: the state is always the one adopted last."""

    @initialize(active_max=st.integers(1, 8))
    def begin(self, active_max: int) -> None:
        self.stored = Stored("1", "2", "3")
        self.active = actors(self.stored, active_max)
        self.active_max = active_max
        self.states = {number: account(number=number) for number in ("1", "2", "3")}
        self.dirty: set[str] = set()

    @rule(number=st.sampled_from("123456789"))
    def find(self, number: str) -> None:
        assert self.active.find(number) == self.states.get(number)

    @rule(numbers=st.sets(st.sampled_from("12345678"), max_size=4), purse=st.integers(0, 2**40))
    def adopt(self, numbers: set[str], purse: int) -> None:
        states = {number: replace(account(number=number), purses=(purse,)) for number in numbers}
        self.active.adopt(states)
        self.states.update(states)
        self.dirty |= numbers

    @rule(numbers=st.sets(st.sampled_from("12345678")))
    def store(self, numbers: set[str]) -> None:
        for number in numbers & self.dirty:
            self.stored.rows[number] = self.states[number]
        self.dirty -= numbers

    @rule()
    def passivate(self) -> None:
        self.active.passivate(self.dirty.__contains__)
        assert len(self.active) <= max(9, self.active_max + len(self.dirty))

    @invariant()
    def dirty_actors_are_in_memory(self) -> None:
        if hasattr(self, "active"):
            self.stored.reads.clear()
            assert [self.active.find(number) for number in self.dirty] == [self.states[number] for number in self.dirty]
            assert self.stored.reads == []


TestActorsBesideAPlainDictionary = ActorsBesideAPlainDictionary.TestCase
TestActorsBesideAPlainDictionary.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
