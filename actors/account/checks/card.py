"""May this card be used today?"""

from __future__ import annotations

from typing import Final

from actors.account.card import CardState
from actors.account.checks.refusal import Refusal
from actors.account.state import Account
from wire.codes import Code, Reason

_ACTIVE, _CLOSED = CardState.ACTIVE, CardState.CLOSED
_ACCOUNT_CLOSED: Final = Refusal(Code.RESTRICTED_CARD, Reason.ACCOUNT_CLOSED)
_NO_CARD: Final = Refusal(Code.NO_SUCH_ACCOUNT, Reason.NO_CARD)
_CARD_EXPIRED: Final = Refusal(Code.EXPIRED_CARD, Reason.CARD_EXPIRED)
_BY_CARD_STATE: Final = {
    CardState.LOST: Refusal(Code.LOST_CARD, Reason.CARD_LOST),
    CardState.REPLACED: Refusal(Code.RESTRICTED_CARD, Reason.CARD_REPLACED),
    CardState.FROZEN: Refusal(Code.RESTRICTED_CARD, Reason.CARD_FROZEN),
    CardState.ISSUED: Refusal(Code.RESTRICTED_CARD, Reason.CARD_NOT_ACTIVE),
    CardState.EXPIRED: _CARD_EXPIRED,
}


def card_check(account: Account, card: str, business_day: int) -> Refusal | None:
    """It must be the account's current one, active and not expired, and the account not closed."""
    state = account.card_state
    if state is _CLOSED:
        return _ACCOUNT_CLOSED
    if card != account.card:
        return _NO_CARD
    if state is not _ACTIVE:
        return _BY_CARD_STATE[state]
    return _CARD_EXPIRED if business_day > account.expires else None
