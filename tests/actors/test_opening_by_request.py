"""An account that a request brings into being: there from its commit on, and never there by half."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    ALICE,
    CALENDAR,
    DESK,
    NOON,
    NOON_US,
    POLICY,
    SMALL_DESK,
    TILL,
    answer_of,
    answers_of,
    balance_inquiry,
    card_of,
    command,
    events_of,
    highest_stans,
    opened_shard,
    opening,
    perform,
    purchase,
    restarted,
    reversal,
)
from msgspec.structs import replace

from actors import shard as shard_module
from actors.account.card import CardState, PersonClass
from actors.account.kind import ACCOUNT
from actors.opening import Opening, conflict, open_accounts
from actors.store import Store
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import ActivateCard, CorrectEntry, CorrectionReason, FreezeCard, OpenAccount

CAROL = "20269999"
NO_ACCOUNT = (Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)


def open_carol(stan: int = 1, terminal: int = DESK.number) -> Any:
    return command(stan, OpenAccount, card_of(CAROL), 20300731, "staff", number=CAROL, terminal=terminal)


def told(answers: list[Any]) -> list[tuple[Code, Reason]]:
    return [(answer.code, answer.reason) for answer in answers]


DONE = (Code.APPROVED, Reason.NONE)


def test_account_is_opened_once_and_answered_the_same_for_ever(store: Store) -> None:
    shard = opened_shard(store)
    first = answer_of(shard, open_carol())
    assert (first.code, first.balances, first.authorization) == (Code.APPROVED, (0,), 0)
    assert answer_of(shard, open_carol()) == first
    again = restarted(store)
    assert answer_of(again, replace(open_carol(), wait_ms=7)) == first
    assert told(perform(again, open_carol(2))) == [(Code.INVALID_TRANSACTION, Reason.ACCOUNT_EXISTS)]
    state = again.state(CAROL)
    assert (state.opened_at, state.card_state, state.person_class) == (3, CardState.ISSUED, PersonClass.STAFF)
    assert verify(store, ACCOUNT).actors == 3


def test_what_follows_in_the_same_turn_finds_the_account(store: Store) -> None:
    shard = opened_shard(store)
    money = command(3, CorrectEntry, 0, 500, CorrectionReason.GOODWILL, number=CAROL)
    requests = [
        purchase(1, 100, CAROL),
        open_carol(1),
        open_carol(1),
        command(2, ActivateCard, number=CAROL),
        money,
        purchase(2, 100, CAROL),
        balance_inquiry(3, CAROL),
    ]
    turn = shard.decide(requests, NOON, POLICY)
    assert told(answers_of(turn)) == [NO_ACCOUNT, *[DONE] * 6]
    assert answers_of(turn)[1] == answers_of(turn)[2]
    assert (len(turn.entries), turn.repeats) == (4, 1)
    assert shard.state(CAROL) is None
    shard.commit(turn)
    shard.adopt(turn)
    assert shard.state(CAROL).purses == (400,)
    assert shard.ledger.imbalance == 0
    assert restarted(store).state(CAROL) == shard.state(CAROL)
    assert verify(store, ACCOUNT).events == 6


def test_account_whose_commit_was_refused_was_never_there(store: Store) -> None:
    shard = opened_shard(store)
    turn = shard.decide([open_carol(), command(2, ActivateCard, number=CAROL)], NOON, POLICY)
    shard.drop(turn)
    assert told(perform(shard, command(3, ActivateCard, number=CAROL))) == [NO_ACCOUNT]
    assert told(perform(shard, open_carol())) == [DONE]
    assert verify(store, ACCOUNT).events == 3


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (open_carol(terminal=TILL.number), (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)),
        (open_carol(terminal=SMALL_DESK.number), (Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE)),
        (replace(open_carol(), expires=20260831), (Code.INVALID_TRANSACTION, Reason.EXPIRY_NOT_POSSIBLE)),
        (command(1, FreezeCard, number=CAROL), NO_ACCOUNT),
        (purchase(1, number=CAROL), NO_ACCOUNT),
        (reversal(1, purchase(9, number=CAROL)), NO_ACCOUNT),
    ],
    ids=["not an operator", "beyond the role", "no such day", "another command", "a purchase", "a reversal"],
)
def test_what_is_refused_leaves_no_account_behind(store: Store, request_: Any, expected: Any) -> None:
    shard = opened_shard(store)
    turn = shard.decide([request_, request_], NOON, POLICY)
    assert told(answers_of(turn)) == [expected] * 2
    assert (turn.entries, turn.rows, sum(turn.unrecorded.values())) == ([], [], 2)
    shard.adopt(turn)
    assert shard.state(CAROL) is None
    assert (highest_stans(shard), len(events_of(store))) == ({}, 2)
    assert told(perform(shard, open_carol())) == [DONE]


def test_opening_that_is_put_off_leaves_no_account_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = opened_shard(store)
    perform(shard, command(5, FreezeCard), purchase(1))
    monkeypatch.setattr(shard_module, "WALKED_EVENTS_MAX", 0)
    turn = shard.decide([purchase(1), open_carol(4), purchase(2, number=CAROL)], NOON, POLICY)
    assert told(answers_of(turn))[1:] == [(Code.TRY_AGAIN, Reason.BUSY_SHARD), NO_ACCOUNT]
    assert (turn.put_off, turn.entries) == (1, [])
    shard.adopt(turn)
    assert shard.state(CAROL) is None


def test_accounts_file_with_an_account_that_an_operator_opened(store: Store) -> None:
    shard = opened_shard(store)
    perform(shard, open_carol(), command(2, ActivateCard, number=CAROL))
    same = Opening(CAROL, card_of(CAROL), CardState.ISSUED, 20300731, PersonClass.STAFF, (0,))
    assert conflict(shard, same) is None
    other = conflict(shard, opening(CAROL, 5))
    assert other is not None
    assert "state was issued, not active" in other
    assert "class was staff, not student" in other
    assert open_accounts(shard, [same], CALENDAR.moment(NOON_US)) == 0


def test_replay_brings_the_account_back_without_snapshots(store: Store) -> None:
    shard = opened_shard(store)
    shard.checkpoint()
    perform(shard, open_carol())
    perform(shard, command(2, ActivateCard, number=CAROL), purchase(1, 100, ALICE))
    again = restarted(store)
    assert again.state(CAROL) == shard.state(CAROL)
    assert again.state(CAROL).card_state is CardState.ACTIVE
    again.checkpoint()
    assert restarted(store).state(CAROL) == shard.state(CAROL)
    verify(store, ACCOUNT)
