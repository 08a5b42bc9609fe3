"""The shard's ledger: balances of named ledger accounts from postings, beside what the actors say they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

LedgerAccount = tuple[str, int]
"""Name and number: ("merchant", 3). The number is the merchant's, the purse's (0 main), the channel's, or 0."""

PURSES: Final = "purse"


class Ledger:
    """Minor units by ledger account. Two numbers are kept apart on purpose: postings, and the actors' own change."""

    def __init__(self) -> None:
        self.balances: defaultdict[LedgerAccount, int] = defaultdict(int)
        self.held = 0
        """What the actors hold: the sum of (state after minus state before) over all events."""

        self.reservations = 0
        self.reserved = 0
        """What is reserved in the actors: how many times, and minor units altogether. Likewise from their states."""

    def post(self, postings: Iterable[tuple[LedgerAccount, int]]) -> None:
        """Add an event's postings."""
        balances = self.balances
        for account, change in postings:
            balances[account] += change

    def reserve(self, reservations: int, reserved: int) -> None:
        """What is reserved has changed by so much."""
        self.reservations += reservations
        self.reserved += reserved

    @property
    def imbalance(self) -> int:
        """0 if all postings sum to zero and the purses' postings equal what the actors hold; minor units otherwise."""
        purses = sum(balance for (name, _), balance in self.balances.items() if name == PURSES)
        return abs(sum(self.balances.values())) + abs(purses - self.held)
