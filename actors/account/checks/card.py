"""May this card be used today?"""

from __future__ import annotations

from typing import Final

from actors.account.card import CardState
from actors.account.checks.refusal import Refusal
from actors.account.state import Account
from wire.codes import Code, Reason

_ACTIVE, _CLOSED = CardState.ACTIVE, CardState.CLOSED
ACCOUNT_CLOSED: Final = Refusal(Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED)
_NO_ACCOUNT: Final = Refusal(Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)
_NO_CARD: Final = Refusal(Code.NO_SUCH_ACCOUNT, Reason.NO_CARD)
_CARD_EXPIRED: Final = Refusal(Code.EXPIRED_CARD, Reason.CARD_EXPIRED)
REFUSED_BY_STATE: Final = {
    CardState.LOST: Refusal(Code.LOST_CARD, Reason.CARD_LOST),
    CardState.REPLACED: Refusal(Code.RESTRICTED_CARD, Reason.CARD_REPLACED),
    CardState.FROZEN: Refusal(Code.RESTRICTED_CARD, Reason.CARD_FROZEN),
    CardState.ISSUED: Refusal(Code.RESTRICTED_CARD, Reason.CARD_NOT_ACTIVE),
    CardState.EXPIRED: _CARD_EXPIRED,
    CardState.CLOSED: ACCOUNT_CLOSED,
}
"""Why a card of each state but one may not be used."""

_CARD_REPLACED: Final = REFUSED_BY_STATE[CardState.REPLACED]


def open_check(account: Account) -> Refusal | None:
    """The account was opened, and is not closed."""
    if account.card_state is not _CLOSED:
        return None
    return ACCOUNT_CLOSED if account.opened_at else _NO_ACCOUNT


def card_check(account: Account, card: str, business_day: int) -> Refusal | None:
    """It must be the account's current one, active and not expired, and the account not closed."""
    state = account.card_state
    if state is _CLOSED:
        return open_check(account)
    if card != account.card:
        return _CARD_REPLACED if card in account.dead_cards else _NO_CARD
    if state is not _ACTIVE:
        return REFUSED_BY_STATE[state]
    return last_day_check(account, business_day)


def last_day_check(account: Account, business_day: int) -> Refusal | None:
    """The card's last day is not over."""
    return _CARD_EXPIRED if business_day > account.expires else None
