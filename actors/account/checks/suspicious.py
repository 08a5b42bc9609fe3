"""Is there something to settle, and in that manner?"""

from __future__ import annotations

from typing import Final

from actors.account.checks.amounts import funds_check, purse_check
from actors.account.checks.original import (
    NOT_FOUND,
    ORIGINAL_REFUNDED,
    ORIGINAL_REVERSED,
    ORIGINAL_SETTLED,
    names_same_original,
)
from actors.account.checks.refusal import Refusal
from actors.account.events import (
    Advised,
    Captured,
    Event,
    HoldReversed,
    PostedRefunded,
    Refunded,
    Reversed,
    SuspicionSettled,
    Tombstoned,
)
from actors.account.holds import held
from actors.account.purses import MAIN
from actors.account.state import Account
from actors.policy import Service
from wire.codes import Code, Reason
from wire.messages import Settlement, SettleSuspicion

Suspicious = Advised | Captured | Reversed | PostedRefunded
"""Events that may have posted something that is not clean, or have left something owed of it."""

_TOP_UP: Final = Service.TOP_UP.value
_NOT_SUSPICIOUS: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NOT_SUSPICIOUS)
_OWED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.OWED)
_NOTHING_OWED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.NOTHING_OWED)


def suspicious_check(request: SettleSuspicion, original: Event | None) -> Refusal | None:
    """What the request names was posted as suspicious, and neither settled nor undone since.

    If it was refunded, something of it is still owed.
    """
    match original:
        case None:
            return NOT_FOUND
        case SuspicionSettled() if names_same_original(request, original):
            return ORIGINAL_SETTLED
        case Reversed() | HoldReversed() | Tombstoned() if names_same_original(request, original):
            return ORIGINAL_REVERSED
        case Refunded() if names_same_original(request, original):
            owing = isinstance(original, PostedRefunded) and original.shortfall_left > 0
            return None if owing else ORIGINAL_REFUNDED
        case Advised() if original.suspicious:
            return None
        case Captured() if original.suspicious and not names_same_original(request, original):
            return None
        case Reversed() if is_of_spent_top_up(original):
            return None
        case _:
            return _NOT_SUSPICIOUS


def is_of_spent_top_up(event: Event) -> bool:
    """Whether it is the reversal of a top-up of which something was spent already."""
    return isinstance(event, Reversed) and event.service == _TOP_UP and event.shortfall > 0


def owed(original: Suspicious) -> int:
    """What it owes in suspense, in minor units."""
    return original.shortfall_left if isinstance(original, PostedRefunded) else original.shortfall


def manner_check(how: Settlement, original: Suspicious) -> Refusal | None:
    """What is owed is collected or written off, and nothing else is."""
    if how is Settlement.ACCEPT:
        return _OWED if owed(original) else None
    return None if owed(original) else _NOTHING_OWED


def collection_check(account: Account, original: Suspicious) -> Refusal | None:
    """The purses have what is owed, beside what is held. What is owed for a top-up, the main purse has."""
    if isinstance(original, Reversed):
        return purse_check(account, MAIN, -original.shortfall)
    return funds_check(account.purses, owed(original), reserved=held(account))
