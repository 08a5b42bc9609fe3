"""Does the state of account and card allow what the card office wants?"""

from __future__ import annotations

from datetime import date
from typing import Final

from actors.account.card import CardState
from actors.account.checks.card import REFUSED_BY_STATE
from actors.account.checks.refusal import Refusal
from actors.account.purses import FAMILY, MAIN, held_in
from actors.account.state import Account
from wire.codes import Code, Reason

DEAD_CARDS_MAX: Final = 32
"""Cards that an account may have had before its present one."""


def _invalid(reason: Reason) -> Refusal:
    return Refusal(Code.INVALID_TRANSACTION, reason)


_ACCOUNT_EXISTS: Final = _invalid(Reason.ACCOUNT_EXISTS)
_CARD_GOOD: Final = _invalid(Reason.CARD_GOOD)
_CARD_USED: Final = _invalid(Reason.CARD_USED)
_CARDS_USED_UP: Final = _invalid(Reason.CARDS_USED_UP)
_EXPIRY_NOT_POSSIBLE: Final = _invalid(Reason.EXPIRY_NOT_POSSIBLE)
_HOLDS_OUTSTANDING: Final = _invalid(Reason.HOLDS_OUTSTANDING)
_LOSS_REVIEWED: Final = _invalid(Reason.LOSS_REVIEWED)
_NOT_FROZEN: Final = _invalid(Reason.NOT_FROZEN)
_NOT_LOST: Final = _invalid(Reason.NOT_LOST)
_NOT_REVIEWED: Final = _invalid(Reason.NOT_REVIEWED)
_PURSES_NOT_EMPTY: Final = _invalid(Reason.PURSES_NOT_EMPTY)
_REFUSED_BY_STATE: Final = {**REFUSED_BY_STATE, CardState.ACTIVE: _invalid(Reason.CARD_ACTIVE)}


def state_but_for_loss(account: Account) -> CardState:
    """What the card is, or will be when it is found."""
    if account.card_state is not CardState.LOST:
        return account.card_state
    return CardState.ACTIVE if account.loss is None else account.loss.found_state


def new_account_check(account: Account) -> Refusal | None:
    """There is no such account yet."""
    return _ACCOUNT_EXISTS if account.opened_at else None


def state_check(state: CardState, *wanted: CardState) -> Refusal | None:
    """The card's state is one of those; if not, the state itself is the reason."""
    return None if state in wanted else _REFUSED_BY_STATE[state]


def lost_check(account: Account) -> Refusal | None:
    """The card is lost."""
    return None if account.card_state is CardState.LOST else _NOT_LOST


def unreviewed_check(account: Account) -> Refusal | None:
    """Nobody has looked at the loss yet."""
    return _LOSS_REVIEWED if account.loss is not None and account.loss.reviewed else None


def reviewed_check(account: Account) -> Refusal | None:
    """Somebody has looked at the loss."""
    return None if account.loss is not None and account.loss.reviewed else _NOT_REVIEWED


def frozen_check(account: Account) -> Refusal | None:
    """The card is frozen, or will be when it is found."""
    return None if state_but_for_loss(account) is CardState.FROZEN else _NOT_FROZEN


def thawed_check(account: Account) -> Refusal | None:
    """The card would not be frozen if it were found: a new card must not undo what the school decided."""
    return REFUSED_BY_STATE[CardState.FROZEN] if state_but_for_loss(account) is CardState.FROZEN else None


def worn_out_check(account: Account, business_day: int) -> Refusal | None:
    """The card has expired, or was given up without another in its place."""
    usable = account.card_state in {CardState.ISSUED, CardState.ACTIVE} and business_day <= account.expires
    return _CARD_GOOD if usable else None


def new_card_check(account: Account, card: str) -> Refusal | None:
    """The serial was never one of this account's, and the account has had few enough cards."""
    if card == account.card or card in account.dead_cards:
        return _CARD_USED
    return _CARDS_USED_UP if len(account.dead_cards) >= DEAD_CARDS_MAX else None


def expiry_check(expires: int, business_day: int) -> Refusal | None:
    """A day of the calendar that is not over."""
    try:
        date(expires // 10_000, expires // 100 % 100, expires % 100)
    except ValueError:
        return _EXPIRY_NOT_POSSIBLE
    return _EXPIRY_NOT_POSSIBLE if expires < business_day else None


def empty_check(account: Account) -> Refusal | None:
    """No purse holds anything that is the holder's or the guardian's: what is left of a subsidy is the school's."""
    purses = account.purses
    return _PURSES_NOT_EMPTY if purses[MAIN] or held_in(purses, FAMILY) else None


def no_holds_check(account: Account) -> Refusal | None:
    """Nothing is held: a capture must find its money, and one that is overdue has expired by now."""
    return _HOLDS_OUTSTANDING if account.holds else None
