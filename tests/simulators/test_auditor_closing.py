"""What the auditor says at the end: of hot lists, and of what is in suspense."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from simulators.accounts import Card, CardState
from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.auditor.model.outcomes import outcomes
from simulators.auditor.requests import key_of
from simulators.auditor.world import first_world
from wire.messages import Advice, Answer, ReportLoss, Reversal, TopUp

TILL, MACHINE, KIOSK = 1001, 1003, 1005
ACCOUNT, CARD = "20260001", "C0020260001"
WAIT_MS = 2_000


@pytest.fixture
def rules(rules):
    kiosk = replace(rules.terminals[1001], number=KIOSK, services=frozenset({"report-loss"}))
    return replace(rules, terminals={**rules.terminals, KIOSK: kiosk})


@pytest.fixture
def auditor(cards, rules):
    return Auditor(cards, rules)


@pytest.fixture
def decide(auditor, rules, cards):
    """Let a switch that is right decide requests on the first card, and the auditor see it."""
    world = first_world(cards[0])

    def answer(*requests):
        nonlocal world
        for number, request in enumerate(requests, 1):
            auditor.record_sent(request)
            *_, (world, outcome) = outcomes(world, request, rules)
            authorization = number if outcome.authorized else 0
            reply = Answer(
                *key_of(request), outcome.code, outcome.reason, authorization, outcome.balances or (), outcome.paid
            )  # fmt: skip
            assert auditor.judge(request, reply) is None

    return answer


def sold(stan: int, amount: int) -> Advice:
    return Advice(TILL, stan, WAIT_MS, ACCOUNT, CARD, amount, stan, 0)


def test_the_hot_list_is_what_the_cards_are(auditor):
    auditor.judge_hot_lists({TILL: {"C0020260003": "lost", "C-of-another-campus": "frozen"}})
    assert auditor.findings == []


def test_a_loss_is_in_it(auditor, decide):
    decide(ReportLoss(KIOSK, 1, WAIT_MS, ACCOUNT))
    auditor.judge_hot_lists({TILL: {"C0020260003": "lost", CARD: "lost"}})
    assert auditor.findings == []


@pytest.mark.parametrize(
    ("told", "explanation"),
    [
        ({}, "card C0020260003 is lost, and good in the hot list"),
        ({"C0020260003": "frozen"}, "card C0020260003 is lost, and frozen in the hot list"),
        ({"C0020260003": "lost", CARD: "lost"}, f"card {CARD} is good, and lost in the hot list"),
    ],
    ids=["missing", "another state", "good card"],
)
def test_a_wrong_hot_list(auditor, told, explanation):
    auditor.judge_hot_lists({TILL: told})
    assert [(finding.fault, finding.terminal, finding.explanation) for finding in auditor.findings] == [
        (Fault.WRONG_HOT_LIST, TILL, explanation)
    ]


def test_a_card_that_was_replaced_stays_hot(cards, rules):
    replaced = Card("20260009", "C0020260009", CardState.REPLACED, date(2030, 7, 31), "student", (0, 0, 0))
    auditor = Auditor([*cards, replaced], rules)
    auditor.judge_hot_lists({TILL: {"C0020260003": "lost", "C0020260009": "replaced"}})
    assert auditor.findings == []


def test_what_the_purses_did_not_hold_is_in_suspense(auditor, decide):
    decide(sold(1, 9_000), sold(2, 3_000))  # of 100.00 yuan
    assert auditor.judge_suspense(2_000) is None
    finding = auditor.judge_suspense(1_999)
    assert (finding.fault, finding.explanation) == (
        Fault.WRONG_SUSPENSE,
        "19.99 came into suspense; expected 20.00",
    )


def test_a_top_up_that_was_spent_and_undone(auditor, decide):
    top_up = TopUp(MACHINE, 3, WAIT_MS, ACCOUNT, CARD, 5_000, 1)
    decide(top_up, sold(1, 12_000), Reversal(MACHINE, 4, WAIT_MS, ACCOUNT, MACHINE, 3, 5_000))
    assert auditor.judge_suspense(2_000) is None
    assert auditor.judge_suspense(0) is not None


def test_nothing_happened(auditor):
    assert auditor.judge_suspense(0) is None
    assert auditor.judge_suspense(1) is not None
