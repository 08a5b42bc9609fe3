"""The result of a peak as a value, and the two files that keep it."""

from __future__ import annotations

import importlib.metadata
import platform
from importlib.resources import files
from pathlib import Path

import jinja2
import msgspec
from msgspec import Struct

from simulators.auditor.findings import Fault, Finding
from simulators.charts import declines_chart, latency_chart, rates_chart
from simulators.latency import Percentiles
from simulators.money import format_yuan
from simulators.tally import Tally

FINDINGS_SHOWN = 50
HOLDS = "holds"
BROKEN = "broken"
_PACKAGES = ("tapswitch", "msgspec", "cryptography", "uvloop", "hdrhistogram")


class LatencyReport(Struct, frozen=True):
    """Milliseconds from the intended, and from the actual moment of sending, to the first decided answer."""

    intended: Percentiles
    actual: Percentiles


class PeakReport(Struct, frozen=True):
    """What report.json holds. Money in minor units, times in seconds unless named otherwise."""

    verdict: str
    """HOLDS if the auditor found nothing and the switch's own figures do not contradict it, otherwise BROKEN."""

    seed: int
    cards: int
    scenario: str
    speed: float
    drive_seconds: float
    stations: int
    terminals: int
    offered: int
    answered: int
    approved: int
    declined_by_code: dict[str, int]
    technical_by_code: dict[str, int]
    """Answers that decided nothing (30, 63, 68, 91, 96), inquiries' among them."""

    decisions_by_service: dict[str, dict[str, int]]
    """How often each code was decided, or an inquiry answered."""

    not_served: int
    """Visits that were certainly refused for now (91) or too late (68), and given up."""

    sold_offline: int
    """Meals that a terminal sold while it was cut off; each is uploaded as an advice."""

    turned_away: int
    """By terminals that were cut off, and may not do alone what was asked."""

    retried: int
    reversed: int
    time_outs: int
    offered_per_s_max: float
    answered_per_s_max: float
    """Of the hundredths of the driving, the busiest."""

    lost: int
    doubled: int
    faults: dict[str, int]
    findings: list[Finding]
    balances_checked: int
    tills: int
    tills_in_balance: int
    """Terminals with which the switch agrees about the whole business day; 0 where nobody knows all of that day."""

    suspense_minor_units: int | None
    """What the switch has in suspense at the end."""

    imbalance_minor_units: int | None
    switch_counts_agree: bool | None
    latency_ms: LatencyReport
    started_at: str
    versions: dict[str, str]

    @property
    def holds(self) -> bool:
        """Whether the verdict is good."""
        return self.verdict == HOLDS


def versions() -> dict[str, str]:
    """Of Python, the system and the packages that a result depends on."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "system": platform.platform(), **packages}


def count(faults: dict[Fault, int], fault: Fault) -> int:
    """How often `fault` was found."""
    return faults.get(fault, 0)


def write_report(folder: Path, report: PeakReport, tally: Tally) -> None:
    """Write report.json and the self-contained report.html into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    (folder / "report.html").write_text(render_html(report, tally), encoding="utf-8")


def render_html(report: PeakReport, tally: Tally) -> str:
    """The page: figures, charts as inline SVG, findings, versions."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("simulators").joinpath("report.html").read_text(encoding="utf-8"))
    return template.render(
        report=report,
        yuan=format_yuan,
        rates=rates_chart(tally),
        latency=latency_chart(tally),
        declines=declines_chart(tally),
        findings=report.findings[:FINDINGS_SHOWN],
    )
