"""The auditor's own idea of a cardholder's limits: it sees a purchase above them, and one that they do not forbid."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.auditor.requests import key_of
from simulators.campus import Limits, Terminal
from wire.codes import Code, Reason
from wire.messages import Answer, Purchase, SetLimits

ACCOUNT, CARD = "20260001", "C0020260001"
TILL, DESK = 1001, 9201
PURCHASE_LIMIT = Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT
DAY_LIMIT = Code.OVER_AMOUNT_LIMIT, Reason.DAY_LIMIT
PERIOD_LIMIT = Code.OVER_AMOUNT_LIMIT, Reason.PERIOD_LIMIT
DAY_COUNT_LIMIT = Code.OVER_COUNT_LIMIT, Reason.DAY_COUNT_LIMIT
PERIOD_COUNT_LIMIT = Code.OVER_COUNT_LIMIT, Reason.PERIOD_COUNT_LIMIT


@pytest.fixture
def auditor(cards, rules) -> Auditor:
    desk = Terminal(DESK, "desk-1", 9, frozenset({"set-limits"}), role="manager")
    terminals = {**rules.terminals, DESK: desk}
    return Auditor(cards, replace(rules, terminals=terminals, period=1, limits=Limits(purchase_max=900, day_max=2_000)))


def fault(auditor, request, code=Code.APPROVED, reason=Reason.NONE, *, balances=(), paid=(), authorization=0):
    auditor.record_sent(request)
    finding = auditor.judge(request, Answer(*key_of(request), code, reason, authorization, balances, paid))
    return None if finding is None else finding.fault


def set_to(auditor, stan, *limits, holds=9_500):
    return fault(auditor, SetLimits(DESK, stan, 0, ACCOUNT, "wu", *limits), balances=(holds,))


def bought(auditor, stan, amount, left):
    return fault(
        auditor, Purchase(TILL, stan, 0, ACCOUNT, CARD, amount), balances=(left,), paid=(amount,), authorization=stan
    )


def refused(auditor, stan, amount, problem):
    shown = (9_500,) if problem[0] is Code.OVER_AMOUNT_LIMIT else ()
    return fault(auditor, Purchase(TILL, stan, 0, ACCOUNT, CARD, amount), *problem, balances=shown)


LOWER = [
    ((499, 0, 0, 0, 0), PURCHASE_LIMIT),
    ((0, 999, 0, 0, 0), DAY_LIMIT),
    ((0, 0, 999, 0, 0), PERIOD_LIMIT),
    ((0, 0, 0, 1, 0), DAY_COUNT_LIMIT),
    ((0, 0, 0, 0, 1), PERIOD_COUNT_LIMIT),
]


@pytest.mark.parametrize(("limits", "problem"), LOWER)
def test_lower_limit(auditor, limits, problem):
    assert bought(auditor, 1, 500, 9_500) is None
    assert set_to(auditor, 2, *limits) is None
    assert refused(auditor, 3, 500, problem) is None
    assert set_to(auditor, 4, 0, 0, 0, 0, 0) is None
    assert bought(auditor, 5, 500, 9_000) is None


@pytest.mark.parametrize(("limits", "problem"), LOWER)
def test_lower_limit_that_the_switch_forgot(auditor, limits, problem):
    bought(auditor, 1, 500, 9_500)
    set_to(auditor, 2, *limits)
    assert bought(auditor, 3, 500, 9_000) is Fault.WRONG_ANSWER


@pytest.mark.parametrize(("limits", "problem"), LOWER)
def test_limit_that_was_taken_back(auditor, limits, problem):
    bought(auditor, 1, 500, 9_500)
    set_to(auditor, 2, *limits)
    set_to(auditor, 4, 0, 0, 0, 0, 0)
    assert refused(auditor, 3, 500, problem) is Fault.WRONG_ANSWER


def test_higher_limit_loosens_nothing(auditor):
    assert set_to(auditor, 2, 1_000, 5_000, 0, 0, 0, holds=10_000) is None
    assert bought(auditor, 3, 901, 9_099) is Fault.WRONG_ANSWER


@pytest.mark.parametrize("place", range(5))
def test_limit_that_is_none(auditor, place):
    limits = [0] * 5
    limits[place] = -1
    request = SetLimits(DESK, 2, 0, ACCOUNT, "wu", *limits)
    assert fault(auditor, request, Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE) is None
    assert set_to(auditor, 3, *limits, holds=10_000) is Fault.WRONG_ANSWER
