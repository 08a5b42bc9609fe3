"""What a person sees while lunch is driven: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulators.charts import MEANINGS
from simulators.fleet import Fleet
from simulators.report import PeakReport
from simulators.tally import Tally
from wire.codes import Code

REFRESHES_PER_SECOND = 4
PLAIN_SECONDS = 5.0
SWITCH_INTERVAL_SECONDS = 0.0005
"""The display draws in a thread of its own; this short interval hands the interpreter back to the event loop."""


class _Rates:
    """Offered and answered per second since the last look."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._seen = (0.0, 0, 0)
        self._rates = (0.0, 0.0)

    def look(self, now: float) -> tuple[float, float]:
        at, offered, answered = self._seen
        if now - at >= 0.5:
            self._rates = ((self._tally.offered - offered) / (now - at), (self._tally.answered - answered) / (now - at))
            self._seen = (now, self._tally.offered, self._tally.answered)
        return self._rates


class Display:
    """Draws a tally that others fill."""

    def __init__(self, console: Console, tally: Tally, planned: int, fleet: Fleet) -> None:
        self._console = console
        self._tally = tally
        self._fleet = fleet
        self._loop = asyncio.get_running_loop()
        self._rates = _Rates(tally)
        self._progress = Progress(
            TextColumn("[bold]lunch"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            expand=True,
        )
        self._bar = self._progress.add_task("lunch", total=planned)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Drawn while inside."""
        if self._console.is_terminal:
            before = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
            try:
                with Live(get_renderable=self._draw, console=self._console, refresh_per_second=REFRESHES_PER_SECOND):
                    yield
            finally:
                sys.setswitchinterval(before)
            return
        lines = asyncio.create_task(self._print_lines())
        try:
            yield
        finally:
            lines.cancel()
            await asyncio.gather(lines, return_exceptions=True)

    async def _print_lines(self) -> None:
        while True:
            await asyncio.sleep(PLAIN_SECONDS)
            tally, latency = self._tally, self._tally.intended.percentiles()
            offered, answered = self._rates.look(self._loop.time())
            self._console.print(
                f"{tally.offered} offered ({offered:.0f}/s), {tally.answered} answered ({answered:.0f}/s), "
                f"{tally.approved} approved; latency ms p50 {latency.p50:.2f}, p99 {latency.p99:.2f}, "
                f"max {latency.max:.1f}; {self._fleet.queued} queued"
            )

    def _draw(self) -> RenderableType:
        self._progress.update(self._bar, completed=self._tally.offered)
        columns = Table.grid(expand=True, padding=(0, 2))
        columns.add_column(ratio=1)
        columns.add_column(ratio=1)
        columns.add_column(ratio=1)
        columns.add_row(self._flow(), self._latencies(), self._answers())
        return Panel(Group(self._progress, "", columns), title="tapswitch peak", border_style="blue")

    def _flow(self) -> Table:
        offered, answered = self._rates.look(self._loop.time())
        table = _figures("per second")
        table.add_row("offered", f"{offered:,.0f}")
        table.add_row("answered", f"{answered:,.0f}")
        table.add_row("queued now", f"{self._fleet.queued:,}")
        table.add_row("sent again", f"{self._tally.retried:,}")
        table.add_row("reversed", f"{self._tally.reversed:,}")
        return table

    def _latencies(self) -> Table:
        latency = self._tally.intended.percentiles()
        table = _figures("latency, ms")
        for name, value in (("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999)):
            table.add_row(name, f"{value:,.2f}")
        table.add_row("max", f"{latency.max:,.1f}")
        return table

    def _answers(self) -> Table:
        table = _figures("answers")
        for code, count in sorted(self._tally.by_code.copy().items()):
            name = "approved" if code is Code.APPROVED else MEANINGS.get(code, code.name.lower())
            table.add_row(f"{code:02d} {name}", f"{count:,}")
        return table


def _figures(title: str) -> Table:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_row(f"[bold not dim]{title}", "")
    return table


def print_closing(console: Console, report: PeakReport, folder: str) -> None:
    """The closing table, the verdict, and where the report is."""
    table = Table(title="the lunch", show_header=False, title_style="bold")
    table.add_column()
    table.add_column(justify="right")
    latency = report.latency_ms
    for name, value in (
        ("taps offered", f"{report.offered:,}"),
        ("answered", f"{report.answered:,}"),
        ("approved", f"{report.approved:,}"),
        *((f"declined {code}", f"{count:,}") for code, count in report.declined_by_code.items()),
        ("sent again", f"{report.retried:,}"),
        ("reversed", f"{report.reversed:,}"),
        ("answered per second at the peak", f"{report.answered_per_s_max:,.0f}"),
        (
            "latency p50 / p99 / p99.9 ms",
            f"{latency.intended.p50:.2f} / {latency.intended.p99:.2f} / {latency.intended.p999:.2f}",
        ),
        ("balances checked", f"{report.balances_checked:,}"),
        ("lost", f"{report.lost:,}"),
        ("counted twice", f"{report.doubled:,}"),
        ("ledger imbalance", _known(report.imbalance_minor_units)),
        ("switch's counts agree", _known(report.switch_counts_agree)),
    ):
        table.add_row(name, value)
    console.print(table)
    for finding in report.findings[:10]:
        console.print(f"[red]{finding.fault}[/] account {finding.account}: {finding.explanation}", highlight=False)
    faults = sum(report.faults.values())
    console.print(
        "[bold green]The audit holds.[/]" if report.holds else f"[bold red]The audit is broken: {faults} faults.[/]"
    )
    console.print(f"Report: {folder}/report.html", soft_wrap=True)


def _known(value: int | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not known" if value is None else f"{value:,}"
