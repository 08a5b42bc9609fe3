"""Why something that had already happened was posted although it is not clean: a closed set."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Suspicion(StrEnum):
    """Listed by `tapswitch suspicious` until somebody settles it. Of several reasons the first in this order counts."""

    NONE = ""
    NO_ACCOUNT = "no-account"
    ACCOUNT_CLOSED = "account-closed"
    NO_CARD = "no-card"
    CARD_LOST = "card-lost"
    CARD_REPLACED = "card-replaced"
    CARD_FROZEN = "card-frozen"
    CARD_NOT_ACTIVE = "card-not-active"
    CARD_EXPIRED = "card-expired"
    TIME = "time"
    FUNDS = "funds"


LATE_CAPTURE: Final = "late-capture"
TOP_UP_WAS_SPENT: Final = "top-up-was-spent"
SUSPICIONS: Final = (*(reason.value for reason in Suspicion if reason), LATE_CAPTURE, TOP_UP_WAS_SPENT)
"""Every reason, of whatever was posted."""
