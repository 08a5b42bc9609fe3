"""Refunds through a shard, over both stores: the original is found, however much came to its account since."""

from __future__ import annotations

from typing import Any

from example_campus import (
    ALICE,
    BATH,
    BOB,
    OTHER_TILL,
    TILL,
    TOP_UP_MACHINE,
    advice,
    answer_of,
    capture,
    card_of,
    highest_stans,
    hold,
    opened_shard,
    opening,
    perform,
    purchase,
    refund,
    restarted,
    reversal,
    top_up,
)
from msgspec.structs import replace

from actors.account.kind import ACCOUNT
from actors.store import Store
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import Answer, Purchase

APPROVED = (Code.APPROVED, Reason.NONE)
MORE_THAN_LEFT = (Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT)
NOT_FOUND = (Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND)


def word(answer: Any) -> tuple[Code, Reason]:
    """Code and reason of an answer."""
    return answer.code, answer.reason


def assert_sound(store: Store, shard: Any) -> None:
    """The shard is in balance, and its folder verifies."""
    assert shard.ledger.imbalance == 0
    assert verify(store, ACCOUNT).head == shard.head


def test_several_refunds_of_one_purchase(store: Store) -> None:
    shard = opened_shard(store, opening(purses=(1_000, 300, 200)))
    bought = purchase(1, 1_000)
    first = answer_of(shard, bought)
    assert first.paid == (500, 300, 200)
    back = answer_of(shard, refund(2, bought, 600))
    assert (word(back), back.balances, back.paid, back.authorization > 0) == (APPROVED, (1_000, 0, 100), (), True)
    perform(shard, purchase(3, 50), top_up(4, 70))
    shard = restarted(store)
    assert word(answer_of(shard, refund(5, bought, 401))) == MORE_THAN_LEFT
    rest = answer_of(shard, refund(6, bought, 400))
    assert (word(rest), rest.balances) == (APPROVED, (1_070, 300, 150))
    assert word(answer_of(shard, refund(7, bought, 1))) == MORE_THAN_LEFT
    assert answer_of(shard, refund(2, bought, 600)) == back
    assert answer_of(shard, bought) == first
    assert shard.ledger.balances["merchant", TILL.merchant] == 50
    assert_sound(store, shard)


def test_purchase_and_its_refunds_in_one_turn(store: Store) -> None:
    shard = opened_shard(store)
    bought = purchase(1, 1_500)
    answers = perform(
        shard, bought, refund(2, bought, 900), bought, refund(3, bought, 601), refund(4, bought, 600),
        refund(2, bought, 900), reversal(5, bought), bought,
    )  # fmt: skip
    assert [word(answer) for answer in answers] == [
        APPROVED, APPROVED, APPROVED, MORE_THAN_LEFT, APPROVED, APPROVED,
        (Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED), APPROVED,
    ]  # fmt: skip
    assert answers[0] == answers[2] == answers[7]
    assert answers[1] == answers[5]
    assert shard.state(ALICE).purses == (10_000,)
    assert_sound(store, shard)


def test_refund_and_reversal_of_each_other_change_nothing(store: Store) -> None:
    shard = opened_shard(store)
    bought, undone, paid_in = purchase(1, 1_500), purchase(2, 700), top_up(3, 900)
    back = refund(4, bought, 500)
    perform(shard, bought, undone, paid_in, back, reversal(5, undone), reversal(6, purchase(90, 40)))
    before = dict(shard.ledger.balances)
    asked = [
        (reversal(7, bought), Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED),
        (reversal(8, bought, amount=500), Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED),
        (reversal(9, back), Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE),
        (refund(10, undone), Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED),
        (refund(11, reversal(5, undone)), Code.INVALID_TRANSACTION, Reason.NOT_REFUNDABLE),
        (refund(12, back), Code.INVALID_TRANSACTION, Reason.NOT_REFUNDABLE),
        (refund(13, paid_in), Code.INVALID_TRANSACTION, Reason.NOT_REFUNDABLE),
        (refund(14, purchase(90, 40)), Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED),
        (refund(15, bought, terminal=OTHER_TILL.number), Code.NOT_PERMITTED_TO_TERMINAL, Reason.OTHER_MERCHANT),
        (refund(16, bought, 2**63 - 1), Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE),
    ]
    for request, code, reason in asked:
        answer = answer_of(shard, request)
        assert answer == Answer(request.terminal, request.stan, code, reason, 0, (), ())
        assert answer_of(shard, request) == answer
    assert shard.ledger.balances == before
    assert shard.state(ALICE).purses == (10_000 - 1_500 + 900 + 500,)
    assert_sound(store, shard)


def test_refunds_of_a_capture_and_of_an_offline_purchase_that_fell_short(store: Store) -> None:
    shard = opened_shard(store, opening(balance=1_000))
    held, late = hold(1, 600), advice(2, 1, 700)
    used, twice = capture(3, held, 500), replace(late, stan=9)
    answers = perform(shard, held, used, late, twice)
    assert [(word(answer), answer.paid) for answer in answers] == [
        (APPROVED, ()), (APPROVED, (500,)), (APPROVED, (500,)), (APPROVED, (500,)),
    ]  # fmt: skip
    assert shard.ledger.balances["suspense", 0] == -200
    bath = BATH.number
    asked = refund(4, used, 200, bath), refund(5, late, 150), refund(6, late, 150), refund(7, late, 401)
    answers = perform(shard, *asked)
    assert [(word(answer), answer.balances) for answer in answers] == [
        (APPROVED, (200,)), (APPROVED, (200,)), (APPROVED, (300,)), (MORE_THAN_LEFT, ()),
    ]  # fmt: skip
    assert shard.ledger.balances["suspense", 0] == 0
    shard = restarted(store)
    assert perform(shard, *asked) == answers
    assert word(answer_of(shard, refund(8, late, 400))) == APPROVED
    assert word(answer_of(shard, refund(9, used, 300, bath))) == APPROVED
    assert shard.state(ALICE).purses == (1_000,)
    assert shard.ledger.balances["merchant", TILL.merchant] == shard.ledger.balances["merchant", BATH.merchant] == 0
    assert word(answer_of(shard, reversal(10, used, bath))) == (Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED)
    assert word(answer_of(shard, reversal(11, held, bath))) == (Code.INVALID_TRANSACTION, Reason.HOLD_CAPTURED)
    assert_sound(store, shard)


def test_refund_of_something_unknown_leaves_it_alone(store: Store) -> None:
    shard = opened_shard(store)
    future = purchase(900, 1_500, terminal=OTHER_TILL.number)
    assert word(answer_of(shard, refund(2, future, terminal=OTHER_TILL.number))) == NOT_FOUND
    assert highest_stans(shard) == {OTHER_TILL.number: 2}
    assert word(answer_of(shard, future)) == APPROVED
    assert word(answer_of(shard, refund(901, future, terminal=OTHER_TILL.number))) == APPROVED
    assert_sound(store, shard)


def test_refund_names_its_original_on_its_own_account(store: Store) -> None:
    shard = opened_shard(store)
    bought = purchase(1)
    answer_of(shard, bought)
    assert word(answer_of(shard, refund(2, replace(bought, account=BOB)))) == NOT_FOUND
    assert (shard.state(ALICE).purses, shard.state(BOB).purses) == ((9_000,), (10_000,))


def test_refund_that_is_reversed_before_it_comes_never_happens(store: Store) -> None:
    shard = opened_shard(store)
    bought = purchase(1)
    back = refund(3, bought)
    answers = perform(shard, bought, reversal(2, back), back, refund(4, bought))
    assert [word(answer) for answer in answers] == [
        APPROVED, APPROVED, (Code.INVALID_TRANSACTION, Reason.REVERSED), APPROVED,
    ]  # fmt: skip
    assert shard.state(ALICE).purses == (10_000,)
    assert_sound(store, shard)


def test_refund_under_a_stan_that_was_used(store: Store) -> None:
    shard = opened_shard(store)
    bought = purchase(1)
    perform(shard, bought, purchase(2))
    assert answer_of(shard, refund(2, bought)).code is Code.DUPLICATE
    assert answer_of(shard, Purchase(TILL.number, 1, 0, ALICE, card_of(ALICE), 999)).code is Code.DUPLICATE
    assert word(answer_of(shard, refund(2, bought, terminal=TOP_UP_MACHINE.number))) == (
        Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED,
    )  # fmt: skip
    assert shard.state(ALICE).purses == (8_000,)
