"""What a terminal sells while it cannot reach the switch: within its limits, and to no card on its hot list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from simulators.accounts import Card
from wire.messages import HotCard, Parameters


class OfflineSale(Struct, frozen=True, gc=False):
    """Goods that were handed out, and are to be uploaded under their number."""

    number: int
    account: str
    card: str
    amount: int
    """Minor units."""

    taken_us: int
    """By the terminal's clock, microseconds since the Unix epoch."""


class OfflineBook:
    """One terminal's. Until it has `parameters` it sells nothing."""

    def __init__(self) -> None:
        self.parameters = Parameters(0, 0, "")
        self.hot: dict[str, str] = {}
        """Serial and state of each card that must not be used."""

        self.hot_version = ""
        self.next_number = 1
        self.pending: list[OfflineSale] = []
        """Sold, and not uploaded."""

        self._of_card: Counter[str] = Counter()

    def take_hot_cards(self, version: str, cards: Iterable[HotCard], *, whole: bool) -> None:
        """The list as it is at `version`: all of it, or what has changed."""
        if whole:
            self.hot.clear()
        for card in cards:
            if card.state:
                self.hot[card.card] = card.state
            else:
                self.hot.pop(card.card, None)
        self.hot_version = version

    def sell(self, card: Card, amount: int, now_us: int) -> OfflineSale | None:
        """Write a sale down; None if it may not be."""
        limits = self.parameters
        within_floor = self._of_card[card.serial] + amount <= limits.offline_floor
        within_total = self._of_card.total() + amount <= limits.offline_total
        if card.serial in self.hot or not (within_floor and within_total):
            return None
        sale = OfflineSale(self.next_number, card.account, card.serial, amount, now_us)
        self.next_number += 1
        self._of_card[card.serial] += amount
        self.pending.append(sale)
        return sale

    def uploaded(self, sale: OfflineSale) -> None:
        """The switch has it; once it has all, the limits begin anew."""
        self.pending.remove(sale)
        if not self.pending:
            self._of_card.clear()
