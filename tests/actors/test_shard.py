"""The shard's turn over both stores: what was decided stays decided, and what is not adopted never was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import time
from typing import Any

import msgspec
import pytest
from example_campus import (
    ALICE,
    BATH,
    BOB,
    CALENDAR,
    DAY_US,
    KIOSK,
    NOON,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TILL,
    TOP_UP_MACHINE,
    advice,
    answer_of,
    answers_of,
    balance_inquiry,
    card_of,
    events_of,
    highest_stans,
    image,
    mini_statement,
    opened_shard,
    opening,
    perform,
    purchase,
    restarted,
    reversal,
    top_up,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors import shard as shard_module
from actors.account.card import CardState, PersonClass
from actors.account.events import (
    Event,
    Opened,
    Purchased,
    PurchaseDeclined,
    PurchaseReturned,
    ReversalDeclined,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.kind import ACCOUNT
from actors.account.state import Account
from actors.calendar import MealPeriod
from actors.memory_store import MemoryStore
from actors.placement import SLOTS, slot_of
from actors.policy import Price
from actors.shard import ADMISSION_LAG_RATIO, LEG_REQUESTS, WALKED_EVENTS_MAX, Shard
from actors.snapshots import Snapshots
from actors.store import CommitRefusedError, Row, Store, StoredBatch
from actors.verification import verify
from wire.codec import join, reply_decoder
from wire.codes import Code, Reason
from wire.messages import Answer, BalanceInquiry, Hold, MiniStatement, Purchase, Reversal

REVERSED = (Code.INVALID_TRANSACTION, Reason.REVERSED)
DUPLICATE = (Code.DUPLICATE, Reason.CONTENT_DIFFERS)
APPROVED = (Code.APPROVED, Reason.NONE)


MIXED = [
    purchase(10, 700), top_up(10, 800), reversal(11, purchase(1, 300)), purchase(12, 99_999), balance_inquiry(13),
    reversal(14, purchase(900), amount=5), purchase(10, 700, number=BOB),
]  # fmt: skip


def word(answer: Any) -> tuple[Code, Reason]:
    """Code and reason of an answer."""
    return answer.code, answer.reason


def balance(shard: Shard, number: str = ALICE) -> int:
    """What the account holds."""
    return sum(shard.state(number).purses)


def assert_sound(store: Store, shard: Shard) -> None:
    """The shard is in balance, and its folder verifies."""
    assert shard.ledger.imbalance == 0
    assert verify(store, ACCOUNT).head == shard.head


# --- one effect, and one answer for ever -----------------------------------------------------------------------------

FIRSTS: dict[str, Any] = {
    "purchase": purchase(5, 1_200),
    "declined purchase": purchase(5, 10_001),
    "top-up": top_up(5, 2_500),
    "declined top-up": top_up(5, -1),
    "reversal of nothing": reversal(5, purchase(4)),
    "reversal of a purchase": reversal(5, purchase(1, 300)),
    "declined reversal": reversal(5, purchase(1, 300), amount=301),
}


def later_on_other_accounts(shard: Shard, store: Store) -> Shard:
    perform(shard, purchase(6, number=BOB), top_up(6, number=BOB))
    return shard


def later_on_the_same_account(shard: Shard, store: Store) -> Shard:
    perform(shard, purchase(6), top_up(6), purchase(7, 999_999))
    perform(shard, reversal(8, purchase(6)))
    return shard


def after_a_restart(shard: Shard, store: Store) -> Shard:
    return restarted(store)


def after_a_checkpoint_and_a_restart(shard: Shard, store: Store) -> Shard:
    shard.checkpoint()
    return restarted(store)


def at_once(shard: Shard, store: Store) -> Shard:
    return shard


@pytest.mark.parametrize("first", FIRSTS.values(), ids=FIRSTS)
@pytest.mark.parametrize(
    "meanwhile",
    [at_once, later_on_other_accounts, later_on_the_same_account, after_a_restart, after_a_checkpoint_and_a_restart],
)
def test_copy_gets_the_same_answer_and_has_no_effect(
    store: Store, first: Any, meanwhile: Callable[[Shard, Store], Shard]
) -> None:
    shard = opened_shard(store)
    answer_of(shard, purchase(1, 300))
    answer = answer_of(shard, first)
    shard = meanwhile(shard, store)
    before = image(shard, [ALICE, BOB])
    turn = shard.decide([first, replace(first, wait_ms=1)], NOON, POLICY)
    assert answers_of(turn) == [answer, answer]
    assert (turn.entries, turn.repeats, turn.batch) == ([], 2, None)
    shard.adopt(turn)
    assert image(shard, [ALICE, BOB]) == before
    assert_sound(store, shard)


@pytest.mark.parametrize("first", FIRSTS.values(), ids=FIRSTS)
def test_copy_in_the_same_turn(store: Store, first: Any) -> None:
    shard = opened_shard(store)
    answer_of(shard, purchase(1, 300))
    turn = shard.decide([first, first, purchase(6, 1), first], NOON, POLICY)
    assert turn.answers[0] == turn.answers[1] == turn.answers[3]
    assert (len(turn.entries), turn.repeats) == (2, 2)
    shard.commit(turn)
    shard.adopt(turn)
    assert answer_of(shard, first) == answers_of(turn)[0]
    assert_sound(store, shard)


@pytest.mark.parametrize("first", FIRSTS.values(), ids=FIRSTS)
def test_other_content_under_the_same_stan(store: Store, first: Any) -> None:
    shard = opened_shard(store)
    answer_of(shard, purchase(1, 300))
    answer = answer_of(shard, first)
    before = image(shard, [ALICE])
    assert word(answer_of(shard, replace(first, amount=first.amount + 1))) == DUPLICATE
    assert word(answer_of(shard, replace(purchase(5, 77), terminal=first.terminal))) == DUPLICATE
    assert answer_of(shard, first) == answer
    assert image(shard, [ALICE]) == before


def test_same_stan_of_another_terminal_or_on_another_account_is_another_transaction(store: Store) -> None:
    shard = opened_shard(store)
    requests = [purchase(5), purchase(5, number=BOB), purchase(5, terminal=OTHER_TILL.number)]
    answers = [answer_of(shard, request) for request in requests]
    assert [answer.code for answer in answers] == [Code.APPROVED] * 3
    assert (balance(shard), balance(shard, BOB)) == (8_000, 9_000)
    assert perform(shard, *requests) == answers


def test_stans_may_come_in_any_order(store: Store) -> None:
    shard = opened_shard(store)
    stans = [9, 2, 2**63 - 1, 5, 1]
    answers = {stan: answer_of(shard, purchase(stan, 100)) for stan in stans}
    assert balance(shard) == 9_500
    assert perform(shard, *(purchase(stan, 100) for stan in stans)) == [answers[stan] for stan in stans]
    assert highest_stans(shard) == {TILL.number: 2**63 - 1}
    assert_sound(store, shard)


def test_authorization_numbers_are_unique_and_name_their_shard(store: Store) -> None:
    shard = opened_shard(store, number=7)
    answers = perform(shard, *(purchase(stan, 100) for stan in range(1, 20)))
    numbers = [answer.authorization for answer in answers]
    assert len(set(numbers)) == 19
    assert {number % SLOTS for number in numbers} == {7}
    assert [number // SLOTS for number in numbers] == list(range(3, 22))


# --- reversals -------------------------------------------------------------------------------------------------------


def test_reversal_after_its_original(store: Store) -> None:
    shard = opened_shard(store)
    bought, undo = purchase(1, 1_500), reversal(2, purchase(1, 1_500))
    answer_of(shard, bought)
    answer = answer_of(shard, undo)
    assert (word(answer), answer.balances, answer.authorization > 0) == (APPROVED, (10_000,), True)
    late = answer_of(shard, bought)
    assert (word(late), late.balances) == (REVERSED, ())
    assert answer_of(shard, undo) == answer
    assert shard.ledger.balances[("merchant", TILL.merchant)] == 0
    assert_sound(store, shard)


def test_reversal_before_its_original(store: Store) -> None:
    shard = opened_shard(store)
    bought, undo = purchase(1, 1_500), reversal(2, purchase(1, 1_500))
    answer = answer_of(shard, undo)
    assert (word(answer), answer.balances, answer.authorization) == (APPROVED, (), 0)
    late = answer_of(shard, bought)
    assert (word(late), late.balances) == (REVERSED, ())
    assert answer_of(shard, undo) == answer
    assert balance(shard) == 10_000
    assert [type(event) for event in events_of(store)[2:]] == [Tombstoned]


def test_reversal_of_a_stan_above_all_that_its_terminal_sent(store: Store) -> None:
    shard = opened_shard(store)
    future = purchase(900, 1_500, terminal=OTHER_TILL.number)
    assert word(answer_of(shard, reversal(2, future))) == APPROVED
    shard = restarted(store)
    assert highest_stans(shard) == {TILL.number: 2, OTHER_TILL.number: 900}
    assert word(answer_of(shard, future)) == REVERSED
    assert word(answer_of(shard, purchase(3, terminal=OTHER_TILL.number))) == APPROVED
    assert balance(shard) == 9_000
    assert_sound(store, shard)


def test_reversal_and_original_in_one_turn(store: Store) -> None:
    shard = opened_shard(store)
    bought, undo = purchase(1, 1_500), reversal(2, purchase(1, 1_500))
    late, undo_late = purchase(4, 1_500), reversal(3, purchase(4, 1_500))
    answers = perform(shard, bought, undo, bought, undo, undo_late, late, undo_late)
    assert [word(answer) for answer in answers] == [
        APPROVED, APPROVED, REVERSED, APPROVED, APPROVED, REVERSED, APPROVED,
    ]  # fmt: skip
    assert answers[1] == answers[3]
    assert balance(shard) == 10_000
    assert_sound(store, shard)


def test_second_reversal_has_no_effect(store: Store) -> None:
    shard = opened_shard(store)
    bought = purchase(1, 1_500)
    answer_of(shard, bought)
    undo, again = reversal(2, bought), reversal(3, bought, terminal=OTHER_TILL.number)
    first, second = answer_of(shard, undo), answer_of(shard, again)
    assert (word(first), first.authorization > 0, first.balances) == (APPROVED, True, (10_000,))
    assert (word(second), second.authorization, second.balances) == (APPROVED, 0, ())
    assert perform(shard, undo, again, bought)[:2] == [first, second]
    assert word(answer_of(shard, bought)) == REVERSED
    assert_sound(store, shard)


@pytest.mark.parametrize("amount", [1_499, 1_501, 0, -1_500, 2**63 - 1])
def test_reversal_of_another_amount(store: Store, amount: int) -> None:
    shard = opened_shard(store)
    bought = purchase(1, 1_500)
    approved = answer_of(shard, bought)
    refused = answer_of(shard, reversal(2, bought, amount=amount))
    assert word(refused) == (Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS)
    assert answer_of(shard, bought) == approved
    assert word(answer_of(shard, reversal(3, bought))) == APPROVED
    assert balance(shard) == 10_000
    assert word(answer_of(shard, reversal(4, bought, amount=amount))) == word(refused)
    assert_sound(store, shard)


def test_reversal_of_a_decline(store: Store) -> None:
    shard = opened_shard(store)
    too_much = purchase(1, 10_001)
    assert answer_of(shard, too_much).code is Code.INSUFFICIENT_FUNDS
    undone, late = answer_of(shard, reversal(2, too_much)), answer_of(shard, too_much)
    assert (word(undone), undone.authorization, undone.balances) == (APPROVED, 0, ())
    assert (word(late), late.balances) == (REVERSED, ())
    assert [type(event) for event in events_of(store)[2:]] == [PurchaseDeclined, Tombstoned]


def test_reversal_of_a_reversal(store: Store) -> None:
    shard = opened_shard(store)
    bought = purchase(1, 1_500)
    undo = reversal(2, bought)
    first, done = perform(shard, bought, undo)
    assert word(answer_of(shard, reversal(3, undo))) == (Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)
    assert answer_of(shard, undo) == done
    assert balance(shard) == 10_000
    assert first.code is Code.APPROVED


def test_reversal_that_names_itself(store: Store) -> None:
    shard = opened_shard(store)
    itself = reversal(5, purchase(5))
    answer = answer_of(shard, itself)
    assert word(answer) == (Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)
    assert answer_of(shard, itself) == answer
    assert balance(shard) == 10_000


def test_reversal_of_a_spent_top_up_leaves_the_rest_in_suspense(store: Store) -> None:
    shard = opened_shard(store)
    paid_in = top_up(1, 5_000, channel=2)
    perform(shard, paid_in, purchase(1, 13_000))
    answer = answer_of(shard, reversal(2, paid_in, TOP_UP_MACHINE.number))
    assert (word(answer), answer.balances) == (APPROVED, (0,))
    assert shard.ledger.balances[("suspense", 0)] == -3_000
    assert shard.ledger.balances[("channel", 2)] == 0
    assert_sound(store, shard)
    assert restarted(store).ledger.balances == shard.ledger.balances


def test_reversal_goes_only_to_the_account_that_it_names(store: Store) -> None:
    shard = opened_shard(store)
    bought = purchase(1, 1_500)
    answer = answer_of(shard, bought)
    assert word(answer_of(shard, reversal(2, replace(bought, account=BOB)))) == APPROVED
    assert answer_of(shard, bought) == answer
    assert (balance(shard), balance(shard, BOB)) == (8_500, 10_000)


def test_copies_of_a_reversed_original_are_declined_for_ever(store: Store) -> None:
    shard = opened_shard(store, snapshot_lag=3, active_max=2)
    bought = purchase(1, 100)
    perform(shard, bought, reversal(2, bought))
    for stan in range(3, 30):
        perform(shard, purchase(stan, 10), purchase(stan, 10, terminal=OTHER_TILL.number, number=BOB))
        assert word(answer_of(shard, bought)) == REVERSED
        if stan % 9 == 0:
            shard = restarted(store, snapshot_lag=3, active_max=2)
    assert balance(shard) == 10_000 - 27 * 10


def test_reversal_that_its_terminal_may_not_send_marks_nothing(store: Store) -> None:
    shard = opened_shard(store)
    future = purchase(900)
    assert answer_of(shard, reversal(2, future, KIOSK.number)).code is Code.NOT_PERMITTED_TO_TERMINAL
    assert isinstance(events_of(store)[-1], ReversalDeclined)
    assert highest_stans(shard) == highest_stans(restarted(store)) == {KIOSK.number: 2}
    assert word(answer_of(shard, future)) == APPROVED
    shard.checkpoint()
    assert_sound(store, shard)


def test_refused_reversals_stan_is_no_news_to_verification(store: Store) -> None:
    shard = opened_shard(store)
    answer_of(shard, reversal(2, purchase(900), KIOSK.number))
    shard.checkpoint()
    assert_sound(store, shard)


# --- what has no effect ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        purchase(1, number="404"), top_up(1, number="404"), reversal(2, purchase(1, number="404")),
        balance_inquiry(1, "404"), mini_statement(1, "404"),
        purchase(1, number="x" * 19), purchase(1, number="\U0001f980"),
    ],
)  # fmt: skip
def test_unknown_account(store: Store, request_: Any) -> None:
    shard = opened_shard(store)
    before = image(shard, [ALICE])
    turn = shard.decide([request_, request_], NOON, POLICY)
    expected = Answer(request_.terminal, request_.stan, Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT, 0, (), ())
    assert answers_of(turn) == [expected, expected]
    assert turn.unrecorded == {(type(request_), 14): 2}
    shard.adopt(turn)
    assert image(shard, [ALICE]) == before
    assert word(answer_of(shard, purchase(1))) == APPROVED


def test_walks_of_one_turn_are_bounded_and_each_goes_to_its_end_some_time(store: Store) -> None:
    shard = opened_shard(store)
    for stan in range(1_000, 1_000 + WALKED_EVENTS_MAX + 2):
        perform(shard, purchase(stan, 1))
    walks = [purchase(1, 1), purchase(2, 1), purchase(3, 1, BOB)]
    first, second, third = perform(shard, *walks)
    assert word(first) == APPROVED
    assert word(second) == word(third) == (Code.TRY_AGAIN, Reason.BUSY_SHARD)
    assert second.retry_after_ms > 0
    assert word(answer_of(shard, walks[1])) == APPROVED
    assert word(answer_of(shard, walks[2])) == APPROVED
    assert_sound(store, shard)


def test_new_stans_are_decided_however_much_was_walked(store: Store) -> None:
    shard = opened_shard(store)
    for stan in range(1_000, 1_000 + WALKED_EVENTS_MAX + 2):
        perform(shard, purchase(stan, 1))
    _, new = perform(shard, purchase(1, 1), purchase(9_000, 1))
    assert word(new) == APPROVED


def test_inquiries_have_no_effect_and_are_answered_anew(store: Store) -> None:
    shard = opened_shard(store)
    answer_of(shard, purchase(1, 1_000))
    before = image(shard, [ALICE])
    inquiry = balance_inquiry(2)
    assert answer_of(shard, inquiry).balances == (9_000,)
    assert answer_of(shard, mini_statement(2)).balances == (9_000,)
    assert image(shard, [ALICE]) == before
    assert word(answer_of(shard, purchase(2, 500))) == APPROVED
    assert answer_of(shard, inquiry).balances == (8_500,)


def test_inquiry_sees_what_came_before_it_in_its_turn(store: Store) -> None:
    shard = opened_shard(store)
    answers = perform(shard, balance_inquiry(1), purchase(2, 400), balance_inquiry(3), mini_statement(4))
    assert [answer.balances for answer in answers] == [(10_000,), (9_600,), (9_600,), (9_600,)]
    assert [entry.amount for entry in answers[3].entries] == [-400, 10_000]


def test_mini_statement_walks_the_chain(store: Store) -> None:
    shard = opened_shard(store)
    for stan in range(1, 9):
        perform(shard, purchase(stan, stan), purchase(stan, number=BOB, terminal=OTHER_TILL.number))
    statement = answer_of(shard, mini_statement(20, count=6))
    assert [(entry.stan, entry.amount) for entry in statement.entries] == [(stan, -stan) for stan in range(8, 2, -1)]
    everything = answer_of(shard, mini_statement(21, count=20))
    assert [entry.service for entry in everything.entries] == ["purchase"] * 8 + ["opening"]
    assert [entry.balances for entry in everything.entries] == [(10_000 - sum(range(n + 1)),) for n in range(8, -1, -1)]


def test_refused_inquiry_is_counted_by_its_code(store: Store) -> None:
    shard = opened_shard(store)
    turn = shard.decide([replace(balance_inquiry(1), card="another"), mini_statement(2)], NOON, POLICY)
    assert {code for _, code in turn.unrecorded} == {14, 0}
    assert turn.batch is None


def test_turn_says_what_it_recorded_and_what_it_did_not(store: Store) -> None:
    shard = opened_shard(store)
    turn = shard.decide(
        [
            purchase(1), purchase(2), purchase(3, 99_999), purchase(3, 99_999), top_up(1), top_up(2, -1),
            reversal(4, purchase(1)), reversal(5, purchase(900)), reversal(6, purchase(2), amount=1),
            purchase(7, 10_500), balance_inquiry(8), purchase(9, number="404"), mini_statement(10),
        ],
        NOON, POLICY,
    )  # fmt: skip
    assert turn.recorded == {
        (Purchased, 0): 2,
        (PurchaseDeclined, Code.OVER_AMOUNT_LIMIT): 1,
        (PurchaseDeclined, Code.INSUFFICIENT_FUNDS): 1,
        (ToppedUp, 0): 1,
        (TopUpDeclined, Code.INVALID_AMOUNT): 1,
        (PurchaseReturned, 0): 1,
        (Tombstoned, 0): 1,
        (ReversalDeclined, Code.INVALID_TRANSACTION): 1,
    }
    assert turn.unrecorded == {(BalanceInquiry, 0): 1, (MiniStatement, 0): 1, (Purchase, Code.NO_SUCH_ACCOUNT): 1}
    assert (turn.repeats, turn.put_off, len(turn.entries), len(turn.answers)) == (1, 0, 9, 13)


def test_entries_are_what_the_journal_then_holds(store: Store) -> None:
    shard = opened_shard(store)
    turn = shard.decide(MIXED, NOON, POLICY)
    shard.commit(turn)
    decoded = [msgspec.msgpack.decode(entry, type=Event) for entry in turn.entries]
    assert events_of(store)[2:] == decoded


def test_answers_of_a_turn_stand_in_a_record_as_they_are(store: Store) -> None:
    turn = opened_shard(store).decide(MIXED, NOON, POLICY)
    (plaintext,) = join(turn.answers)
    assert reply_decoder.decode(plaintext) == answers_of(turn)


# --- openings --------------------------------------------------------------------------------------------------------


def opened_event(number: str, balance: int = 500) -> Opened:
    return Opened(number, NOON_US, 0, card_of(number), CardState.ACTIVE, 20300731, PersonClass.STUDENT, (balance,))


def test_opened_actors_are_there_when_the_turn_is_adopted(store: Store) -> None:
    shard = opened_shard(store)
    turn = shard.open([opened_event("7"), opened_event("8", 0)], NOON)
    assert (turn.recorded, turn.held, turn.answers) == ({(Opened, 0): 2}, 500, [])
    shard.commit(turn)
    assert (shard.state("7"), shard.state("8")) == (None, None)
    assert word(answers_of(shard.decide([purchase(1, number="7")], NOON, POLICY))[0])[0] is Code.NO_SUCH_ACCOUNT
    shard.adopt(turn)
    assert (shard.state("7").purses, shard.state("7").position, shard.state("7").opened_at) == ((500,), 3, 3)
    assert (shard.state("8").purses, shard.state("8").position) == ((0,), 4)
    assert answer_of(shard, purchase(1, 100, "7")).balances == (400,)
    assert_sound(store, shard)
    assert image(restarted(store), ["7", "8", ALICE, BOB]) == image(shard, ["7", "8", ALICE, BOB])


def test_dropped_opening_opened_nothing_and_can_be_done_again(store: Store) -> None:
    shard = opened_shard(store, active_max=1)
    before = image(shard, [ALICE, BOB])
    for _ in range(3):
        shard.drop(shard.open([opened_event("7")], NOON))
        assert shard.state("7") is None
        assert image(shard, [ALICE, BOB]) == before
        assert answer_of(shard, purchase(1, number="7")).code is Code.NO_SUCH_ACCOUNT
    turn = shard.open([opened_event("7", 900)], NOON)
    shard.commit(turn)
    shard.adopt(turn)
    assert shard.state("7").purses == (900,)
    assert_sound(store, shard)


# --- legs ------------------------------------------------------------------------------------------------------------

ACCOUNTS = [ALICE, BOB, "20260003"]
STANS = st.integers(1, 12)
SOME_ACCOUNTS = st.sampled_from([*ACCOUNTS, "404"])
SOME_TERMINALS = st.sampled_from([TILL.number, OTHER_TILL.number, TOP_UP_MACHINE.number, KIOSK.number])
AMOUNTS = st.sampled_from([1, 10, 4_000, 9_999, 20_001, 0])
REQUESTS = st.one_of(
    st.builds(purchase, STANS, AMOUNTS, SOME_ACCOUNTS, SOME_TERMINALS, wait_ms=st.integers(0, 5)),
    st.builds(top_up, STANS, AMOUNTS, SOME_ACCOUNTS, st.just(TOP_UP_MACHINE.number), st.integers(1, 3)),
    st.builds(Reversal, SOME_TERMINALS, STANS, st.integers(0, 5), SOME_ACCOUNTS, SOME_TERMINALS, STANS, AMOUNTS),
    st.builds(balance_inquiry, STANS, SOME_ACCOUNTS, SOME_TERMINALS),
    st.builds(mini_statement, STANS, SOME_ACCOUNTS, st.integers(5, 20)),
)
BOUNDS = st.fixed_dictionaries(
    {"snapshot_lag": st.sampled_from([1, 3, 10, 200_000]), "active_max": st.sampled_from([1, 2, 400_000])}
)


def small_shard(store: Store, **bounds: int) -> Shard:
    return opened_shard(store, *map(opening, ACCOUNTS), **bounds)


def left_behind(store: Store, shard: Shard) -> dict[str, Any]:
    """All that a shard knows and, once its snapshots are up to date, has stored; but for how it was cut into turns."""
    shard.checkpoint()
    assert_sound(store, shard)
    snapshots = Snapshots(store)
    ledger = snapshots.ledger()
    return {
        **image(shard, ACCOUNTS),
        "head": shard.head.position,
        "events": events_of(store),
        "actor rows": list(snapshots.actors()),
        "STAN rows": snapshots.highest_stans(),
        "day rows": {key: sums for day in snapshots.days() for key, sums in day.items()},
        "ledger row": (ledger.position, ledger.replay_from, ledger.held, sorted(ledger.balances)),
    }


def in_turns(turns: list[list[Any]], **bounds: int) -> dict[str, Any]:
    """What these turns leave behind, with their answers and with their figures added up."""
    store = MemoryStore()
    shard = small_shard(store, **bounds)
    answers: list[Any] = []
    recorded: Counter[Any] = Counter()
    unrecorded: Counter[Any] = Counter()
    repeats = held = 0
    for requests in turns:
        turn = shard.decide(requests, NOON, POLICY)
        shard.commit(turn)
        shard.adopt(turn)
        answers += answers_of(turn)
        recorded += turn.recorded
        unrecorded += turn.unrecorded
        repeats += turn.repeats
        held += turn.held
        assert turn.put_off == 0
    figures = {"recorded": recorded, "unrecorded": unrecorded, "repeats": repeats, "gained": held}
    return {"answers": answers, **figures, **left_behind(store, shard)}


@pytest.fixture
def unbounded_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much a turn walks depends on how requests are cut into turns, so nothing may be put off for it."""
    monkeypatch.setattr(shard_module, "WALKED_EVENTS_MAX", 10**9)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 7), st.lists(REQUESTS, max_size=30), BOUNDS)
def test_turn_in_legs_is_its_requests_one_by_one(
    leg_requests: int, requests: list[Any], bounds: dict[str, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_module, "LEG_REQUESTS", leg_requests)
        patch.setattr(shard_module, "WALKED_EVENTS_MAX", 10**9)
        assert in_turns([requests], **bounds) == in_turns([[request] for request in requests])


@pytest.mark.usefixtures("unbounded_walks")
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(REQUESTS, min_size=LEG_REQUESTS + 1, max_size=3 * LEG_REQUESTS))
def test_long_turn_is_its_requests_one_by_one(requests: list[Any]) -> None:
    assert in_turns([requests]) == in_turns([[request] for request in requests])


@pytest.mark.parametrize("count", [1, LEG_REQUESTS - 1, LEG_REQUESTS, LEG_REQUESTS + 1, 3 * LEG_REQUESTS])
def test_every_request_of_a_turn_is_answered_in_its_place(count: int) -> None:
    requests = [purchase(stan, 1, ACCOUNTS[stan % 3]) for stan in range(1, count + 1)]
    found = in_turns([requests])
    assert [answer.stan for answer in found["answers"]] == list(range(1, count + 1))
    assert found["recorded"] == {(Purchased, 0): count}
    assert found == in_turns([[request] for request in requests])


def test_what_an_earlier_leg_decided_is_known_to_the_later_ones(store: Store) -> None:
    shard = opened_shard(store)
    first_leg = [purchase(stan, 10) for stan in range(1, LEG_REQUESTS)]
    ahead = purchase(950, 10)
    first_leg.append(reversal(900, ahead))
    middle = [purchase(stan, 10, BOB) for stan in range(1_001, 1_001 + LEG_REQUESTS)]
    undo = reversal(901, first_leg[0])
    last_leg = [
        first_leg[-2], undo, first_leg[0], undo, ahead, first_leg[-1], balance_inquiry(902), mini_statement(903),
        replace(first_leg[1], amount=11),
    ]  # fmt: skip
    answers = perform(shard, *first_leg, *middle, *last_leg)
    copied, undone, late, undone_again, reversed_before, ahead_again, asked, statement, different = answers[-9:]
    assert copied == answers[LEG_REQUESTS - 2]
    left = 10_000 - 10 * (LEG_REQUESTS - 2)
    assert (word(undone), undone.balances, undone_again) == (APPROVED, (left,), undone)
    assert word(late) == word(reversed_before) == REVERSED
    assert ahead_again == answers[LEG_REQUESTS - 1]
    assert asked.balances == statement.balances == (left,)
    assert [entry.service for entry in statement.entries] == [
        "reversal",
        "reversal",
        "purchase",
        "purchase",
        "purchase",
    ]
    assert word(different) == DUPLICATE
    assert_sound(store, shard)


# --- turns that do not come true -------------------------------------------------------------------------------------


@pytest.mark.parametrize("snapshot_lag", [1, 200_000])
def test_turn_that_is_not_adopted_changes_nothing(store: Store, snapshot_lag: int) -> None:
    shard = opened_shard(store, snapshot_lag=snapshot_lag)
    answer_of(shard, purchase(1, 300))
    before = image(shard, [ALICE, BOB])
    dropped = shard.decide(MIXED, NOON, POLICY)
    assert len(dropped.entries) == 6
    assert image(shard, [ALICE, BOB]) == before
    shard.drop(dropped)
    assert image(shard, [ALICE, BOB]) == before
    again = shard.decide(MIXED, NOON, POLICY)
    assert (again.answers, again.entries, again.batch) == (dropped.answers, dropped.entries, dropped.batch)
    shard.drop(again)
    assert perform(shard, *MIXED) == answers_of(dropped)
    assert_sound(store, shard)
    assert image(restarted(store), [ALICE, BOB]) == image(shard, [ALICE, BOB])


Attempts = list[tuple[list[list[Any]], list[Any]]]
"""For each turn: what else was asked in turns that were dropped before it, and its requests."""

TURNS: st.SearchStrategy[Attempts] = st.lists(
    st.tuples(st.lists(st.lists(REQUESTS, max_size=6), max_size=2), st.lists(REQUESTS, max_size=6)), max_size=8
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([1, 2, 64]), TURNS, BOUNDS)
def test_dropped_turns_leave_everything_as_if_they_had_never_been(
    leg_requests: int, turns: Attempts, bounds: dict[str, int]
) -> None:
    moments = [CALENDAR.moment(NOON_US + number * DAY_US // 2) for number in range(len(turns))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_module, "LEG_REQUESTS", leg_requests)
        store, other_store = MemoryStore(), MemoryStore()
        shard, other = small_shard(store, **bounds), small_shard(other_store, **bounds)
        for moment, (others, requests) in zip(moments, turns, strict=True):
            for asked in others:
                shard.drop(shard.decide(asked, moment, POLICY))
            dropped = shard.decide(requests, moment, POLICY)
            shard.drop(dropped)
            answers = perform(shard, *requests, moment=moment)
            assert answers == answers_of(dropped) == perform(other, *requests, moment=moment)
            assert all(held.pending is held.durable for held in shard.terminals.values())
        assert list(store.batches(1)) == list(other_store.batches(1))
        expected = left_behind(other_store, other)
        assert left_behind(store, restarted(store, **bounds)) == expected
        assert left_behind(store, shard) == expected


def test_dropped_turn_of_several_legs_never_was(store: Store) -> None:
    requests = [purchase(stan, 10, ACCOUNTS[stan % 2]) for stan in range(1, 3 * LEG_REQUESTS)]
    requests += [reversal(900, requests[0]), reversal(901, purchase(999, 10)), top_up(1)]
    shard = small_shard(store, snapshot_lag=2, active_max=2)
    before = image(shard, ACCOUNTS)
    dropped = shard.decide(requests, NOON, POLICY)
    assert image(shard, ACCOUNTS) == before
    shard.drop(dropped)
    assert image(shard, ACCOUNTS) == before
    # Nothing of it was seen: what was reversed in it is approved, and its STANs are new.
    assert {word(answer) for answer in perform(shard, requests[0], purchase(999, 10))} == {APPROVED}
    assert highest_stans(shard) == {TILL.number: 999}
    assert [event.stan for event in events_of(store)[3:]] == [1, 999]
    assert_sound(store, shard)


@pytest.mark.parametrize("snapshot_lag", [1, 3, 20])
def test_snapshots_of_a_turn_hold_nothing_of_that_turn(snapshot_lag: int) -> None:
    """They are committed with it, but a turn's own states are only adopted after that."""
    shard = small_shard(MemoryStore(), snapshot_lag=snapshot_lag)
    rows_seen = 0
    for number in range(40):
        stan, moment = 3 * number + 1, CALENDAR.moment(NOON_US + number * DAY_US // 3)
        asked = [purchase(stan + n, 1, account) for n, account in enumerate(ACCOUNTS)]
        stans = highest_stans(shard)
        turn = shard.decide(asked, moment, POLICY)
        alone = MemoryStore()
        alone.commit(None, turn.rows)
        snapshots = Snapshots(alone)
        for packed in snapshots.actors():
            assert msgspec.msgpack.decode(packed, type=Account).position < turn.first
        for terminal, highest in snapshots.highest_stans().items():
            assert highest == stans[terminal] < stan
        for day in snapshots.days():
            assert all(count > 0 and newest < turn.first for count, _, newest in day.values())
        rows_seen += len(turn.rows)
        shard.commit(turn)
        shard.adopt(turn)
    assert rows_seen > 0


class FullStore(MemoryStore):
    """Refuses every commit while it is full."""

    full = False

    def commit(self, batch: StoredBatch | None, rows: list[Row]) -> None:
        if self.full:
            raise CommitRefusedError("no space: the test says so")
        super().commit(batch, rows)


@pytest.mark.parametrize("snapshot_lag", [1, 3, 200_000])
def test_refused_commit_is_as_if_nothing_had_been_asked(snapshot_lag: int) -> None:
    store = FullStore()
    shard = opened_shard(store, snapshot_lag=snapshot_lag, active_max=2)
    answer_of(shard, purchase(1, 300))
    before = image(shard, [ALICE, BOB])
    for _ in range(5):
        store.full = True
        turn = shard.decide(MIXED, NOON, POLICY)
        with pytest.raises(CommitRefusedError):
            shard.commit(turn)
        shard.drop(turn)
        assert image(shard, [ALICE, BOB]) == before
        store.full = False
        assert image(restarted(store), [ALICE, BOB]) == before
    perform(shard, *MIXED)
    assert_sound(store, shard)
    assert image(restarted(store), [ALICE, BOB]) == image(shard, [ALICE, BOB])


def test_refused_checkpoint_can_be_done_again() -> None:
    store = FullStore()
    shard = opened_shard(store)
    perform(shard, *MIXED)
    store.full = True
    with pytest.raises(CommitRefusedError):
        shard.checkpoint()
    assert shard.snapshot_lag == 8
    store.full = False
    shard.checkpoint()
    assert shard.snapshot_lag == 0
    assert_sound(store, shard)


def test_empty_turn_commits_nothing(store: Store) -> None:
    shard = opened_shard(store)
    before = list(store.batches(1)), list(store.rows(b""))
    assert perform(shard) == []
    assert (list(store.batches(1)), list(store.rows(b""))) == before


# --- snapshots written behind, and actors that leave memory ----------------------------------------------------------

NUMBERS = [f"2026{index:04}" for index in range(40)]


def crowd(store: Store, **bounds: int) -> Shard:
    """A shard with forty accounts."""
    return opened_shard(store, *(opening(number) for number in NUMBERS), **bounds)


@pytest.mark.parametrize("active_max", [2, 10, 1_000])
@pytest.mark.parametrize("snapshot_lag", [1, 20, 200_000])
def test_bounds_of_memory_and_lag_change_no_answer(store: Store, active_max: int, snapshot_lag: int) -> None:
    shard = crowd(store, active_max=active_max, snapshot_lag=snapshot_lag)
    for turn in range(30):
        first = 1 + 4 * turn
        requests = [purchase(first + n, 10 + turn, NUMBERS[(7 * turn + n) % 40]) for n in range(4)]
        assert [answer.code for answer in perform(shard, *requests)] == [Code.APPROVED] * 4
        assert perform(shard, *requests[::-1])[0].code is Code.APPROVED
    assert sum(balance(shard, number) for number in NUMBERS) == 40 * 10_000 - 4 * sum(range(10, 40))
    assert_sound(store, shard)
    assert image(restarted(store), NUMBERS) == image(shard, NUMBERS)


def test_actors_of_refused_turns_leave_memory_too() -> None:
    numbers = [f"2026{index:04}" for index in range(20)]
    store = MemoryStore()
    opened_shard(store, *[opening(number) for number in numbers]).checkpoint()
    shard = restarted(store, active_max=4)
    for stan, number in enumerate(numbers, 1):
        shard.drop(shard.decide([purchase(stan, 1, number)], NOON, POLICY))
    assert len(shard.actors) <= 4


def test_clean_actors_leave_memory_and_come_back(store: Store) -> None:
    shard = crowd(store, active_max=4)
    shard.checkpoint()
    for stan, number in enumerate(NUMBERS, 1):
        answer_of(shard, purchase(stan, 100, number))
        shard.checkpoint()
        assert stan <= 2 or len(shard.actors) <= 4
    assert [balance(shard, number) for number in NUMBERS] == [9_900] * 40
    assert_sound(store, shard)


def test_actor_of_a_turn_in_flight_may_be_snapshotted_in_it(store: Store) -> None:
    """The row has the state before the turn; afterwards the actor is dirty again, from the turn's first event on."""
    shard = opened_shard(store, opening(ALICE), snapshot_lag=1, active_max=2)
    turn = shard.decide([purchase(1, 300)], NOON, POLICY)
    assert turn.clean_slots == [(slot_of(ALICE), [shard.actors.find(ALICE)])]
    shard.commit(turn)
    crashed = restarted(store)
    shard.adopt(turn)
    assert image(crashed, [ALICE]) == image(shard, [ALICE])
    assert (shard.snapshot_lag, balance(crashed)) == (1, 9_700)


def test_snapshots_keep_the_lag_within_its_bound(store: Store) -> None:
    shard = crowd(store, snapshot_lag=100)
    for stan in range(1, 400):
        perform(shard, purchase(stan, 1, NUMBERS[stan * 7 % 40]))
        assert shard.snapshot_lag <= 100 + 2 * 40
        assert shard.admits


def test_lag_keeps_its_bound_when_traffic_narrows_to_one_account(store: Store) -> None:
    shard = crowd(store, snapshot_lag=100)
    for stan in range(1, 1_000):
        perform(shard, purchase(stan, 1, NUMBERS[0]))
        assert shard.admits


def test_shard_that_lags_too_far_catches_up_in_turns_of_its_own(store: Store) -> None:
    shard = crowd(store, snapshot_lag=10)
    assert not shard.admits
    assert shard.snapshot_lag > ADMISSION_LAG_RATIO * 10
    turns = 0
    while not shard.admits:
        perform(shard)
        turns += 1
    assert turns <= 3
    assert_sound(store, shard)
    assert image(restarted(store), NUMBERS) == image(shard, NUMBERS)


def test_restart_after_a_checkpoint_replays_nothing(store: Store) -> None:
    shard = crowd(store)
    perform(shard, *(purchase(stan, 1, number) for stan, number in enumerate(NUMBERS, 1)))
    assert restarted(store).snapshot_lag == 80
    shard.checkpoint()
    again = restarted(store)
    assert (again.snapshot_lag, len(again.actors)) == (0, 0)
    assert image(again, NUMBERS) == image(shard, NUMBERS)


# --- totals ----------------------------------------------------------------------------------------------------------


def test_totals_add_up_what_was_approved(store: Store) -> None:
    shard = opened_shard(store)
    perform(
        shard, purchase(1, 300), purchase(2, 200), purchase(2, 200), purchase(3, 99_999), reversal(4, purchase(1, 300))
    )
    perform(shard, top_up(1, 700), reversal(2, top_up(1, 700), TOP_UP_MACHINE.number))
    found = image(shard, [ALICE])["totals"]
    day, till, machine = (
        NOON.business_day,
        (TILL.merchant, TILL.number),
        (TOP_UP_MACHINE.merchant, TOP_UP_MACHINE.number),
    )
    assert found == {
        (day, TILL.number): {
            (day, *till, "purchase", NOON.period): [2, 500, 4],
            (day, *till, "reversal-of-purchase", NOON.period): [1, 300, 6],
        },
        (day, TOP_UP_MACHINE.number): {
            (day, *machine, "top-up", NOON.period): [1, 700, 7],
            (day, *machine, "reversal-of-top-up", NOON.period): [1, 700, 8],
        },
    }


# A merchant whose lunch is over at half past eleven: at noon it is dinner there, and lunch everywhere else.
EARLY = replace(
    CALENDAR,
    periods=(MealPeriod("breakfast", time(10)), MealPeriod("lunch", time(11, 30)), MealPeriod("dinner", time(20))),
)
LUNCH, DINNER = 1, 2
EARLY_POLICY = replace(POLICY, own_calendars={OTHER_TILL.number: EARLY})


def test_totals_go_by_the_meal_periods_of_the_terminal(store: Store) -> None:
    shard = opened_shard(store)
    early = OTHER_TILL.number
    requests = (
        purchase(1), purchase(1, terminal=early), reversal(2, purchase(1, terminal=early), early),
        advice(3, 1, 700, terminal=early), advice(4, 2, 700, terminal=early, taken_us=NOON_US),
        advice(3, 1, 700),
    )  # fmt: skip
    assert {answer.code for answer in perform(shard, *requests, policy=EARLY_POLICY)} == {Code.APPROVED}
    periods = {
        terminal: {key[3:]: sums[0] for key, sums in shard.totals.of(NOON.business_day, terminal).items()}
        for terminal in (TILL.number, early)
    }
    assert periods == {
        TILL.number: {("purchase", LUNCH): 1, ("advice", LUNCH): 1},
        early: {
            ("purchase", DINNER): 1, ("reversal-of-purchase", DINNER): 1, ("advice", LUNCH): 1, ("advice", DINNER): 1,
        },
    }  # fmt: skip
    assert_sound(store, shard)


def test_hours_prices_and_holds_go_by_the_meal_periods_of_the_terminal(store: Store) -> None:
    shard = opened_shard(store)
    evening = replace(OTHER_TILL, open_periods=frozenset({DINNER}))
    bath = replace(BATH, open_periods=frozenset({DINNER}))
    price = {(PersonClass.STUDENT, OTHER_TILL.merchant, DINNER): Price(50, 0)}
    policy = replace(POLICY, terminals=POLICY.terminals | {evening.number: evening, bath.number: bath}, prices=price)
    requests = purchase(1, terminal=evening.number), Hold(bath.number, 1, 3_000, ALICE, card_of(ALICE), 300)
    assert {answer.reason for answer in perform(shard, *requests, policy=policy)} == {Reason.OUTSIDE_HOURS}
    early = replace(policy, own_calendars={evening.number: EARLY, bath.number: EARLY})
    bought, held = perform(shard, *(replace(request, stan=2) for request in requests), policy=early)
    assert (bought.code, bought.paid, held.code) == (Code.APPROVED, (500,), Code.APPROVED)


@pytest.mark.parametrize("limits", [{"period_max": 2_000}, {"period_count_max": 2}])
def test_no_limit_of_a_meal_period_is_escaped_by_going_between_merchants(store: Store, limits: dict[str, int]) -> None:
    """Who has bought where it is dinner already goes on with dinner where it is lunch still."""
    shard = opened_shard(store)
    policy = replace(EARLY_POLICY, limits=replace(POLICY.limits, **limits))
    tills = TILL.number, OTHER_TILL.number, TILL.number, TILL.number, OTHER_TILL.number
    answers = perform(shard, *(purchase(stan, terminal=till) for stan, till in enumerate(tills, 1)), policy=policy)
    assert [answer.code is Code.APPROVED for answer in answers] == [True, True, True, False, False]
    assert shard.state(ALICE).spending_period == DINNER
    assert_sound(store, shard)


def test_a_hold_counts_in_a_later_period_that_is_counted_already(store: Store) -> None:
    shard = opened_shard(store)
    policy = replace(EARLY_POLICY, limits=replace(POLICY.limits, period_count_max=2))
    hold = Hold(BATH.number, 1, 3_000, ALICE, card_of(ALICE), 300)
    requests = purchase(1, terminal=OTHER_TILL.number), hold, purchase(2, terminal=OTHER_TILL.number)
    answers = perform(shard, *requests, policy=policy)
    assert [answer.reason for answer in answers] == [Reason.NONE, Reason.NONE, Reason.PERIOD_COUNT_LIMIT]


def test_totals_of_many_days_are_found_again(store: Store) -> None:
    shard = opened_shard(store, snapshot_lag=5)
    for day in range(12):
        moment = CALENDAR.moment(NOON_US + day * DAY_US)
        perform(shard, purchase(2 * day + 1, 10), purchase(2 * day + 2, 10, terminal=OTHER_TILL.number), moment=moment)
    totals = image(shard, [ALICE])["totals"]
    assert [[sums[:2] for sums in terminal.values()] for terminal in totals.values()] == [[[1, 10]]] * 24
    assert image(restarted(store), [ALICE])["totals"] == totals
    shard.checkpoint()
    assert image(restarted(store), [ALICE])["totals"] == totals
    assert_sound(store, shard)


def test_old_days_leave_memory_though_their_terminals_stay_busy(store: Store) -> None:
    shard = opened_shard(store, snapshot_lag=4)
    days = 40
    for day in range(days):
        moment = CALENDAR.moment(NOON_US + day * DAY_US)
        tills = (TILL.number, OTHER_TILL.number)
        perform(
            shard, *(purchase(3 * day + 1 + n, 10, terminal=till) for n in range(3) for till in tills), moment=moment
        )
    assert len(shard.totals._keys) < days // 2
