"""What is said of a switch that was driven: the report, and whether the audit holds."""

from __future__ import annotations

from typing import NamedTuple

from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.fleet import Fleet
from simulators.metrics_page import Page
from simulators.report import BROKEN, HOLDS, LatencyReport, PeakReport, count, versions
from simulators.requester import Ending
from simulators.scene import Scene, Settings
from simulators.tally import SLICES, Tally


class Driven(NamedTuple):
    """Everything that is known when everybody has gone."""

    settings: Settings
    scene: Scene
    fleet: Fleet
    tally: Tally
    auditor: Auditor
    before: Page | None
    """The switch's metrics before the first visit; None: it has none, or they could not be read."""

    after: Page | None
    balances_checked: int
    tills_in_balance: int
    started_at: str
    """UTC, as ISO 8601 writes it."""


def report_of(driven: Driven) -> PeakReport:
    """The report with its verdict."""
    per_second = SLICES / driven.settings.drive_seconds
    before, after, auditor, fleet, tally = driven.before, driven.after, driven.auditor, driven.fleet, driven.tally
    decisions = None if before is None or after is None else after.since(before)
    agree = None if decisions is None else auditor.counts_agree(decisions)
    imbalance = None if after is None else after.imbalance
    # Whoever gave an address for them wants them to be looked at.
    unread = driven.scene.http is not None and after is None
    holds = not auditor.faults and not imbalance and agree is not False and not unread
    return PeakReport(
        verdict=HOLDS if holds else BROKEN,
        seed=driven.settings.seed,
        cards=len(driven.scene.cards),
        scenario=driven.settings.scenario.name,
        speed=driven.settings.speed,
        drive_seconds=driven.settings.drive_seconds,
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
        balances_checked=driven.balances_checked,
        tills=fleet.tills,
        tills_in_balance=driven.tills_in_balance,
        suspense_minor_units=None if after is None else after.suspense,
        decisions_by_service=_by_service(auditor),
        imbalance_minor_units=imbalance,
        switch_counts_agree=agree,
        latency_ms=LatencyReport(tally.intended.percentiles(), tally.actual.percentiles()),
        started_at=driven.started_at,
        versions=versions(),
    )


def _by_service(auditor: Auditor) -> dict[str, dict[str, int]]:
    decisions: dict[str, dict[str, int]] = {}
    for (service, code), number in sorted(auditor.counts.items()):
        decisions.setdefault(service, {})[f"{code:02d}"] = number
    return decisions
