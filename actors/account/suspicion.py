"""Why something that had already happened was posted although it is not clean: a closed set."""

from __future__ import annotations

from enum import StrEnum


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
