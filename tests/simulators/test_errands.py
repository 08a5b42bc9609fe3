"""Each errand makes the request that a real terminal would send."""

from __future__ import annotations

from datetime import date

import pytest

from simulators.accounts import Card, CardState
from simulators.errands import (
    BANK,
    CASH,
    WAIT_MS,
    Bath,
    Binding,
    CashIn,
    FamilyCredit,
    FamilyPolicy,
    FirstPin,
    Grant,
    Keypad,
    LossReport,
    Meal,
    PinChoice,
    purchase_of,
    request_of,
)
from wire.messages import (
    BindFamily,
    ChangePin,
    CreditFamily,
    GrantSubsidy,
    Hold,
    Purchase,
    ReportLoss,
    ResetPin,
    SetFamilyPolicy,
    TopUp,
)
from wire.pin import PinContext, PinUse, open_pin

CARD = Card("20260001", "C0020260001", CardState.ACTIVE, date(2030, 7, 31), "student", (10_000, 0, 0))
KEY = bytes(range(32))
KEYPAD = Keypad(1001, KEY, "peak")
STAN = 42
BEGINNING = (1001, STAN, WAIT_MS, "20260001")


@pytest.mark.parametrize(
    ("errand", "expected"),
    [
        (Meal(0, 1_250), Purchase(*BEGINNING, "C0020260001", 1_250)),
        (Meal(0, 25_000, ("475912",)), Purchase(*BEGINNING, "C0020260001", 25_000)),
        (CashIn(5_000), TopUp(*BEGINNING, "C0020260001", 5_000, CASH)),
        (Bath(500, 120, 400.0), Hold(*BEGINNING, "C0020260001", 500)),
        (LossReport(), ReportLoss(*BEGINNING, "peak")),
        (Binding("G7"), BindFamily(*BEGINNING, "peak", "G7")),
        (FamilyPolicy(3_000, 2_000, 1_000), SetFamilyPolicy(*BEGINNING, "peak", 3_000, 2_000, 1_000)),
        (FamilyCredit(10_000), CreditFamily(*BEGINNING, "peak", 10_000, BANK)),
        (Grant("2026-09", 15_000, 20990731), GrantSubsidy(*BEGINNING, "peak", "2026-09", 15_000, 20990731)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_a_pin(errand, expected):
    assert request_of(errand, KEYPAD, STAN, CARD) == expected


def test_a_pin_that_is_typed_opens_for_this_purchase():
    request = purchase_of(Meal(0, 25_000), KEYPAD, STAN, CARD, "475912")
    assert open_pin(request.pin, KEY, PinContext(PinUse.PURCHASE, 1001, STAN, "20260001", 25_000)) == "475912"
    assert purchase_of(Meal(0, 25_000), KEYPAD, STAN, CARD, "475912").pin != request.pin, "each nonce is new"


def test_a_terminal_without_a_key_sends_no_pin():
    assert purchase_of(Meal(0, 25_000), Keypad(1001), STAN, CARD, "475912").pin == b""


def test_a_first_pin():
    request = request_of(FirstPin("475912"), KEYPAD, STAN, CARD)
    assert isinstance(request, ResetPin)
    assert request.clerk == "peak"
    assert open_pin(request.new_pin, KEY, PinContext(PinUse.NEW, 1001, STAN, "20260001")) == "475912"


def test_a_pin_of_ones_own():
    request = request_of(PinChoice("475912", "465813"), KEYPAD, STAN, CARD)
    assert isinstance(request, ChangePin)
    assert open_pin(request.old_pin, KEY, PinContext(PinUse.OLD, 1001, STAN, "20260001")) == "475912"
    assert open_pin(request.new_pin, KEY, PinContext(PinUse.NEW, 1001, STAN, "20260001")) == "465813"
