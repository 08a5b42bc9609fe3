"""What does a request that names an original find of it?"""

from __future__ import annotations

from typing import Any, Final

from actors.account.checks.refusal import Refusal
from actors.account.events import Captured, Event, Held, HoldExpired, HoldReversed, Released, Reversed, Tombstoned
from wire.codes import Code, Reason
from wire.messages import Capture, Release

NOT_FOUND: Final = Refusal(Code.ORIGINAL_NOT_FOUND, Reason.ORIGINAL_NOT_FOUND)
ORIGINAL_REVERSED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.ORIGINAL_REVERSED)
ORIGINAL_REFUNDED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.ORIGINAL_REFUNDED)
ORIGINAL_SETTLED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.ORIGINAL_SETTLED)
HOLD_CAPTURED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.HOLD_CAPTURED)
_HOLD_RELEASED: Final = Refusal(Code.INVALID_TRANSACTION, Reason.HOLD_RELEASED)


def names_same_original(request: Any, earlier: Any) -> bool:
    """Whether what is asked for now names the original that an earlier event named, and not that event itself."""
    named: bool = (earlier.original_terminal, earlier.original_stan) == (
        request.original_terminal, request.original_stan,
    )  # fmt: skip
    return named


def hold_check(request: Capture | Release, original: Event | None) -> Refusal | None:
    """What the request names is a hold, and nobody resolved it; it may have expired."""
    match original:
        case Held() | HoldExpired():
            return None
        case Captured() if names_same_original(request, original):
            return HOLD_CAPTURED
        case Released() if names_same_original(request, original):
            return _HOLD_RELEASED
        case HoldReversed() | Reversed() | Tombstoned() if names_same_original(request, original):
            return ORIGINAL_REVERSED
        case _:
            return NOT_FOUND
