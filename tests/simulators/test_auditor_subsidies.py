"""The auditor's own idea of subsidies and of the family purse: it sees money that was granted, or drawn, too often."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.auditor.requests import key_of
from simulators.campus import SERVICES_BY_KIND, Terminal
from wire.codes import Code, Reason
from wire.messages import (
    Answer,
    BalanceInquiry,
    BindFamily,
    CreditFamily,
    GrantSubsidy,
    Purchase,
    Reversal,
    SetFamilyPolicy,
    SubsidyClaim,
    UnbindFamily,
)

ACCOUNT, CARD = "20260001", "C0020260001"
TILL, KIOSK, DESK = 1001, 1005, 9201
TODAY = 20260901
COMMANDS = frozenset({"grant-subsidy", "bind-family", "unbind-family", "set-family-policy", "credit-family"})


@pytest.fixture
def office_rules(rules):
    more = {
        DESK: Terminal(DESK, "desk-1", 9, COMMANDS, role="manager"),
        KIOSK: Terminal(KIOSK, "north-1", 9, SERVICES_BY_KIND["kiosk"]),
    }
    return replace(rules, terminals={**rules.terminals, **more})


@pytest.fixture
def auditor(cards, office_rules) -> Auditor:
    return Auditor(cards, office_rules)


def command(stan, kind, *fields):
    return kind(DESK, stan, 0, ACCOUNT, "wu", *fields)


def grant(stan, batch="2026-09", amount=500, last_day=TODAY):
    return command(stan, GrantSubsidy, batch, amount, last_day)


def buy(stan, amount):
    return Purchase(TILL, stan, 0, ACCOUNT, CARD, amount)


def done(request, *balances, authorization=0, paid=()):
    return Answer(*key_of(request), Code.APPROVED, Reason.NONE, authorization, balances, paid)


def declined(request, code, reason, *balances):
    return Answer(*key_of(request), code, reason, 0, balances, ())


def fault(auditor, request, reply):
    auditor.record_sent(request)
    finding = auditor.judge(request, reply)
    return None if finding is None else finding.fault


def test_grant_waits_for_the_tap(auditor):
    assert fault(auditor, grant(1), done(grant(1), 10_000)) is None
    bought = buy(1, 600)
    assert fault(auditor, bought, done(bought, 9_900, 0, authorization=5, paid=(100, 500))) is None
    assert auditor.findings == []


@pytest.mark.parametrize(("balances", "paid"), [((9_400,), (600,)), ((9_400, 500), (600, 0)), ((10_000, 0), (0, 600))])
def test_tap_that_did_not_claim_or_paid_otherwise(auditor, balances, paid):
    fault(auditor, grant(1), done(grant(1), 10_000))
    bought = buy(1, 600)
    assert fault(auditor, bought, done(bought, *balances, authorization=5, paid=paid)) is not None


def test_subsidy_without_a_last_day_stays_beside_what_is_claimed(cards, office_rules):
    auditor = Auditor([replace(cards[0], purses=(10_000, 70, 0))], office_rules)
    assert fault(auditor, grant(1), done(grant(1), 10_000, 70)) is None
    bought = buy(1, 100)
    assert fault(auditor, bought, done(bought, 10_000, 470, authorization=5, paid=(0, 100))) is None
    auditor.change_rules(replace(office_rules, today=TODAY + 1))
    bought = buy(2, 100)
    assert fault(auditor, bought, done(bought, 10_000, 370, authorization=6, paid=(0, 100))) is None


def test_day_of_a_batch_that_was_spent_counts_no_more(auditor, office_rules):
    assert fault(auditor, grant(1, last_day=TODAY + 5), done(grant(1), 10_000)) is None
    bought = buy(1, 500)
    assert fault(auditor, bought, done(bought, 10_000, 0, authorization=5, paid=(0, 500))) is None
    assert fault(auditor, grant(2, "2026-10"), done(grant(2), 10_000, 0)) is None
    bought = buy(2, 100)
    assert fault(auditor, bought, done(bought, 10_000, 400, authorization=6, paid=(0, 100))) is None
    auditor.change_rules(replace(office_rules, today=TODAY + 1))
    bought = buy(3, 100)
    assert fault(auditor, bought, done(bought, 9_900, 0, authorization=7, paid=(100, 0))) is None


def test_second_grant_of_a_batch(auditor):
    assert fault(auditor, grant(1), done(grant(1), 10_000)) is None
    again = grant(2, amount=700)
    assert fault(auditor, again, declined(again, Code.INVALID_TRANSACTION, Reason.GRANTED_BEFORE)) is None
    third = grant(3)
    assert fault(auditor, third, done(third, 10_000)) is Fault.WRONG_ANSWER


def test_claim_at_a_kiosk_happens_once(auditor):
    fault(auditor, grant(1), done(grant(1), 10_000))
    first, second = (SubsidyClaim(KIOSK, stan, 0, ACCOUNT, CARD) for stan in (1, 2))
    assert fault(auditor, first, done(first, 10_000, 500, authorization=7)) is None
    assert fault(auditor, second, done(second, 10_000, 1_000, authorization=8)) is not None


def test_claim_of_nothing(auditor):
    claim = SubsidyClaim(KIOSK, 1, 0, ACCOUNT, CARD)
    assert fault(auditor, claim, declined(claim, Code.INVALID_TRANSACTION, Reason.NOTHING_GRANTED)) is None


@pytest.mark.parametrize(("balances", "expected"), [((10_000, 0), None), ((10_000, 500), Fault.WRONG_BALANCE)])
def test_subsidy_after_its_day(auditor, office_rules, balances, expected):
    fault(auditor, grant(1), done(grant(1), 10_000))
    claim = SubsidyClaim(KIOSK, 1, 0, ACCOUNT, CARD)
    assert fault(auditor, claim, done(claim, 10_000, 500, authorization=7)) is None
    auditor.change_rules(replace(office_rules, today=TODAY + 1, whole_day=False))
    asked = BalanceInquiry(TILL, 9, 0, ACCOUNT, CARD)
    assert fault(auditor, asked, done(asked, *balances)) is expected


@pytest.fixture
def bound(auditor):
    """A guardian with 50.00, of whom a purchase may draw 3.00, and a day's 5.00."""
    for request, balances, authorization in (
        (command(1, BindFamily, "g-7"), (10_000,), 0),
        (command(2, CreditFamily, 5_000, 2), (10_000, 0, 5_000), 3),
        (command(3, SetFamilyPolicy, 500, 300, 0), (10_000, 0, 5_000), 0),
    ):
        assert fault(auditor, request, done(request, *balances, authorization=authorization)) is None
    return auditor


def test_policy_of_a_purchase_and_of_the_day(bound):
    first, second = buy(1, 1_000), buy(2, 1_000)
    assert fault(bound, first, done(first, 9_300, 0, 4_700, authorization=11, paid=(700, 0, 300))) is None
    assert fault(bound, second, done(second, 8_500, 0, 4_500, authorization=12, paid=(800, 0, 200))) is None
    undone = Reversal(TILL, 3, 0, ACCOUNT, TILL, 1, 1_000)
    assert fault(bound, undone, done(undone, 9_200, 0, 4_800, authorization=13, paid=(-700, 0, -300))) is None
    third = buy(4, 1_000)
    assert fault(bound, third, done(third, 8_500, 0, 4_500, authorization=14, paid=(700, 0, 300))) is None


def test_purchase_that_draws_more_than_the_guardian_allows(bound):
    bought = buy(1, 1_000)
    assert fault(bound, bought, done(bought, 10_000, 0, 4_000, authorization=11, paid=(0, 0, 1_000))) is not None


def test_guardian_who_leaves_money_behind(bound):
    leaving = command(4, UnbindFamily)
    assert fault(bound, leaving, done(leaving, 10_000, 0, 5_000)) is Fault.WRONG_ANSWER
    again = command(5, UnbindFamily)
    refused = declined(again, Code.INVALID_TRANSACTION, Reason.PURSES_NOT_EMPTY)
    assert fault(bound, again, refused) is None
