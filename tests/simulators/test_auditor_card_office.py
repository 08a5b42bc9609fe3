"""The auditor's own idea of the card's life: it sees a dead card that works, and a command that should not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.auditor.requests import key_of
from simulators.campus import Terminal
from wire.codes import Code, Reason
from wire.messages import (
    ActivateCard,
    Answer,
    CorrectEntry,
    CorrectionReason,
    FeePayment,
    FindCard,
    OpenAccount,
    Purchase,
    ReplaceCard,
    ReportLoss,
    Reversal,
    ReviewLoss,
)

ACCOUNT, NOBODY, CARD = "20260001", "20269999", "C0020260001"
TILL, DESK = 1001, 9201
COMMANDS = frozenset({"open", "activate", "report-loss", "review-loss", "found", "replace", "correct"})


@pytest.fixture
def office_rules(rules):
    desk = Terminal(DESK, "desk-1", 9, COMMANDS, role="manager")
    return replace(rules, terminals={**rules.terminals, DESK: desk}, replacement_fee=1_500)


@pytest.fixture
def auditor(cards, office_rules) -> Auditor:
    return Auditor(cards, office_rules)


def command(stan, kind, *fields, account=ACCOUNT):
    return kind(DESK, stan, 0, account, "wu", *fields)


def buy(stan, card, account=ACCOUNT):
    return Purchase(TILL, stan, 0, account, card, 1_000)


def done(request, *balances, authorization=0, paid=()):
    return Answer(*key_of(request), Code.APPROVED, Reason.NONE, authorization, balances, paid)


def declined(request, code, reason, *balances):
    return Answer(*key_of(request), code, reason, 0, balances, ())


def exchange(auditor, request, reply):
    auditor.record_sent(request)
    return auditor.judge(request, reply)


def replace_card(auditor):
    """The card is lost and replaced by C2, which is active then."""
    lost, review = command(1, ReportLoss), command(2, ReviewLoss)
    new, active = command(3, ReplaceCard, "C2", FeePayment.PURSES), command(4, ActivateCard)
    assert exchange(auditor, lost, done(lost)) is None
    assert exchange(auditor, review, done(review, 10_000)) is None
    assert exchange(auditor, new, done(new, 8_500, authorization=1, paid=(1_500,))) is None
    assert exchange(auditor, active, done(active, 8_500)) is None


def test_replaced_card_never_works_again(auditor):
    replace_card(auditor)
    refused, new = buy(5, CARD), buy(6, "C2")
    assert exchange(auditor, refused, declined(refused, Code.RESTRICTED_CARD, Reason.CARD_REPLACED)) is None
    assert exchange(auditor, new, done(new, 7_500, authorization=2, paid=(1_000,))) is None
    finding = exchange(auditor, buy(7, CARD), done(buy(7, CARD), 6_500, authorization=3, paid=(1_000,)))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER


def test_wrong_fee(auditor):
    lost, review = command(1, ReportLoss), command(2, ReviewLoss)
    exchange(auditor, lost, done(lost))
    exchange(auditor, review, done(review, 10_000))
    new = command(3, ReplaceCard, "C2", FeePayment.PURSES)
    finding = exchange(auditor, new, done(new, 8_000, authorization=1, paid=(2_000,)))
    assert finding is not None
    assert finding.fault is Fault.WRONG_BALANCE


def test_purchase_after_the_reply_to_a_report_of_a_loss(auditor):
    lost = command(1, ReportLoss)
    exchange(auditor, lost, done(lost))
    finding = exchange(auditor, buy(2, CARD), done(buy(2, CARD), 9_000, authorization=1, paid=(1_000,)))
    assert finding is not None
    assert "41" in finding.explanation


def test_purchase_beside_a_report_that_is_not_answered_yet_may_go_either_way(auditor):
    lost = command(1, ReportLoss)
    auditor.record_sent(lost)
    before, after = buy(2, CARD), buy(3, CARD)
    assert exchange(auditor, before, done(before, 9_000, authorization=1, paid=(1_000,))) is None
    assert exchange(auditor, after, declined(after, Code.LOST_CARD, Reason.CARD_LOST)) is None
    assert auditor.judge(lost, done(lost)) is None


def test_found_before_the_review(auditor):
    lost, found = command(1, ReportLoss), command(2, FindCard)
    exchange(auditor, lost, done(lost))
    assert exchange(auditor, found, done(found, 10_000)) is not None


def test_beyond_the_role(auditor):
    till = replace(command(1, FindCard), terminal=TILL)
    refused = declined(till, Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)
    assert exchange(auditor, till, refused) is None


def test_correction_that_is_lost(auditor):
    more = command(1, CorrectEntry, 0, 700, CorrectionReason.GOODWILL)
    assert exchange(auditor, more, done(more, 10_700, authorization=1)) is None
    finding = exchange(auditor, buy(2, CARD), done(buy(2, CARD), 9_000, authorization=2, paid=(1_000,)))
    assert finding is not None
    assert finding.fault is Fault.LOST


def test_command_is_not_reversed(auditor):
    more = command(1, CorrectEntry, 0, 700, CorrectionReason.GOODWILL)
    exchange(auditor, more, done(more, 10_700, authorization=1))
    undo = Reversal(TILL, 2, 0, ACCOUNT, DESK, 1, 700)
    assert exchange(auditor, undo, declined(undo, Code.INVALID_TRANSACTION, Reason.NOT_REVERSIBLE)) is None


def test_what_came_before_an_account_was_opened_is_asked_anew(auditor):
    early = buy(1, "C9", NOBODY)
    nobody = declined(early, Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)
    assert exchange(auditor, early, nobody) is None
    assert exchange(auditor, early, nobody) is None
    opened = command(2, OpenAccount, "C9", 20300731, "student", account=NOBODY)
    assert exchange(auditor, opened, done(opened, 0)) is None
    assert exchange(auditor, early, declined(early, Code.RESTRICTED_CARD, Reason.CARD_NOT_ACTIVE)) is None
    auditor.finish()
    assert auditor.findings == []
    counted = {("purchase", Code.NO_SUCH_ACCOUNT): 2, ("purchase", Code.RESTRICTED_CARD): 1, ("open", Code.APPROVED): 1}
    assert auditor.counts_agree(counted)
    assert not auditor.counts_agree({**counted, ("purchase", Code.NO_SUCH_ACCOUNT): 1})


def test_refused_opening_is_asked_anew_and_an_approved_one_is_not(auditor):
    opened = command(1, OpenAccount, "C9", 20300731, "student", account=NOBODY)
    over = replace(opened, expires=20260831)
    refused = declined(over, Code.INVALID_TRANSACTION, Reason.EXPIRY_NOT_POSSIBLE)
    assert exchange(auditor, over, refused) is None
    assert exchange(auditor, over, refused) is None
    assert exchange(auditor, opened, done(opened, 0)) is None
    assert exchange(auditor, over, declined(over, Code.DUPLICATE, Reason.CONTENT_DIFFERS)) is None
    assert exchange(auditor, opened, done(opened, 5)) is not None


def test_losses_that_wait_for_their_review(auditor, office_rules):
    auditor.change_rules(replace(office_rules, review_due_us=100))
    lost, review = command(1, ReportLoss), command(2, ReviewLoss)
    assert exchange(auditor, lost, done(lost)) is None
    assert (auditor.overdue_reviews(99), auditor.overdue_reviews(100)) == (set(), {ACCOUNT})
    assert exchange(auditor, review, done(review, 10_000)) is None
    assert auditor.overdue_reviews(100) == set()


def test_without_a_time_no_review_is_overdue(auditor):
    lost = command(1, ReportLoss)
    assert exchange(auditor, lost, done(lost)) is None
    assert auditor.overdue_reviews(10**18) == set()
