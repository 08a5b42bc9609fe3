"""Settling: what may be settled, in which manner, once, and that nothing of it is owed in suspense afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BATH,
    CALENDAR,
    DESK,
    LUNCH,
    NOON,
    NOON_US,
    POLICY,
    SMALL_DESK,
    TILL,
    TODAY,
    TOP_UP_MACHINE,
    account,
    advice,
    answer_of,
    capture,
    hold,
    holding,
    opened_shard,
    opening,
    outstanding,
    perform,
    purchase,
    refund,
    restarted,
    reversal,
    settle,
    top_up,
)
from msgspec.structs import replace

from actors.account.booking import postings
from actors.account.card import CardState
from actors.account.checks.suspicious import Suspicious
from actors.account.events import OfficeDeclined, SuspicionSettled
from actors.account.expiry import fall_due
from actors.account.kind import ACCOUNT
from actors.account.postings import LOSSES, SUSPENSE
from actors.account.state import Account, new_account
from actors.account.tables import ANSWER, APPLY, BOOK, DECIDE, EFFECT, EVENTS
from actors.effect import EffectName
from actors.memory_store import MemoryStore
from actors.policy import HOLD_LIFETIME_US
from actors.suspicious import find_suspicious
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import Settlement

COLLECT, WRITE_OFF, ACCEPT = Settlement
AFTER_EXPIRY = CALENDAR.moment(NOON_US + HOLD_LIFETIME_US)


def decided(request: Any, original: Any = None, holder: Account | None = None) -> Any:
    """The event that the request comes to, with authorization number 99."""
    return DECIDE[type(request)](holder or account(), request, original, NOON, POLICY, 99)


POOR, EMPTY = account(purses=(400,)), account(purses=(0,))
LOST = account(card_state=CardState.LOST)
ADVICE, HOLD, TOP_UP, BOUGHT = advice(11, 1), hold(12, 700), top_up(14, 800), purchase(16)
CAPTURE, UNDO_TOP_UP = capture(13, HOLD), reversal(15, TOP_UP, TOP_UP_MACHINE.number)
HELD, PAID_IN = decided(HOLD), decided(TOP_UP)
EXPIRED = fall_due(holding(account(), outstanding(700, 12)), AFTER_EXPIRY)
OVERDRAWN, UNKNOWN_ACCOUNT = decided(ADVICE, None, POOR), decided(ADVICE, None, new_account(ADVICE.account))
OF_LOST_CARD = decided(ADVICE, None, LOST)
LATE, LATE_AND_SHORT = decided(CAPTURE, EXPIRED), decided(CAPTURE, EXPIRED, account(purses=(200,)))
SPENT_TOP_UP = decided(UNDO_TOP_UP, PAID_IN, account(purses=(300,)))
OWING = {
    "an advice beyond the balance": (ADVICE, OVERDRAWN, 600),
    "an advice of an unknown account": (ADVICE, UNKNOWN_ACCOUNT, 1_000),
    "a late capture that fell short": (CAPTURE, LATE_AND_SHORT, 500),
    "the reversal of a spent top-up": (UNDO_TOP_UP, SPENT_TOP_UP, 500),
}
OWING_NOTHING = {"an advice on a lost card": (ADVICE, OF_LOST_CARD), "a late capture": (CAPTURE, LATE)}


def outcome(request: Any, original: Any, holder: Account | None = None) -> tuple[int, str]:
    """Code and reason."""
    event = decided(request, original, holder)
    assert isinstance(event, SuspicionSettled | OfficeDeclined)
    answer = ANSWER[type(event)](event)
    return int(answer.code), answer.reason.value


def test_event() -> None:
    holder = account(position=7, purses=(1_000, 50, 20))
    assert decided(settle(3, ADVICE, COLLECT, "paid at the desk"), OVERDRAWN, holder) == SuspicionSettled(
        holder.number, NOON_US, 7, DESK.number, 3, "wu", holder.card, TODAY, (470, 0, 0), TILL.number, ADVICE.stan,
        COLLECT, "paid at the desk", 600, (530, 50, 20), DESK.merchant, LUNCH, 99,
    )  # fmt: skip


@pytest.mark.parametrize(("named", "original", "owed"), OWING.values(), ids=OWING)
def test_what_is_owed_is_collected_or_written_off(named: Any, original: Any, owed: int) -> None:
    collected, written_off = (decided(settle(3, named, how), original) for how in (COLLECT, WRITE_OFF))
    assert (collected.amount, collected.paid, collected.balances) == (owed, (owed,), (10_000 - owed,))
    assert (written_off.amount, written_off.paid, written_off.balances) == (owed, (), (10_000,))
    assert outcome(settle(3, named, ACCEPT), original) == (12, "owed")
    for event, source in ((collected, ("purse", 0)), (written_off, LOSSES)):
        assert dict(postings(event)) == {source: -owed, SUSPENSE: owed}
        assert dict(postings(original))[SUSPENSE] == -owed
        totals, amount, _ = BOOK[SuspicionSettled](event)
        assert (totals, amount) == ((TODAY, DESK.merchant, DESK.number, "settle", LUNCH), owed)
        assert EVENTS[SuspicionSettled].gained(event) == -sum(event.paid)
        assert APPLY[SuspicionSettled](account(), event, 9) == replace(account(), position=9, purses=event.balances)


@pytest.mark.parametrize(("named", "original"), OWING_NOTHING.values(), ids=OWING_NOTHING)
def test_what_owes_nothing_is_accepted(named: Any, original: Any) -> None:
    event = decided(settle(3, named, ACCEPT), original)
    assert (event.amount, event.paid, event.balances, postings(event)) == (0, (), (10_000,), ())
    assert APPLY[SuspicionSettled](account(), event, 9) == replace(account(), position=9)
    for how in (COLLECT, WRITE_OFF):
        assert outcome(settle(3, named, how), original) == (12, "nothing-owed")
        assert outcome(settle(3, named, how), original, EMPTY) == (12, "nothing-owed")


def test_whatever_leaves_as_suspicious_can_be_settled() -> None:
    for named, original, *_ in (*OWING.values(), *OWING_NOTHING.values()):
        effect = EFFECT[type(original)](original)
        assert effect is not None
        assert effect.name is EffectName.SUSPICIOUS
        assert isinstance(original, Suspicious)
        how = WRITE_OFF if original.shortfall else ACCEPT
        assert outcome(settle(3, named, how), original) == (0, "")


@pytest.mark.parametrize(
    ("purses", "paid"), [((600,), (600,)), ((599,), None), ((0, 500, 100), (0, 500, 100)), ((0, 500, 99), None)]
)
def test_collecting_what_goods_cost_draws_on_every_purse(purses: tuple[int, ...], paid: Any) -> None:
    holder = account(purses=purses)
    if paid is None:
        assert outcome(settle(3, ADVICE), OVERDRAWN, holder) == (51, "funds")
    else:
        assert decided(settle(3, ADVICE), OVERDRAWN, holder).paid == paid


def test_what_a_top_up_brought_is_collected_from_the_main_purse() -> None:
    event = decided(settle(3, UNDO_TOP_UP), SPENT_TOP_UP, account(purses=(500, 70, 30)))
    assert (event.paid, event.balances) == ((500, 0, 0), (0, 70, 30))
    assert outcome(settle(3, UNDO_TOP_UP), SPENT_TOP_UP, account(purses=(499, 70, 30))) == (51, "funds")


def test_what_is_held_is_not_collected() -> None:
    for named, original, owed in OWING.values():
        holder = holding(account(purses=(owed + 100,)), outstanding(101))
        assert outcome(settle(3, named), original, holder) == (51, "funds")
        assert outcome(settle(3, named), original, holding(holder, outstanding(100))) == (0, "")


@pytest.mark.parametrize(
    "holder", [account(card_state=CardState.CLOSED, purses=(0,)), new_account(ADVICE.account), LOST]
)
def test_it_asks_nothing_of_card_and_account(holder: Account) -> None:
    event = decided(settle(3, ADVICE, WRITE_OFF), UNKNOWN_ACCOUNT, holder)
    assert (event.amount, event.balances) == (1_000, holder.purses)
    assert outcome(settle(3, ADVICE, COLLECT), UNKNOWN_ACCOUNT, holder) == (
        (0, "") if holder is LOST else (51, "funds")
    )


SETTLED = decided(settle(20, ADVICE), OVERDRAWN)
SETTLED_CAPTURE = decided(settle(21, CAPTURE), LATE_AND_SHORT)
REFUSED: dict[str, tuple[Any, Any, tuple[int, str]]] = {
    "unknown": (ADVICE, None, (25, "original-not-found")),
    "settled": (ADVICE, SETTLED, (12, "original-settled")),
    "a settlement": (settle(20, ADVICE), SETTLED, (12, "not-suspicious")),
    "a reversed late capture": (CAPTURE, decided(reversal(30, CAPTURE, BATH.number), LATE_AND_SHORT),
                                (12, "original-reversed")),
    "a reversal that never met its original": (BOUGHT, decided(reversal(30, BOUGHT)), (12, "original-reversed")),
    "a reversed hold": (HOLD, decided(reversal(30, HOLD, BATH.number), HELD), (12, "original-reversed")),
    "the top-up instead of its reversal": (TOP_UP, SPENT_TOP_UP, (12, "original-reversed")),
    "the hold instead of its capture": (HOLD, LATE_AND_SHORT, (12, "not-suspicious")),
    "an expired hold": (HOLD, EXPIRED, (12, "not-suspicious")),
    "a clean advice": (ADVICE, decided(ADVICE), (12, "not-suspicious")),
    "a declined advice": (replace(ADVICE, amount=0), decided(replace(ADVICE, amount=0)), (12, "not-suspicious")),
    "a capture in time": (CAPTURE, decided(CAPTURE, HELD), (12, "not-suspicious")),
    "a purchase": (BOUGHT, decided(BOUGHT), (12, "not-suspicious")),
    "the reversal of a purchase": (reversal(30, BOUGHT), decided(reversal(30, BOUGHT), decided(BOUGHT)),
                                   (12, "not-suspicious")),
    "the reversal of a top-up that was there": (UNDO_TOP_UP, decided(UNDO_TOP_UP, PAID_IN), (12, "not-suspicious")),
    "the reversal of a late capture": (reversal(30, CAPTURE, BATH.number),
                                       decided(reversal(30, CAPTURE, BATH.number), LATE_AND_SHORT),
                                       (12, "not-suspicious")),
}  # fmt: skip


@pytest.mark.parametrize(("named", "original", "expected"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("how", Settlement)
def test_refusals(named: Any, original: Any, expected: tuple[int, str], how: Settlement) -> None:
    """They come before the manner and the money, and change nothing."""
    for holder in (account(), EMPTY):
        event = decided(settle(3, named, how), original, holder)
        assert (int(event.code), event.reason.value) == expected
        assert APPLY[OfficeDeclined](holder, event, 9) == replace(holder, position=9)
        assert postings(event) == ()


@pytest.mark.parametrize("how", [COLLECT, WRITE_OFF])
def test_what_a_refund_left_owed_is_settled(how: Settlement) -> None:
    refunded = decided(refund(9, ADVICE, 1), OVERDRAWN)
    event = decided(settle(30, ADVICE, how), refunded)
    assert event.amount == refunded.shortfall_left == OVERDRAWN.shortfall - 1
    assert sum(event.paid) == (event.amount if how is COLLECT else 0)
    assert outcome(settle(30, ADVICE, Settlement.ACCEPT), refunded) == (12, "owed")


def test_what_a_refund_left_nothing_owed_of_is_not_settled() -> None:
    refunded = decided(refund(9, ADVICE, OVERDRAWN.shortfall), OVERDRAWN)
    assert refunded.shortfall_left == 0
    for how in Settlement:
        assert outcome(settle(30, ADVICE, how), refunded) == (12, "original-refunded")
    assert outcome(settle(30, BOUGHT), decided(refund(9, BOUGHT, 1), decided(BOUGHT))) == (12, "original-refunded")


def test_who_may_settle_comes_first() -> None:
    for original in (None, OVERDRAWN, SETTLED):
        assert outcome(settle(3, ADVICE, terminal=SMALL_DESK.number), original) == (57, "beyond-role")
        assert outcome(settle(3, ADVICE, terminal=TILL.number), original) == (58, "service-not-offered")
        assert outcome(replace(settle(3, ADVICE), clerk=""), original) == (12, "clerk-missing")


@pytest.mark.parametrize(
    ("request_", "original", "reason"),
    [
        (reversal(30, CAPTURE, BATH.number), SETTLED_CAPTURE, "original-settled"),
        (reversal(30, CAPTURE, BATH.number, 1), SETTLED_CAPTURE, "original-settled"),
        (reversal(30, ADVICE), SETTLED, "original-settled"),
        (refund(30, ADVICE), SETTLED, "original-settled"),
        (reversal(30, CAPTURE, BATH.number, 1), LATE_AND_SHORT, "amount-differs"),
    ],
)
def test_what_was_settled_stands(request_: Any, original: Any, reason: str) -> None:
    event = decided(request_, original)
    assert (int(event.code), event.reason.value) == (12, reason)


def test_the_books_over_a_life_of_suspicious_items() -> None:
    """Suspense owes what is open, at every step, and nothing at the end."""
    store = MemoryStore()
    shard = opened_shard(store, opening(balance=0))
    held, paid_in, bought = hold(1, 700), top_up(2, 800), purchase(3, 800)
    late, undone = capture(4, held), reversal(5, paid_in, TOP_UP_MACHINE.number)
    perform(shard, top_up(90, 700), held)
    drained = [purchase(6, 700), advice(7, 1, 300), advice(8, 2, 50, "999")]
    perform(shard, *drained, late, moment=AFTER_EXPIRY)
    perform(shard, paid_in, bought, undone, moment=AFTER_EXPIRY)
    open_items = find_suspicious(shard.journal, ACCOUNT)
    assert [(item.event.stan, item.owes) for item in open_items] == [(7, 300), (8, 50), (4, 700), (5, 800)]
    assert shard.ledger.balances[SUSPENSE] == -1_850

    perform(shard, top_up(91, 1_100), moment=AFTER_EXPIRY)
    steps = [
        (settle(1, drained[1]), 300),
        (settle(2, undone), 800),
        (settle(3, late, WRITE_OFF, "closed bath"), 700),
        (settle(4, drained[2], WRITE_OFF), 50),
    ]
    owed, answers = 1_850, []
    for request, amount in steps:
        answer = answer_of(shard, request, AFTER_EXPIRY)
        assert answer.code is Code.APPROVED
        answers.append(answer)
        owed -= amount
        assert shard.ledger.balances[SUSPENSE] == -owed
        assert sum(item.owes for item in find_suspicious(shard.journal, ACCOUNT)) == owed
    assert owed == 0
    assert shard.ledger.balances[LOSSES] == -750
    assert shard.ledger.imbalance == 0

    shard = restarted(store)
    assert [answer_of(shard, request, AFTER_EXPIRY) for request, _ in steps] == answers
    again = [answer_of(shard, replace(request, stan=request.stan + 50), AFTER_EXPIRY) for request, _ in steps]
    assert {answer.reason for answer in again} == {Reason.ORIGINAL_SETTLED}
    assert answer_of(shard, replace(steps[0][0], note="another"), AFTER_EXPIRY).code is Code.DUPLICATE
    assert answer_of(shard, drained[1], AFTER_EXPIRY).code is Code.APPROVED
    assert shard.ledger.balances[SUSPENSE] == 0
    verify(store, ACCOUNT)


def test_a_reversed_late_capture_is_over() -> None:
    store = MemoryStore()
    shard = opened_shard(store, opening(balance=700))
    held = hold(1, 700)
    late = capture(4, held)
    perform(shard, held)
    perform(shard, purchase(6, 600), late, moment=AFTER_EXPIRY)
    (item,) = find_suspicious(shard.journal, ACCOUNT)
    assert (item.reason, item.shortfall, item.owes, item.ended_by) == ("late-capture", 600, 600, None)
    perform(shard, reversal(7, late, BATH.number), moment=AFTER_EXPIRY)
    (item,) = find_suspicious(shard.journal, ACCOUNT)
    assert item.ended_by is not None
    assert item.owes == shard.ledger.balances[SUSPENSE] == 0
