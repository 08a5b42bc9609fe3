"""A terminal's own count agrees with what a reconciliation counts."""

from __future__ import annotations

import pytest

from simulators.takings import Takings, difference
from wire.codes import Code, Reason
from wire.messages import (
    Advice,
    Answer,
    BalanceInquiry,
    Capture,
    Figures,
    Hold,
    Purchase,
    ServiceTotal,
    TopUp,
)

BEGINNING = (1001, 42, 2_000, "20260001")
PURCHASE = Purchase(*BEGINNING, "C1", 1_000)
TOP_UP = TopUp(*BEGINNING, "C1", 5_000, 1)
HOLD = Hold(*BEGINNING, "C1", 500)


def answered(authorization: int = 7, paid: tuple[int, ...] = ()) -> Answer:
    code = Code.APPROVED if authorization else Code.INSUFFICIENT_FUNDS
    return Answer(1001, 42, code, Reason.NONE, authorization, (), paid)


@pytest.mark.parametrize(
    ("request_", "paid", "expected"),
    [
        (PURCHASE, (300, 500), ("purchase", 800)),
        (TOP_UP, (), ("top-up", 5_000)),
        (Capture(*BEGINNING, 1001, 41, 120), (100,), ("capture", 120)),
        (Advice(*BEGINNING, "C1", 900, 1, 0), (400,), ("advice", 900)),
    ],
    ids=["what was paid, not what was asked", "top-up", "capture", "advice, its shortfall too"],
)
def test_what_counts(request_, paid, expected):
    takings = Takings()
    takings.take(request_, answered(paid=paid))
    takings.take(request_, answered(authorization=0))
    service, amount = expected
    assert takings.totals == (ServiceTotal(service, 1, amount),)


@pytest.mark.parametrize("request_", [HOLD, BalanceInquiry(*BEGINNING, "C1")], ids=["hold", "inquiry"])
def test_what_moves_no_money_counts_nowhere(request_):
    takings = Takings()
    takings.take(request_, answered())
    assert takings.totals == ()


@pytest.mark.parametrize(
    ("original", "paid", "service", "amount"),
    [(PURCHASE, (-300, -500), "purchase", 800), (TOP_UP, (), "top-up", 5_000)],
    ids=["purchase", "top-up"],
)
def test_a_reversal_tells_of_its_original_too(original, paid, service, amount):
    takings = Takings()
    takings.take_reversal(original, answered(paid=paid))
    assert {total.service: (total.count, total.amount) for total in takings.totals} == {
        service: (1, amount),
        f"reversal-of-{service}": (1, amount),
    }


def test_reversals_of_nothing_and_of_holds():
    takings = Takings()
    takings.take_reversal(PURCHASE, answered(authorization=0))
    takings.take_reversal(HOLD, answered())
    assert takings.totals == ()


def test_what_was_taken_before_is_the_switchs_to_say():
    takings = Takings()
    takings.begin(Figures(1001, 1, 20260901, (), (ServiceTotal("purchase", 3, 2_400),)))
    takings.take(PURCHASE, answered(paid=(600,)))
    assert takings.totals == (ServiceTotal("purchase", 4, 3_000),)


def test_a_difference_in_words():
    ours = (ServiceTotal("purchase", 2, 2_000), ServiceTotal("top-up", 1, 5_000))
    switchs = (ServiceTotal("advice", 1, 900), ServiceTotal("purchase", 1, 1_000), ServiceTotal("top-up", 1, 5_000))
    assert difference(Figures(1001, 1, 20260901, ours, switchs)) == (
        "advice: the terminal has none, the switch 1 of 9.00; "
        "purchase: the terminal has 2 of 20.00, the switch 1 of 10.00"
    )
