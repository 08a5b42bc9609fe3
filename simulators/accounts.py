"""The accounts file, as `tapswitch import` reads it: who has which card with what balance."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from simulators.bad_input import BadInputError
from simulators.money import format_yuan, parse_yuan

COLUMNS = ("account", "card", "state", "expires", "class", "balance")


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
    """An account with its card, as the file says it; `balance` in minor units."""

    account: str
    serial: str
    state: CardState
    expires: date
    """Last day on which it may be used."""

    person_class: str
    balance: int


def default_serial(account: str) -> str:
    """The serial that generated files give an account's card: C and the number with at least ten digits."""
    return "C" + account.zfill(10)


def write_accounts(path: Path, cards: Iterable[Card]) -> None:
    """Write the file as UTF-8 without BOM."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            (card.account, card.serial, card.state, card.expires, card.person_class, format_yuan(card.balance))
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
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise BadInputError(f"{path}: the header lacks {', '.join(missing)}; expected {','.join(COLUMNS)}")
    cards = [_card(path, rows.line_num, row) for row in rows]
    if not cards:
        raise BadInputError(f"{path}: the file has no accounts; add at least one row")
    return cards


def _card(path: Path, line: int, row: dict[str, str | None]) -> Card:
    value = {column: (row[column] or "").strip() for column in COLUMNS}
    field = "state"
    try:
        state = CardState(value["state"])
        field = "expires"
        expires = date.fromisoformat(value["expires"])
        field = "balance"
        balance = parse_yuan(value["balance"])
    except ValueError as error:
        raise BadInputError(f"{path}, line {line}, {field}: {error}") from error
    return Card(value["account"], value["card"], state, expires, value["class"], balance)
