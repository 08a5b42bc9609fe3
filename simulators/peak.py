"""A peak from its beginning to its verdict: a switch and its campus are made ready, or looked at, and driven."""

from __future__ import annotations

import asyncio
import math
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from simulators.accounts import read_accounts
from simulators.bad_input import BadInputError
from simulators.campus import Campus, read_campus
from simulators.campus_files import Sizes, write_campus
from simulators.drive import CLOSING_SECONDS, SETTLE_SECONDS, auditor_of, drive
from simulators.embedded import embedded_switch, verify_embedded
from simulators.fleet import Fleet
from simulators.metrics_page import read_page
from simulators.plan import BATH_SECONDS_MAX, BATH_SECONDS_MIN
from simulators.population import make_population
from simulators.report import PeakReport
from simulators.scene import Scene, Settings
from simulators.station import Address
from simulators.tally import Tally

PREPARATION_SECONDS = 4
"""Real time that an embedded switch and the fleet need before the first tap, roughly."""

DAY_ENDS = timedelta(hours=23, minutes=50)
"""From then on the simulated clock keeps real time, so that stragglers do not come into another business day."""

HOLD_MINUTES_MIN, HOLD_MINUTES_MAX = 180, 10_080
"""A hold stands as long as the fleet may need in real time to settle, if a switch can be told to let it."""

DEFAULT_CARDS = 30_000


class Running(Struct, frozen=True):
    """A switch that runs already."""

    address: Address
    http: str | None
    campus: Path
    accounts: Path


async def peak_embedded(settings: Settings, console: Console) -> PeakReport:
    """Drive an embedded switch on a temporary folder. Raises EmbeddedError."""
    with tempfile.TemporaryDirectory(prefix="tapswitch-peak-") as name:
        folder = Path(name)
        cards = make_population(settings.cards or DEFAULT_CARDS, settings.seed)
        files = write_campus(folder, cards, _sizes(settings, len(cards)))
        campus = read_campus(files.campus)
        midnight = _tomorrow(campus)
        preparation = timedelta(seconds=PREPARATION_SECONDS * settings.speed)
        begins = max(midnight, midnight + settings.scenario.starts - preparation)
        ends = midnight + DAY_ENDS
        console.print(f"Importing {len(cards):,} cards and starting the switch.")
        clock = f"{_local(begins)},{settings.speed:g},{_local(ends)}"
        async with embedded_switch(folder, files, clock) as switch:
            today, last_day = campus.business_day(begins), campus.business_day(ends)
            scene = Scene(
                switch.address, switch.http, campus, cards, today, today == last_day, clock_rate=settings.speed
            )  # fmt: skip
            report = await drive(settings, scene, console)
        console.print("Verifying the journal.")
        await verify_embedded(folder)
        return report


def _sizes(settings: Settings, cards: int) -> Sizes:
    scenario, speed = settings.scenario, settings.speed
    return Sizes(
        scenario.taps_per_second_max(cards) * speed,
        scenario.grants_per_second(cards) * speed,
        scenario.baths_per_second(cards) * speed,
        (BATH_SECONDS_MIN + BATH_SECONDS_MAX) / 2 / speed,
        min(max(HOLD_MINUTES_MIN, math.ceil(SETTLE_SECONDS * speed / 60)), HOLD_MINUTES_MAX),
    )


def _tomorrow(campus: Campus) -> datetime:
    """Midnight at the campus. A simulated clock may not stand before the moment at which the accounts were opened."""
    tomorrow = datetime.now(campus.time_zone).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=campus.time_zone)


def _local(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


async def peak_connected(settings: Settings, running: Running, console: Console) -> PeakReport:
    """Drive a switch that runs already. Opening balances are asked of it first. Raises BadInputError."""
    campus = read_campus(running.campus)
    cards = read_accounts(running.accounts)
    if settings.cards is not None and settings.cards > len(cards):
        raise BadInputError(f"--cards {settings.cards}: {running.accounts} has only {len(cards)}")
    cards = cards[: settings.cards]
    if running.http is not None and await read_page(running.http) is None:
        raise BadInputError(f"--http {running.http}: no metrics of a switch there, or on Ray not of all its processes")
    console.print(f"Asking {running.address} for {len(cards):,} opening balances.")
    scene = Scene(
        running.address, running.http, campus, cards, 0, whole_day=False, first_offline_number=None
    )  # fmt: skip
    async with Fleet(campus, running.address, cards, auditor_of(scene), Tally(1.0)) as fleet:
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                held = await fleet.inquire_all()
        except TimeoutError:
            raise BadInputError(f"{running.address}: no balances within {CLOSING_SECONDS:.0f} s") from None
        today = campus.business_day(datetime.fromtimestamp(fleet.switch_time_us / 1e6, UTC))
    if cards and not any(held):
        raise BadInputError(f"{running.accounts}: the switch knows none of these accounts with these cards")
    told = dict(zip(cards, held, strict=True))
    opening = [replace(card, purses=purses) for card, purses in told.items() if purses is not None]
    at_home = [card for card, purses in told.items() if purses is None]
    if at_home:
        console.print(f"{len(at_home):,} cards stay at home: the switch does not tell what they hold.")
    return await drive(settings, replace(scene, cards=opening, today=today, at_home=at_home), console)
