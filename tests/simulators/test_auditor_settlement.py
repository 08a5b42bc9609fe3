"""The auditor's own idea of a settlement: it sees money that is collected wrongly, or twice."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.auditor.requests import key_of
from simulators.campus import Terminal
from wire.codes import Code, Reason
from wire.messages import Advice, Answer, CorrectEntry, CorrectionReason, Settlement, SettleSuspicion

ACCOUNT, CARD = "20260001", "C0020260001"
TILL, DESK = 1001, 9201
OWED = 700


@pytest.fixture
def auditor(cards, rules) -> Auditor:
    """It has seen an offline purchase that 7.00 was missing for, and 20.00 that came into the account since."""
    till = rules.terminals[TILL]
    terminals = {
        **rules.terminals,
        TILL: replace(till, services=till.services | {"advice"}),
        DESK: Terminal(DESK, "desk-1", 9, frozenset({"settle", "correct"}), role="manager"),
    }
    auditor = Auditor(cards, replace(rules, terminals=terminals))
    sale = Advice(TILL, 1, 0, ACCOUNT, CARD, 10_000 + OWED, 1, rules.day_starts_us)
    assert exchange(auditor, sale, Answer(TILL, 1, Code.APPROVED, Reason.NONE, 1, (), (10_000,))) is None
    more = CorrectEntry(DESK, 1, 0, ACCOUNT, "wu", 0, 2_000, CorrectionReason.GOODWILL)
    assert exchange(auditor, more, Answer(DESK, 1, Code.APPROVED, Reason.NONE, 2, (2_000,), ())) is None
    return auditor


def settle(stan, how, original_stan=1):
    return SettleSuspicion(DESK, stan, 0, ACCOUNT, "wu", TILL, original_stan, how, "seen")


def done(request, balance, paid=()):
    return Answer(*key_of(request), Code.APPROVED, Reason.NONE, 10 + request.stan, (balance,), paid)


def declined(request, reason, code=Code.INVALID_TRANSACTION):
    return Answer(*key_of(request), code, reason, 0, (), ())


def exchange(auditor, request, reply):
    auditor.record_sent(request)
    return auditor.judge(request, reply)


def test_collected(auditor):
    request = settle(2, Settlement.COLLECT)
    assert exchange(auditor, request, done(request, 2_000 - OWED, (OWED,))) is None
    assert exchange(auditor, request, done(request, 2_000 - OWED, (OWED,))) is None
    again = settle(3, Settlement.WRITE_OFF)
    assert exchange(auditor, again, declined(again, Reason.ORIGINAL_SETTLED)) is None
    assert auditor.findings == []


def test_written_off(auditor):
    request = settle(2, Settlement.WRITE_OFF)
    assert exchange(auditor, request, done(request, 2_000)) is None


@pytest.mark.parametrize(
    ("how", "balance", "paid"),
    [
        (Settlement.COLLECT, 2_000 - OWED + 1, (OWED - 1,)),
        (Settlement.COLLECT, 2_000, ()),
        (Settlement.WRITE_OFF, 2_000 - OWED, (OWED,)),
        (Settlement.ACCEPT, 2_000, ()),
    ],
)
def test_settled_wrongly(auditor, how, balance, paid):
    request = settle(2, how)
    assert exchange(auditor, request, done(request, balance, paid)) is not None


def test_settled_twice(auditor):
    first, second = settle(2, Settlement.COLLECT), settle(3, Settlement.COLLECT)
    exchange(auditor, first, done(first, 2_000 - OWED, (OWED,)))
    finding = exchange(auditor, second, done(second, 2_000 - 2 * OWED, (OWED,)))
    assert finding is not None
    assert finding.fault is Fault.WRONG_ANSWER


@pytest.mark.parametrize(
    ("original_stan", "how", "code", "reason"),
    [
        (1, Settlement.ACCEPT, Code.INVALID_TRANSACTION, Reason.OWED),
        (2, Settlement.ACCEPT, Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND),
    ],
)
def test_refused(auditor, original_stan, how, code, reason):
    request = settle(2, how, original_stan)
    assert exchange(auditor, request, declined(request, reason, code)) is None
    assert auditor.findings == []
