"""What a person sees while taps are driven: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from time import monotonic

from msgspec import Struct
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulators.auditor.findings import Finding
from simulators.charts import MEANINGS
from simulators.fleet import Fleet
from simulators.latency import Percentiles
from simulators.money import format_yuan
from simulators.report import PeakReport
from simulators.tally import Tally
from wire.codes import Code

FRAME_SECONDS = 0.5
LINE_SECONDS = 5.0
SWITCH_INTERVAL_SECONDS = 0.0005
"""The display draws in a thread of its own; this short interval hands the interpreter back to the event loop."""


class Frame(Struct, frozen=True):
    """What one drawing shows: a value, so that it can be drawn in another thread."""

    offered: int
    offered_per_s: float
    answered_per_s: float
    queued: int
    retried: int
    reversed: int
    by_code: dict[Code, int]
    technical_by_code: dict[str, int]
    latency: Percentiles


class Display:
    """Draws a tally that others fill."""

    def __init__(self, console: Console, tally: Tally, planned: int, fleet: Fleet) -> None:
        self._console = console
        self._tally = tally
        self._fleet = fleet
        self._seen = (monotonic(), 0, 0)
        self._frame = self._take_frame(1.0)
        self._progress = Progress(
            TextColumn("[bold]requests"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            expand=True,
        )
        self._bar = self._progress.add_task("requests", total=planned)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Drawn while inside."""
        live = self._console.is_terminal
        task = asyncio.create_task(self._keep_frame_fresh() if live else self._print_lines())
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        drawing = Live(get_renderable=self._draw, console=self._console, refresh_per_second=1 / FRAME_SECONDS)
        try:
            with drawing if live else nullcontext():
                yield
                self._frame = self._take_frame(FRAME_SECONDS)
        finally:
            sys.setswitchinterval(interval)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _take_frame(self, seconds: float) -> Frame:
        tally = self._tally
        now = monotonic()
        at, offered, answered = self._seen
        past = max(now - at, seconds)
        self._seen = (now, tally.offered, tally.answered)
        return Frame(
            tally.offered,
            (tally.offered - offered) / past,
            (tally.answered - answered) / past,
            self._fleet.queued,
            tally.retried,
            tally.reversed,
            dict(sorted(tally.by_code.items())),
            self._fleet.technical_by_code,
            tally.coarse.percentiles(),
        )

    async def _keep_frame_fresh(self) -> None:
        while True:
            await asyncio.sleep(FRAME_SECONDS)
            self._frame = self._take_frame(FRAME_SECONDS)

    async def _print_lines(self) -> None:
        while True:
            await asyncio.sleep(LINE_SECONDS)
            frame = self._take_frame(LINE_SECONDS)
            technical = "".join(f"; {code} x {count}" for code, count in frame.technical_by_code.items())
            self._console.print(
                f"{frame.offered} offered ({frame.offered_per_s:.0f}/s), "
                f"{sum(frame.by_code.values())} answered ({frame.answered_per_s:.0f}/s), "
                f"{frame.by_code.get(Code.APPROVED, 0)} approved; latency ms p50 {frame.latency.p50:.1f}, "
                f"p99 {frame.latency.p99:.1f}, max {frame.latency.max:.1f}; {frame.queued} queued{technical}",
                soft_wrap=True,
            )

    def _draw(self) -> RenderableType:
        frame = self._frame
        self._progress.update(self._bar, completed=frame.offered)
        columns = Table.grid(expand=True, padding=(0, 2))
        for _ in range(3):
            columns.add_column(ratio=1)
        columns.add_row(_flow(frame), _latencies(frame), _answers(frame))
        return Panel(Group(self._progress, "", columns), title="tapswitch peak", border_style="blue")


def _flow(frame: Frame) -> Table:
    table = _figures("per second")
    table.add_row("offered", f"{frame.offered_per_s:,.0f}")
    table.add_row("answered", f"{frame.answered_per_s:,.0f}")
    table.add_row("queued now", f"{frame.queued:,}")
    table.add_row("sent again", f"{frame.retried:,}")
    table.add_row("reversed", f"{frame.reversed:,}")
    return table


def _latencies(frame: Frame) -> Table:
    latency = frame.latency
    table = _figures("latency, ms")
    for name, value in (("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999)):
        table.add_row(name, f"{value:,.1f}")
    table.add_row("max", f"{latency.max:,.1f}")
    return table


def _answers(frame: Frame) -> Table:
    table = _figures("answers")
    for code, count in frame.by_code.items():
        name = "approved" if code is Code.APPROVED else MEANINGS.get(code, code.name.lower())
        table.add_row(f"{code:02d} {name}", f"{count:,}")
    for number, count in frame.technical_by_code.items():
        table.add_row(f"{number} undecided", f"{count:,}")
    return table


def _figures(title: str) -> Table:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_row(f"[bold not dim]{title}", "")
    return table


def print_closing(console: Console, report: PeakReport, folder: str) -> None:
    """The closing table, the verdict, and where the report is."""
    table = Table(title="the peak", show_header=False, title_style="bold")
    table.add_column()
    table.add_column(justify="right")
    for name, value in _closing_rows(report):
        table.add_row(name, value)
    console.print(table)
    for finding in report.findings[:10]:
        console.print(f"[red]{finding.fault}[/] {_where(finding)}: {finding.explanation}", highlight=False)
    faults = sum(report.faults.values())
    console.print(
        "[bold green]The audit holds.[/]" if report.holds else f"[bold red]The audit is broken: {faults} faults.[/]"
    )
    console.print(f"Report: {folder}/report.html", soft_wrap=True)


def _where(finding: Finding) -> str:
    if finding.account:
        return f"account {finding.account}"
    return f"terminal {finding.terminal}" if finding.terminal else "the switch"


def _closing_rows(report: PeakReport) -> list[tuple[str, str]]:
    latency = report.latency_ms
    return [
        ("requests offered", f"{report.offered:,}"),
        ("answered", f"{report.answered:,}"),
        ("approved", f"{report.approved:,}"),
        *((f"declined {code}", f"{count:,}") for code, count in report.declined_by_code.items()),
        *((f"answered {code}, undecided", f"{count:,}") for code, count in report.technical_by_code.items()),
        ("sent again", f"{report.retried:,}"),
        ("reversed", f"{report.reversed:,}"),
        *(
            (name, f"{count:,}")
            for name, count in (
                ("not served", report.not_served),
                ("sold offline, then uploaded", report.sold_offline),
                ("turned away by a terminal without connection", report.turned_away),
            )
            if count
        ),
        ("answered per second at the peak", f"{report.answered_per_s_max:,.0f}"),
        (
            "latency p50 / p99 / p99.9 ms",
            f"{latency.intended.p50:.2f} / {latency.intended.p99:.2f} / {latency.intended.p999:.2f}",
        ),
        ("balances checked", f"{report.balances_checked:,}"),
        ("tills in balance", f"{report.tills_in_balance:,} of {report.tills:,}"),
        ("lost", f"{report.lost:,}"),
        ("counted twice", f"{report.doubled:,}"),
        ("ledger imbalance", _known(report.imbalance_minor_units)),
        ("in suspense, yuan", _yuan(report.suspense_minor_units)),
        ("switch's counts agree", _known(report.switch_counts_agree)),
    ]


def _yuan(minor_units: int | None) -> str:
    return "not known" if minor_units is None else format_yuan(minor_units)


def _known(value: int | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not known" if value is None else f"{value:,}"
