"""Who gives commands of the card office: an operator station, one of its terminals, and a clerk."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import click

from simulators.bad_input import BadInputError
from simulators.campus import Campus, StationKey, read_campus
from simulators.embedded import parse_address
from simulators.station import Address
from wire import codec
from wire.codec import Unreadable
from wire.messages import ExplainGap, OfficeRequest

TAKES = {
    "account": "1 to 19 digits",
    "card": "1 to 20 letters, digits or signs of ASCII, without spaces",
    "clerk": "1 to 32 of the characters a-z, 0-9, . and -, such as a staff number",
    "batch": "1 to 24 of the characters A-Z, a-z, 0-9, . and -, such as 2026-09",
    "guardian": "1 to 32 of the characters A-Z, a-z, 0-9, . and -, which say nothing of the person",
    "note": "one line of 1 to 80 characters",
    "expires": "a day from 2000-01-01 on",
    "last_day": "a day from 2000-01-01 on",
}
"""What a field takes, in words; of those fields of which the options let more through."""


class Day(click.ParamType[int, str]):
    """A day such as 2030-07-31, as the number 20300731."""

    name = "YYYY-MM-DD"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        try:
            day = datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007 - a day, no moment
        except ValueError:
            self.fail(f"{value!r} is no day; write it like 2030-07-31", param, ctx)
        return day.year * 10_000 + day.month * 100 + day.day


class Desk(NamedTuple):
    """Who gives commands, where, and with which key."""

    address: Address
    station: str
    key: StationKey
    terminal: int
    clerk: str
    pin_key: bytes | None = None
    """Under which this terminal seals PINs, if secrets.toml has one."""

    campus_terminals: frozenset[int] = frozenset()
    """The numbers of all terminals of the campus file."""


def desk_options() -> list[click.Option]:
    """What every command of an operator asks for."""
    return [
        click.Option(["--connect"], required=True, metavar="HOST:PORT", help="Where the switch listens."),
        click.Option(["--station"], required=True, metavar="NAME", help="Which operator station to be."),
        click.Option(["--clerk"], required=True, metavar="ID", help="Who gives the command: a short identifier."),
        click.Option(
            ["--campus"],
            type=click.Path(path_type=Path),
            default=Path("campus.toml"),
            show_default=True,
            help="The campus file; secrets.toml beside it has the station's key, and need not have any other.",
        ),
        click.Option(["--terminal"], type=click.IntRange(1, 99_999_999), help="[default: the station's first]"),
        click.Option(
            ["--stan"],
            type=click.IntRange(1, 2**63 - 1),
            help="Repeat the command that had this STAN.  [default: a new one, the switch's time in microseconds]",
        ),
    ]


def desk_of(*, connect: str, station: str, clerk: str, campus: Path, terminal: int | None) -> Desk:
    """The desk that these options name; `terminal` None: the station's first. Raises BadInputError."""
    read = read_campus(campus)
    key = read.keys.get(station)
    if key is None:
        raise BadInputError(f"--station {station}: secrets.toml has no key for it; it has {', '.join(read.keys)}")
    number = _terminals(read, station)[0] if terminal is None else terminal
    return Desk(
        parse_address(connect, "--connect"), station, key, number, clerk, read.pin_keys.get(number),
        frozenset(read.terminals),
    )  # fmt: skip


def terminals_of(campus: Path, station: str) -> list[int]:
    """The numbers of an operator station's terminals, in order. Raises BadInputError if it has none."""
    return _terminals(read_campus(campus), station)


def _terminals(campus: Campus, station: str) -> list[int]:
    numbers = [at.number for at in campus.terminals.values() if at.station == station and at.role is not None]
    if not numbers:
        raise BadInputError(f"--station {station} is no operator station, or has no terminal")
    return sorted(numbers)


def check_readable(request: OfficeRequest | ExplainGap) -> None:
    """The switch will be able to read it. Raises BadInputError naming the field that it would not."""
    try:
        (read,) = codec.request_decoder.decode(codec.encode([request])[0])
    except UnicodeEncodeError as error:
        fields = type(request).__struct_fields__
        field = next(field for field in fields if getattr(request, field) == error.object)
        raise BadInputError(f"{field}: {error.object!a}: expected text that can be written in UTF-8") from error
    if isinstance(read, Unreadable):
        place = re.search(r"\$\[(\d+)\]", read.explanation)
        field = type(request).__struct_fields__[int(place[1]) - 1] if place else "request"
        expected = TAKES.get(field, "another value; docs/protocol.md says which")
        raise BadInputError(f"{field}: {getattr(request, field, '')!r}: expected {expected}")
