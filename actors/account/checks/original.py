"""Is that the original that is meant?"""

from __future__ import annotations

from actors.account.events import Refunded, Reversed, Tombstoned
from wire.messages import Refund, Reversal


def names_same_original(request: Refund | Reversal, earlier: Refunded | Reversed | Tombstoned) -> bool:
    """Whether what is asked for now names the original that an earlier event named, and not that event itself."""
    return earlier.original_terminal == request.original_terminal and earlier.original_stan == request.original_stan
