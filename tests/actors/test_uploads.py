"""Uploads to a shard: an offline number has one effect, however often, under whatever STAN, and however it is found."""

from __future__ import annotations

from typing import Any

import pytest
from controlled_store import ControlledStore
from example_campus import (
    ALICE,
    BOB,
    CALENDAR,
    DAY_US,
    KIOSK,
    NOON,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TILL,
    TODAY,
    advice,
    answer_of,
    answers_of,
    balance_inquiry,
    card_of,
    command,
    events_of,
    image,
    mini_statement,
    opened_shard,
    opening,
    perform,
    purchase,
    restarted,
    reversal,
)
from msgspec.structs import replace

from actors.account.events import AdviceDeclined, Advised, Opened
from actors.account.kind import ACCOUNT
from actors.memory_store import MemoryStore
from actors.offline_numbers import OfflineNumbers
from actors.opening import conflict, open_accounts
from actors.shard import WALKED_EVENTS_MAX, Shard
from actors.snapshots import Snapshots
from actors.store import CommitRefusedError, Store
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import ActivateCard, OpenAccount

NOBODY = "404"
NUMBER = (TILL.number, 7)


def balance(shard: Shard, number: str = ALICE) -> int:
    return sum(shard.state(number).purses)


def word(answer: Any) -> tuple[Code, Reason]:
    return answer.code, answer.reason


@pytest.mark.parametrize("stan", [20, 21], ids=["its STAN", "another STAN"])
def test_uploaded_again_in_a_later_turn(store: Store, stan: int) -> None:
    shard = opened_shard(store)
    first = answer_of(shard, advice(20, 7))
    assert (first.code, first.balances, first.paid) == (Code.APPROVED, (), (1_000,))
    answer_of(shard, purchase(30, 500))
    again = advice(stan, 7)
    for asked in (shard, restarted(store)):
        turn = asked.decide([again], NOON, POLICY)
        assert (turn.entries, turn.repeats, turn.walked) == ([], 1, 0)
        assert answers_of(turn) == [replace(first, stan=stan)]
    assert balance(shard) == 8_500


def test_uploaded_twice_in_one_turn(store: Store) -> None:
    shard = opened_shard(store)
    first, same, other = perform(shard, advice(20, 7), advice(20, 7), advice(21, 7))
    assert (same, other) == (first, replace(first, stan=21))
    assert balance(shard) == 9_000
    verify(store, ACCOUNT)


@pytest.mark.parametrize(
    "change",
    [{"amount": 1_001}, {"card": "another"}, {"taken_us": NOON_US}, {"account": BOB}, {"account": NOBODY}],
    ids=str,
)
@pytest.mark.parametrize("stan", [1, 20, 21], ids=["a lower STAN", "its STAN", "a new STAN"])
def test_other_content_under_the_same_number(store: Store, stan: int, change: dict[str, Any]) -> None:
    shard = opened_shard(store)
    answer_of(shard, advice(20, 7))
    before = image(shard, [ALICE, BOB])
    for asked in (shard, restarted(store)):
        assert word(answer_of(asked, replace(advice(stan, 7), **change))) == (Code.DUPLICATE, Reason.CONTENT_DIFFERS)
        assert image(asked, [ALICE, BOB]) == before
        assert asked.state(NOBODY) is None


def test_numbers_of_two_terminals_are_two_purchases(store: Store) -> None:
    shard = opened_shard(store)
    perform(shard, advice(20, 7), advice(20, 7, terminal=OTHER_TILL.number), advice(21, 8))
    assert balance(shard) == 7_000


def test_uploads_come_in_any_order(store: Store) -> None:
    shard = opened_shard(store)
    for stan, number in enumerate((5, 1, 4, 2, 3), 20):
        assert answer_of(shard, advice(stan, number, 10)).code is Code.APPROVED
    assert balance(shard) == 9_950
    assert [number for (_, number), _ in Snapshots(store).offline_numbers()] == [1, 2, 3, 4, 5]


def test_a_stan_that_was_used_is_a_duplicate_in_both_directions(store: Store) -> None:
    shard = opened_shard(store)
    perform(shard, purchase(20, 500), advice(21, 7))
    different = (Code.DUPLICATE, Reason.CONTENT_DIFFERS)
    assert word(answer_of(shard, advice(20, 8))) == different
    assert word(answer_of(shard, advice(21, 8))) == different
    assert word(answer_of(shard, purchase(21))) == different
    assert balance(shard) == 8_500
    assert answer_of(shard, advice(22, 8)).code is Code.APPROVED


def test_a_decline_is_for_ever_under_its_stan_and_leaves_the_number_free(store: Store) -> None:
    shard = opened_shard(store)
    none = advice(20, 7, 0)
    declined = answer_of(shard, none)
    assert word(declined) == (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)
    assert answer_of(shard, advice(21, 7)).code is Code.APPROVED
    for asked in (shard, restarted(store)):
        assert answer_of(asked, none) == declined
        assert word(answer_of(asked, replace(none, amount=1_000))) == (Code.APPROVED, Reason.NONE)
        assert word(answer_of(asked, replace(none, amount=5))) == (Code.DUPLICATE, Reason.CONTENT_DIFFERS)
    assert [type(event) for event in events_of(store)[2:]] == [AdviceDeclined, Advised]


def test_a_stan_that_was_reversed_is_not_used_for_an_upload_but_another_is(store: Store) -> None:
    shard = opened_shard(store)
    answer_of(shard, reversal(19, purchase(20)))
    assert word(answer_of(shard, advice(20, 7))) == (Code.INVALID_TRANSACTION, Reason.REVERSED)
    assert answer_of(shard, advice(21, 7)).code is Code.APPROVED
    assert word(answer_of(shard, reversal(22, advice(21, 7)))) == (Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)
    assert balance(shard) == 9_000


def test_a_large_upload_and_its_repetition_never_walk(store: Store) -> None:
    shard = opened_shard(store)
    perform(shard, *(purchase(stan, 1) for stan in range(1, WALKED_EVENTS_MAX + 100)))
    upload = [advice(10_000 + number, number, 1) for number in range(1, WALKED_EVENTS_MAX + 100)]
    for copies in (upload, upload, [replace(copy, stan=copy.stan + 10_000) for copy in upload]):
        turn = shard.decide(copies, NOON, POLICY)
        assert (turn.walked, turn.put_off) == (0, 0)
        shard.commit(turn)
        shard.adopt(turn)
        assert {word(answer) for answer in answers_of(turn)} == {(Code.APPROVED, Reason.NONE)}
    assert balance(shard) == 10_000 - 2 * (WALKED_EVENTS_MAX + 99)


def test_a_new_upload_is_decided_however_much_was_walked(store: Store) -> None:
    shard = opened_shard(store)
    perform(shard, *(purchase(stan, 1) for stan in range(2, WALKED_EVENTS_MAX + 100)))
    walks, upload, uploaded_late = purchase(1, 1), advice(10_000, 7), advice(1, 8, account=BOB)
    turn = shard.decide([walks, upload, uploaded_late], NOON, POLICY)
    assert [answer.code for answer in answers_of(turn)] == [Code.APPROVED, Code.APPROVED, Code.TRY_AGAIN]
    assert turn.put_off == 1


# --- commits, restarts -----------------------------------------------------------------------------------------------


def test_the_index_is_written_in_the_commit_of_its_events(store: Store) -> None:
    shard = opened_shard(store)
    turn = shard.decide([advice(20, 7), advice(21, 8, 0)], NOON, POLICY)
    assert Snapshots(store).offline_positions(NUMBER) == ()
    shard.commit(turn)
    assert list(Snapshots(store).offline_numbers()) == [(NUMBER, (3,))]
    assert events_of(store)[2].offline_number == 7
    shard.adopt(turn)
    assert shard.offline_numbers.unwritten() == []


def test_a_refused_commit_posted_nothing_and_can_be_done_again() -> None:
    store = ControlledStore()
    shard = opened_shard(store)
    before = image(shard, [ALICE])
    store.refuse()
    for request in (advice(20, 7), advice(20, 7, account=NOBODY)):
        turn = shard.decide([request], NOON, POLICY)
        with pytest.raises(CommitRefusedError):
            shard.commit(turn)
        shard.drop(turn)
        assert image(shard, [ALICE]) == before
        assert shard.state(NOBODY) is None
        assert shard.offline_numbers.positions(NUMBER) == ()
    store.mend()
    assert answer_of(shard, advice(20, 7)).paid == (1_000,)
    assert balance(shard) == 9_000
    verify(store, ACCOUNT)


def without_index(store: MemoryStore) -> MemoryStore:
    """The same folder, as if its index had never been written."""
    bare = MemoryStore()
    for batch in store.batches(1):
        bare.commit(batch, [])
    return bare


def test_the_index_is_rebuilt_from_the_journal() -> None:
    store = MemoryStore()
    shard = opened_shard(store)
    perform(shard, advice(20, 7), advice(21, 8, account=BOB))
    bare = without_index(store)
    again = restarted(bare)
    assert [answer.code for answer in perform(again, advice(30, 7), advice(31, 8, 5, account=BOB))] == [
        Code.APPROVED, Code.DUPLICATE,
    ]  # fmt: skip
    assert balance(again) == 9_000
    assert list(Snapshots(bare).offline_numbers()) == []
    answer_of(again, purchase(40))
    assert list(Snapshots(bare).offline_numbers()) == list(Snapshots(store).offline_numbers())
    checkpointed = without_index(store)
    restarted(checkpointed).checkpoint()
    assert list(Snapshots(checkpointed).offline_numbers()) == list(Snapshots(store).offline_numbers())
    verify(checkpointed, ACCOUNT)


def test_a_dropped_turn_leaves_what_the_next_commit_owes() -> None:
    store = MemoryStore()
    answer_of(opened_shard(store), advice(20, 7))
    shard = restarted(without_index(store))
    shard.drop(shard.decide([advice(21, 8)], NOON, POLICY))
    assert shard.offline_numbers.unwritten() == [(NUMBER, (3,))]


def test_nothing_is_kept_in_memory() -> None:
    kept = OfflineNumbers({NUMBER: (3,)}.__getitem__)
    assert kept.positions(NUMBER) == (3,)
    kept.add(NUMBER, 3)
    assert kept.unwritten() == []
    kept.add(NUMBER, 9)
    assert kept.positions(NUMBER) == (3, 9)
    kept.written(kept.unwritten())
    assert kept.unwritten() == []


# --- accounts that were never opened ---------------------------------------------------------------------------------


def test_an_account_that_nobody_opened(store: Store) -> None:
    shard = opened_shard(store)
    first, second, bought = perform(
        shard, advice(20, 7, account=NOBODY), advice(21, 8, 500, NOBODY), purchase(22, number=NOBODY)
    )
    assert (first.paid, second.paid) == ((0,), (0,))
    assert word(bought) == (Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)
    assert shard.ledger.balances["suspense", 0] == -1_500
    assert shard.ledger.balances["merchant", TILL.merchant] == 1_500
    assert shard.ledger.imbalance == 0
    assert (shard.state(NOBODY).opened_at, balance(shard, NOBODY)) == (0, 0)
    for stan in (30, 31):
        shard = restarted(store)
        assert word(answer_of(shard, purchase(stan, number=NOBODY))) == (Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)
        assert answer_of(shard, advice(stan + 10, 7, account=NOBODY)) == replace(first, stan=stan + 10)
    verify(store, ACCOUNT)


@pytest.mark.parametrize("inquiry", [balance_inquiry(31, NOBODY), mini_statement(32, NOBODY)], ids=["balance", "mini"])
def test_inquiries_of_an_account_that_nobody_opened(store: Store, inquiry: Any) -> None:
    shard = opened_shard(store)
    answer_of(shard, advice(20, 7, account=NOBODY))
    assert word(answer_of(shard, inquiry)) == (Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)


def test_a_terminal_that_may_not_upload_brings_no_money_in(store: Store) -> None:
    shard = opened_shard(store)
    refused = answer_of(shard, advice(20, 7, account=NOBODY, terminal=KIOSK.number))
    assert word(refused) == (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)
    assert answer_of(shard, advice(20, 7, account=NOBODY, terminal=KIOSK.number)) == refused
    assert ("suspense", 0) not in shard.ledger.balances
    verify(store, ACCOUNT)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_it_is_opened_later_like_any_other(store: Store, *, checkpoint: bool) -> None:
    shard = opened_shard(store)
    late = advice(20, 7, account=NOBODY)
    first = answer_of(shard, late)
    refused = answer_of(shard, purchase(21, number=NOBODY))
    if checkpoint:
        shard.checkpoint()
    shard = restarted(store)
    asked = opening(NOBODY, 700)
    assert conflict(shard, asked) is None
    assert open_accounts(shard, [asked], NOON) == 1
    assert open_accounts(shard, [asked], NOON) == 0
    assert conflict(shard, asked) is None
    assert conflict(shard, opening(NOBODY, 701)) is not None
    opened = events_of(store)[-1]
    assert isinstance(opened, Opened)
    assert opened.previous == 4
    for again in (shard, restarted(store)):
        assert answer_of(again, late) == first
        assert answer_of(again, purchase(21, number=NOBODY)) == refused
    assert answer_of(shard, purchase(22, 100, NOBODY)).balances == (600,)
    assert [entry.service for entry in answer_of(shard, mini_statement(23, NOBODY)).entries] == [
        "purchase", "opening", "purchase", "advice",
    ]  # fmt: skip
    assert shard.ledger.balances["suspense", 0] == -1_000
    verify(store, ACCOUNT)
    assert image(restarted(store), [ALICE, NOBODY]) == image(shard, [ALICE, NOBODY])


def test_an_operator_opens_it_later(store: Store) -> None:
    shard = opened_shard(store)
    late = advice(20, 7, account=NOBODY)
    first = answer_of(shard, late)
    before = answer_of(shard, command(1, ActivateCard, number=NOBODY))
    assert word(before) == (Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)
    opens = command(2, OpenAccount, "C2", 20300731, "student", number=NOBODY)
    assert answer_of(shard, opens).code is Code.APPROVED
    assert answer_of(shard, command(3, ActivateCard, number=NOBODY)).code is Code.APPROVED
    for asked in (shard, restarted(store)):
        assert answer_of(asked, late) == first
        assert answer_of(asked, opens).code is Code.APPROVED
    assert (shard.state(NOBODY).card, shard.state(NOBODY).opened_at) == ("C2", 5)
    assert answer_of(shard, command(4, OpenAccount, "C3", 20300731, "student", number=NOBODY)).code is (
        Code.INVALID_TRANSACTION
    )
    verify(store, ACCOUNT)


def test_a_refused_opening_leaves_it_unopened() -> None:
    store = ControlledStore()
    shard = opened_shard(store)
    answer_of(shard, advice(20, 7, account=NOBODY))
    store.refuse()
    event = Opened(
        NOBODY, NOON_US, 3, card_of(NOBODY), opening(NOBODY).card_state, 20300731, opening(NOBODY).person_class, (5,)
    )
    turn = shard.open([event], NOON)
    with pytest.raises(CommitRefusedError):
        shard.commit(turn)
    shard.drop(turn)
    store.mend()
    assert (shard.state(NOBODY).opened_at, balance(shard, NOBODY)) == (0, 0)
    assert open_accounts(shard, [opening(NOBODY, 700)], NOON) == 1
    assert balance(shard, NOBODY) == 700
    verify(store, ACCOUNT)


# --- totals ----------------------------------------------------------------------------------------------------------


def test_uploads_count_on_the_days_that_they_name(store: Store) -> None:
    shard = opened_shard(store)
    days = [advice(20 + back, 1 + back, 100, taken_us=NOON_US - back * DAY_US) for back in range(6)]
    for request in days:
        answer_of(shard, request)
    answer_of(shard, purchase(30, 50))
    tomorrow = CALENDAR.moment(NOON_US + DAY_US)
    answer_of(shard, advice(31, 9, 7, taken_us=NOON_US), tomorrow)
    for asked in (shard, restarted(store)):
        counted = [asked.totals.of(day, TILL.number) for day in (TODAY, 20260831, 20260827, 20260826)]
        sums = [{key[3]: (count, amount) for key, (count, amount, _) in day.items()} for day in counted]
        assert sums == [{"advice": (2, 107), "purchase": (1, 50)}, {"advice": (1, 100)}, {"advice": (1, 100)}, {}]
    shard.checkpoint()
    verify(store, ACCOUNT)
