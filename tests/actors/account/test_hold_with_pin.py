"""A hold above the limit of one purchase asks for the PIN as such a purchase does; its capture asks for none."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from example_campus import (
    ALICE,
    BATH,
    HASH_KEY,
    LIMITS,
    LUNCH,
    NOON_US,
    POLICY,
    TODAY,
    answer_of,
    capture,
    card_of,
    change_pin,
    hold,
    hold_with_pin,
    opened_shard,
    opening,
    outstanding,
    perform,
    pin_of,
    purchase_with_pin,
    reset_pin,
)
from msgspec.structs import replace
from pin_holders import OVER, RICH, WRONG, applied, decided, holder_with, outcome

from actors.account.answers import answer_repeat
from actors.account.card import CardState
from actors.account.events import Captured, Held, HeldWithPin, HoldDeclined, HoldDeclinedWithPin
from actors.account.kind import ACCOUNT
from actors.account.services.hold import HOLDS_MAX
from actors.account.tables import ANSWER
from actors.memory_store import MemoryStore
from actors.policy import HOLD_LIFETIME_US, PinKeys
from actors.verification import verify
from wire.codes import Code, Reason


def test_hold_up_to_the_limit_needs_no_pin_and_looks_at_none() -> None:
    for pin in (b"", b"?", bytes(34)):
        event = decided(replace(hold(1, LIMITS.purchase_max), pin=pin), holder_with(wrong_tries=3))
        assert type(event) is Held


def test_right_pin_makes_a_larger_hold_possible_and_ends_the_row_of_wrong_ones() -> None:
    holder = holder_with(wrong_tries=2)
    event = decided(hold_with_pin(1), holder)
    assert event == HeldWithPin(
        ALICE, NOON_US, 1, BATH.number, 1, card_of(ALICE), OVER, NOON_US + HOLD_LIFETIME_US, BATH.merchant, TODAY,
        LUNCH, (100_000,), 99,
    )  # fmt: skip
    after = applied(holder, event)
    assert (after.pin, after.spent, [each.amount for each in after.holds]) == (pin_of(), OVER, [OVER])
    captured = decided(capture(2, hold_with_pin(1)), after, original=event)
    assert (type(captured), captured.paid) == (Captured, (OVER,))


def test_wrong_pin_counts_and_three_in_a_row_lock_it() -> None:
    event = decided(hold_with_pin(1, pin=WRONG), holder_with(wrong_tries=1))
    assert event == HoldDeclinedWithPin(
        ALICE, NOON_US, 1, BATH.number, 1, card_of(ALICE), OVER, BATH.merchant, TODAY, LUNCH, Code.INCORRECT_PIN,
        Reason.PIN_WRONG, (100_000,), 2,
    )  # fmt: skip
    once = applied(RICH, replace(event, wrong_tries=1))
    assert once == replace(RICH, position=8, pin=pin_of(wrong_tries=1))
    locked = applied(once, replace(event, wrong_tries=3))
    for request in (hold_with_pin(2), hold(3, OVER), purchase_with_pin(4)):
        assert outcome(decided(request, locked)) == (Code.PIN_TRIES_EXCEEDED, Reason.PIN_TRIES_EXCEEDED)
    assert outcome(decided(hold(5), locked)) == (Code.APPROVED, Reason.NONE)


NOT_READABLE = [
    b"?", bytes(34), bytes(64), hold_with_pin(1).pin[:-1], hold_with_pin(2).pin, hold_with_pin(1, OVER + 1).pin,
    purchase_with_pin(1, terminal=BATH.number).pin, hold_with_pin(1, pin="31415").pin,
]  # fmt: skip


@pytest.mark.parametrize("sealed", NOT_READABLE, ids=range(len(NOT_READABLE)))
def test_pin_that_was_not_sealed_for_this_hold_is_no_try(sealed: bytes) -> None:
    event = decided(replace(hold_with_pin(1), pin=sealed), holder_with(wrong_tries=1))
    assert type(event) is HoldDeclined
    assert outcome(event) == (Code.INCORRECT_PIN, Reason.PIN_UNREADABLE)


def test_right_pin_before_a_refusal_for_another_reason_ends_the_row_too() -> None:
    holder = replace(holder_with(wrong_tries=2), purses=(OVER - 1,))
    event = decided(hold_with_pin(1), holder)
    assert (type(event), event.reason, event.wrong_tries) == (HoldDeclinedWithPin, Reason.FUNDS, 0)
    assert applied(holder, event).pin == pin_of()


LIMIT = Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT
FULL = (outstanding(1),) * HOLDS_MAX
IN_ORDER = [
    ("lost", {}, {"card_state": CardState.LOST}, (Code.LOST_CARD, Reason.CARD_LOST)),
    ("no PIN", {}, {"pin": None}, LIMIT),
    ("locked", {}, {"pin": pin_of(is_initial=True, wrong_tries=3)},
     (Code.PIN_TRIES_EXCEEDED, Reason.PIN_TRIES_EXCEEDED)),
    ("initial", {}, {"pin": pin_of(is_initial=True)}, (Code.INCORRECT_PIN, Reason.PIN_INITIAL)),
    ("required", {"pin": b""}, {}, (Code.INCORRECT_PIN, Reason.PIN_REQUIRED)),
    ("day", {}, {"spending_day": TODAY, "spent": LIMITS.day_max - OVER + 1},
     (Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT)),
    ("holds", {}, {"holds": FULL}, (Code.OVER_COUNT_LIMIT, Reason.HOLDS_LIMIT)),
    ("funds", {}, {"purses": (OVER - 1,)}, (Code.INSUFFICIENT_FUNDS, Reason.FUNDS)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"), [(row, row) for row in IN_ORDER] + list(combinations(IN_ORDER, 2)), ids=str
)
def test_the_first_reason_is_the_answer(first: Any, second: Any) -> None:
    request = replace(hold_with_pin(1), **{**second[1], **first[1]})
    assert outcome(decided(request, replace(RICH, **{**second[2], **first[2]}))) == first[3]


@pytest.mark.parametrize("keys", [PinKeys(), PinKeys(HASH_KEY), PinKeys(HASH_KEY, {1001: bytes(32)})], ids=range(3))
def test_where_no_pin_can_be_asked_for_the_limit_stands(keys: PinKeys) -> None:
    policy = replace(POLICY, pin_keys=keys)
    assert outcome(decided(hold(1, OVER), RICH, policy)) == LIMIT
    offered = outcome(decided(hold_with_pin(1), RICH, policy))
    assert offered == (Code.NOT_PERMITTED_TO_TERMINAL, Reason.PIN_NOT_OFFERED)


def test_copy_is_answered_like_the_first_whatever_pin_it_carries() -> None:
    for event in (decided(hold_with_pin(1)), decided(hold_with_pin(1, pin=WRONG))):
        for pin in (b"", b"?", hold_with_pin(1).pin):
            assert answer_repeat(event, replace(hold_with_pin(1), pin=pin)) == ANSWER[type(event)](event)


def test_on_a_shard_a_copy_is_no_try_and_gets_the_first_answer() -> None:
    store = MemoryStore()
    shard = opened_shard(store, opening(balance=100_000))
    perform(shard, reset_pin(1), change_pin(2, "141421", "314159"))
    wrong = hold_with_pin(3, pin=WRONG)
    (first, *copies) = perform(shard, wrong, wrong, replace(wrong, pin=hold_with_pin(3).pin))
    assert (first.code, first.reason) == (Code.INCORRECT_PIN, Reason.PIN_WRONG)
    assert copies == [first, first]
    assert shard.state(ALICE).pin.wrong_tries == 1
    assert answer_of(shard, hold_with_pin(4)).code is Code.APPROVED
    assert (shard.state(ALICE).pin.wrong_tries, len(shard.state(ALICE).holds)) == (0, 1)
    verify(store, ACCOUNT)
