"""Drive a scenario open-loop against a switch, settle, and ask at the end for everything that can be checked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from heapq import merge
from operator import itemgetter
from time import monotonic

from rich.console import Console

from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault, Finding
from simulators.auditor.world import Rules
from simulators.bad_input import BadInputError
from simulators.display import Display
from simulators.fleet import Fleet
from simulators.metrics_page import read_page
from simulators.plan import Visit, plan_visits
from simulators.report import PeakReport, write_report
from simulators.scenario import Outage
from simulators.scene import Scene, Settings
from simulators.tally import Tally
from simulators.verdict import Driven, report_of

SETTLE_SECONDS = 60.0
CLOSING_SECONDS = 120.0


Happening = Callable[[float], None]
"""Called with the monotonic time at which it is due."""


async def drive(settings: Settings, scene: Scene, console: Console) -> PeakReport:
    """Write the report too. Raises BadInputError where there is nothing to drive."""
    auditor = auditor_of(scene)
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
        balances, in_balance = await _close(scene, fleet, auditor)
    auditor.finish()
    after = await read_page(scene.http)
    if before is not None and after is not None and after.since(before) is not None:
        auditor.judge_suspense((after.suspense or 0) - (before.suspense or 0))
    report = report_of(
        Driven(
            settings, scene, fleet, tally, auditor, before, after, balances_checked=balances,
            tills_in_balance=in_balance, started_at=started_at,
        )
    )  # fmt: skip
    write_report(settings.report, report, tally)
    return report


async def _begin_day(scene: Scene, fleet: Fleet) -> None:
    first = fleet.switch_time_us if scene.first_offline_number is None else scene.first_offline_number
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await fleet.begin_day(scene.today, first)
    except TimeoutError:
        raise BadInputError(f"{scene.address}: terminals got no parameters within {CLOSING_SECONDS:.0f} s") from None


def auditor_of(scene: Scene) -> Auditor:
    """Who judges the switch from what the scene knows of it."""
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


async def _close(scene: Scene, fleet: Fleet, auditor: Auditor) -> tuple[int, int]:
    """Ask for every balance, reconcile every till; the auditor judges each of them. How many of both were good."""
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
    return balances, in_balance
