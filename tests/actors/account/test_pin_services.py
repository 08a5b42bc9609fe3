"""Where a PIN is asked for, what is answered, and what it does to the row of wrong tries."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from example_campus import (
    ALICE,
    DESK,
    HASH_KEY,
    KIOSK,
    LIMITS,
    LUNCH,
    NOON,
    NOON_US,
    OTHER_TILL,
    PIN_KEYS,
    POLICY,
    SMALL_DESK,
    TILL,
    TODAY,
    account,
    answer_of,
    card_of,
    change_pin,
    command,
    events_of,
    opened_shard,
    opening,
    pin_of,
    purchase,
    purchase_with_pin,
    reset_pin,
    restarted,
    reversal,
)
from msgspec.structs import replace
from pin_holders import OVER, RICH, WRONG, applied, decided, holder_with, outcome

from actors.account.answers import answer_repeat, same_content
from actors.account.booking import postings
from actors.account.card import CardState
from actors.account.events import (
    PinChanged,
    PinChangeDeclined,
    PinReset,
    PricedPurchase,
    PricedPurchaseWithPin,
    PurchaseDeclined,
    PurchaseDeclinedWithPin,
    PurchasedWithPin,
    PurchaseReturned,
)
from actors.account.kind import ACCOUNT
from actors.account.pins import keyed_hash
from actors.account.state import Loss
from actors.account.tables import ANSWER, DECIDE
from actors.memory_store import MemoryStore
from actors.policy import Limits, PinKeys, Price
from actors.verification import verify
from wire.codec import encode_message
from wire.codes import Code, Reason
from wire.messages import FeePayment, ReplaceCard

NO_PINS = replace(POLICY, pin_keys=PinKeys())


def test_purchase_up_to_the_limit_needs_no_pin_and_looks_at_none() -> None:
    for pin in (b"", b"?", bytes(34)):
        event = decided(replace(purchase(1, LIMITS.purchase_max), pin=pin), holder_with(wrong_tries=3))
        assert outcome(event) == (Code.APPROVED, Reason.NONE)
        assert not isinstance(event, PurchasedWithPin)


def test_right_pin_makes_a_larger_purchase_possible_and_ends_the_row_of_wrong_ones() -> None:
    holder = holder_with(wrong_tries=2)
    event = decided(purchase_with_pin(1), holder)
    assert event == PurchasedWithPin(
        ALICE, NOON_US, 1, TILL.number, 1, card_of(ALICE), OVER, TILL.merchant, TODAY, LUNCH, (OVER,),
        (100_000 - OVER,), 99,
    )  # fmt: skip
    after = applied(holder, event)
    assert (after.pin, after.purses, after.spent, after.purchases) == (pin_of(), (100_000 - OVER,), OVER, 1)
    assert postings(event) == ((("purse", 0), -OVER), (("merchant", 1), OVER))
    assert ANSWER[type(event)](event).paid == (OVER,)


def test_purchase_with_pin_is_reversed_like_any() -> None:
    bought = decided(purchase_with_pin(1))
    event = DECIDE[type(reversal(2, bought))](applied(RICH, bought), reversal(2, bought), bought, NOON, POLICY, 99)
    assert isinstance(event, PurchaseReturned)
    assert applied(applied(RICH, bought), event).spent == 0


def test_the_price_decides_whether_a_pin_is_needed() -> None:
    def at(percent: int) -> Any:
        return replace(POLICY, prices={(RICH.person_class, TILL.merchant, LUNCH): Price(percent, 0)})

    assert type(decided(purchase(1, OVER), RICH, at(90))) is PricedPurchase
    assert outcome(decided(purchase(1, OVER - 2), RICH, at(110))) == (Code.INCORRECT_PIN, Reason.PIN_REQUIRED)
    holder = holder_with(wrong_tries=2)
    event = decided(purchase_with_pin(1, 20_000), holder, at(110))
    assert isinstance(event, PricedPurchaseWithPin)
    assert (event.amount, event.adjustment, event.paid) == (20_000, 2_000, (22_000,))
    after = applied(holder, event)
    assert (after.pin, after.purses, after.spent) == (pin_of(), (78_000,), 22_000)


def test_wrong_pin_counts() -> None:
    event = decided(purchase_with_pin(1, pin=WRONG), holder_with(wrong_tries=1))
    assert event == PurchaseDeclinedWithPin(
        ALICE, NOON_US, 1, TILL.number, 1, card_of(ALICE), OVER, TILL.merchant, TODAY, LUNCH, Code.INCORRECT_PIN,
        Reason.PIN_WRONG, (100_000,), 2,
    )  # fmt: skip
    assert applied(RICH, event) == replace(RICH, position=8, pin=pin_of(wrong_tries=2))
    assert ANSWER[type(event)](event).balances == ()


def test_three_wrong_pins_in_a_row_lock_it_and_a_smaller_purchase_goes_on() -> None:
    holder = RICH
    for stan in (1, 2, 3):
        event = decided(purchase_with_pin(stan, pin=WRONG), holder)
        assert outcome(event) == (Code.INCORRECT_PIN, Reason.PIN_WRONG)
        holder = applied(holder, event)
    for request in (purchase_with_pin(4), purchase(5, OVER), purchase_with_pin(6, pin=WRONG), change_pin(7)):
        event = decided(request, holder)
        assert outcome(event) == (Code.PIN_TRIES_EXCEEDED, Reason.PIN_TRIES_EXCEEDED)
        assert applied(holder, event).pin == holder.pin
    assert outcome(decided(purchase(8), holder)) == (Code.APPROVED, Reason.NONE)


def test_right_pin_before_a_refusal_for_another_reason_ends_the_row_too() -> None:
    holder = replace(holder_with(wrong_tries=2), purses=(OVER - 1,))
    event = decided(purchase_with_pin(1), holder)
    assert isinstance(event, PurchaseDeclinedWithPin)
    assert (event.code, event.reason, event.wrong_tries) == (Code.INSUFFICIENT_FUNDS, Reason.FUNDS, 0)
    assert applied(holder, event).pin == pin_of()


NOT_READABLE = [
    b"?", bytes(34), bytes(64), purchase_with_pin(1).pin[:-1], purchase_with_pin(2).pin,
    purchase_with_pin(1, OVER + 1).pin, purchase_with_pin(1, terminal=KIOSK.number).pin,
    purchase_with_pin(1, pin="31415").pin, purchase_with_pin(1, pin="31415x").pin,
    change_pin(1, terminal=TILL.number).old_pin,
]  # fmt: skip


@pytest.mark.parametrize("sealed", NOT_READABLE, ids=range(len(NOT_READABLE)))
def test_pin_that_was_not_sealed_for_this_request_is_no_try(sealed: bytes) -> None:
    event = decided(replace(purchase_with_pin(1), pin=sealed), holder_with(wrong_tries=1))
    assert type(event) is PurchaseDeclined
    assert outcome(event) == (Code.INCORRECT_PIN, Reason.PIN_UNREADABLE)


NO_KEYS = replace(POLICY, pin_keys=PinKeys())
NO_TERMINALS = replace(POLICY, pin_keys=PinKeys(HASH_KEY))
LIMIT, NOT_OFFERED = (
    (Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT),
    (Code.NOT_PERMITTED_TO_TERMINAL, Reason.PIN_NOT_OFFERED),
)
LOCKED = Code.PIN_TRIES_EXCEEDED, Reason.PIN_TRIES_EXCEEDED
DAY = Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT
IN_ORDER = [
    ("not offered", {"terminal": OTHER_TILL.number}, {}, LIMIT),
    ("no PIN", {}, {"pin": None}, LIMIT),
    ("locked", {}, {"pin": pin_of(is_initial=True, wrong_tries=3)}, LOCKED),
    ("initial", {}, {"pin": pin_of(is_initial=True)}, (Code.INCORRECT_PIN, Reason.PIN_INITIAL)),
    ("required", {"pin": b""}, {}, (Code.INCORRECT_PIN, Reason.PIN_REQUIRED)),
    ("day", {}, {"spending_day": TODAY, "spent": LIMITS.day_max - OVER + 1}, DAY),
    ("funds", {}, {"purses": (OVER - 1,)}, (Code.INSUFFICIENT_FUNDS, Reason.FUNDS)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"), [(row, row) for row in IN_ORDER] + list(combinations(IN_ORDER, 2)), ids=str
)
def test_the_first_reason_is_the_answer(first: Any, second: Any) -> None:
    request = replace(purchase_with_pin(1), **{**second[1], **first[1]})
    if first[0] == "not offered" and request.pin:
        assert outcome(decided(request, replace(RICH, **second[2]))) == NOT_OFFERED
        request = replace(request, pin=b"")
    holder = replace(RICH, **{**second[2], **first[2]})
    assert outcome(decided(request, holder)) == first[3]


def test_card_comes_before_the_pin() -> None:
    lost = replace(RICH, card_state=CardState.LOST)
    for request in (purchase_with_pin(1, pin=WRONG), change_pin(1, old=WRONG)):
        event = decided(request, lost)
        assert outcome(event) == (Code.LOST_CARD, Reason.CARD_LOST)
        assert applied(lost, event).pin == lost.pin


@pytest.mark.parametrize("policy", [NO_KEYS, NO_TERMINALS], ids=["no keys", "no key of a terminal"])
def test_without_keys_the_limit_stands_and_pins_are_refused(policy: Any) -> None:
    assert outcome(decided(purchase(1, OVER), RICH, policy)) == LIMIT
    assert outcome(decided(purchase_with_pin(1), RICH, policy)) == NOT_OFFERED
    assert outcome(decided(change_pin(1), RICH, policy)) == NOT_OFFERED


def test_without_a_limit_no_pin_is_asked_for() -> None:
    policy = replace(POLICY, limits=Limits(0, 0, 0, 0))
    assert outcome(decided(purchase(1, OVER), RICH, policy)) == (Code.APPROVED, Reason.NONE)


def test_change() -> None:
    for holder in (holder_with(wrong_tries=2), holder_with(is_initial=True)):
        event = decided(change_pin(1), holder)
        assert event == PinChanged(
            ALICE, NOON_US, 1, KIOSK.number, 1, card_of(ALICE), KIOSK.merchant, TODAY, LUNCH,
            keyed_hash(HASH_KEY, ALICE, "271828"), (100_000,),
        )  # fmt: skip
        after = applied(holder, event)
        assert after == replace(holder, position=8, pin=pin_of("271828"))
        assert ANSWER[PinChanged](event).balances == (100_000,)
        assert outcome(decided(purchase_with_pin(2, pin="271828"), after)) == (Code.APPROVED, Reason.NONE)
        assert outcome(decided(purchase_with_pin(2), after)) == (Code.INCORRECT_PIN, Reason.PIN_WRONG)


GARBLED = bytes(34)
NOT_CHANGED = [
    ("wrong old one", change_pin(1, old=WRONG), Reason.PIN_WRONG, 2),
    ("wrong old one and weak new one", change_pin(1, old=WRONG, new="111111"), Reason.PIN_WRONG, 2),
    ("no old one", replace(change_pin(1), old_pin=b""), Reason.PIN_REQUIRED, None),
    ("unreadable old one", replace(change_pin(1), old_pin=GARBLED), Reason.PIN_UNREADABLE, None),
    ("unreadable new one", replace(change_pin(1), new_pin=GARBLED), Reason.PIN_UNREADABLE, 0),
    ("no new one", replace(change_pin(1), new_pin=b""), Reason.PIN_UNREADABLE, 0),
    ("new one of five digits", change_pin(1, new="27182"), Reason.PIN_UNREADABLE, 0),
    ("the two exchanged", replace(change_pin(1), old_pin=change_pin(1).new_pin), Reason.PIN_UNREADABLE, None),
    ("weak new one", change_pin(1, new="199912"), Reason.PIN_WEAK, 0),
    ("the same again", change_pin(1, new="314159"), Reason.PIN_UNCHANGED, 0),
]


@pytest.mark.parametrize(
    ("request_", "reason", "tries"), [row[1:] for row in NOT_CHANGED], ids=[row[0] for row in NOT_CHANGED]
)
def test_change_that_is_refused(request_: Any, reason: Reason, tries: int | None) -> None:
    holder = holder_with(wrong_tries=1)
    event = decided(request_, holder)
    assert event == PinChangeDeclined(
        ALICE, NOON_US, 1, KIOSK.number, 1, card_of(ALICE), KIOSK.merchant, TODAY, LUNCH, Code.INCORRECT_PIN, reason,
        (100_000,), tries,
    )  # fmt: skip
    assert applied(holder, event) == replace(holder, position=8, pin=pin_of(wrong_tries=1 if tries is None else tries))
    assert outcome(event) == (Code.INCORRECT_PIN, reason)


def test_account_without_a_pin_has_none_to_change() -> None:
    event = decided(change_pin(1), account())
    assert outcome(event) == (Code.INCORRECT_PIN, Reason.PIN_NOT_SET)
    assert applied(account(), event) == account(position=8)


def test_till_changes_no_pins() -> None:
    event = decided(change_pin(1, terminal=TILL.number))
    assert outcome(event) == (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)


@pytest.mark.parametrize(
    "request_", [purchase_with_pin(1), purchase_with_pin(1, pin=WRONG), change_pin(1), change_pin(1, old=WRONG)]
)
def test_pins_are_no_content(request_: Any) -> None:
    event = decided(request_)
    pins = {field: b"another" for field in ("pin", "old_pin", "new_pin") if hasattr(request_, field)}
    assert same_content(event, replace(request_, **pins))
    assert answer_repeat(event, replace(request_, **pins)) == ANSWER[type(event)](event)
    assert answer_repeat(event, replace(request_, card="another")).code is Code.DUPLICATE


def test_no_pin_stands_in_an_event() -> None:
    requests = (
        purchase_with_pin(1), purchase_with_pin(1, pin=WRONG), change_pin(1), change_pin(1, new="111111"),
        reset_pin(1, "271828"), reset_pin(1, "111111"),
    )  # fmt: skip
    for request in requests:
        packed = encode_message(decided(request))
        for pin in (b"314159", b"271828", WRONG.encode(), b"111111"):
            assert pin not in packed
        for field in ("pin", "old_pin", "new_pin"):
            assert getattr(request, field, b"no such") not in packed


def test_tries_and_changes_survive_a_restart_and_a_repeat_is_no_try() -> None:
    store = MemoryStore()
    shard = opened_shard(store, opening(balance=100_000))
    assert answer_of(shard, reset_pin(9)).code is Code.APPROVED
    shard = restarted(store)
    assert shard.state(ALICE).pin == pin_of("141421", is_initial=True)
    assert answer_of(shard, purchase_with_pin(10, pin="141421")).reason is Reason.PIN_INITIAL
    assert answer_of(shard, change_pin(11, old="141421", new="314159")).code is Code.APPROVED
    wrong = purchase_with_pin(12, pin=WRONG)
    for _ in range(4):
        assert answer_of(shard, wrong).reason is Reason.PIN_WRONG
    assert answer_of(shard, replace(wrong, pin=purchase_with_pin(12).pin)).reason is Reason.PIN_WRONG
    shard = restarted(store)
    assert shard.state(ALICE).pin == pin_of(wrong_tries=1)
    assert answer_of(shard, purchase_with_pin(13)).code is Code.APPROVED
    assert shard.state(ALICE).pin == pin_of()
    assert [type(event).__name__ for event in events_of(store)][1:] == [
        "PinReset", "PurchaseDeclined", "PinChanged", "PurchaseDeclinedWithPin", "PurchasedWithPin",
    ]  # fmt: skip
    verify(store, ACCOUNT)


def test_first_pin_ends_a_lock_and_has_to_be_changed() -> None:
    event = decided(reset_pin(1), holder_with(wrong_tries=3))
    hashed = keyed_hash(HASH_KEY, ALICE, "141421")
    assert event == PinReset(ALICE, NOON_US, 1, DESK.number, 1, "wu", card_of(ALICE), TODAY, (100_000,), hashed)
    holder = applied(RICH, event)
    assert holder.pin == pin_of("141421", is_initial=True)
    assert outcome(decided(purchase_with_pin(2, pin="141421"), holder)) == (Code.INCORRECT_PIN, Reason.PIN_INITIAL)
    assert applied(holder, decided(change_pin(3, old="141421"), holder)).pin == pin_of("271828")


@pytest.mark.parametrize(
    ("request_", "holder", "policy", "code", "reason"),
    [
        (reset_pin(1, terminal=SMALL_DESK.number), {}, POLICY, Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE),
        (reset_pin(1, clerk=""), {}, POLICY, Code.INVALID_TRANSACTION, Reason.CLERK_MISSING),
        (reset_pin(1), {"card_state": CardState.CLOSED}, POLICY, Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED),
        (reset_pin(1), {}, NO_PINS, Code.NOT_PERMITTED_TO_TERMINAL, Reason.PIN_NOT_OFFERED),
        (replace(reset_pin(1), new_pin=b"141421"), {}, POLICY, Code.INCORRECT_PIN, Reason.PIN_UNREADABLE),
        (replace(reset_pin(1), stan=2), {}, POLICY, Code.INCORRECT_PIN, Reason.PIN_UNREADABLE),
        (reset_pin(1, "14142a"), {}, POLICY, Code.INCORRECT_PIN, Reason.PIN_UNREADABLE),
        (reset_pin(1, "123456"), {}, POLICY, Code.INCORRECT_PIN, Reason.PIN_WEAK),
    ],
    ids=["beyond role", "no clerk", "closed", "no key", "not sealed", "sealed for another", "no digits", "weak"],
)
def test_first_pin_that_is_refused(
    request_: Any, holder: dict[str, Any], policy: Any, code: Code, reason: Reason
) -> None:
    before = replace(RICH, **holder)
    event = decided(request_, before, policy)
    assert outcome(event) == (code, reason)
    assert event.asked.new_pin == b""
    assert applied(before, event) == replace(before, position=8)


def test_copy_of_a_reset_is_answered_whatever_pin_it_carries() -> None:
    request = reset_pin(1)
    for event in (decided(request), decided(replace(request, new_pin=b""))):
        assert same_content(event, replace(request, new_pin=b"?"))
        assert not same_content(event, replace(request, clerk="li"))


@pytest.mark.parametrize("pin", [None, pin_of(wrong_tries=2)])
def test_pin_has_to_be_changed_with_a_new_card(pin: Any) -> None:
    lost = account(card_state=CardState.LOST, loss=Loss(7, CardState.ACTIVE, reviewed=True), pin=pin)
    after = applied(lost, decided(command(1, ReplaceCard, "C2", FeePayment.WAIVED), lost))
    assert after.pin == (pin and replace(pin, is_initial=True))


def test_keys_do_not_show() -> None:
    assert "x01" not in repr(POLICY.pin_keys)
    assert repr(PIN_KEYS) == "PinKeys(those of 4 terminals)"
