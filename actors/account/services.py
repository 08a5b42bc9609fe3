"""Which service each request asks for, and each event came of."""

from __future__ import annotations

from typing import Final

from actors.account.events import (
    Purchased,
    PurchaseDeclined,
    ReversalDeclined,
    Reversed,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.policy import Service
from wire.messages import BalanceInquiry, MiniStatement, Purchase, Reversal, TopUp

SERVICE: Final[dict[type, str]] = {
    **dict.fromkeys((Purchase, Purchased, PurchaseDeclined), Service.PURCHASE.value),
    **dict.fromkeys((TopUp, ToppedUp, TopUpDeclined), Service.TOP_UP.value),
    **dict.fromkeys((Reversal, Reversed, Tombstoned, ReversalDeclined), Service.REVERSAL.value),
    BalanceInquiry: Service.BALANCE_INQUIRY.value,
    MiniStatement: Service.MINI_STATEMENT.value,
}
"""By type of request or event; an event that answers nobody is not here."""
