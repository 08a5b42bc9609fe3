"""`tapswitch peak`: a compressed lunch against an embedded switch, or against one that runs already."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console

from simulators.bad_input import BadInputError
from simulators.display import print_closing
from simulators.embedded import EmbeddedError, parse_address
from simulators.peak import DEFAULT_CARDS, Running, peak_connected, peak_embedded
from simulators.report import PeakReport
from simulators.scenario import LUNCHES, SCENARIOS, Scenario, scenario_named
from simulators.scene import Settings

SPEED_MAX = 10_000.0


@click.command()
@click.option("--connect", metavar="HOST:PORT", help="Drive the switch that runs there, instead of an embedded one.")
@click.option(
    "--campus", type=click.Path(path_type=Path), help="With --connect: its campus.toml, secrets.toml beside it."
)
@click.option("--accounts", type=click.Path(path_type=Path), help="With --connect: the accounts that it holds, as CSV.")
@click.option("--http", metavar="HOST:PORT", help="With --connect: its own --http address, to compare counts.")
@click.option(
    "--cards", type=click.IntRange(1, 1_000_000), help=f"How many cards eat.  [default: {DEFAULT_CARDS}, or all]"
)
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    default="lunch",
    show_default=True,
    help="What happens: three hours of lunch; a working day from six to midnight, with baths in the evening; a lunch "
    "whose largest canteen is cut off for 40 minutes and uploads its sales while lunch goes on; breakfast, with a "
    "subsidy for every student.",
)
@click.option(
    "--shape",
    type=click.Choice(list(LUNCHES)),
    default="two-waves",
    show_default=True,
    help="How people come to lunch, with or without an outage.",
)
@click.option(
    "--speed",
    type=click.FloatRange(1, SPEED_MAX),
    help="How many seconds of the scenario pass in a real one.  [default: 50 real seconds in all, a day two minutes]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, 24 * 60, min_open=True),
    help="Instead of --speed: real minutes into which the scenario is compressed.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed plans the same taps.")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("peak-report"),
    show_default=True,
    help="Folder for report.html and report.json.",
)
def peak(
    *,
    connect: str | None,
    campus: Path | None,
    accounts: Path | None,
    http: str | None,
    cards: int | None,
    scenario: str,
    shape: str,
    speed: float | None,
    minutes: float | None,
    seed: int,
    report: Path,
) -> None:
    """Drive a compressed lunch, or another part of a day, through real connections and audit every answer.

    By default a switch of its own is started on a temporary folder, with 30,000 cards and five canteens. The three
    hours of lunch are driven in 50 seconds; with start, stragglers and closing checks it takes about a minute. Only
    arrivals are compressed: terminals wait, time out and retry in real time.

    In every scenario thieves try lost cards, a PIN is asked for above the limit of one purchase, and guardians pay into
    family purses. At the end every balance, every hot list and every till must agree.

    A running switch should have these accounts as the file says, but for their balances: the auditor knows of no
    subsidy that waits, no guardian and no other command of the card office that came before. Behaviours for which the
    campus has no terminals do not happen. Terminals number offline sales on from the switch's clock, so `tapswitch
    gaps` shows the numbers before as missing.

    Exit status: 0 if the audit holds, 1 if not, 2 for bad input.
    """
    chosen = scenario_named(scenario, shape)
    settings = Settings(cards, chosen, _speed(chosen, speed, minutes), seed, report)
    running = _running(connect, campus, accounts, http)
    console = Console()
    try:
        work = peak_connected(settings, running, console) if running else peak_embedded(settings, console)
        result = uvloop.run(_until_terminated(work))
    except BadInputError as error:
        raise click.UsageError(str(error)) from error
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from error
    except asyncio.CancelledError:
        raise click.Abort from None
    print_closing(console, result, str(report))
    raise SystemExit(0 if result.holds else 1)


async def _until_terminated(work: Coroutine[Any, Any, PeakReport]) -> PeakReport:
    """SIGTERM ends the work like Ctrl-C does, so that an embedded switch is stopped too."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _speed(scenario: Scenario, speed: float | None, minutes: float | None) -> float:
    if speed is not None and minutes is not None:
        raise click.UsageError("--speed and --minutes say the same thing; give one of them")
    if speed is not None:
        return speed
    chosen = scenario.seconds / (minutes * 60 if minutes is not None else scenario.drive_seconds)
    if chosen > SPEED_MAX:
        least = scenario.seconds / SPEED_MAX / 60
        raise click.UsageError(f"--minutes {minutes:g} is too short; the least is {least:.3f}")
    return max(1.0, chosen)


def _running(connect: str | None, campus: Path | None, accounts: Path | None, http: str | None) -> Running | None:
    if connect is None:
        if campus or accounts or http:
            raise click.UsageError("--campus, --accounts and --http describe a running switch; add --connect HOST:PORT")
        return None
    if campus is None or accounts is None:
        raise click.UsageError("--connect needs --campus FILE and --accounts FILE")
    try:
        if http is not None:
            parse_address(http, "--http")
        return Running(parse_address(connect, "--connect"), http, campus, accounts)
    except BadInputError as error:
        raise click.UsageError(str(error)) from error
