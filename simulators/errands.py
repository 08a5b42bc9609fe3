"""What people come to a terminal for, and the request that it makes of that. Amounts in minor units."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from msgspec import Struct

from simulators.accounts import Card
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
from wire.pin import PIN_NONCE_BYTES, PinContext, PinUse, seal_pin

WAIT_MS = 2_000
"""What a request says that its terminal will still wait."""

CASH = 1
BANK = 2


class Meal(Struct, frozen=True, gc=False):
    """Something is bought at a canteen's window."""

    canteen: int
    """Which, by its index."""

    amount: int
    pins: tuple[str, ...] = ()
    """What the cardholder types when a PIN is asked for, one try after the other."""


class CashIn(Struct, frozen=True, gc=False):
    """Cash goes into a top-up machine."""

    amount: int


class Bath(Struct, frozen=True, gc=False):
    """Water runs until what was used of the hold is captured."""

    held: int
    used: int
    """0: nobody drew any water, and the hold is released."""

    seconds: float
    """How long it runs, not compressed."""


class LossReport(Struct, frozen=True, gc=False):
    """The cardholder says at a kiosk that the card is gone."""


class PinChoice(Struct, frozen=True, gc=False):
    """The cardholder chooses a PIN at a kiosk, in place of the one that the card office gave."""

    old: str
    new: str


class FirstPin(Struct, frozen=True, gc=False):
    """The card office gives a PIN."""

    pin: str


class Binding(Struct, frozen=True, gc=False):
    """The card office binds a family account."""

    guardian: str


class FamilyPolicy(Struct, frozen=True, gc=False):
    """The guardian has limits set for what the family purse pays, and an alert."""

    day_max: int
    purchase_max: int
    alert_above: int


class FamilyCredit(Struct, frozen=True, gc=False):
    """The guardian sends money."""

    amount: int


class Grant(Struct, frozen=True, gc=False):
    """The school grants the subsidy of a batch."""

    batch: str
    amount: int
    last_day: int


Errand = Meal | CashIn | Bath | LossReport | PinChoice | FirstPin | Binding | FamilyPolicy | FamilyCredit | Grant
OfficeErrand = FirstPin | Binding | FamilyPolicy | FamilyCredit | Grant
"""What the card office does, at its desks."""


class Keypad(NamedTuple):
    """A terminal as its requests need it."""

    terminal: int
    pin_key: bytes | None = None
    """Under which it seals PINs; None: it takes none."""

    clerk: str = ""
    """Who works there, at a desk of the card office."""

    def sealed(self, pin: str, use: PinUse, stan: int, account: str, amount: int = 0) -> bytes:
        """The PIN as it travels; nothing where no PIN can be typed."""
        if self.pin_key is None:
            return b""
        context = PinContext(use, self.terminal, stan, account, amount)
        return seal_pin(pin, self.pin_key, secrets.token_bytes(PIN_NONCE_BYTES), context)


Reversible = Purchase | TopUp | Hold
"""What is given up when it stays without an answer; anything else is sent until it gets one."""

Request = (
    Purchase
    | TopUp
    | Hold
    | ReportLoss
    | ChangePin
    | ResetPin
    | BindFamily
    | SetFamilyPolicy
    | CreditFamily
    | GrantSubsidy
)


def purchase_of(meal: Meal, keypad: Keypad, stan: int, card: Card, pin: str = "") -> Purchase:
    """The request for a meal, with the PIN that was typed, if one was."""
    sealed = keypad.sealed(pin, PinUse.PURCHASE, stan, card.account, meal.amount) if pin else b""
    return Purchase(keypad.terminal, stan, WAIT_MS, card.account, card.serial, meal.amount, sealed)


def request_of(errand: Errand, keypad: Keypad, stan: int, card: Card) -> Request:
    """The request with which an errand begins; of all but a bath it is the only one that need be."""
    terminal, clerk, account, serial = keypad.terminal, keypad.clerk, card.account, card.serial
    match errand:
        case Meal():
            return purchase_of(errand, keypad, stan, card)
        case CashIn(amount):
            return TopUp(terminal, stan, WAIT_MS, account, serial, amount, CASH)
        case Bath(held):
            return Hold(terminal, stan, WAIT_MS, account, serial, held)
        case LossReport():
            return ReportLoss(terminal, stan, WAIT_MS, account, clerk)
        case PinChoice(old, new):
            sealed = (keypad.sealed(pin, use, stan, account) for pin, use in ((old, PinUse.OLD), (new, PinUse.NEW)))
            return ChangePin(terminal, stan, WAIT_MS, account, serial, *sealed)
        case FirstPin(pin):
            return ResetPin(terminal, stan, WAIT_MS, account, clerk, keypad.sealed(pin, PinUse.NEW, stan, account))
        case Binding(guardian):
            return BindFamily(terminal, stan, WAIT_MS, account, clerk, guardian)
        case FamilyPolicy(day_max, purchase_max, alert_above):
            return SetFamilyPolicy(terminal, stan, WAIT_MS, account, clerk, day_max, purchase_max, alert_above)
        case FamilyCredit(amount):
            return CreditFamily(terminal, stan, WAIT_MS, account, clerk, amount, BANK)
        case Grant(batch, amount, last_day):
            return GrantSubsidy(terminal, stan, WAIT_MS, account, clerk, batch, amount, last_day)
