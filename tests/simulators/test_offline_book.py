"""What a terminal sells on its own, and what it does not."""

from __future__ import annotations

from datetime import date

import pytest

from simulators.accounts import Card, CardState
from simulators.offline_book import OfflineBook, OfflineSale
from wire.messages import HotCard, Parameters

CARD, OTHER = (
    Card(f"2026000{n}", f"C002026000{n}", CardState.ACTIVE, date(2030, 7, 31), "student", (0, 0, 0)) for n in (1, 2)
)
NOW_US = 1_788_230_400_000_000


@pytest.fixture
def book():
    book = OfflineBook()
    book.parameters = Parameters(1001, 1, "1", offline_floor=2_000, offline_total=3_000)
    return book


def test_nothing_without_parameters():
    assert OfflineBook().sell(CARD, 1, NOW_US) is None


def test_numbers_are_gapless_and_refusals_take_none(book):
    assert book.sell(CARD, 1_000, NOW_US) == OfflineSale(1, "20260001", "C0020260001", 1_000, NOW_US)
    assert book.sell(CARD, 1_001, NOW_US) is None
    sale = book.sell(OTHER, 500, NOW_US)
    assert (sale.number, book.next_number) == (2, 3)
    assert [each.number for each in book.pending] == [1, 2]


@pytest.mark.parametrize(("amount", "sold"), [(2_000, True), (2_001, False)])
def test_the_floor_is_for_one_card(book, amount, sold):
    assert (book.sell(CARD, amount, NOW_US) is not None) is sold


@pytest.mark.parametrize(("amount", "sold"), [(1_000, True), (1_001, False)])
def test_the_total_is_for_all(book, amount, sold):
    book.sell(CARD, 2_000, NOW_US)
    assert (book.sell(OTHER, amount, NOW_US) is not None) is sold


def test_limits_begin_anew_when_all_is_uploaded(book):
    first, second = book.sell(CARD, 2_000, NOW_US), book.sell(OTHER, 1_000, NOW_US)
    book.uploaded(first)
    assert book.sell(CARD, 1, NOW_US) is None
    book.uploaded(second)
    assert book.pending == []
    assert book.sell(CARD, 2_000, NOW_US).number == 3


def test_a_hot_card_buys_nothing(book):
    book.take_hot_cards("7", [HotCard("C0020260001", "lost")], whole=True)
    assert book.sell(CARD, 1, NOW_US) is None
    assert book.sell(OTHER, 1, NOW_US) is not None


def test_differences_and_a_new_beginning(book):
    book.take_hot_cards("7", [HotCard("C1", "lost"), HotCard("C2", "frozen")], whole=True)
    book.take_hot_cards("9", [HotCard("C1", ""), HotCard("C3", "closed"), HotCard("C9", "")], whole=False)
    assert (book.hot, book.hot_version) == ({"C2": "frozen", "C3": "closed"}, "9")
    book.take_hot_cards("2", [HotCard("C4", "lost")], whole=True)
    assert (book.hot, book.hot_version) == ({"C4": "lost"}, "2")
