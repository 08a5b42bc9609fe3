"""What a terminal is told: first, again, with other content, and after a reversal."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    BATH,
    CALENDAR,
    DESK,
    NOON,
    NOON_US,
    POLICY,
    TILL,
    TOP_UP_MACHINE,
    account,
    advice,
    capture,
    hold,
    holding,
    outstanding,
    purchase,
    refund,
    release,
    reversal,
    settle,
    top_up,
)
from msgspec.structs import replace

from actors.account.answers import answer_repeat, bears_on, concerns, same_content
from actors.account.card import CardState
from actors.account.events import HoldExpired
from actors.account.expiry import fall_due
from actors.account.tables import ANSWER, DECIDE, EFFECT, ORIGINAL_OF
from actors.effect import Effect, EffectName
from actors.policy import HOLD_LIFETIME_US
from wire.codes import Code, Reason
from wire.messages import Answer, Settlement


def decided(request: Any, original: Any = None, holder: Any = None) -> Any:
    return DECIDE[type(request)](holder or account(), request, original, NOON, POLICY, 99)


PURCHASE, TOP_UP = purchase(3, 1_000), top_up(4, 2_000)
TOO_MUCH, TOO_LITTLE = purchase(5, 10_001), top_up(6, 0)
PURCHASED, TOPPED_UP = decided(PURCHASE), decided(TOP_UP)
UNDO_PURCHASE, UNDO_TOP_UP = reversal(7, PURCHASE), reversal(8, TOP_UP, TOP_UP_MACHINE.number)
UNDO_UNKNOWN, UNDO_WRONG = reversal(9, purchase(77, 50)), reversal(10, PURCHASE, amount=1)
ADVICE, NO_ADVICE = advice(11, 1), advice(12, 2, 0)
BACK, BACK_UNKNOWN = refund(21, PURCHASE, 400), refund(22, purchase(77))
HOLD, TOO_MANY = hold(11, 800), hold(12, 10_001)
CAPTURE, RELEASE = capture(13, HOLD, 300), release(14, HOLD)
HELD = decided(HOLD)
EXPIRED = fall_due(holding(account(), outstanding(800, 11)), CALENDAR.moment(NOON_US + HOLD_LIFETIME_US))
UNDO_HOLD, UNDO_CAPTURE = reversal(15, HOLD, BATH.number), reversal(16, CAPTURE, BATH.number)
CAPTURED = decided(CAPTURE, HELD)
SETTLE = settle(17, ADVICE)
OVERDRAWN = decided(ADVICE, holder=account(purses=(400,)))

FIRST_ANSWERS = [
    (PURCHASE, PURCHASED, Code.APPROVED, Reason.NONE, 99, (9_000,), (1_000,)),
    (TOO_MUCH, decided(TOO_MUCH), Code.INSUFFICIENT_FUNDS, Reason.FUNDS, 0, (10_000,), ()),
    (TOP_UP, TOPPED_UP, Code.APPROVED, Reason.NONE, 99, (12_000,), ()),
    (TOO_LITTLE, decided(TOO_LITTLE), Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE, 0, (), ()),
    (UNDO_PURCHASE, decided(UNDO_PURCHASE, PURCHASED), Code.APPROVED, Reason.NONE, 99, (11_000,), (-1_000,)),
    (UNDO_TOP_UP, decided(UNDO_TOP_UP, TOPPED_UP), Code.APPROVED, Reason.NONE, 99, (8_000,), ()),
    (UNDO_UNKNOWN, decided(UNDO_UNKNOWN), Code.APPROVED, Reason.NONE, 0, (), ()),
    (UNDO_WRONG, decided(UNDO_WRONG, PURCHASED), Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS, 0, (), ()),
    (ADVICE, decided(ADVICE), Code.APPROVED, Reason.NONE, 99, (), (1_000,)),
    (NO_ADVICE, decided(NO_ADVICE), Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE, 0, (), ()),
    (BACK, decided(BACK, PURCHASED), Code.APPROVED, Reason.NONE, 99, (10_400,), ()),
    (BACK_UNKNOWN, decided(BACK_UNKNOWN), Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND, 0, (), ()),
    (HOLD, HELD, Code.APPROVED, Reason.NONE, 99, (10_000,), ()),
    (TOO_MANY, decided(TOO_MANY), Code.INSUFFICIENT_FUNDS, Reason.FUNDS, 0, (10_000,), ()),
    (CAPTURE, CAPTURED, Code.APPROVED, Reason.NONE, 99, (9_700,), (300,)),
    (CAPTURE, decided(CAPTURE, EXPIRED, account(purses=(200,))), Code.APPROVED, Reason.NONE, 99, (0,), (200,)),
    (CAPTURE, decided(CAPTURE), Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND, 0, (), ()),
    (RELEASE, decided(RELEASE, HELD), Code.APPROVED, Reason.NONE, 99, (10_000,), ()),
    (RELEASE, decided(RELEASE, EXPIRED), Code.INVALID_TRANSACTION, Reason.HOLD_EXPIRED, 0, (), ()),
    (UNDO_HOLD, decided(UNDO_HOLD, HELD), Code.APPROVED, Reason.NONE, 99, (10_000,), ()),
    (UNDO_CAPTURE, decided(UNDO_CAPTURE, CAPTURED), Code.APPROVED, Reason.NONE, 99, (10_300,), (-300,)),
    (SETTLE, decided(SETTLE, OVERDRAWN), Code.APPROVED, Reason.NONE, 99, (9_400,), (600,)),
    (SETTLE, decided(SETTLE, OVERDRAWN, account(purses=(5,))), Code.INSUFFICIENT_FUNDS, Reason.FUNDS, 0, (5,), ()),
    (SETTLE, decided(SETTLE), Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND, 0, (), ()),
]  # fmt: skip
ROWS = pytest.mark.parametrize(
    ("request_", "event", "expected"),
    [(row[0], row[1], Answer(row[0].terminal, row[0].stan, *row[2:])) for row in FIRST_ANSWERS],
    ids=[type(row[1]).__name__ for row in FIRST_ANSWERS],
)


@ROWS
def test_answer_is_made_from_the_event(request_: Any, event: Any, expected: Answer) -> None:
    assert ANSWER[type(event)](event) == expected


@pytest.mark.parametrize(("amount", "shown"), [(10_001, (10_000,)), (20_001, (10_000,)), (0, ())])
def test_decline_shows_the_balance_only_where_the_card_was_found_good(amount: int, shown: tuple[int, ...]) -> None:
    event = decided(purchase(3, amount))
    assert ANSWER[type(event)](event).balances == shown
    lost = decided(purchase(3, amount), holder=account(card_state=CardState.LOST))
    assert ANSWER[type(lost)](lost).balances == ()


@ROWS
def test_repeat_gets_the_recorded_answer(request_: Any, event: Any, expected: Answer) -> None:
    assert answer_repeat(event, replace(request_, wait_ms=1)) == expected


CONTENT = {
    "card": "another", "amount": 1_001, "channel": 3, "original_terminal": 1, "original_stan": 1, "offline_number": 9,
    "taken_us": 9, "clerk": "li-2", "how": Settlement.ACCEPT, "note": "another",
}  # fmt: skip


@ROWS
def test_other_content_is_a_duplicate(request_: Any, event: Any, expected: Answer) -> None:
    differing = [replace(request_, **{field: CONTENT[field]}) for field in CONTENT if hasattr(request_, field)]
    assert len(differing) >= 2
    for request in differing:
        assert not same_content(event, request)
        assert answer_repeat(event, request) == Answer(
            request_.terminal, request_.stan, Code.DUPLICATE, Reason.CONTENT_DIFFERS, 0, (), ()
        )


def test_an_advice_of_another_account_is_a_duplicate() -> None:
    assert answer_repeat(decided(ADVICE), replace(ADVICE, account="7")).code is Code.DUPLICATE


def test_an_advice_that_is_uploaded_again_is_answered_under_its_new_stan() -> None:
    first, again = decided(ADVICE), replace(ADVICE, stan=77)
    assert answer_repeat(first, again) == replace(ANSWER[type(first)](first), stan=77)


@ROWS
def test_another_service_under_the_same_stan_is_a_duplicate(request_: Any, event: Any, expected: Answer) -> None:
    for other in (PURCHASE, TOP_UP, UNDO_WRONG, ADVICE, BACK, HOLD, CAPTURE, RELEASE):
        if type(other) is not type(request_):
            copy = replace(other, terminal=request_.terminal, stan=request_.stan)
            assert answer_repeat(event, copy).code is Code.DUPLICATE


@pytest.mark.parametrize(
    ("settled", "original"),
    [
        (decided(UNDO_PURCHASE, PURCHASED), PURCHASE),
        (decided(UNDO_UNKNOWN), purchase(77, 50)),
        (decided(UNDO_HOLD, HELD), HOLD),
        (decided(UNDO_CAPTURE, CAPTURED), CAPTURE),
    ],
    ids=["Reversed", "Tombstoned", "HoldReversed", "Reversed capture"],
)
def test_copy_of_a_reversed_original_is_declined_whatever_its_content(settled: Any, original: Any) -> None:
    for copy in (
        original,
        replace(original, amount=1),
        replace(TOP_UP, terminal=original.terminal, stan=original.stan),
    ):
        assert answer_repeat(settled, copy) == Answer(
            copy.terminal, copy.stan, Code.INVALID_TRANSACTION, Reason.REVERSED, 0, (), ()
        )


def test_only_an_accepted_reversal_concerns_its_original() -> None:
    till = TILL.number
    assert concerns(PURCHASED) == ((till, 3),)
    assert concerns(decided(UNDO_PURCHASE, PURCHASED)) == ((till, 7), (till, 3))
    assert concerns(decided(UNDO_UNKNOWN)) == ((till, 9), (till, 77))
    assert concerns(decided(UNDO_WRONG, PURCHASED)) == ((till, 10),)


def test_refund_leaves_its_originals_copies_their_answer_and_bears_on_it() -> None:
    till = TILL.number
    refunded, refused = decided(BACK, PURCHASED), decided(BACK_UNKNOWN)
    assert (concerns(refunded), concerns(refused)) == (((till, 21),), ((till, 22),))
    assert (bears_on(refunded), bears_on(refused)) == (((till, 21), (till, 3)), ((till, 22),))


@pytest.mark.parametrize(
    "event",
    [PURCHASED, decided(TOO_MUCH), decided(UNDO_PURCHASE, PURCHASED), decided(UNDO_UNKNOWN), decided(UNDO_WRONG)],
    ids=["purchase", "declined purchase", "reversal", "reversal of nothing", "declined reversal"],
)
def test_what_came_to_an_event_is_what_it_bears_on(event: Any) -> None:
    assert bears_on(event) == concerns(event)


def test_what_became_of_a_hold_bears_on_it_but_its_copies_are_answered_as_before() -> None:
    bath = BATH.number
    for event in (CAPTURED, decided(RELEASE, HELD)):
        assert concerns(event) == ((bath, event.stan),)
        assert bears_on(event) == ((bath, event.stan), (bath, 11))
    assert (concerns(EXPIRED), bears_on(EXPIRED)) == ((), ((bath, 11),))
    undone = decided(UNDO_HOLD, HELD)
    assert concerns(undone) == bears_on(undone) == ((bath, 15), (bath, 11))
    for refused in (decided(CAPTURE), decided(RELEASE, EXPIRED)):
        assert bears_on(refused) == concerns(refused) == ((bath, refused.stan),)


def test_a_settlement_leaves_its_originals_copies_their_answer_and_bears_on_it() -> None:
    settled, refused = decided(SETTLE, OVERDRAWN), decided(SETTLE)
    assert (concerns(settled), concerns(refused)) == (((DESK.number, 17),),) * 2
    assert (bears_on(settled), bears_on(refused)) == (((DESK.number, 17), (TILL.number, 11)), ((DESK.number, 17),))


def test_what_names_an_original() -> None:
    named = {type(request): request for request in (UNDO_HOLD, CAPTURE, RELEASE, BACK, SETTLE)}
    assert {kind: of(named[kind]) for kind, of in ORIGINAL_OF.items()} == {
        **dict.fromkeys(named, (BATH.number, 11)),
        type(BACK): (TILL.number, 3),
        type(SETTLE): (TILL.number, 11),
    }


def test_operators_are_told_of_a_late_capture_and_of_one_that_falls_short_and_of_no_other() -> None:
    late = decided(CAPTURE, EXPIRED, account(purses=(200,)))
    details = {"reason": "late-capture", "amount": 300, "shortfall": 100}
    assert EFFECT[type(late)](late) == Effect(EffectName.SUSPICIOUS, details)
    clean = decided(CAPTURE, EXPIRED)
    assert EFFECT[type(clean)](clean) == Effect(EffectName.SUSPICIOUS, {**details, "shortfall": 0})
    short = decided(CAPTURE, HELD, account(purses=(200,)))
    details = {"reason": "funds", "amount": 300, "shortfall": 100}
    assert EFFECT[type(short)](short) == Effect(EffectName.SUSPICIOUS, details)
    for event in (CAPTURED, HELD, decided(RELEASE, HELD), decided(reversal(20, late, BATH.number), late)):
        assert EFFECT[type(event)](event) is None
    assert HoldExpired not in EFFECT
