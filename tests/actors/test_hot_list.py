"""The hot list: what makes a card hot, how changes are read in portions, and how it outlives a restart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from example_campus import ALICE, BOB, NOON, account, card_of, opened_shard, opening, perform, purchase, restarted
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.hot_cards import HOT, hot_card, hot_changes
from actors.account.kind import ACCOUNT
from actors.account.state import new_account
from actors.comparison import DifferenceError, compare
from actors.hot_list import GOOD, HotChange, HotList
from actors.journal import JournalBrokenError
from actors.memory_store import MemoryStore
from actors.resharding import rewrite
from actors.shard import Shard
from actors.snapshots import LedgerSnapshot, Snapshots
from actors.verification import verify


class SomethingOfTheCard:
    """An event of which this module knows nothing."""


def changes(before: Any, after: Any) -> list[HotChange]:
    return hot_changes([SomethingOfTheCard()], [before], [after])


STATES = [*CardState]


class TestChanges:
    @pytest.mark.parametrize("after", STATES)
    @pytest.mark.parametrize("before", STATES)
    def test_of_one_card(self, before, after):
        found = changes(account(card_state=before), account(position=9, card_state=after))
        if before is after or not {before, after} & HOT:
            assert found == []
        else:
            assert found == [HotChange(9, card_of(ALICE), after.value if after in HOT else GOOD)]

    @pytest.mark.parametrize("before", STATES)
    def test_a_card_that_another_one_replaces_is_hot_for_ever(self, before):
        after = account(position=9, card="new", card_state=CardState.ISSUED)
        assert changes(account(card_state=before), after) == [HotChange(9, card_of(ALICE), "replaced")]
        closed = replace(after, card_state=CardState.CLOSED)
        assert changes(account(card_state=before), closed) == [
            HotChange(9, card_of(ALICE), "replaced"),
            HotChange(9, "new", "closed"),
        ]

    @pytest.mark.parametrize("state", STATES)
    def test_of_an_opening(self, state):
        found = changes(new_account(ALICE), account(position=1, card_state=state))
        assert found == ([HotChange(1, card_of(ALICE), state.value)] if state in HOT else [])

    @pytest.mark.parametrize("state", STATES)
    def test_of_a_state_that_was_never_listed(self, state):
        found = hot_card(account(position=12, opened_at=3, card_state=state))
        assert found == (HotChange(3, card_of(ALICE), state.value) if state in HOT else None)


class TestSince:
    def test_the_oldest_first_and_each_card_once(self):
        listed = HotList([HotChange(3, "b", "lost"), HotChange(1, "a", "frozen")])
        listed.note([HotChange(5, "a", GOOD), HotChange(6, "c", "lost")])
        everything = [HotChange(3, "b", "lost"), HotChange(5, "a", GOOD), HotChange(6, "c", "lost")]
        assert listed.since(0, 10) == (everything, False)
        assert listed.since(3, 10) == (everything[1:], False)
        assert listed.since(4, 1) == (everything[1:2], True)
        assert listed.since(6, 10) == ([], False)
        assert len(listed) == 3

    def test_changes_of_one_position_stay_together(self):
        listed = HotList([HotChange(1, "a", "lost"), HotChange(2, "b", "replaced"), HotChange(2, "c", "frozen")])
        assert [change.card for change in listed.since(0, 1)[0]] == ["a"]
        assert listed.since(0, 2) == (listed.since(0, 9)[0], False)
        assert [change.card for change in listed.since(1, 1)[0]] == ["b", "c"]

    def test_what_is_known_changes_nothing(self):
        listed = HotList([HotChange(4, "a", GOOD)])
        listed.note([HotChange(3, "a", "lost"), HotChange(4, "a", "lost")])
        assert listed.newest("a") == HotChange(4, "a", GOOD)

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["lost", GOOD]))), st.integers(1, 4))
    def test_portions_lead_to_the_present(self, happened, portion):
        listed, known, position = HotList(), {}, 0
        now: dict[str, str] = {}
        for at, (card, state) in enumerate(happened, 1):
            listed.note([HotChange(at, card, state)])
            now[card] = state
            if at % 3 == 0:
                found, _ = listed.since(position, portion)
                known |= {change.card: change.state for change in found}
                position = found[-1].position if found else position
        more = True
        while more:
            found, more = listed.since(position, portion)
            known |= {change.card: change.state for change in found}
            position = found[-1].position if found else position
        assert known == now

    def test_memory_is_bounded_by_cards(self):
        listed = HotList()
        for position in range(1, 10_000):
            listed.note([HotChange(position, f"{position % 5}", "lost" if position % 2 else GOOD)])
        assert len(listed._in_order) <= 2_000
        assert [change.position for change in listed.since(0, 10)[0]] == [*range(9_995, 10_000)]


class TestShards:
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def shard(self, store) -> Shard:
        return opened_shard(
            store, opening("1", card_state=CardState.LOST), opening(ALICE), opening(BOB, card_state=CardState.FROZEN)
        )

    listed = ([HotChange(1, card_of("1"), "lost"), HotChange(3, card_of(BOB), "frozen")], False)

    def test_what_was_opened_hot_is_listed_and_outlives_a_restart(self, shard, store):
        assert shard.hot_list.since(0, 10) == self.listed
        assert restarted(store).hot_list.since(0, 10) == self.listed
        perform(shard, purchase(1))
        shard.checkpoint()
        assert restarted(store).hot_list.since(0, 10) == self.listed
        assert Snapshots(store).ledger().hot_list
        verify(store, ACCOUNT)

    def test_an_opening_that_was_refused_is_not_listed(self, store):
        shard = restarted(store)
        opened = opened_shard(MemoryStore(), opening("1", card_state=CardState.LOST))
        turn = shard.open([event for _, event in opened.journal.events(1)], NOON)
        shard.drop(turn)
        assert shard.hot_list.since(0, 10) == ([], False)

    @pytest.mark.parametrize("checkpoint", [True, False])
    def test_a_folder_of_older_software_gets_its_list(self, shard, store, checkpoint):
        """It has no rows of the hot list, and its ledger says nothing of them."""
        perform(shard, purchase(1))
        old = MemoryStore()
        for batch in store.batches(1):
            old.commit(batch, [])
        if checkpoint:
            shard.checkpoint()
            rows = [row for row in store.rows(b"") if not row[0].startswith(b"h")]
            old.commit(None, [(key, without_hot_list(value) if key == b"l" else value) for key, value in rows])
        verify(old, ACCOUNT)
        upgraded = restarted(old)
        assert upgraded.hot_list.since(0, 10) == self.listed
        assert [*Snapshots(old).hot_cards()] == []
        upgraded.checkpoint()
        assert sorted(Snapshots(old).hot_cards()) == self.listed[0]
        assert restarted(old).hot_list.since(0, 10) == self.listed
        verify(old, ACCOUNT)

    def test_a_reshard_keeps_it(self, shard, store):
        new = [MemoryStore(), MemoryStore()]
        rewrite([store], new, ACCOUNT)
        compare([store], new)
        told = [restarted(one).hot_list.since(0, 10)[0] for one in new]
        assert {change.card: change.state for changes in told for change in changes} == {
            card_of("1"): "lost", card_of(BOB): "frozen",
        }  # fmt: skip
        new[0].commit(None, [(b"hother", msgspec.msgpack.encode((1, "lost")))])
        with pytest.raises(DifferenceError, match="hot list"):
            compare([store], new)

    @pytest.mark.parametrize(
        ("row", "value", "what"),
        [
            (b"hC1", (1, "closed"), "card C1: its row of the hot list stands at no event"),
            (b"hC1", (0, "lost"), "card C1 on the hot list: its snapshot lacks this event"),
            (b"hX", (2, "lost"), "card X: its row of the hot list stands at no event"),
        ],
    )
    def test_verify_finds_a_row_that_is_wrong(self, shard, store, row, value, what):
        shard.checkpoint()
        verify(store, ACCOUNT)
        store.commit(None, [(row, msgspec.msgpack.encode(value))])
        with pytest.raises(JournalBrokenError, match=what):
            verify(store, ACCOUNT)


def without_hot_list(row: bytes) -> bytes:
    ledger = msgspec.msgpack.decode(row, type=LedgerSnapshot)
    return msgspec.msgpack.encode((ledger.position, ledger.replay_from, ledger.held, ledger.balances))
