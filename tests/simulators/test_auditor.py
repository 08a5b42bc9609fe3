"""The auditor finds planted faults, and accepts everything that can truly happen."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from simulators.accounts import Card, CardState
from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.auditor.model.outcomes import outcomes
from simulators.auditor.requests import key_of
from simulators.auditor.world import Rules, first_world
from simulators.campus import SERVICES_BY_KIND, Limits, PriceRule, Terminal
from wire.codes import Code, Reason
from wire.messages import Advice, Answer, BalanceInquiry, Purchase, Refund, Reversal, Statement, TopUp

ACCOUNT, CARD = "20260001", "C0020260001"
LOST = "20260003"
NOON_US = 1_788_235_200_000_000
DAY_STARTS_US = NOON_US - 12 * 3_600_000_000
WINDOW, OTHER_WINDOW, KIOSK, KEEPS_HOURS = 1001, 1002, 1003, 1004


def buy(
    stan: int, amount: int = 1_000, account: str = ACCOUNT, terminal: int = WINDOW, card: str | None = None
) -> Purchase:
    return Purchase(terminal, stan, 2_000, account, card or f"C00{account}", amount)


def top_up(stan: int, amount: int = 5_000) -> TopUp:
    return TopUp(KIOSK, stan, 2_000, ACCOUNT, CARD, amount, 1)


def undo(stan: int, original: Purchase | TopUp, amount: int | None = None) -> Reversal:
    return Reversal(
        original.terminal, stan, 2_000, original.account, original.terminal, original.stan, amount or original.amount
    )


def back(stan: int, original: Purchase, amount: int, terminal: int = WINDOW) -> Refund:
    return Refund(terminal, stan, 2_000, original.account, original.terminal, original.stan, amount)


def inquiry(stan: int) -> BalanceInquiry:
    return BalanceInquiry(WINDOW, stan, 2_000, ACCOUNT, CARD)


def approved(request, balance: int, authorization: int = 0) -> Answer:
    paid = (request.amount,) if isinstance(request, Purchase) else ()
    return Answer(*key_of(request), Code.APPROVED, Reason.NONE, authorization, (balance,), paid)


def returned(request: Reversal, balance: int, authorization: int, amount: int | None = None) -> Answer:
    """A purchase was undone: so much went back."""
    return replace(approved(request, balance, authorization), paid=(-(amount or request.amount),))


def undid_nothing(request: Reversal) -> Answer:
    return Answer(*key_of(request), Code.APPROVED, Reason.NONE, 0, (), ())


def declined(request, code: Code, reason: Reason, *balances: int) -> Answer:
    return Answer(*key_of(request), code, reason, 0, balances, ())


def exchange(auditor: Auditor, request, reply):
    auditor.record_sent(request)
    return auditor.judge(request, reply)


def test_right_answers_are_accepted(auditor):
    one, two, up = buy(1), buy(2, 9_500), top_up(3)
    assert exchange(auditor, one, approved(one, 9_000, 1)) is None
    assert exchange(auditor, two, declined(two, Code.INSUFFICIENT_FUNDS, Reason.FUNDS, 9_000)) is None
    assert exchange(auditor, up, approved(up, 14_000, 2)) is None
    assert exchange(auditor, inquiry(4), approved(inquiry(4), 14_000)) is None
    assert exchange(auditor, inquiry(5), Statement(WINDOW, 5, (14_000,), ())) is None
    auditor.finish()
    assert auditor.findings == []


def test_each_purse_is_judged(rules):
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (10_000, 700, 500))
    auditor, one, two = Auditor([card], rules), buy(1), buy(2)
    right = Answer(WINDOW, 1, Code.APPROVED, Reason.NONE, 1, (10_000, 0, 200), (0, 700, 300))
    assert exchange(auditor, one, right) is None
    wrong = Answer(WINDOW, 2, Code.APPROVED, Reason.NONE, 2, (9_000, 0, 200), (1_000,))
    finding = exchange(auditor, two, wrong)
    assert finding is not None
    assert finding.fault is Fault.WRONG_BALANCE


def upload(stan: int, number: int, amount: int = 1_000, account: str = ACCOUNT, terminal: int = WINDOW) -> Advice:
    return Advice(terminal, stan, 2_000, account, f"C00{account}", amount, number, NOON_US)


def posted(request: Advice, *paid: int, authorization: int) -> Answer:
    return Answer(*key_of(request), Code.APPROVED, Reason.NONE, authorization, (), paid)


def test_an_upload_is_posted_once_whatever_its_stan(auditor):
    first, again = upload(1, 7), upload(2, 7)
    assert exchange(auditor, first, posted(first, 1_000, authorization=5)) is None
    assert exchange(auditor, again, posted(again, 1_000, authorization=5)) is None
    assert exchange(auditor, inquiry(3), approved(inquiry(3), 9_000)) is None
    auditor.finish()
    assert auditor.findings == []
    assert auditor.counts["advice", Code.APPROVED] == 1


def test_an_upload_that_had_two_effects_is_doubled(auditor):
    first, again = upload(1, 7), upload(2, 7)
    exchange(auditor, first, posted(first, 1_000, authorization=5))
    finding = exchange(auditor, again, posted(again, 1_000, authorization=6))
    assert finding is not None
    assert finding.fault is Fault.DOUBLED


def test_copies_of_an_unanswered_upload_are_one_possibility(auditor):
    for stan in (1, 2, 3):
        auditor.record_sent(upload(stan, 7))
    assert exchange(auditor, inquiry(4), approved(inquiry(4), 9_000)) is None
    assert exchange(auditor, inquiry(5), approved(inquiry(5), 8_000)) is not None


def test_an_upload_beyond_the_balance_takes_what_is_there(auditor):
    request = upload(1, 7, 12_000)
    assert exchange(auditor, request, posted(request, 10_000, authorization=5)) is None
    assert exchange(auditor, inquiry(2), approved(inquiry(2), 0)) is None


def test_an_upload_that_took_too_little_is_found(auditor):
    request = upload(1, 7)
    assert exchange(auditor, request, posted(request, 999, authorization=5)) is not None


@pytest.mark.parametrize("code", [Code.INSUFFICIENT_FUNDS, Code.LOST_CARD, Code.OVER_AMOUNT_LIMIT])
def test_an_upload_is_not_declined(auditor, code):
    request = upload(1, 7, 20_001, LOST)
    finding = exchange(auditor, request, declined(request, code, Reason.NONE))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER


def test_an_upload_with_other_content_is_a_duplicate(auditor):
    first, other = upload(1, 7), upload(2, 7, 1_001)
    exchange(auditor, first, posted(first, 1_000, authorization=5))
    assert exchange(auditor, other, declined(other, Code.DUPLICATE, Reason.CONTENT_DIFFERS)) is None
    assert auditor.judge(other, posted(other, 1_001, authorization=6)) is not None


def test_an_account_that_nobody_opened_is_known_by_its_uploads_alone(auditor):
    bought, late = buy(1, account="404"), upload(2, 7, account="404")
    unknown = declined(bought, Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)
    assert exchange(auditor, bought, unknown) is None
    assert exchange(auditor, late, posted(late, 0, authorization=5)) is None
    assert exchange(auditor, bought, unknown) is None
    auditor.finish()
    assert auditor.findings == []
    paying = buy(3, account="404")
    assert exchange(auditor, paying, approved(paying, 0, 9)) is not None


@pytest.mark.parametrize(
    ("taken_us", "may_be_over"),
    [(DAY_STARTS_US, True), (DAY_STARTS_US - 1, False), (0, True), (2**63 - 1, True)],
    ids=["today", "yesterday", "long ago", "in the future"],
)
def test_an_upload_counts_in_the_spending_of_today_or_not(rules, taken_us, may_be_over):
    rules = replace(rules, limits=Limits(day_max=1_500), day_starts_us=DAY_STARTS_US)
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (10_000, 0, 0))
    auditor, late, more = Auditor([card], rules), replace(upload(1, 7), taken_us=taken_us), buy(2)
    assert exchange(auditor, late, posted(late, 1_000, authorization=5)) is None
    over = declined(more, Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT, 9_000)
    assert (exchange(auditor, more, over) is None) == may_be_over


def test_an_upload_of_a_day_that_is_nearly_too_old_may_count_either_way(rules):
    rules = replace(rules, limits=Limits(day_max=1_500), day_starts_us=DAY_STARTS_US)
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (10_000, 0, 0))
    late, more = replace(upload(1, 7), taken_us=DAY_STARTS_US - 90 * 86_400_000_000 + 1), buy(2)
    over = declined(more, Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT, 9_000)
    for answer in (over, approved(more, 8_000, 9)):
        auditor = Auditor([card], rules)
        exchange(auditor, late, posted(late, 1_000, authorization=5))
        assert exchange(auditor, more, answer) is None


def test_lost_approval(auditor):
    one, two = buy(1), buy(2, 300)
    exchange(auditor, one, approved(one, 9_000, 1))
    finding = exchange(auditor, two, approved(two, 9_700, 2))
    assert finding is not None
    assert finding.fault is Fault.LOST
    assert exchange(auditor, inquiry(3), approved(inquiry(3), 9_700)) is None, "one fault is reported once"


def test_doubled_approval_is_seen_in_the_closing_balance(auditor):
    one = buy(1)
    exchange(auditor, one, approved(one, 9_000, 1))
    finding = exchange(auditor, inquiry(2), approved(inquiry(2), 8_000))
    assert finding is not None
    assert finding.fault is Fault.DOUBLED


def test_lost_top_up_is_seen_from_outside(auditor):
    up = top_up(1)
    exchange(auditor, up, approved(up, 15_000, 1))
    finding = auditor.judge_purses(ACCOUNT, (10_000, 0, 0))
    assert finding is not None
    assert finding.fault is Fault.LOST
    assert auditor.judge_purses(ACCOUNT, (10_000, 0, 0)) is None


def test_repeat_with_a_second_authorization_is_doubled(auditor):
    one = buy(1)
    exchange(auditor, one, approved(one, 9_000, 1))
    finding = exchange(auditor, one, approved(one, 8_000, 2))
    assert finding is not None
    assert finding.fault is Fault.DOUBLED


def test_wrong_balance(auditor):
    one = buy(1)
    finding = exchange(auditor, one, approved(one, 9_001, 1))
    assert finding is not None
    assert finding.fault is Fault.WRONG_BALANCE


def test_wrong_balance_from_outside(auditor):
    finding = auditor.judge_purses(ACCOUNT, (9_999, 0, 0))
    assert finding is not None
    assert finding.fault is Fault.WRONG_BALANCE


def test_approval_of_a_lost_card(auditor):
    one = buy(1, account=LOST)
    finding = exchange(auditor, one, approved(one, 9_000, 1))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER
    assert "41" in finding.explanation


def test_changed_repeat(auditor):
    one = buy(1, 20_000)
    exchange(auditor, one, declined(one, Code.INSUFFICIENT_FUNDS, Reason.FUNDS, 10_000))
    finding = exchange(auditor, one, declined(one, Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT, 10_000))
    assert finding is not None
    assert finding.fault is Fault.CHANGED_ANSWER


def test_same_repeat_is_right(auditor):
    one, two = buy(1), buy(2)
    exchange(auditor, one, approved(one, 9_000, 1))
    exchange(auditor, two, approved(two, 8_000, 2))
    assert exchange(auditor, one, approved(one, 9_000, 1)) is None


def test_authorization_given_twice(auditor):
    one, two = buy(1), buy(2)
    exchange(auditor, one, approved(one, 9_000, 7))
    finding = exchange(auditor, two, approved(two, 8_000, 7))
    assert finding is not None
    assert finding.fault is Fault.AUTHORIZATION_REUSED


def test_other_content_under_the_same_stan(auditor):
    one, other = buy(1), buy(1, 2_000)
    exchange(auditor, one, approved(one, 9_000, 1))
    duplicate = declined(other, Code.DUPLICATE, Reason.CONTENT_DIFFERS)
    assert exchange(auditor, other, duplicate) is None


def test_two_at_once_may_be_answered_in_either_order(auditor):
    one, two = buy(1), buy(1, 2_000, terminal=OTHER_WINDOW)
    auditor.record_sent(one)
    auditor.record_sent(two)
    assert auditor.judge(one, approved(one, 7_000, 2)) is None
    assert auditor.judge(two, approved(two, 8_000, 1)) is None


def test_an_order_that_contradicts_itself(auditor):
    one, two = buy(1), buy(1, 2_000, terminal=OTHER_WINDOW)
    auditor.record_sent(one)
    auditor.record_sent(two)
    assert auditor.judge(one, approved(one, 7_000, 2)) is None
    assert auditor.judge(two, approved(two, 7_000, 1)) is not None


@pytest.mark.parametrize(("balance", "open_at_the_end"), [(10_000, {Fault.UNRESOLVED: 1}), (9_000, {})])
def test_an_unanswered_purchase_may_or_may_not_have_happened(auditor, balance, open_at_the_end):
    auditor.record_sent(buy(1))
    assert exchange(auditor, inquiry(2), approved(inquiry(2), balance)) is None
    auditor.finish()
    assert auditor.faults == open_at_the_end, "9,000 proves that it happened"


@pytest.mark.parametrize("happened", [True, False])
def test_a_reversal_settles_an_unanswered_purchase(auditor, happened):
    one = buy(1)
    auditor.record_sent(one)
    back = undo(2, one)
    assert exchange(auditor, back, returned(back, 10_000, 2) if happened else undid_nothing(back)) is None
    assert auditor.judge_purses(ACCOUNT, (10_000, 0, 0)) is None
    late = declined(one, Code.INVALID_TRANSACTION, Reason.REVERSED)
    assert auditor.judge(one, late) is None
    auditor.finish()
    assert auditor.findings == []


def test_an_original_that_comes_after_its_reversal_must_not_be_approved(auditor):
    one = buy(1)
    back = undo(2, one)
    assert exchange(auditor, back, undid_nothing(back)) is None
    finding = exchange(auditor, one, approved(one, 9_000, 1))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER


def test_a_balance_shown_by_a_reversal_that_undid_nothing(auditor):
    back = undo(2, buy(1))
    finding = exchange(auditor, back, approved(back, 10_000))
    assert finding is not None
    assert finding.fault is Fault.WRONG_BALANCE


def test_no_balance_shown_by_a_reversal_that_undid_something(auditor):
    one = buy(1)
    exchange(auditor, one, approved(one, 9_000, 1))
    back = undo(2, one)
    finding = exchange(auditor, back, replace(approved(back, 10_000, 2), balances=()))
    assert finding is not None
    assert finding.fault is Fault.WRONG_BALANCE


def test_a_balance_shown_to_a_copy_of_a_reversed_original(auditor):
    one = buy(1)
    back = undo(2, one)
    exchange(auditor, one, approved(one, 9_000, 1))
    exchange(auditor, back, approved(back, 10_000, 2))
    finding = exchange(auditor, one, declined(one, Code.INVALID_TRANSACTION, Reason.REVERSED, 10_000))
    assert finding is not None


def test_a_first_answer_may_be_overtaken_by_a_reversal_as_often_as_copies_were_sent_before_it(auditor):
    one = buy(1)
    back = undo(2, one)
    for _ in range(3):
        auditor.record_sent(one)
    assert auditor.judge(one, approved(one, 9_000, 1)) is None
    assert exchange(auditor, back, returned(back, 10_000, 2)) is None
    auditor.record_sent(one)
    late = declined(one, Code.INVALID_TRANSACTION, Reason.REVERSED)
    assert [auditor.judge(one, reply) for reply in (approved(one, 9_000, 1), late, approved(one, 9_000, 1))] == [
        None
    ] * 3
    auditor.record_sent(one)
    finding = auditor.judge(one, approved(one, 9_000, 1))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER


def test_a_copy_that_was_sent_after_a_reversal_was_answered_is_never_approved(auditor):
    one = buy(1)
    back = undo(2, one)
    exchange(auditor, one, approved(one, 9_000, 1))
    exchange(auditor, back, returned(back, 10_000, 2))
    finding = exchange(auditor, one, approved(one, 9_000, 1))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER


def test_reversal_with_another_amount(auditor):
    one = buy(1)
    exchange(auditor, one, approved(one, 9_000, 1))
    back = undo(2, one, 999)
    assert exchange(auditor, back, declined(back, Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS)) is None


def test_reversal_of_a_spent_top_up_stops_at_zero(auditor):
    up, one = top_up(1), buy(2, 14_000)
    exchange(auditor, up, approved(up, 15_000, 1))
    exchange(auditor, one, approved(one, 1_000, 2))
    back = undo(3, up)
    assert exchange(auditor, back, approved(back, 0, 3)) is None


def priced(rules: Rules, *prices: PriceRule) -> Auditor:
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (10_000, 0, 0))
    return Auditor([card], replace(rules, prices={("student", 1): prices, ("staff", 1): (PriceRule(fixed=1),)}))


def at_price(request: Purchase, paid: int, balance: int, authorization: int = 1) -> Answer:
    return replace(approved(request, balance, authorization), paid=(paid,))


def test_price_is_what_must_be_paid(rules):
    one = buy(1)
    assert exchange(priced(rules, PriceRule(percent=-20)), one, at_price(one, 800, 9_200)) is None
    assert exchange(priced(rules, PriceRule(fixed=450)), one, at_price(one, 450, 9_550)) is None
    assert exchange(priced(rules, PriceRule(percent=-20)), one, at_price(one, 1_000, 9_000)) is not None
    assert exchange(priced(rules, PriceRule(percent=-20)), one, at_price(one, 800, 9_000)) is not None
    assert exchange(priced(rules, PriceRule(percent=-20)), one, at_price(one, 1_000, 9_200)) is not None


def test_any_price_of_a_meal_period_may_be_paid(rules):
    auditor = priced(rules, PriceRule(percent=-20), PriceRule(fixed=450, period=1))
    one, two, three = buy(1), buy(2), buy(3)
    assert exchange(auditor, one, at_price(one, 450, 9_550)) is None
    assert exchange(auditor, two, at_price(two, 800, 8_750, 2)) is None
    assert exchange(auditor, three, at_price(three, 1_000, 7_750, 3)) is not None
    without_general = priced(rules, PriceRule(fixed=450, period=1))
    assert exchange(without_general, one, at_price(one, 450, 9_550)) is None
    assert exchange(without_general, two, at_price(two, 1_000, 8_550, 2)) is None


@pytest.mark.parametrize(("period", "price"), [(0, 800), (1, 450), (2, 800)])
def test_only_the_price_of_a_known_meal_period_may_be_paid(rules, period, price):
    known = replace(rules, period=period)
    for paid in (450, 800, 1_000):
        auditor = priced(known, PriceRule(percent=-20), PriceRule(fixed=450, period=1))
        finding = exchange(auditor, buy(1), at_price(buy(1), paid, 10_000 - paid))
        assert (finding is None) == (paid == price)


def test_wholly_refunded_purchase_no_longer_counts(rules):
    auditor = priced(replace(rules, limits=Limits(day_count_max=1)))
    one, two, three = buy(1), buy(2), buy(5)
    exchange(auditor, one, approved(one, 9_000, 1))
    part, rest = back(3, one, 400), back(4, one, 600)
    exchange(auditor, part, approved(part, 9_400, 2))
    assert exchange(auditor, two, declined(two, Code.OVER_COUNT_LIMIT, Reason.DAY_COUNT_LIMIT)) is None
    exchange(auditor, rest, approved(rest, 10_000, 3))
    assert exchange(auditor, three, approved(three, 9_000, 4)) is None


def test_limits_and_funds_are_of_the_price(rules):
    auditor = priced(replace(rules, limits=Limits(purchase_max=12_000)), PriceRule(percent=20))
    over, poor, fine = buy(1, 10_001), buy(2, 8_334), buy(3, 8_333)
    assert exchange(auditor, over, declined(over, Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT, 10_000)) is None
    assert exchange(auditor, poor, declined(poor, Code.INSUFFICIENT_FUNDS, Reason.FUNDS, 10_000)) is None
    assert exchange(auditor, fine, at_price(fine, 10_000, 0)) is None


def test_price_above_the_range(rules):
    auditor, much = priced(replace(rules, limits=Limits()), PriceRule(percent=100)), buy(1, 50_000_001)
    assert exchange(auditor, much, declined(much, Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)) is None


def test_reversal_of_a_price_names_what_was_asked_and_returns_what_was_paid(rules):
    auditor, one = priced(replace(rules, limits=Limits(day_max=1_500)), PriceRule(percent=-20)), buy(1)
    exchange(auditor, one, at_price(one, 800, 9_200))
    other, right, two = undo(2, one, 800), undo(3, one), buy(4, 1_875)
    assert exchange(auditor, other, declined(other, Code.INVALID_TRANSACTION, Reason.AMOUNT_DIFFERS)) is None
    assert exchange(auditor, right, returned(right, 10_000, 2, 800)) is None
    assert exchange(auditor, two, at_price(two, 1_500, 8_500, 3)) is None


def test_refund_of_a_price_is_of_what_was_paid(rules):
    auditor, one = priced(rules, PriceRule(percent=-20)), buy(1)
    exchange(auditor, one, at_price(one, 800, 9_200))
    more, all_of_it = back(2, one, 801), back(3, one, 800)
    assert exchange(auditor, more, declined(more, Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT)) is None
    assert exchange(auditor, all_of_it, approved(all_of_it, 10_000, 2)) is None


def test_refund_gives_back_what_a_purchase_paid_and_no_more(auditor):
    one = buy(1)
    exchange(auditor, one, approved(one, 9_000, 1))
    part, rest, more = back(2, one, 400), back(3, one, 600), back(4, one, 1)
    assert exchange(auditor, part, approved(part, 9_400, 2)) is None
    assert exchange(auditor, one, approved(one, 9_000, 1)) is None
    undone = undo(5, one)
    assert exchange(auditor, undone, declined(undone, Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED)) is None
    assert exchange(auditor, rest, approved(rest, 10_000, 3)) is None
    finding = exchange(auditor, more, approved(more, 10_001, 4))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER


def test_refund_to_the_wrong_purse(rules):
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (10_000, 700, 500))
    auditor, one, two = Auditor([card], rules), buy(1, 1_300), back(2, buy(1, 1_300), 200)
    paid = Answer(WINDOW, 1, Code.APPROVED, Reason.NONE, 1, (9_900, 0, 0), (100, 700, 500))
    assert exchange(auditor, one, paid) is None
    subsidy_first = Answer(WINDOW, 2, Code.APPROVED, Reason.NONE, 2, (9_900, 200, 0), ())
    finding = exchange(auditor, two, subsidy_first)
    assert finding is not None
    assert finding.fault is Fault.WRONG_BALANCE


def test_a_refund_that_counts_twice(auditor):
    one, part = buy(1), back(2, buy(1), 400)
    exchange(auditor, one, approved(one, 9_000, 1))
    exchange(auditor, part, approved(part, 9_400, 2))
    finding = exchange(auditor, inquiry(3), approved(inquiry(3), 9_800))
    assert finding is not None
    assert finding.fault is Fault.DOUBLED


def test_refund_gives_back_what_counts_for_the_day(rules):
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (100_000, 0, 0))
    auditor = Auditor([card], replace(rules, limits=Limits(day_max=1_500)))
    one, two, part, three = buy(1), buy(2, 900), back(3, buy(1), 400), buy(4, 900)
    exchange(auditor, one, approved(one, 99_000, 1))
    assert exchange(auditor, two, declined(two, Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT, 99_000)) is None
    assert exchange(auditor, part, approved(part, 99_400, 2)) is None
    assert exchange(auditor, three, approved(three, 98_500, 3)) is None


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (back(9, buy(7), 1), Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND),
        (back(9, buy(2), 1), Code.INVALID_TRANSACTION, Reason.ORIGINAL_DECLINED),
        (back(9, buy(3), 1), Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED),
        (back(9, buy(4, terminal=KIOSK), 1), Code.INVALID_TRANSACTION, Reason.NOT_REFUNDABLE),
        (back(9, buy(1), 1, KEEPS_HOURS), Code.NOT_PERMITTED_TO_TERMINAL, Reason.OTHER_MERCHANT),
        (back(9, buy(1), 1, KIOSK), Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED),
        (back(9, buy(1), 0), Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE),
        (back(9, buy(1), 1_001), Code.INVALID_AMOUNT, Reason.MORE_THAN_LEFT),
    ],
    ids=["unknown", "declined", "reversed", "top-up", "another merchant", "not offered", "amount 0", "more than left"],
)
def test_refund_that_is_declined(auditor, request_, code, reason):
    one, two, three, four = buy(1), buy(2, 20_001), buy(3), top_up(4)
    exchange(auditor, one, approved(one, 9_000, 1))
    exchange(auditor, two, declined(two, Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT, 9_000))
    exchange(auditor, three, approved(three, 8_000, 2))
    exchange(auditor, undo(5, three), returned(undo(5, three), 9_000, 3))
    exchange(auditor, four, approved(four, 14_000, 4))
    assert auditor.findings == []
    assert exchange(auditor, request_, declined(request_, code, reason)) is None


def test_try_again_has_no_effect_and_leaves_nothing_open(auditor):
    one = buy(1)
    refused = Answer(*key_of(one), Code.TRY_AGAIN, Reason.BUSY_SHARD, 0, (), (), 100)
    assert exchange(auditor, one, refused) is None
    assert auditor.judge_purses(ACCOUNT, (10_000, 0, 0)) is None
    auditor.finish()
    assert auditor.findings == []


def test_outcome_unknown_stays_open(auditor):
    one = buy(1)
    unknown = Answer(*key_of(one), Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN, 0, (), ())
    assert exchange(auditor, one, unknown) is None
    assert auditor.judge_purses(ACCOUNT, (9_000, 0, 0)) is None


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        (CardState.ISSUED, Code.RESTRICTED_CARD, Reason.CARD_NOT_ACTIVE),
        (CardState.FROZEN, Code.RESTRICTED_CARD, Reason.CARD_FROZEN),
        (CardState.REPLACED, Code.RESTRICTED_CARD, Reason.CARD_REPLACED),
        (CardState.CLOSED, Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED),
        (CardState.LOST, Code.LOST_CARD, Reason.CARD_LOST),
        (CardState.EXPIRED, Code.EXPIRED_CARD, Reason.CARD_EXPIRED),
    ],
)
def test_unusable_cards(rules, state, code, reason):
    auditor = Auditor([Card(ACCOUNT, CARD, state, date(2030, 1, 1), "student", (10_000, 0, 0))], rules)
    assert exchange(auditor, buy(1), declined(buy(1), code, reason)) is None


def test_a_balance_shown_to_the_holder_of_a_lost_card(auditor):
    one = buy(1, account=LOST)
    assert exchange(auditor, one, declined(one, Code.LOST_CARD, Reason.CARD_LOST, 10_000)) is not None


def test_an_active_card_past_its_last_day(rules):
    auditor = Auditor([Card(ACCOUNT, CARD, CardState.ACTIVE, date(2026, 8, 31), "student", (10_000, 0, 0))], rules)
    expired = declined(buy(1), Code.EXPIRED_CARD, Reason.CARD_EXPIRED)
    assert exchange(auditor, buy(1), expired) is None


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (buy(1, card="C1"), Code.NO_SUCH_ACCOUNT, Reason.NO_CARD),
        (buy(1, 0), Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE),
        (buy(1, 20_050), Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT),
        (buy(1, terminal=KIOSK), Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED),
        (buy(1, terminal=KEEPS_HOURS), Code.NOT_PERMITTED_TO_TERMINAL, Reason.OUTSIDE_HOURS),
        (top_up(1, 100_050), Code.OVER_AMOUNT_LIMIT, Reason.TOP_UP_LIMIT),
    ],
)
def test_refusals(auditor, request_, code, reason):
    balances = (10_000,) if code is Code.OVER_AMOUNT_LIMIT else ()
    assert exchange(auditor, request_, declined(request_, code, reason, *balances)) is None


def test_merchants_that_keep_hours_may_also_approve(auditor):
    one = buy(1, terminal=KEEPS_HOURS)
    assert exchange(auditor, one, approved(one, 9_000, 1)) is None


@pytest.mark.parametrize("whole_day", [True, False])
def test_day_limit_is_certain_only_when_the_whole_day_was_seen(rules, whole_day):
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (100_000, 0, 0))
    auditor = Auditor([card], replace(rules, whole_day=whole_day))
    one = buy(1)
    finding = exchange(auditor, one, declined(one, Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT, 100_000))
    assert (finding is None) == (not whole_day)


def test_reversal_gives_back_what_counts_for_the_day(rules):
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (100_000, 0, 0))
    auditor = Auditor([card], replace(rules, limits=Limits(day_max=1_500)))
    one, two, three = buy(1), buy(2), buy(4)
    exchange(auditor, one, approved(one, 99_000, 1))
    assert exchange(auditor, two, declined(two, Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT, 99_000)) is None
    back = undo(3, one)
    assert exchange(auditor, back, returned(back, 100_000, 2)) is None
    assert exchange(auditor, three, approved(three, 99_000, 3)) is None


def test_counts_agree_exactly_when_everything_was_answered(auditor):
    one = buy(1)
    exchange(auditor, one, approved(one, 9_000, 1))
    exchange(auditor, inquiry(2), approved(inquiry(2), 9_000))
    right = {("purchase", Code.APPROVED): 1, ("balance-inquiry", Code.APPROVED): 1}
    assert auditor.counts_agree(right)
    assert auditor.counts_agree({**right, ("purchase", Code.TRY_AGAIN): 5}), "technical answers are no decisions"
    assert not auditor.counts_agree({**right, ("purchase", Code.APPROVED): 2})
    assert not auditor.counts_agree({("purchase", Code.APPROVED): 1})


def test_counts_have_a_margin_for_what_was_never_answered(auditor):
    auditor.record_sent(buy(1))
    assert auditor.counts_agree({})
    assert auditor.counts_agree({("purchase", Code.APPROVED): 1})
    assert not auditor.counts_agree({("purchase", Code.APPROVED): 1, ("purchase", Code.LOST_CARD): 1})


@st.composite
def schedules(draw):
    """Requests to one account, each with the moments at which it happens and is answered; some answers never come."""
    count = draw(st.integers(1, 6))
    requests = []
    for index in range(count):
        kind = draw(st.sampled_from(["buy", "top up", "undo"]))
        bought = [request for request in requests if not isinstance(request, Reversal)]
        if kind == "undo" and bought:
            requests.append(undo(100 + index, draw(st.sampled_from(bought))))
        elif kind == "top up":
            requests.append(top_up(100 + index, draw(st.sampled_from([500, 5_000]))))
        else:
            requests.append(buy(100 + index, draw(st.sampled_from([500, 4_000, 9_000]))))
    steps = [(index, step) for index in range(count) for step in ("sent", "happens", "answered")]
    order = draw(st.permutations(steps))
    return requests, order, draw(st.sets(st.integers(0, count - 1))), draw(st.integers(0, count - 1))


def play(requests, order, unanswered, spoil=None):
    """Let a correct switch follow the schedule; `spoil` is a request whose answer gets a wrong balance."""
    rules = Rules(
        Limits(),
        (1, 2, 0),
        {
            WINDOW: Terminal(WINDOW, "s", 1, SERVICES_BY_KIND["canteen"]),
            KIOSK: Terminal(KIOSK, "s", 1, SERVICES_BY_KIND["top-up"]),
        },
        20260901,
    )
    card = Card(ACCOUNT, CARD, CardState.ACTIVE, date(2030, 1, 1), "student", (10_000, 0, 0))
    auditor, world = Auditor([card], rules), first_world(card)
    progress = dict.fromkeys(range(len(requests)), 0)
    answers, authorization, spoiled = {}, 0, False
    for index, _ in order:
        request, step = requests[index], progress[index]
        progress[index] += 1
        if step == 0:
            auditor.record_sent(request)
        elif step == 1:
            world, outcome = next(outcomes(world, request, rules))
            authorization += outcome.authorized
            balances = outcome.balances or ()
            answers[index] = Answer(
                *key_of(request),
                outcome.code,
                outcome.reason,
                authorization * outcome.authorized,
                balances,
                outcome.paid,
            )
        elif index not in unanswered:
            answer = answers[index]
            if index == spoil and answer.balances:
                answer, spoiled = replace(answer, balances=(answer.balances[0] + 7,)), True
            auditor.judge(request, answer)
    auditor.judge_purses(ACCOUNT, world.purses)
    return auditor, spoiled


@given(schedules())
@settings(deadline=None, max_examples=200)
def test_every_true_history_is_accepted_and_a_wrong_balance_never(schedule):
    requests, order, unanswered, spoil = schedule
    auditor, _ = play(requests, order, unanswered)
    assert auditor.findings == []
    auditor, spoiled = play(requests, order, unanswered, spoil)
    assert bool(auditor.findings) == spoiled
