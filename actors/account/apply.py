"""How an event changes an account. Pure, cannot refuse, and reads nothing but state and event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from actors.account.events import (
    Decided,
    Opened,
    Purchased,
    PurchaseDeclined,
    ReversalDeclined,
    Reversed,
    Tombstoned,
    ToppedUp,
    TopUpDeclined,
)
from actors.account.state import Account
from actors.policy import Service

_PURCHASE: Final = Service.PURCHASE.value


def _opened(account: Account, event: Opened, position: int) -> Account:
    return Account(
        account.number, position, position, event.card, event.card_state, event.expires, event.person_class,
        event.balances, 0, 0,
    )  # fmt: skip


def _purchased(account: Account, event: Purchased, position: int) -> Account:
    day = event.business_day
    spent = account.spent if account.spending_day == day else 0
    return replace(account, position=position, purses=event.balances, spending_day=day, spent=spent + event.amount)


def _topped_up(account: Account, event: ToppedUp, position: int) -> Account:
    return replace(account, position=position, purses=event.balances)


def _reversed(account: Account, event: Reversed, position: int) -> Account:
    counted = event.service == _PURCHASE and account.spending_day == event.original_business_day
    spent = account.spent - event.amount if counted else account.spent
    return replace(account, position=position, purses=event.balances, spent=spent)


def _unchanged(account: Account, _event: Decided, position: int) -> Account:
    return replace(account, position=position)


APPLY: Final[dict[type, Callable[[Account, Any, int], Account]]] = {
    Opened: _opened,
    Purchased: _purchased,
    PurchaseDeclined: _unchanged,
    ToppedUp: _topped_up,
    TopUpDeclined: _unchanged,
    Reversed: _reversed,
    Tombstoned: _unchanged,
    ReversalDeclined: _unchanged,
}
"""By event: (account, event, its position in the journal) → the account after it."""
