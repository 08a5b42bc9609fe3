"""PINs: the auditor knows those that were set, opens what terminals sealed, and counts the tries itself."""

from __future__ import annotations

from datetime import date

from simulators.auditor.model.checks import Verdict
from simulators.auditor.world import Rules, World
from wire.codes import Code, Reason
from wire.messages import Hold, Purchase
from wire.pin import PinContext, PinUnreadableError, PinUse, open_pin

TRIES = 3
PIN_NOT_OFFERED: Verdict = Code.NOT_PERMITTED_TO_TERMINAL, Reason.PIN_NOT_OFFERED
PIN_UNREADABLE: Verdict = Code.INCORRECT_PIN, Reason.PIN_UNREADABLE

_DIGITS = "0123456789"
_LEAP_YEAR = 2000


def spending_pin_problem(
    world: World, request: Purchase | Hold, use: PinUse, rules: Rules
) -> tuple[Verdict | None, int]:
    """Above the limit of one purchase a PIN is needed, where it can be used."""
    if request.pin and request.terminal not in rules.pin_keys:
        return PIN_NOT_OFFERED, world.wrong_tries
    if not world.pin or request.terminal not in rules.pin_keys:
        return (Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT), world.wrong_tries
    if world.is_initial_pin and world.wrong_tries < TRIES:
        return (Code.INCORRECT_PIN, Reason.PIN_INITIAL), world.wrong_tries
    context = PinContext(use, request.terminal, request.stan, request.account, request.amount)
    return entry_problem(world, request.pin, context, rules)


def entry_problem(world: World, sealed: bytes, context: PinContext, rules: Rules) -> tuple[Verdict | None, int]:
    """What is wrong with a PIN that was typed, if anything; and the wrong tries in a row after it."""
    if world.wrong_tries >= TRIES:
        return (Code.PIN_TRIES_EXCEEDED, Reason.PIN_TRIES_EXCEEDED), world.wrong_tries
    if sealed == b"":
        return (Code.INCORRECT_PIN, Reason.PIN_REQUIRED), world.wrong_tries
    typed = opened(sealed, context, rules)
    if typed is None:
        return PIN_UNREADABLE, world.wrong_tries
    if typed != world.pin:
        return (Code.INCORRECT_PIN, Reason.PIN_WRONG), world.wrong_tries + 1
    return None, 0


def opened(sealed: bytes, context: PinContext, rules: Rules) -> str | None:
    """What was typed; None if it cannot be read."""
    try:
        return open_pin(sealed, rules.pin_keys[context.terminal], context)
    except PinUnreadableError:
        return None


def is_easy(pin: str) -> bool:
    """Whether a thief would guess it: a run of digits, a repeated digit, or a date of birth."""
    around = _DIGITS + _DIGITS
    if pin in around or pin in around[::-1] or pin == pin[0] * len(pin):
        return True
    one, two, three = pin[:2], pin[2:4], pin[4:]
    dates = ((two, three), (two, one), (one, two))
    years = ((one, three), (two, one))
    return any(_is_date(month, day) for month, day in dates) or any(
        year in {"19", "20"} and _is_date(month, "01") for year, month in years
    )


def _is_date(month: str, day: str) -> bool:
    # Whoever was not born on 30 February may still think of it as a date.
    try:
        date(_LEAP_YEAR, int(month), min(int(day), 28))
    except ValueError:
        return False
    return int(day) <= 31
