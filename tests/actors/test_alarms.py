"""Alarms: what is recorded of a terminal itself, in the journal of its slot's shard, beside the accounts."""

from __future__ import annotations

import msgspec
import pytest
from example_campus import (
    ALICE,
    BOB,
    NOON,
    NOON_US,
    POLICY,
    TILL,
    answers_of,
    card_of,
    events_of,
    image,
    opened_shard,
    opening,
    perform,
    purchase,
    restarted,
)
from msgspec.structs import replace

from actors import shard as shard_module
from actors.account.card import CardState
from actors.account.kind import ACCOUNT
from actors.comparison import compare
from actors.journal import JournalBrokenError, seal_batch
from actors.memory_store import MemoryStore
from actors.placement import shard_of, slot_of, slots_of
from actors.resharding import rewrite
from actors.shard import Shard
from actors.terminal.events import EmergencyRaised
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import Answer, Emergency

MACHINE = TILL.number


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def shard(store) -> Shard:
    """Alice's card is lost."""
    return opened_shard(store, opening(ALICE, card_state=CardState.LOST), opening(BOB))


def emergency(stan: int, account: str = "", card: str = "", terminal: int = MACHINE) -> Emergency:
    return Emergency(terminal, stan, 1_000, account, card)


def helped(stan: int, terminal: int = MACHINE) -> Answer:
    return Answer(terminal, stan, Code.APPROVED, Reason.NONE, 0, (), ())


def alarms(store: MemoryStore) -> list[EmergencyRaised]:
    return [event for event in events_of(store) if isinstance(event, EmergencyRaised)]


def test_it_is_recorded_with_what_the_terminal_knew(shard, store):
    assert perform(shard, emergency(7, ALICE, card_of(ALICE))) == [helped(7)]
    assert alarms(store) == [
        EmergencyRaised(
            ALICE, NOON_US, 0, MACHINE, 7, card_of(ALICE), TILL.merchant, NOON.business_day, NOON.period
        )
    ]  # fmt: skip


def test_nobody_is_turned_away(shard, store):
    """No account, an unknown one, a lost card, a terminal that the policy does not know."""
    asked = [emergency(1), emergency(2, "404", "nobody's"), emergency(3, ALICE), emergency(4, terminal=77)]
    assert perform(shard, *asked) == [helped(1), helped(2), helped(3), helped(4, 77)]
    assert [event.merchant for event in alarms(store)][-1] == 0


def test_the_account_that_is_named_is_not_touched(shard):
    before = shard.state(ALICE)
    perform(shard, emergency(1, ALICE, card_of(ALICE)))
    assert shard.state(ALICE) == before
    assert shard.ledger.imbalance == 0


def test_each_copy_is_answered_alike_and_recorded_once(shard, store):
    assert perform(shard, emergency(1), emergency(1)) == [helped(1), helped(1)]
    turn = shard.decide([emergency(1), emergency(1, ALICE, "other words")], NOON, POLICY)
    assert answers_of(turn) == [helped(1)] * 2
    assert (turn.batch, turn.repeats, turn.raised) == (None, 2, [])
    assert perform(restarted(store), emergency(1)) == [helped(1)]
    assert len(alarms(store)) == 1


def test_a_lower_stan_that_was_never_used_is_new(shard, store):
    assert perform(shard, emergency(5)) == perform(shard, emergency(5)) == [helped(5)]
    assert perform(shard, emergency(3)) == [helped(3)]
    assert [(event.stan, event.previous) for event in alarms(store)] == [(5, 0), (3, 3)]


def test_a_stan_that_an_account_knows_is_new_to_the_terminal_and_the_other_way_round(shard, store):
    (declined,) = perform(shard, purchase(5))
    assert declined.code is Code.LOST_CARD
    assert perform(shard, emergency(5)) == [helped(5)]
    assert perform(shard, purchase(5), emergency(5)) == [declined, helped(5)]
    perform(shard, emergency(6))
    assert perform(shard, purchase(6))[0].code is Code.LOST_CARD
    assert len(alarms(store)) == 2


def test_alarms_and_events_of_accounts_share_a_leg(shard, store):
    requests = [request for stan in range(1, 201, 2) for request in (purchase(stan), emergency(stan + 1))]
    answers = perform(shard, *requests)
    assert [answer.stan for answer in answers] == list(range(1, 201))
    assert [answer.code for answer in answers] == [Code.LOST_CARD, Code.APPROVED] * 100
    assert verify(store, ACCOUNT).events == 202
    assert [event.previous for event in alarms(store)][:3] == [0, 4, 6]


def test_a_dropped_turn_raised_nothing(shard, store):
    perform(shard, emergency(1))
    turn = shard.decide([emergency(2), emergency(3)], NOON, POLICY)
    shard.drop(turn)
    assert shard.alarms[MACHINE].durable == shard.alarms[MACHINE].pending == 3
    assert perform(shard, emergency(3)) == [helped(3)]
    assert [(event.stan, event.previous) for event in alarms(store)] == [(1, 0), (3, 3)]
    verify(store, ACCOUNT)


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_restart_continues_the_chain(shard, store, checkpoint):
    perform(shard, emergency(1), purchase(2), emergency(3))
    if checkpoint:
        shard.checkpoint()
    again = restarted(store)
    assert image(again, [ALICE]) == image(shard, [ALICE])
    assert again.alarms[MACHINE].durable == 5
    assert again.snapshot_lag == (0 if checkpoint else 5)
    perform(again, emergency(9))
    assert [(event.stan, event.previous) for event in alarms(store)] == [(1, 0), (3, 3), (9, 5)]
    verify(store, ACCOUNT)


def test_what_needs_a_long_walk_is_put_off_as_elsewhere(shard, monkeypatch):
    monkeypatch.setattr(shard_module, "WALKED_EVENTS_MAX", 2)
    for stan in range(10, 20):
        perform(shard, emergency(stan))
    first, second = perform(shard, emergency(1), emergency(2))
    assert first == helped(1)
    assert (second.code, second.reason) == (Code.TRY_AGAIN, Reason.BUSY_SHARD)
    assert perform(shard, emergency(2)) == [helped(2)]


class TestVerification:
    """A row that says something else than the journal is found."""

    @pytest.fixture(autouse=True)
    def stored(self, shard, store):
        perform(shard, emergency(1), emergency(2))
        shard.checkpoint()
        verify(store, ACCOUNT)

    @property
    def key(self) -> bytes:
        return b"e" + MACHINE.to_bytes(4, "big")

    def test_a_row_behind_where_a_replay_begins(self, store):
        store.commit(None, [(self.key, b"\x03")])
        with pytest.raises(JournalBrokenError, match="position 4: terminal 1001: its snapshot lacks this event"):
            verify(store, ACCOUNT)

    def test_a_row_beyond_the_journal(self, store):
        store.commit(None, [(self.key, b"\x09")])
        with pytest.raises(JournalBrokenError, match="position 9: terminal 1001: its stored alarm stands at no event"):
            verify(store, ACCOUNT)

    def test_a_chain_with_a_gap(self, shard, store):
        perform(shard, emergency(3))
        broken = MemoryStore()
        for kept in store.batches(1):
            if kept.last_position < 3:
                broken.commit(kept, [])
        event = replace(alarms(store)[-1], previous=1)
        head = restarted(broken).head
        sealed, _ = seal_batch(head, [msgspec.msgpack.encode(event)])
        broken.commit(sealed, [])
        with pytest.raises(JournalBrokenError, match="position 3: terminal 1001: its previous alarm is 0, not 1"):
            verify(broken, ACCOUNT)


def test_a_terminal_in_the_wrong_shard_is_found(store):
    perform(restarted(store), emergency(1))
    slot = slot_of(str(MACHINE))
    verify(store, ACCOUNT, slots=range(slot, slot + 1))
    with pytest.raises(JournalBrokenError, match=f"position 1: terminal 1001: its slot {slot} belongs to another"):
        verify(store, ACCOUNT, slots=range(slot))


@pytest.mark.parametrize(("old_shards", "new_shards"), [(1, 3), (3, 2)])
def test_a_reshard_keeps_each_chain(old_shards, new_shards):
    terminals = range(1001, 1021)
    old = [MemoryStore() for _ in range(old_shards)]
    for number, store in enumerate(old):
        mine = [terminal for terminal in terminals if shard_of(slot_of(str(terminal)), old_shards) == number]
        shard = restarted(store)
        for stan in (1, 2):
            perform(shard, *(emergency(stan, ALICE, terminal=terminal) for terminal in mine))
        shard.checkpoint()
    new = [MemoryStore() for _ in range(new_shards)]
    rewrite(old, new, ACCOUNT)
    assert compare(old, new).events == 40
    for number, store in enumerate(new):
        verify(store, ACCOUNT, shard=number, slots=slots_of(number, new_shards))
        shard = restarted(store)
        for terminal in alarms(store):
            turn = shard.decide([emergency(2, terminal=terminal.terminal)], NOON, POLICY)
            assert (turn.repeats, answers_of(turn)) == (1, [helped(2, terminal.terminal)])
