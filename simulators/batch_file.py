"""The batch file: a CSV of accounts and what each is granted, checked as a whole before anything is sent.

It is UTF-8 or GB18030, with or without a byte order mark, as spreadsheet programs write it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from simulators.bad_input import BadInputError
from simulators.money import AMOUNT_MAX, format_yuan, parse_yuan

COLUMNS: Final = ("account", "amount")

_ACCOUNT = re.compile("[0-9]{1,19}")


class BatchRow(NamedTuple):
    """One account's grant, and the line of the file (from 1) where it stands."""

    line: int
    account: str
    amount: int
    """Minor units."""


def read_batch(path: Path) -> list[BatchRow]:
    """Every grant in the file at `path`. Raises BadInputError, which names every bad line."""
    try:
        text = _decode(path, path.read_bytes())
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from None
    mistakes: list[str] = []
    rows = [*_rows(text, mistakes)]
    if not rows and not mistakes:
        mistakes.append("the file has no accounts; expected a header line and one line for each account")
    if mistakes:
        raise BadInputError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    return rows


def _decode(path: Path, data: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise BadInputError(f"{path}: is neither UTF-8 nor GB18030")


def _rows(text: str, mistakes: list[str]) -> Iterator[BatchRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    places: list[int] | None = None
    seen: dict[str, int] = {}
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            mistakes.append(f"line {line}: {error}")
            return
        if not any(field.strip() for field in fields):
            continue
        if places is None:
            header = [field.strip().lower() for field in fields]
            if sorted(header) != sorted(COLUMNS):
                mistakes.append(f"line {line}: expected the columns {' and '.join(COLUMNS)}, found {', '.join(header)}")
                return
            places = [header.index(column) for column in COLUMNS]
        elif (row := _row(line, fields, places, seen, mistakes)) is not None:
            yield row


def _row(
    line: int, fields: Sequence[str], places: Sequence[int], seen: dict[str, int], mistakes: list[str]
) -> BatchRow | None:
    if len(fields) != len(COLUMNS):
        mistakes.append(f"line {line}: expected {len(COLUMNS)} fields, found {len(fields)}")
        return None
    account, yuan = (fields[place].strip() for place in places)
    amount, wrong = 0, []
    if not _ACCOUNT.fullmatch(account):
        wrong.append(f"account: {account[:40]!r} is no account number; expected 1 to 19 digits")
    elif (first := seen.setdefault(account, line)) != line:
        wrong.append(f"account: {account} already stands in line {first}")
    try:
        amount = parse_yuan(yuan)
    except ValueError as error:
        wrong.append(f"amount: {error}")
    else:
        if not 0 < amount <= AMOUNT_MAX:
            wrong.append(f"amount: {yuan} is not between 0.01 and {format_yuan(AMOUNT_MAX)}")
    mistakes += [f"line {line}: {mistake}" for mistake in wrong]
    return None if wrong else BatchRow(line, account, amount)
