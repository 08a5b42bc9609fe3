"""A subsidy is granted once for each batch, claimed by the first tap, and never cash."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    ALICE,
    CALENDAR,
    DESK,
    KIOSK,
    LUNCH,
    NOON,
    NOON_US,
    POLICY,
    TILL,
    TODAY,
    TOP_UP_MACHINE,
    account,
    advice,
    answers_of,
    balance_inquiry,
    card_of,
    command,
    hold,
    holding,
    mini_statement,
    opened_shard,
    opening,
    outstanding,
    perform,
    purchase,
    refund,
    reversal,
    subsidy_claim,
    top_up,
)
from msgspec.structs import replace

from actors.account.answers import answer_repeat
from actors.account.booking import postings
from actors.account.card import CardState
from actors.account.checks.subsidy import BATCHES_MAX
from actors.account.events import (
    AccountClosed,
    AccountClosedForGood,
    SubsidyClaimDeclined,
    SubsidyClaimed,
    SubsidyClaimedAtTap,
    SubsidyExpired,
    SubsidyGranted,
)
from actors.account.expiry import fall_due
from actors.account.inquiries import inquire
from actors.account.kind import ACCOUNT
from actors.account.services.claim_subsidy import claim_at_tap
from actors.account.state import Account, Family, Grant, Loss
from actors.account.tables import ANSWER, APPLY, BOOK, DECIDE
from actors.memory_store import MemoryStore
from actors.recovery import recover
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import (
    Answer,
    BindFamily,
    CloseAccount,
    CorrectEntry,
    CorrectionReason,
    FeePayment,
    GrantSubsidy,
    ReplaceCard,
)

END_OF_TODAY = CALENDAR.end_us(TODAY)
LATER = 20261231
END_LATER = CALENDAR.end_us(LATER)
SEPTEMBER, OCTOBER = Grant("2026-09", 500, END_OF_TODAY), Grant("2026-10", 300, END_LATER)
GRANTED = account(unclaimed=(SEPTEMBER, OCTOBER), batches="2026-09 2026-10")


def grant(stan: int = 1, batch: str = "2026-09", amount: int = 500, last_day: int = TODAY, **where: Any) -> Any:
    """The desk grants Alice a subsidy."""
    return command(stan, GrantSubsidy, batch, amount, last_day, **where)


def decided(request: Any, holder: Account, original: Any = None) -> Any:
    return DECIDE[type(request)](holder, request, original, NOON, POLICY, 99)


def applied(request: Any, holder: Account, original: Any = None) -> Account:
    event = decided(request, holder, original)
    return APPLY[type(event)](holder, event, 9)


def outcome(request: Any, holder: Account) -> tuple[int, str]:
    event = decided(request, holder)
    answer = ANSWER[type(event)](event)
    return int(answer.code), answer.reason.value


def test_end_of_a_day() -> None:
    assert CALENDAR.moment(END_OF_TODAY - 1).business_day == TODAY
    assert CALENDAR.moment(END_OF_TODAY).business_day == TODAY + 1
    assert CALENDAR.end_us(99991231) > CALENDAR.end_us(99991230)


def test_grant_waits_and_moves_nothing() -> None:
    event = decided(grant(), account())
    assert isinstance(event, SubsidyGranted)
    assert (event.batch, event.amount, event.last_day, event.expires_us) == ("2026-09", 500, TODAY, END_OF_TODAY)
    assert postings(event) == ()
    assert ANSWER[SubsidyGranted](event) == Answer(DESK.number, 1, Code.APPROVED, Reason.NONE, 0, (10_000,), ())
    after = applied(grant(), account())
    assert after == account(position=9, unclaimed=(SEPTEMBER,), batches="2026-09")
    assert applied(grant(batch="2026-10", amount=300, last_day=LATER), after) == replace(GRANTED, position=9)


def test_grant_drops_what_can_be_claimed_no_more() -> None:
    late = Grant("2026-08", 500, NOON_US)
    after = applied(grant(), account(unclaimed=(late,), batches="2026-08"))
    assert (after.unclaimed, after.batches) == ((SEPTEMBER,), "2026-08 2026-09")


MANY = " ".join(f"b-{number}" for number in range(BATCHES_MAX))
REFUSED_GRANTS = [
    ("beyond the role", grant(terminal=4002), account(), (57, "beyond-role")),
    ("nothing", grant(amount=0), account(card_state=CardState.CLOSED), (13, "amount-out-of-range")),
    ("too much", grant(amount=100_000_001), account(), (13, "amount-out-of-range")),
    ("closed", grant(), account(card_state=CardState.CLOSED, batches="2026-09"), (62, "account-closed")),
    ("waits already", grant(), GRANTED, (12, "granted-before")),
    ("was claimed", grant(), account(batches="2026-08 2026-09"), (12, "granted-before")),
    ("again on a later day", grant(last_day=TODAY - 1), GRANTED, (12, "granted-before")),
    ("again with another amount", grant(amount=501), GRANTED, (12, "granted-before")),
    ("a day that is over", grant(last_day=TODAY - 1), account(batches=MANY), (12, "expiry-not-possible")),
    ("no day", grant(last_day=20300231), account(), (12, "expiry-not-possible")),
    ("too many", grant(), account(batches=MANY), (12, "batches-used-up")),
    ("one of too many", grant(batch="b-7"), account(batches=MANY), (12, "granted-before")),
]


@pytest.mark.parametrize(
    ("request_", "holder", "expected"), [row[1:] for row in REFUSED_GRANTS], ids=[row[0] for row in REFUSED_GRANTS]
)
def test_grant_that_is_refused(request_: Any, holder: Account, expected: tuple[int, str]) -> None:
    assert outcome(request_, holder) == expected
    assert applied(request_, holder) == replace(holder, position=9)


def test_last_batch_that_an_account_remembers() -> None:
    assert outcome(grant(), account(batches=MANY.rpartition(" ")[0])) == (0, "")
    assert outcome(grant(batch="2026-0"), account(batches="2026-09")) == (0, "")


@pytest.mark.parametrize("state", [CardState.ISSUED, CardState.LOST, CardState.FROZEN, CardState.EXPIRED])
def test_grant_asks_nothing_of_the_card(state: CardState) -> None:
    assert outcome(grant(), account(card_state=state)) == (0, "")


def test_claim_moves_all_that_waits() -> None:
    event = decided(subsidy_claim(3), GRANTED)
    assert event == SubsidyClaimed(
        ALICE, NOON_US, 1, KIOSK.number, 3, card_of(ALICE), ("2026-09", "2026-10"), 800, END_LATER, 0, TODAY, LUNCH,
        (10_000, 800), 99,
    )  # fmt: skip
    assert dict(postings(event)) == {("purse", 1): 800, ("subsidy", 0): -800}
    assert BOOK[SubsidyClaimed](event)[:2] == ((TODAY, 0, KIOSK.number, "subsidy-claim", LUNCH), 800)
    assert ANSWER[SubsidyClaimed](event) == Answer(KIOSK.number, 3, Code.APPROVED, Reason.NONE, 99, (10_000, 800), ())
    assert applied(subsidy_claim(3), GRANTED) == replace(
        GRANTED, position=9, purses=(10_000, 800), unclaimed=(), subsidy_expires_us=END_LATER, due_us=END_LATER
    )


def test_claim_takes_what_is_in_time_and_never_shortens_the_purse() -> None:
    late = Grant("2026-08", 7, NOON_US)
    holder = account(unclaimed=(late, SEPTEMBER), purses=(1, 2, 3), subsidy_expires_us=END_LATER)
    after = applied(subsidy_claim(3), holder)
    assert (after.purses, after.unclaimed, after.subsidy_expires_us) == ((1, 502, 3), (), END_LATER)
    assert after.due_us == END_LATER


REFUSED_CLAIMS = [
    ("till", subsidy_claim(3, TILL.number, "another"), GRANTED, (58, "service-not-offered")),
    ("closed", subsidy_claim(3), replace(GRANTED, card_state=CardState.CLOSED), (62, "account-closed")),
    ("another card", subsidy_claim(3, card="another"), replace(GRANTED, card_state=CardState.LOST), (14, "no-card")),
    ("lost", subsidy_claim(3), replace(GRANTED, card_state=CardState.LOST, unclaimed=()), (41, "card-lost")),
    ("expired", subsidy_claim(3), replace(GRANTED, expires=TODAY - 1, unclaimed=()), (54, "card-expired")),
    ("nothing", subsidy_claim(3), account(), (12, "nothing-granted")),
    ("too late", subsidy_claim(3), account(unclaimed=(Grant("2026-08", 7, NOON_US),)), (12, "nothing-granted")),
]


@pytest.mark.parametrize(
    ("request_", "holder", "expected"), [row[1:] for row in REFUSED_CLAIMS], ids=[row[0] for row in REFUSED_CLAIMS]
)
def test_claim_that_is_refused(request_: Any, holder: Account, expected: tuple[int, str]) -> None:
    assert outcome(request_, holder) == expected
    event = decided(request_, holder)
    assert type(event) is SubsidyClaimDeclined
    assert APPLY[SubsidyClaimDeclined](holder, event, 9) == replace(holder, position=9)
    assert postings(event) == ()


def test_copies_of_a_claim() -> None:
    for event in (decided(subsidy_claim(3), GRANTED), decided(subsidy_claim(3), account())):
        assert answer_repeat(event, replace(subsidy_claim(3), wait_ms=1)) == ANSWER[type(event)](event)
        assert answer_repeat(event, subsidy_claim(3, card="another")).reason is Reason.CONTENT_DIFFERS
        assert answer_repeat(event, top_up(3, terminal=KIOSK.number)).reason is Reason.CONTENT_DIFFERS


def test_claim_is_not_reversed() -> None:
    event = decided(subsidy_claim(3, TOP_UP_MACHINE.number), GRANTED)
    refused = decided(reversal(4, event, TOP_UP_MACHINE.number), account(), event)
    assert (refused.code, refused.reason) == (Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)


@pytest.mark.parametrize("tap", [purchase(3, 200), purchase(3, 10**9), advice(3, 1, 200), hold(3, 200)])
def test_tap_claims_first(tap: Any) -> None:
    event = claim_at_tap(GRANTED, tap, NOON, POLICY)
    assert event == SubsidyClaimedAtTap(ALICE, NOON_US, 1, ("2026-09", "2026-10"), 800, END_LATER, TODAY, (10_000, 800))
    assert dict(postings(event)) == {("purse", 1): 800, ("subsidy", 0): -800}


NO_TAP = [
    (GRANTED, top_up(3)),
    (GRANTED, purchase(3, terminal=TOP_UP_MACHINE.number)),
    (GRANTED, purchase(3, card="another")),
    (replace(GRANTED, card_state=CardState.LOST), purchase(3)),
    (replace(GRANTED, expires=TODAY - 1), purchase(3)),
    (replace(GRANTED, unclaimed=(Grant("2026-08", 7, NOON_US),)), purchase(3)),
]


@pytest.mark.parametrize(("holder", "request_"), NO_TAP)
def test_what_is_no_tap_claims_nothing(holder: Account, request_: Any) -> None:
    assert claim_at_tap(holder, request_, NOON, POLICY) is None


def test_first_purchase_draws_on_what_was_granted_and_a_copy_claims_nothing() -> None:
    store = MemoryStore()
    shard = opened_shard(store, opening(ALICE, balance=100))
    till_first, desk_second, bought, declined = (
        purchase(1, 600), grant(1), purchase(2, 600), grant(2, amount=900)
    )  # fmt: skip
    assert [answer.code for answer in perform(shard, till_first, desk_second, till_first)] == [51, 0, 51]
    assert shard.state(ALICE).unclaimed == (SEPTEMBER,)
    first, again, other = perform(shard, bought, bought, declined)
    assert (first.paid, first.balances) == ((100, 500), (0, 0))
    assert again == first
    assert (other.code, other.reason) == (Code.INVALID_TRANSACTION, Reason.GRANTED_BEFORE)
    assert shard.ledger.balances["subsidy", 0] == -500
    assert shard.ledger.imbalance == 0
    held = shard.state(ALICE)
    verify(store, ACCOUNT)
    assert recover(store, ACCOUNT).state(ALICE) == held


def test_claim_before_a_declined_purchase_stays_and_stands_in_the_statement() -> None:
    shard = opened_shard(MemoryStore(), opening(ALICE, balance=100))
    perform(shard, grant(1), purchase(1, 601))
    assert shard.state(ALICE).purses == (100, 500)
    balance, statement = perform(shard, balance_inquiry(2), mini_statement(3))
    assert balance.balances == (100, 500)
    assert [(entry.service, entry.amount) for entry in statement.entries[:3]] == [
        ("purchase", 0), ("subsidy-claim", 500), ("grant-subsidy", 0),
    ]  # fmt: skip


def test_turn_that_is_dropped_claimed_nothing() -> None:
    shard = opened_shard(MemoryStore(), opening(ALICE, balance=100))
    perform(shard, grant(1))
    before = shard.state(ALICE)
    turn = shard.decide([purchase(1, 200)], NOON, POLICY)
    assert answers_of(turn)[0].balances == (100, 300)
    shard.drop(turn)
    assert shard.state(ALICE) == before
    assert perform(shard, purchase(1, 200))[0].balances == (100, 300)


@pytest.mark.parametrize("amount", [-500, 500])
def test_correction_never_pays_a_subsidy_out(amount: int) -> None:
    holder = account(purses=(0, 400))
    request = command(1, CorrectEntry, 1, amount, CorrectionReason.PAID_OUT)
    assert outcome(request, holder) == (12, "subsidy-not-paid-out")
    closed = (12, "subsidy-not-paid-out") if amount < 0 else (62, "account-closed")
    assert outcome(request, replace(holder, card_state=CardState.CLOSED)) == closed
    assert outcome(replace(request, amount=0), holder) == (13, "amount-out-of-range")
    assert outcome(replace(request, purse=2, amount=500), holder) == (0, "")
    wrong = replace(request, reason=CorrectionReason.WRONG_AMOUNT)
    assert outcome(wrong, holder) == ((51, "funds") if amount < 0 else (0, ""))


def test_closing_gives_a_subsidy_back_to_the_school() -> None:
    holder = replace(GRANTED, purses=(0, 700), subsidy_expires_us=END_LATER, family=Family("g-7"))
    event = decided(command(1, CloseAccount), holder)
    assert type(event) is AccountClosedForGood
    assert dict(postings(event)) == {("purse", 1): -700, ("subsidy", 0): 700}
    assert BOOK[AccountClosedForGood](event)[:2] == ((TODAY, 9, DESK.number, "close", LUNCH), 700)
    assert ANSWER[AccountClosedForGood](event).balances == (0, 0)
    after = applied(command(1, CloseAccount), holder)
    assert (after.card_state, after.purses, after.unclaimed, after.family) == (CardState.CLOSED, (0, 0), (), None)


@pytest.mark.parametrize(("purses", "amount"), [((0,), 0), ((0, 0, 0), 0), ((0, 1), 1)])
def test_closing_says_what_it_took(purses: tuple[int, ...], amount: int) -> None:
    event = decided(command(1, CloseAccount), account(purses=purses))
    assert (type(event), event.amount) == (AccountClosedForGood, amount)
    assert BOOK[AccountClosedForGood](event)[1] == amount
    assert (BOOK[AccountClosedForGood](event)[0] is None) is (amount == 0)


def test_closing_as_it_was_recorded_before_says_nothing_of_what_comes_back() -> None:
    holder = account(purses=(0, 0), subsidy_expires_us=END_LATER)
    event = AccountClosed(ALICE, NOON_US, 1, DESK.number, 1, "wu", card_of(ALICE), TODAY, (0, 0))
    after = APPLY[AccountClosed](holder, event, 9)
    assert after == replace(holder, position=9, card_state=CardState.CLOSED)


def test_what_comes_back_to_a_closed_account_is_paid_out_and_a_subsidy_goes_to_the_school() -> None:
    store = MemoryStore()
    shard = opened_shard(store, opening(ALICE, purses=(1_000, 500)))
    bought = purchase(1, 1_500)
    perform(shard, bought, command(1, CloseAccount), reversal(2, bought))
    assert shard.state(ALICE).purses == (1_000, 500)
    pay_out = command(2, CorrectEntry, 0, -1_001, CorrectionReason.PAID_OUT)
    put_in = command(3, CorrectEntry, 0, 1, CorrectionReason.PAID_OUT)
    wrong = command(4, CorrectEntry, 0, -1, CorrectionReason.WRONG_AMOUNT)
    answers = perform(shard, pay_out, put_in, wrong)
    assert [answer.reason.value for answer in answers] == ["funds", "account-closed", "account-closed"]
    assert (shard.state(ALICE).purses, shard.ledger.balances["subsidy", 0]) == ((1_000, 0), 500)
    (paid_out,) = perform(shard, command(5, CorrectEntry, 0, -1_000, CorrectionReason.PAID_OUT))
    assert (paid_out.code, paid_out.balances) == (Code.APPROVED, (0, 0))
    assert shard.state(ALICE).due_us == 0
    assert outcome(pay_out, Account("404", 0, 0, "", CardState.CLOSED, 0, account().person_class, (0,), 0, 0)) == (
        14, "no-account",
    )  # fmt: skip
    verify(store, ACCOUNT)


@pytest.mark.parametrize("purses", [(1, 0), (0, 5, 1), (1,)])
def test_closing_needs_the_other_purses_empty(purses: tuple[int, ...]) -> None:
    assert outcome(command(1, CloseAccount), account(purses=purses)) == (12, "purses-not-empty")


TOMORROW = CALENDAR.moment(END_OF_TODAY)
LAST_MOMENT = CALENDAR.moment(END_OF_TODAY - 1)
LOSS = Loss(7, CardState.ACTIVE, reviewed=True)
HOLDER = account(purses=(100, 500), subsidy_expires_us=END_OF_TODAY, due_us=END_OF_TODAY)


def test_what_is_left_goes_back_to_the_school() -> None:
    event = fall_due(HOLDER, TOMORROW)
    assert event == SubsidyExpired(ALICE, END_OF_TODAY, 1, 500, END_OF_TODAY, TODAY + 1, (100, 0))
    assert dict(postings(event)) == {("purse", 1): -500, ("subsidy", 0): 500}
    after = APPLY[SubsidyExpired](HOLDER, event, 9)
    assert after == replace(HOLDER, position=9, purses=(100, 0), due_us=0)


@pytest.mark.parametrize(("moment", "purses"), [(LAST_MOMENT, (100, 500)), (TOMORROW, (100, 0))])
def test_inquiry_shows_what_can_still_be_spent(moment: Any, purses: tuple[int, ...]) -> None:
    assert inquire(HOLDER, balance_inquiry(2), [], moment, POLICY).balances == purses
    assert inquire(HOLDER, mini_statement(2), [], moment, POLICY).balances == purses


@pytest.mark.parametrize(
    ("request_", "original"),
    [
        (reversal(4, purchase(3, 60)), decided(purchase(3, 60), HOLDER)),
        (refund(4, purchase(3, 60), 50), decided(purchase(3, 60), HOLDER)),
        (command(4, CorrectEntry, 1, 60, CorrectionReason.GOODWILL), None),
    ],
    ids=["reversal", "refund", "correction"],
)
def test_what_comes_back_after_the_day_is_due_at_once(request_: Any, original: Any) -> None:
    over = replace(HOLDER, purses=(100, 0), due_us=0, subsidy_expires_us=NOON_US)
    after = applied(request_, over, original)
    assert (after.purses[1] > 0, after.due_us) == (True, NOON_US)
    event = fall_due(after, NOON)
    assert event.amount == after.purses[1]
    assert APPLY[SubsidyExpired](after, event, 10).due_us == 0


@pytest.mark.parametrize("request_", [purchase(4, 500), advice(4, 1, 550)], ids=["purchase", "advice"])
def test_subsidy_that_is_spent_is_not_due(request_: Any) -> None:
    after = applied(request_, HOLDER)
    assert (after.purses[1], after.due_us) == (0, 0)
    assert applied(replace(request_, amount=499), HOLDER).due_us == END_OF_TODAY
    held = holding(replace(HOLDER, purses=(1_000, 500)), outstanding(30, expires_us=END_LATER))
    assert (held.due_us, applied(request_, held).due_us) == (END_OF_TODAY, END_LATER)


def test_subsidy_that_pays_for_a_new_card_is_not_due() -> None:
    holder = replace(HOLDER, purses=(1_000, 500), card_state=CardState.LOST, loss=LOSS)
    after = applied(command(4, ReplaceCard, "C2", FeePayment.PURSES), holder)
    assert (after.purses, after.due_us) == ((0, 0), 0)


def test_subsidy_that_an_accounts_file_brought_stays_beside_what_is_claimed() -> None:
    brought = account(purses=(100, 500))
    after = applied(command(4, CorrectEntry, 1, 60, CorrectionReason.GOODWILL), brought)
    assert (after.purses, after.due_us) == ((100, 560), 0)
    claimed = applied(subsidy_claim(3), replace(after, unclaimed=(SEPTEMBER,)))
    assert (claimed.purses, claimed.subsidy_expires_us, claimed.due_us) == ((100, 1_060), 0, 0)
    spent = applied(subsidy_claim(3), replace(after, unclaimed=(SEPTEMBER,), purses=(100, 0)))
    assert (spent.purses, spent.subsidy_expires_us, spent.due_us) == ((100, 500), END_OF_TODAY, END_OF_TODAY)


def test_day_of_a_batch_that_was_spent_counts_no_more() -> None:
    spent = account(unclaimed=(SEPTEMBER,), purses=(100, 0), subsidy_expires_us=END_LATER)
    after = applied(subsidy_claim(3), spent)
    assert (after.purses, after.subsidy_expires_us, after.due_us) == ((100, 500), END_OF_TODAY, END_OF_TODAY)


def test_whoever_looks_first_takes_it_back_exactly_once() -> None:
    """Whatever that is: a purchase that needs it, one that does not, a copy, a command; an inquiry changes nothing."""
    for first in (purchase(9, 600), purchase(9, 50), purchase(2, 100), top_up(9), command(9, BindFamily, "g-7")):
        store = MemoryStore()
        shard = opened_shard(store, opening(ALICE, balance=300))
        perform(shard, grant(1), purchase(2, 100))
        assert shard.state(ALICE).purses == (300, 400)
        perform(shard, balance_inquiry(3), moment=TOMORROW)
        assert shard.ledger.balances["subsidy", 0] == -500
        answer, again = perform(shard, first, purchase(10, 1), moment=TOMORROW)
        assert answer.code is (Code.INSUFFICIENT_FUNDS if first == purchase(9, 600) else Code.APPROVED)
        assert again.paid == (1, 0)
        assert shard.ledger.balances["subsidy", 0] == -100
        assert shard.state(ALICE).due_us == 0
        assert shard.ledger.imbalance == 0
        verify(store, ACCOUNT)


def test_expiry_comes_before_the_next_claim_and_both_before_the_purchase() -> None:
    shard = opened_shard(MemoryStore(), opening(ALICE, balance=0, purses=(0, 0)))
    perform(shard, grant(1), purchase(2, 100), grant(2, batch="2026-10", amount=70, last_day=LATER))
    (answer,) = perform(shard, purchase(3, 70), moment=TOMORROW)
    assert (answer.code, answer.balances) == (Code.APPROVED, (0, 0))
    (statement,) = perform(shard, mini_statement(4), moment=TOMORROW)
    assert [(entry.service, entry.amount) for entry in statement.entries[:4]] == [
        ("purchase", -70), ("subsidy-claim", 70), ("subsidy-expiry", -400), ("grant-subsidy", 0),
    ]  # fmt: skip


def test_grant_whose_day_is_over_cannot_be_claimed() -> None:
    shard = opened_shard(MemoryStore(), opening(ALICE, balance=100))
    perform(shard, grant(1))
    late, claimed = perform(shard, purchase(2, 50), subsidy_claim(3), moment=TOMORROW)
    assert (late.code, late.balances) == (Code.APPROVED, (50,))
    assert claimed.reason is Reason.NOTHING_GRANTED
    assert shard.ledger.balances["subsidy", 0] == 0


def test_reversal_of_what_an_expired_subsidy_paid_cannot_be_spent() -> None:
    store = MemoryStore()
    shard = opened_shard(store, opening(ALICE, balance=100))
    bought = purchase(2, 500)
    perform(shard, grant(1), bought)
    (undone,) = perform(shard, reversal(3, bought), moment=TOMORROW)
    assert (undone.code, undone.balances) == (Code.APPROVED, (100, 500))
    (refused,) = perform(shard, purchase(4, 101), moment=TOMORROW)
    assert (refused.code, refused.balances) == (Code.INSUFFICIENT_FUNDS, (100, 0))
    assert shard.ledger.balances["subsidy", 0] == 0
    verify(store, ACCOUNT)
