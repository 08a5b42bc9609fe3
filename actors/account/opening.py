"""How an account begins: by an accounts file (the one event that no terminal asks for), or by an operator."""

from __future__ import annotations

from msgspec.structs import replace

from actors.account.events import AccountOpened, Opened
from actors.account.postings import OPENING, Booking, purse_postings
from actors.account.state import Account


def apply_opened(account: Account, event: Opened | AccountOpened, position: int) -> Account:
    """The account as it was opened; what offline purchases spent before that counts in their day."""
    return replace(
        account, position=position, opened_at=position, card=event.card, card_state=event.card_state,
        expires=event.expires, person_class=event.person_class, purses=event.balances,
    )  # fmt: skip


def book_opened(event: Opened) -> Booking:
    """The opening balance comes from outside; no terminal took it."""
    return None, 0, (*purse_postings(event.balances), (OPENING, -sum(event.balances)))
