"""Is it the cardholder who stands at the terminal?"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final, NamedTuple

from actors.account.checks.refusal import Refusal
from actors.account.pins import TRIES_MAX, is_weak, keyed_hash
from actors.account.state import Account
from actors.policy import PinKeys
from wire.codes import Code, Reason
from wire.messages import ChangePin, Hold, Purchase, ResetPin
from wire.pin import PinContext, PinUnreadableError, PinUse, open_pin

PURCHASE_LIMIT: Final = Refusal(Code.OVER_AMOUNT_LIMIT, Reason.PURCHASE_LIMIT)
PIN_NOT_OFFERED: Final = Refusal(Code.NOT_PERMITTED_TO_TERMINAL, Reason.PIN_NOT_OFFERED)
_NOT_SET: Final = Refusal(Code.INCORRECT_PIN, Reason.PIN_NOT_SET)
_INITIAL: Final = Refusal(Code.INCORRECT_PIN, Reason.PIN_INITIAL)
_REQUIRED: Final = Refusal(Code.INCORRECT_PIN, Reason.PIN_REQUIRED)
_UNREADABLE: Final = Refusal(Code.INCORRECT_PIN, Reason.PIN_UNREADABLE)
_WRONG: Final = Refusal(Code.INCORRECT_PIN, Reason.PIN_WRONG)
_WEAK: Final = Refusal(Code.INCORRECT_PIN, Reason.PIN_WEAK)
_UNCHANGED: Final = Refusal(Code.INCORRECT_PIN, Reason.PIN_UNCHANGED)
_TRIES_EXCEEDED: Final = Refusal(Code.PIN_TRIES_EXCEEDED, Reason.PIN_TRIES_EXCEEDED)


class PinVerdict(NamedTuple):
    """What came of a request that needs a PIN."""

    refusal: Refusal | None
    wrong_tries: int | None = None
    """In a row, after it; None if no PIN could be compared."""

    new_hash: bytes = b""
    """Of the PIN that is the account's from now on; only where one was asked for and accepted."""


def offers_pin(keys: PinKeys, terminal: int) -> bool:
    """Whether PINs that are typed at this terminal can be opened and compared."""
    return bool(keys.hash_key) and terminal in keys.terminals


def spending_pin_check(account: Account, request: Purchase | Hold, use: PinUse, keys: PinKeys) -> PinVerdict:
    """A purchase or hold above the limit of one needs the PIN. Where none can be asked for, the limit stands."""
    if not offers_pin(keys, request.terminal):
        return PinVerdict(PIN_NOT_OFFERED if request.pin else PURCHASE_LIMIT)
    if account.pin is None:
        return PinVerdict(PURCHASE_LIMIT)
    context = PinContext(use, request.terminal, request.stan, account.number, request.amount)
    if account.pin.is_initial and account.pin.wrong_tries < TRIES_MAX:
        return PinVerdict(_INITIAL)
    return _entry_check(account, request.pin, context, keys)


def change_pin_check(account: Account, request: ChangePin, keys: PinKeys) -> PinVerdict:
    """The old PIN is right, and the new one is another that is not easy to guess."""
    if account.pin is None:
        return PinVerdict(_NOT_SET)
    context = PinContext(PinUse.OLD, request.terminal, request.stan, account.number)
    verdict = _entry_check(account, request.old_pin, context, keys)
    if verdict.refusal is not None:
        return verdict
    try:
        new = open_pin(request.new_pin, keys.terminals[request.terminal], context._replace(use=PinUse.NEW))
    except PinUnreadableError:
        return verdict._replace(refusal=_UNREADABLE)
    new_hash = keyed_hash(keys.hash_key, account.number, new)
    if is_weak(new):
        return verdict._replace(refusal=_WEAK)
    if compare_digest(new_hash, account.pin.keyed_hash):
        return verdict._replace(refusal=_UNCHANGED)
    return verdict._replace(new_hash=new_hash)


def first_pin_check(account: Account, request: ResetPin, keys: PinKeys) -> PinVerdict:
    """The card office's PIN can be read, and is not easy to guess."""
    if not offers_pin(keys, request.terminal):
        return PinVerdict(PIN_NOT_OFFERED)
    context = PinContext(PinUse.NEW, request.terminal, request.stan, account.number)
    try:
        new = open_pin(request.new_pin, keys.terminals[request.terminal], context)
    except PinUnreadableError:
        return PinVerdict(_UNREADABLE)
    if is_weak(new):
        return PinVerdict(_WEAK)
    return PinVerdict(None, new_hash=keyed_hash(keys.hash_key, account.number, new))


def _entry_check(account: Account, sealed: bytes, context: PinContext, keys: PinKeys) -> PinVerdict:
    """What was typed is the account's PIN, which is not locked."""
    assert account.pin is not None, "asked before"
    if account.pin.wrong_tries >= TRIES_MAX:
        return PinVerdict(_TRIES_EXCEEDED)
    if not sealed:
        return PinVerdict(_REQUIRED)
    try:
        typed = open_pin(sealed, keys.terminals[context.terminal], context)
    except PinUnreadableError:
        return PinVerdict(_UNREADABLE)
    if compare_digest(keyed_hash(keys.hash_key, account.number, typed), account.pin.keyed_hash):
        return PinVerdict(None, 0)
    return PinVerdict(_WRONG, account.pin.wrong_tries + 1)
