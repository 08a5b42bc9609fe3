"""The shard's turn over both stores: what was decided stays decided, and what is not adopted never was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
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
    TOP_UP_MACHINE,
    answer_of,
    balance_inquiry,
    events_of,
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
from msgspec.structs import replace

from actors.account.events import PurchaseDeclined, ReversalDeclined, Tombstoned
from actors.account.kind import ACCOUNT
from actors.memory_store import MemoryStore
from actors.placement import SLOTS, slot_of
from actors.shard import ADMISSION_LAG_RATIO, WALKED_EVENTS_MAX, Shard
from actors.store import CommitRefusedError, Row, Store, StoredBatch
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import Answer

REVERSED = (Code.INVALID_TRANSACTION, Reason.REVERSED)
DUPLICATE = (Code.DUPLICATE, Reason.CONTENT_DIFFERS)
APPROVED = (Code.APPROVED, Reason.NONE)


def word(answer: Any) -> tuple[Code, Reason]:
    """Code and reason of an answer."""
    return answer.code, answer.reason


def balance(shard: Shard, number: str = ALICE) -> int:
    """What the account holds."""
    return sum(shard.actors.find(number).purses)


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
    assert turn.answers == [answer, answer]
    assert (turn.events, turn.repeats, turn.batch) == ([], 2, None)
    shard.adopt(turn)
    assert image(shard, [ALICE, BOB]) == before
    assert_sound(store, shard)


@pytest.mark.parametrize("first", FIRSTS.values(), ids=FIRSTS)
def test_copy_in_the_same_turn(store: Store, first: Any) -> None:
    shard = opened_shard(store)
    answer_of(shard, purchase(1, 300))
    turn = shard.decide([first, first, purchase(6, 1), first], NOON, POLICY)
    assert turn.answers[0] == turn.answers[1] == turn.answers[3]
    assert (len(turn.events), turn.repeats) == (2, 2)
    shard.commit(turn)
    shard.adopt(turn)
    assert answer_of(shard, first) == turn.answers[0]
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
    assert shard.stans == {TILL.number: 2**63 - 1}
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
    assert shard.stans == {TILL.number: 2, OTHER_TILL.number: 900}
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
    assert shard.stans == restarted(store).stans == {KIOSK.number: 2}
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
    assert turn.answers == [expected, expected]
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


# --- turns that do not come true -------------------------------------------------------------------------------------

MIXED = [
    purchase(10, 700), top_up(10, 800), reversal(11, purchase(1, 300)), purchase(12, 99_999), balance_inquiry(13),
    reversal(14, purchase(900), amount=5), purchase(10, 700, number=BOB),
]  # fmt: skip


@pytest.mark.parametrize("snapshot_lag", [1, 200_000])
def test_turn_that_is_not_adopted_changes_nothing(store: Store, snapshot_lag: int) -> None:
    shard = opened_shard(store, snapshot_lag=snapshot_lag)
    answer_of(shard, purchase(1, 300))
    before = image(shard, [ALICE, BOB])
    dropped = shard.decide(MIXED, NOON, POLICY)
    assert len(dropped.events) == 6
    assert image(shard, [ALICE, BOB]) == before
    assert shard.decide(MIXED, NOON, POLICY).answers == dropped.answers
    assert perform(shard, *MIXED) == dropped.answers
    assert_sound(store, shard)
    assert image(restarted(store), [ALICE, BOB]) == image(shard, [ALICE, BOB])


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
        with pytest.raises(CommitRefusedError):
            shard.commit(shard.decide(MIXED, NOON, POLICY))
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
        shard.decide([purchase(stan, 1, number)], NOON, POLICY)
        shard.drop()
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
    assert turn.slots == [(slot_of(ALICE), [ALICE])]
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
