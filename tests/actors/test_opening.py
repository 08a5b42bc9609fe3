"""Opening accounts: all of them, or after an interruption the missing ones; and in what an existing one differs."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    ALICE,
    BOB,
    CALENDAR,
    NOON,
    NOON_US,
    balance_inquiry,
    events_of,
    opening,
    perform,
    purchase,
    restarted,
)

from actors import opening as opening_module
from actors.account.card import CardState, PersonClass
from actors.account.events import Opened
from actors.account.kind import ACCOUNT
from actors.memory_store import MemoryStore
from actors.opening import conflict, open_accounts
from actors.store import CommitRefusedError, Row, Store, StoredBatch
from actors.verification import verify


def test_opened_account_is_there(store: Store) -> None:
    shard = restarted(store)
    assert open_accounts(shard, [opening(ALICE, 12_000), opening(BOB, 0, CardState.ISSUED)], NOON) == 2
    assert events_of(store) == [
        Opened(ALICE, NOON_US, 0, f"C{ALICE}", CardState.ACTIVE, 20300731, PersonClass.STUDENT, (12_000,)),
        Opened(BOB, NOON_US, 0, f"C{BOB}", CardState.ISSUED, 20300731, PersonClass.STUDENT, (0,)),
    ]
    assert perform(shard, balance_inquiry(1))[0].balances == (12_000,)
    assert shard.ledger.balances == {("purse", 0): 12_000, ("opening", 0): -12_000}
    assert shard.ledger.imbalance == 0
    assert verify(store, ACCOUNT).actors == 2


def test_only_missing_accounts_are_opened(store: Store) -> None:
    shard = restarted(store)
    assert open_accounts(shard, [opening(ALICE, 500)], NOON) == 1
    perform(shard, purchase(1, 100))
    assert open_accounts(shard, [opening(ALICE, 500), opening(BOB)], NOON) == 1
    assert open_accounts(shard, [opening(ALICE, 500), opening(BOB)], NOON) == 0
    assert open_accounts(restarted(store), [opening(ALICE, 500), opening(BOB)], NOON) == 0
    assert shard.state(ALICE).purses == (400,)
    assert len(events_of(store)) == 3


class OneCommit(MemoryStore):
    """Has room for one commit, until there is more."""

    left = 1

    def commit(self, batch: StoredBatch | None, rows: list[Row]) -> None:
        if not self.left:
            raise CommitRefusedError("no space: the test says so")
        self.left -= 1
        super().commit(batch, rows)


def test_interrupted_opening_is_finished_by_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening_module, "ACCOUNTS_PER_COMMIT", 3)
    store = OneCommit()
    openings = [opening(str(number), 10) for number in range(8)]
    with pytest.raises(CommitRefusedError):
        open_accounts(restarted(store), openings, NOON)
    store.left = 100
    shard = restarted(store)
    assert len(events_of(store)) == 3
    assert open_accounts(shard, openings, NOON) == 5
    assert [batch.last_position for batch in store.batches(1)] == [3, 6, 8]
    assert [event.account for event in events_of(store)] == [str(number) for number in range(8)]
    assert verify(store, ACCOUNT).ledger.held == 80


def test_many_accounts(store: Store) -> None:
    openings = [opening(f"{number:06}", number) for number in range(4_500)]
    shard = restarted(store)
    assert open_accounts(shard, openings, NOON) == 4_500
    assert [batch.last_position for batch in store.batches(1)] == [2_000, 4_000, 4_500]
    assert restarted(store).ledger.held == sum(range(4_500))


CONFLICTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "the same": ({}, None),
    "card": ({"card": "other"}, "card was C20260001, not other"),
    "state": ({"card_state": CardState.LOST}, "state was active, not lost"),
    "expiry": ({"expires": 20310731}, "expires was 20300731, not 20310731"),
    "class": ({"person_class": PersonClass.STAFF}, "class was student, not staff"),
    "balance": ({"purses": (1,)}, "balance in minor units was 10000, not 1"),
    "another purse": ({"purses": (10_000, 0, 5)}, "family in minor units was 0, not 5"),
    "two": (
        {"card": "other", "purses": (1,)},
        "card was C20260001, not other, balance in minor units was 10000, not 1",
    ),
}


@pytest.mark.parametrize(("changes", "text"), CONFLICTS.values(), ids=CONFLICTS)
def test_conflict_with_how_an_account_was_opened(store: Store, changes: dict[str, Any], text: str | None) -> None:
    shard = restarted(store)
    open_accounts(shard, [opening(BOB), opening(ALICE)], CALENDAR.moment(NOON_US))
    perform(shard, purchase(1, 700))
    expected = None if text is None else f"account {ALICE} exists already: {text}"
    assert conflict(shard, opening(ALICE)._replace(**changes)) == expected
    assert conflict(restarted(store), opening(ALICE)._replace(**changes)) == expected


def test_new_account_conflicts_with_nothing(store: Store) -> None:
    assert conflict(restarted(store), opening(ALICE)) is None
