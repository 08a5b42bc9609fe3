"""What a purchase costs, where a rule makes another price of the amount that is asked."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from actors.account.events import PricedPurchase, PricedPurchaseReversed

Priced = TypeVar("Priced", bound=PricedPurchase | PricedPurchaseReversed)


def at_price(event: Priced) -> Priced:
    """The event as if its price had been asked: for all that counts money."""
    return replace(event, amount=event.amount + event.adjustment)
