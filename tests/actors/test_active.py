"""Actors in memory: activated once, dropped when clean and unused, never lost while dirty."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from actors.active import ActiveActors
from actors.cell import Cell


def packed(number: str, version: int = 0) -> bytes:
    """An actor's state, of which memory knows no more than that it is bytes."""
    return f"{number} as of {version}".encode()


class Stored:
    """Snapshots by number, and which were read."""

    def __init__(self, *numbers: str) -> None:
        self.rows = {number: packed(number) for number in numbers}
        self.reads: list[str] = []

    def load(self, number: str) -> bytes | None:
        self.reads.append(number)
        return self.rows.get(number)


def actors(stored: Stored, active_max: int) -> ActiveActors:
    return ActiveActors(stored.load, active_max)


def changed(actor: Cell[str, bytes] | None, version: int) -> Cell[str, bytes]:
    """An actor with an adopted state that its snapshot lacks."""
    assert actor is not None
    actor.durable = actor.pending = packed(actor.number, version)
    actor.dirty = True
    return actor


def test_actor_is_read_once() -> None:
    stored = Stored("1")
    active = actors(stored, 10)
    actor = active.find("1")
    assert actor is not None
    assert (actor.number, actor.durable, actor.dirty) == ("1", packed("1"), False)
    assert actor.pending is actor.durable
    assert active.find("1") is actor
    assert (stored.reads, len(active)) == (["1"], 1)


def test_actor_whose_state_packs_to_nothing_exists() -> None:
    stored = Stored()
    stored.rows["1"] = b""
    active = actors(stored, 10)
    found = active.find("1")
    assert found is not None
    assert active.find("1") is active.find_young("1") is found


def test_unknown_actor_is_not_kept() -> None:
    stored = Stored()
    active = actors(stored, 10)
    assert active.find("1") is None
    assert (active.find("1"), len(active), stored.reads) == (None, 0, ["1", "1"])


def test_added_actor_is_found_without_a_snapshot() -> None:
    stored = Stored("1")
    active = actors(stored, 10)
    added = Cell("2", packed("2"))
    active.add(added)
    assert active.find("2") is added
    assert (stored.reads, len(active)) == ([], 1)


def test_changed_actor_is_the_same_actor() -> None:
    active = actors(Stored("1"), 10)
    first = active.find("1")
    for version in (5, 2**40, 7):
        changed(active.find("1"), version)
        found = active.find("1")
        assert found is first
        assert found.durable == packed("1", version)
    assert len(active) == 1


def test_unused_actors_leave_memory_and_used_ones_stay() -> None:
    stored = Stored("1", "2", "3", "4", "5")
    active = actors(stored, 4)
    for number in ("1", "2"):
        active.find(number)
    active.passivate()
    for number in ("1", "3"):
        active.find(number)
    active.passivate()
    assert len(active) == 2
    stored.reads.clear()
    for number in ("1", "3", "2"):
        active.find(number)
    assert stored.reads == ["2"]


def test_actor_used_again_keeps_what_a_turn_made_of_it() -> None:
    active = actors(Stored("1", "2"), 4)
    first = active.find("1")
    active.find("2")
    active.passivate()
    found = active.find("1")
    assert found is first


def test_young_actors_are_those_used_since_the_last_passivation() -> None:
    stored = Stored("1", "2", "3")
    active = actors(stored, 4)
    for number in ("1", "2"):
        active.find(number)
    active.passivate()
    find_young = active.find_young
    assert (find_young("1"), find_young("2"), find_young("3")) == (None, None, None)
    for number in ("1", "3"):
        assert active.find(number) is find_young(number) is not None
    assert find_young("2") is None


def test_dirty_actor_stays_however_long_it_is_unused() -> None:
    stored = Stored("1", "2", "3", "4", "5")
    active = actors(stored, 2)
    dirty = changed(active.find("1"), 1)
    added = changed(Cell("6", packed("6")), 1)
    active.add(added)
    for _ in range(5):
        for number in ("2", "3", "4", "5"):
            active.find(number)
            active.passivate()
    stored.reads.clear()
    assert active.find("1") is dirty
    assert active.find("6") is added
    assert stored.reads == []


class ActorsBesideAPlainDictionary(RuleBasedStateMachine):
    """Whatever is found, adopted, stored and passivated: the state is always the one adopted last."""

    @initialize(active_max=st.integers(1, 8))
    def begin(self, active_max: int) -> None:
        self.stored = Stored("1", "2", "3")
        self.active = actors(self.stored, active_max)
        self.active_max = active_max
        self.states = dict(self.stored.rows)
        self.dirty: dict[str, Cell[str, bytes]] = {}

    @rule(number=st.sampled_from("123456789"))
    def find(self, number: str) -> None:
        actor = self.active.find(number)
        assert (actor.durable if actor else None) == self.states.get(number)
        assert self.active.find_young(number) is actor

    @rule(numbers=st.sets(st.sampled_from("12345678"), max_size=4), version=st.integers(0, 2**40))
    def adopt(self, numbers: set[str], version: int) -> None:
        for number in numbers:
            actor = self.active.find(number)
            if actor is None:
                actor = Cell(number, packed(number))
                self.active.add(actor)
            self.dirty[number] = changed(actor, version)
            self.states[number] = packed(number, version)

    @rule(numbers=st.sets(st.sampled_from("12345678")))
    def store(self, numbers: set[str]) -> None:
        for number in numbers & self.dirty.keys():
            actor = self.dirty.pop(number)
            self.stored.rows[number] = actor.durable
            actor.dirty = False

    @rule()
    def passivate(self) -> None:
        self.active.passivate()
        assert len(self.active) <= max(9, self.active_max + len(self.dirty))

    @invariant()
    def dirty_actors_are_in_memory(self) -> None:
        if hasattr(self, "active"):
            self.stored.reads.clear()
            assert all(self.active.find(number) is actor for number, actor in self.dirty.items())
            assert all(actor.durable == self.states[number] for number, actor in self.dirty.items())
            assert self.stored.reads == []


TestActorsBesideAPlainDictionary = ActorsBesideAPlainDictionary.TestCase
TestActorsBesideAPlainDictionary.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
