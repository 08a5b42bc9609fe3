"""The accounts file: a CSV of accounts with their cards and opening balances, checked as a whole before its use.

It is UTF-8 or GB18030, with or without a byte order mark, as spreadsheet programs write it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from msgspec import Struct

from actors.account.card import CardState, PersonClass
from actors.account.purses import Amounts, opening_purses
from switch.campus import minor_units


class AccountRow(Struct, frozen=True, gc=False):
    """One account as it is to be opened, and the line of the file (from 1) where it begins."""

    line: int
    account: str
    """1 to 19 digits; leading zeros count."""
    card: str
    """The card's serial: 1 to 20 printable ASCII characters."""
    state: CardState
    expires: int
    """The last day on which the card is good, as a number: 20300731."""
    person_class: PersonClass
    purses: Amounts


class AccountsFileError(Exception):
    """An accounts file cannot be used. The text has a line for each of `mistakes`, led by the file's name."""

    def __init__(self, path: Path, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(f"{path}: {mistake}" for mistake in mistakes))
        self.path = path
        self.mistakes = tuple(mistakes)


def read_accounts(path: Path) -> list[AccountRow]:
    """Every account in the file at `path`. Raises AccountsFileError, which names every bad row."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AccountsFileError(path, [f"cannot be read: {error.strerror}"]) from None
    mistakes: list[str] = []
    rows = _read_rows(_decode(path, data), mistakes)
    if not rows and not mistakes:
        mistakes.append("the file has no accounts; expected a header line and one line for each account")
    if mistakes:
        raise AccountsFileError(path, mistakes)
    return rows


def _decode(path: Path, data: bytes) -> str:
    """UTF-8 is tried first: GB18030 text that is not ASCII alone is almost never valid UTF-8."""
    failures = []
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            failures.append(f"line {line}: encoding: not {encoding.upper()}")
    raise AccountsFileError(path, [*failures, "expected a file that is UTF-8 or GB18030 throughout"])


_ACCOUNT = re.compile("[0-9]{1,19}")
_CARD = re.compile("[!-~]{1,20}")
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{_quoted(text)} is no account number; expected 1 to 19 digits")
    return text


def _card(text: str) -> str:
    if not _CARD.fullmatch(text):
        raise ValueError(f"{_quoted(text)} is no card serial; expected 1 to 20 ASCII characters without spaces")
    return text


@lru_cache  # the cards of one year expire together
def _expires(text: str) -> int:
    with suppress(ValueError):
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return day.year * 10_000 + day.month * 100 + day.day
    raise ValueError(f"{_quoted(text)} is no date; expected YYYY-MM-DD, such as 2030-07-31")


def _one_of(words: type[StrEnum]) -> Callable[[str], StrEnum]:
    members = {member.value: member for member in words}

    def read(text: str) -> StrEnum:
        if text not in members:
            raise ValueError(f"{_quoted(text)} is unknown; expected one of {', '.join(members)}")
        return members[text]

    return read


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")


_COLUMNS: dict[str, Callable[[str], object]] = {
    "account": _account,
    "card": _card,
    "state": _one_of(CardState),
    "expires": _expires,
    "class": _one_of(PersonClass),
    "balance": minor_units,
    "subsidy": minor_units,
    "family": minor_units,
}
"""How each column is read: AccountRow's fields in their order, the last three of them its purses."""

_OPTIONAL = {"subsidy": "0", "family": "0"}
"""Columns that may be missing, and what every row then says there."""

_EXPECTED = ",".join(column for column in _COLUMNS if column not in _OPTIONAL)

_IGNORED = "name"
_CHINESE = {
    "账号": "account",
    "卡号": "card",
    "状态": "state",
    "有效期": "expires",
    "身份": "class",
    "余额": "balance",
    "补贴": "subsidy",
    "亲情": "family",
    "姓名": _IGNORED,
}


def _read_rows(text: str, mistakes: list[str]) -> list[AccountRow]:
    records = _records(text, mistakes)
    line, header = next(records, (1, []))
    columns = _read_header(line, header, mistakes)
    if columns is None:
        return []
    added = [column for column in _OPTIONAL if column not in columns]
    in_order = itemgetter(*((*columns, *added).index(column) for column in _COLUMNS))
    assumed = [_OPTIONAL[column] for column in added]
    rows: list[AccountRow] = []
    accounts: dict[str, int] = {}
    cards: dict[str, int] = {}
    for line, record in records:
        if len(record) != len(columns):
            mistakes.append(f"line {line}: row: {len(record)} columns, expected {len(columns)} as in the header")
            continue
        if "\0" in "".join(record):
            mistakes.append(f"line {line}: row: holds a NUL byte; expected text in UTF-8 or GB18030")
            continue
        values = _read_values(line, in_order(record + assumed), mistakes)
        account, card, state, expires, person_class, *purses = values
        _expect_first("account", account, line, accounts, mistakes)
        _expect_first("card", card, line, cards, mistakes)
        if None not in values:
            rows.append(AccountRow(line, account, card, state, expires, person_class, opening_purses(*purses)))
    return rows


def _expect_first(column: str, value: str | None, line: int, lines: dict[str, int], mistakes: list[str]) -> None:
    """Note a mistake if `value` was met before; `lines` keeps where each was met first."""
    if value is not None and (first := lines.setdefault(value, line)) != line:
        mistakes.append(f"line {line}: {column}: {value!r} stands in line {first} too; expected each once")


def _records(text: str, mistakes: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, and the line where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            mistakes.append(f"line {line}: row: not CSV: {error}")
            continue
        if record:
            yield line, [field.strip(" \t\u3000") for field in record]


def _read_header(line: int, header: list[str], mistakes: list[str]) -> list[str] | None:
    """The columns in their order, or None when rows cannot be read by them."""
    columns = [_CHINESE.get(title, title.lower()) for title in header]
    if not columns:
        mistakes.append(f"line {line}: header: is missing; expected {_EXPECTED}")
        return None
    known = (*_COLUMNS, _IGNORED)
    found = [
        f"unknown column {_quoted(title)}" for title, column in zip(header, columns, strict=True) if column not in known
    ]
    found += [f"column {column!r} is missing" for column in _COLUMNS if column not in (*columns, *_OPTIONAL)]
    found += [f"column {column!r} stands there twice" for column in known if columns.count(column) > 1]
    mistakes += [f"line {line}: header: {mistake}; expected {_EXPECTED}" for mistake in found]
    return None if found else columns


def _read_values(line: int, texts: tuple[str, ...], mistakes: list[str]) -> list[Any]:
    """The values of the columns; a mistake is noted for each that cannot be read, and None stands in its place."""
    values: list[Any] = []
    for (column, read), text in zip(_COLUMNS.items(), texts, strict=True):
        try:
            values.append(read(text))
        except ValueError as error:
            mistakes.append(f"line {line}: {column}: {error if text else 'is empty'}")
            values.append(None)
    return values
