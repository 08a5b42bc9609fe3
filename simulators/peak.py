"""A peak from its beginning to its verdict: prepare, drive the scenario open-loop, settle, check, report."""

from __future__ import annotations

import asyncio
import gc
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import merge
from operator import itemgetter
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from simulators.accounts import Card, read_accounts
from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault, Finding
from simulators.auditor.world import Rules
from simulators.bad_input import BadInputError
from simulators.campus import Campus, read_campus
from simulators.campus_files import Sizes, write_campus
from simulators.display import Display
from simulators.embedded import embedded_switch, verify_embedded
from simulators.fleet import Fleet
from simulators.metrics_page import Page, read_page
from simulators.plan import BATH_SECONDS_MAX, BATH_SECONDS_MIN, Visit, plan_visits
from simulators.population import make_population
from simulators.report import BROKEN, HOLDS, LatencyReport, PeakReport, count, versions, write_report
from simulators.requester import Ending
from simulators.scenario import Outage, Scenario
from simulators.station import Address
from simulators.tally import SLICES, Tally

PREPARATION_SECONDS = 4
"""Real time that an embedded switch and the fleet need before the first tap, roughly."""

SETTLE_SECONDS = 60.0
DAY_ENDS = timedelta(hours=23, minutes=50)
"""From then on the simulated clock keeps real time, so that stragglers do not come into another business day."""

CLOSING_SECONDS = 120.0
HOLD_MINUTES_MIN, HOLD_MINUTES_MAX = 180, 10_080
"""A hold stands as long as the fleet may need in real time to settle, if a switch can be told to let it."""

DEFAULT_CARDS = 30_000


class Settings(Struct, frozen=True):
    """What a person chose."""

    cards: int | None
    scenario: Scenario
    speed: float
    seed: int
    report: Path

    @property
    def drive_seconds(self) -> float:
        """Real time over which the taps arrive."""
        return self.scenario.seconds / self.speed


class Running(Struct, frozen=True):
    """A switch that runs already."""

    address: Address
    http: str | None
    campus: Path
    accounts: Path


class _Scene(Struct, frozen=True):
    """A switch with its campus, as it is before the first tap."""

    address: Address
    http: str | None
    campus: Campus
    cards: Sequence[Card]
    today: int
    whole_day: bool
    """Whether everything of that business day was, or will be, seen, and no other day is touched."""

    clock_rate: float = 1.0
    """How many seconds of the switch's clock pass in a real one."""

    at_home: Sequence[Card] = ()
    """Cards that nobody uses, because nobody knows what they hold; the auditor still knows of them."""

    first_offline_number: int | None = 1
    """With which terminals begin; None: they lost their counter, and continue from the switch's time."""


class _Closing(NamedTuple):
    """What was asked for when everybody had gone."""

    balances: int
    tills_in_balance: int


Happening = Callable[[float], None]
"""Called with the monotonic time at which it is due."""


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
            scene = _Scene(
                switch.address, switch.http, campus, cards, today, today == last_day, clock_rate=settings.speed
            )  # fmt: skip
            report = await _drive(settings, scene, console)
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
    scene = _Scene(
        running.address, running.http, campus, cards, 0, whole_day=False, first_offline_number=None
    )  # fmt: skip
    async with Fleet(campus, running.address, cards, _auditor(scene), Tally(1.0)) as fleet:
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
    return await _drive(settings, replace(scene, cards=opening, today=today, at_home=at_home), console)


async def _drive(settings: Settings, scene: _Scene, console: Console) -> PeakReport:
    auditor = _auditor(scene)
    tally = Tally(settings.drive_seconds)
    before = await read_page(scene.http)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    fleet = Fleet(
        scene.campus, scene.address, scene.cards, auditor, tally, pace=settings.speed, clock_rate=scene.clock_rate
    )  # fmt: skip
    async with fleet:
        visits = plan_visits(scene.cards, settings.scenario, settings.seed, fleet.facilities)
        await _begin_day(scene, fleet)
        console.print(f"{fleet.terminals} terminals on {fleet.stations} connections; {len(visits):,} visits to come.")
        async with Display(console, tally, len(visits), fleet).shown():
            with _uncollected():
                await _send(visits, settings, fleet)
                await fleet.settle(SETTLE_SECONDS)
        console.print("Checking every balance, hot list and till.")
        closing = await _close(scene, fleet, auditor)
    auditor.finish()
    after = await read_page(scene.http)
    if before is not None and after is not None and after.since(before) is not None:
        auditor.judge_suspense((after.suspense or 0) - (before.suspense or 0))
    report = _report(settings, scene, fleet, tally, auditor, closing, started_at, before, after)
    write_report(settings.report, report, tally)
    return report


async def _begin_day(scene: _Scene, fleet: Fleet) -> None:
    first = fleet.switch_time_us if scene.first_offline_number is None else scene.first_offline_number
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await fleet.begin_day(scene.today, first)
    except TimeoutError:
        raise BadInputError(f"{scene.address}: terminals got no parameters within {CLOSING_SECONDS:.0f} s") from None


def _auditor(scene: _Scene) -> Auditor:
    campus = scene.campus
    rules = Rules(
        campus.limits, campus.spending_order, campus.terminals, scene.today, scene.whole_day, campus.class_limits,
        pin_keys=campus.pin_keys,
        prices=campus.prices,
    )  # fmt: skip
    return Auditor([*scene.cards, *scene.at_home], rules)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: a full one stops the client for 0.1 s, which would be booked as the switch's latency.

    What taps leave behind is freed by its reference counts.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _send(visits: Sequence[Visit], settings: Settings, fleet: Fleet) -> None:
    """Open loop: everybody comes when the plan says, whatever became of those before."""
    fleet.started_at = start = monotonic()
    for second, happens in _timeline(visits, settings, fleet):
        due = start + second / settings.speed
        if (wait := due - monotonic()) > 0:
            await asyncio.sleep(wait)
        happens(due)


def _timeline(visits: Sequence[Visit], settings: Settings, fleet: Fleet) -> Iterable[tuple[float, Happening]]:
    """Everything that happens from outside, with its second of the scenario, in order."""
    outages: list[tuple[float, Happening]] = []
    for outage in settings.scenario.outages:
        outages.append((outage.from_minute * 60.0, partial(_cut_off, fleet, outage)))
        outages.append((outage.to_minute * 60.0, partial(_restore, fleet, outage, settings.seed)))
    arrivals: Iterator[tuple[float, Happening]] = ((visit.second, partial(fleet.arrive, visit)) for visit in visits)
    return merge(arrivals, sorted(outages, key=itemgetter(0)), key=itemgetter(0))


def _cut_off(fleet: Fleet, outage: Outage, _due: float) -> None:
    fleet.cut_off(outage.canteen)


def _restore(fleet: Fleet, outage: Outage, seed: int, _due: float) -> None:
    fleet.restore(outage.canteen, seed)


async def _close(scene: _Scene, fleet: Fleet, auditor: Auditor) -> _Closing:
    """Ask for every balance, reconcile every till; the auditor judges each of them."""
    balances = in_balance = 0
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            balances = sum(purses is not None for purses in await fleet.inquire_all())
            last_day = scene.campus.business_day(datetime.fromtimestamp(fleet.switch_time_now_us / 1e6, UTC))
            same_day = scene.whole_day or last_day == scene.today
            in_balance = await fleet.end_day(scene.today if same_day else None)
    except TimeoutError:
        text = f"not every balance and till could be asked within {CLOSING_SECONDS:.0f} s"
        auditor.report(Finding(Fault.UNRESOLVED, "", 0, 0, text))
    return _Closing(balances, in_balance)


def _report(
    settings: Settings,
    scene: _Scene,
    fleet: Fleet,
    tally: Tally,
    auditor: Auditor,
    closing: _Closing,
    started_at: str,
    before: Page | None,
    after: Page | None,
) -> PeakReport:
    per_second = SLICES / settings.drive_seconds
    decisions = None if before is None or after is None else after.since(before)
    agree = None if decisions is None else auditor.counts_agree(decisions)
    imbalance = None if after is None else after.imbalance
    # Whoever gave an address for them wants them to be looked at.
    unread = scene.http is not None and after is None
    holds = not auditor.faults and not imbalance and agree is not False and not unread
    return PeakReport(
        verdict=HOLDS if holds else BROKEN,
        seed=settings.seed,
        cards=len(scene.cards),
        scenario=settings.scenario.name,
        speed=settings.speed,
        drive_seconds=settings.drive_seconds,
        stations=fleet.stations,
        terminals=fleet.terminals,
        offered=tally.offered,
        answered=tally.answered,
        approved=tally.approved,
        declined_by_code=tally.declined_by_code(),
        technical_by_code=fleet.technical_by_code,
        not_served=tally.endings[Ending.NOT_SERVED],
        sold_offline=tally.endings[Ending.SOLD_OFFLINE],
        turned_away=tally.endings[Ending.TURNED_AWAY],
        retried=tally.retried,
        reversed=tally.reversed,
        time_outs=fleet.time_outs,
        offered_per_s_max=max(slice_.offered for slice_ in tally.slices) * per_second,
        answered_per_s_max=max(slice_.answered for slice_ in tally.slices) * per_second,
        lost=count(auditor.faults, Fault.LOST),
        doubled=count(auditor.faults, Fault.DOUBLED),
        faults={fault.value: number for fault, number in auditor.faults.items()},
        findings=auditor.findings,
        balances_checked=closing.balances,
        tills=fleet.tills,
        tills_in_balance=closing.tills_in_balance,
        suspense_minor_units=None if after is None else after.suspense,
        decisions_by_service=_by_service(auditor),
        imbalance_minor_units=imbalance,
        switch_counts_agree=agree,
        latency_ms=LatencyReport(tally.intended.percentiles(), tally.actual.percentiles()),
        started_at=started_at,
        versions=versions(),
    )


def _by_service(auditor: Auditor) -> dict[str, dict[str, int]]:
    decisions: dict[str, dict[str, int]] = {}
    for (service, code), number in sorted(auditor.counts.items()):
        decisions.setdefault(service, {})[f"{code:02d}"] = number
    return decisions
