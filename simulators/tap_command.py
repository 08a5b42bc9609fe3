"""`tapswitch tap`: one purchase, and everything that went over the wire for it, decoded."""

from __future__ import annotations

from pathlib import Path

import click
import uvloop

from simulators.accounts import default_serial
from simulators.bad_input import BadInputError
from simulators.campus import Campus, StationKey, read_campus
from simulators.embedded import parse_address
from simulators.money import parse_yuan
from simulators.tap import TapError, tap_once
from wire.codes import Code
from wire.messages import Purchase

WAIT_MS = 5_000


@click.command()
@click.option("--connect", required=True, metavar="HOST:PORT", help="Where the switch listens.")
@click.option("--station", required=True, metavar="NAME", help="Which station of the campus file to be.")
@click.option("--account", required=True, metavar="N", help="Account number as on the card, with its leading zeros.")
@click.option("--amount", required=True, metavar="A", help="In yuan, such as 12.50.")
@click.option(
    "--campus",
    type=click.Path(path_type=Path),
    default=Path("campus.toml"),
    show_default=True,
    help="The campus file; secrets.toml beside it has the station's key.",
)
@click.option(
    "--card", metavar="SERIAL", help="The card's serial.  [default: C and the account with at least ten digits]"
)
@click.option("--terminal", type=click.IntRange(1, 99_999_999), help="[default: the station's first that sells]")
@click.option("--stan", type=click.IntRange(1, 2**63 - 1), help="[default: the switch's time in microseconds]")
def tap(
    *,
    connect: str,
    station: str,
    account: str,
    amount: str,
    campus: Path,
    card: str | None,
    terminal: int | None,
    stan: int | None,
) -> None:
    """Send one purchase and print the decoded transcript of the whole session.

    Exit status: 0 if approved, 1 if declined or unanswered, 2 for bad input.
    """
    try:
        read = read_campus(campus)
        key = _key(read, station)
        number = terminal if terminal is not None else _first_window(read, station)
        serial = card or default_serial(account)
        request = Purchase(number, stan or 1, WAIT_MS, account, serial, _amount(amount))
        address = parse_address(connect, "--connect")
    except BadInputError as error:
        raise click.UsageError(str(error)) from error
    try:
        answer = uvloop.run(tap_once(address, station, key, request, click.echo, fresh_stan=stan is None))
    except TapError as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(0 if answer.code is Code.APPROVED else 1)


def _key(campus: Campus, station: str) -> StationKey:
    key = campus.keys.get(station)
    if key is None:
        raise BadInputError(f"--station {station}: secrets.toml has no key for it; it has {', '.join(campus.keys)}")
    return key


def _first_window(campus: Campus, station: str) -> int:
    numbers = [t.number for t in campus.terminals.values() if t.station == station and "purchase" in t.services]
    if not numbers:
        raise BadInputError(f"--station {station} speaks for no terminal that sells; name one with --terminal")
    return min(numbers)


def _amount(text: str) -> int:
    try:
        return parse_yuan(text)
    except ValueError as error:
        raise BadInputError(f"--amount: {error}") from error
