"""The accounts file, as `tapswitch import` reads it: who has which card with what balance."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from simulators.bad_input import BadInputError
from simulators.money import format_yuan, parse_yuan

PURSES = ("balance", "subsidy", "family")
"""The columns of an account's purses, in the order in which the switch lists balances; the first is the main purse."""

OPTIONAL = ("subsidy", "family")
COLUMNS = ("account", "card", "state", "expires", "class", *PURSES)
Purses = tuple[int, int, int]
"""Minor units: main, subsidy, family."""


class CardState(StrEnum):
    """The states of a card in the accounts file."""

    ISSUED = "issued"
    ACTIVE = "active"
    LOST = "lost"
    FROZEN = "frozen"
    EXPIRED = "expired"
    REPLACED = "replaced"
    CLOSED = "closed"


class Card(Struct, frozen=True):
    """An account with its card, as the file says it."""

    account: str
    serial: str
    state: CardState
    expires: date
    """Last day on which it may be used."""

    person_class: str
    purses: Purses

    @property
    def balance(self) -> int:
        """All that it holds, in minor units."""
        return sum(self.purses)


def purses_told(balances: Sequence[int]) -> Purses:
    """The purses of a list of balances, from which purses that never held anything may be missing at the end."""
    main, subsidy, family = (*balances, 0, 0, 0)[:3]
    return main, subsidy, family


def default_serial(account: str) -> str:
    """The serial that generated files give an account's card: C and the number with at least ten digits."""
    return "C" + account.zfill(10)


def write_accounts(path: Path, cards: Iterable[Card]) -> None:
    """Write the file as UTF-8 without BOM."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            (card.account, card.serial, card.state, card.expires, card.person_class, *map(format_yuan, card.purses))
            for card in cards
        )


def read_accounts(path: Path) -> list[Card]:
    """Every card of the file, which is UTF-8 (with or without BOM) or GB18030. Raises BadInputError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: the accounts file cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace").removeprefix("\ufeff")
    rows = csv.DictReader(text.splitlines())
    missing = [column for column in COLUMNS if column not in (*(rows.fieldnames or ()), *OPTIONAL)]
    if missing:
        expected = ",".join(column for column in COLUMNS if column not in OPTIONAL)
        raise BadInputError(f"{path}: the header lacks {', '.join(missing)}; expected {expected}")
    cards = [_card(path, rows.line_num, row) for row in rows]
    if not cards:
        raise BadInputError(f"{path}: the file has no accounts; add at least one row")
    return cards


def _card(path: Path, line: int, row: dict[str, str | None]) -> Card:
    value = {column: (row[column] or "").strip() for column in COLUMNS if column in row}
    field = "state"
    try:
        state = CardState(value["state"])
        field = "expires"
        expires = date.fromisoformat(value["expires"])
        held = []
        for field in PURSES:
            held.append(parse_yuan(value[field]) if field in value else 0)
    except ValueError as error:
        raise BadInputError(f"{path}, line {line}, {field}: {error}") from error
    return Card(value["account"], value["card"], state, expires, value["class"], purses_told(held))
