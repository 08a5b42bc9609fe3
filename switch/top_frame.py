"""What `tapswitch top` shows: a status as one screenful."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from switch.activity import Activity, Busy
from switch.logs import LogLine
from switch.readiness import Check
from switch.switch_status import SwitchStatus

CODES_MAX: Final = 7
SHARDS_MAX: Final = 6
BUSIEST_MAX: Final = 5
PROBLEMS_MAX: Final = 5


def frame(status: SwitchStatus, trouble: str | None = None) -> RenderableType:
    """The switch as it said that it is. `trouble`: why it says nothing now; then everything else is as it last was."""
    parts: list[RenderableType] = [_side_by_side(_rate(status.activity), _latency(status.activity))]
    attention = [check for check in status.checks if check.warning or not check.ok]
    if attention:
        parts.append(_attention(attention))
    parts.append(_shards(status))
    busiest = (("busiest merchants", status.activity.merchants), ("busiest stations", status.activity.stations))
    parts.append(_side_by_side(*(_busiest(title, found) for title, found in busiest)))
    parts.append(_problems(status.problems))
    title = Text.assemble(("tapswitch", "bold"), f" {status.campus} ", _verdict(status, trouble))
    foot = f"{_when(status)}, registry version {status.registry}, the last {status.activity.seconds:.0f} s"
    return Panel(Group(*parts), title=title, subtitle=foot, border_style="red" if _is_bad(status, trouble) else "blue")


def waiting_frame(trouble: str) -> RenderableType:
    """Before the switch has ever answered."""
    return Panel(Text(trouble, "red"), title="tapswitch", border_style="red")


def _is_bad(status: SwitchStatus, trouble: str | None) -> bool:
    return trouble is not None or not status.ready


def _verdict(status: SwitchStatus, trouble: str | None) -> tuple[str, str]:
    if trouble is not None:
        return trouble, "bold red"
    return ("ready", "bold green") if status.ready else ("NOT READY", "bold red")


def _when(status: SwitchStatus) -> str:
    time = datetime.fromtimestamp(status.time_us / 1_000_000, UTC)
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" + (", simulated" if status.simulated_clock else "")


def _side_by_side(*tables: Table) -> Table:
    grid = Table.grid(expand=True, padding=(0, 2))
    for _ in tables:
        grid.add_column(ratio=1)
    grid.add_row(*tables)
    return grid


def _table(*heads: tuple[str, bool]) -> Table:
    """Columns of (head, whether it has numbers)."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    for head, is_number in heads:
        table.add_column(head, justify="right" if is_number else "left", no_wrap=is_number, overflow="ellipsis")
    return table


def _rate(activity: Activity) -> Table:
    table = _table(("answers", False), ("a second", True), ("share", True))
    answered = activity.answered_per_s
    table.add_row(Text("all", "bold"), Text(_per_s(answered), "bold"), "")
    most = sorted(activity.codes, key=lambda code: -code.per_s)
    for code in most[:CODES_MAX]:
        table.add_row(
            f"{code.code} {code.meaning}", _per_s(code.per_s), f"{code.per_s / answered:.1%}" if answered else ""
        )
    if activity.repeats_per_s:
        table.add_row("copies answered again", _per_s(activity.repeats_per_s), "")
    return table


def _latency(activity: Activity) -> Table:
    table = _table(("latency, ms", False), ("p50", True), ("p90", True), ("p99", True), ("p99.9", True))
    for stage, found in activity.latency_ms.items():
        slowest = stage == activity.slowest_stage
        name = Text(f"{stage} (slowest)" if slowest else stage, "yellow" if slowest else "")
        table.add_row(name, *(f"{ms:,.1f}" for ms in (found.p50, found.p90, found.p99, found.p999)))
    if not activity.latency_ms:
        table.add_row(Text("nothing was asked", "dim"))
    return table


def _attention(checks: Iterable[Check]) -> Table:
    table = _table(("look at this", False), ("", False))
    for check in checks:
        style = "yellow" if check.ok else "red"
        table.add_row(Text(check.name, style), Text(check.explanation, style))
    return table


def _shards(status: SwitchStatus) -> Table:
    table = _table(
        ("shard", False), ("position", True), ("mailbox", True), ("snapshot lag", True), ("imbalance", True),
        ("connections", True), ("state", False),
    )  # fmt: skip
    worst = sorted(status.shards, key=lambda shard: (shard.problem is None, -shard.mailbox, shard.first_slot))
    for shard in worst[:SHARDS_MAX]:
        table.add_row(
            shard.name, f"{shard.position:,}", f"{shard.mailbox:,}", f"{shard.snapshot_lag:,}",
            Text(f"{shard.imbalance / 100:,.2f}", "bold red" if shard.imbalance else ""), "", _state(shard.problem),
        )  # fmt: skip
    if len(worst) > SHARDS_MAX:
        table.add_row(Text(f"and {len(worst) - SHARDS_MAX} more", "dim"))
    for gateway in status.gateways:
        waiting = f"{gateway.waiting:,}"
        table.add_row(gateway.name, "", waiting, "", "", f"{gateway.connections:,}", _state(gateway.problem))
    return table


def _state(problem: str | None) -> Text:
    return Text("serving", "green") if problem is None else Text(problem, "red")


def _busiest(title: str, found: Sequence[Busy]) -> Table:
    table = _table((title, False), ("requests/s", True))
    for busy in found[:BUSIEST_MAX]:
        table.add_row(Text(busy.name), _per_s(busy.per_s))
    if not found:
        table.add_row(Text("none", "dim"))
    return table


def _problems(problems: Sequence[LogLine]) -> Table:
    table = _table(("newest warnings and errors (UTC)", False), ("", False))
    for line in reversed(problems[-PROBLEMS_MAX:]):
        style = "yellow" if line.level == "warning" else "red"
        said = f"{line.event} ({line.details})" if line.details else line.event
        table.add_row(Text(f"{line.time[11:19]} {line.level}", style), Text(said, no_wrap=True, overflow="ellipsis"))
    if not problems:
        table.add_row(Text("none", "dim"))
    return table


def _per_s(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:,.1f}"
