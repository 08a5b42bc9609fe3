"""Charts of a peak as inline SVG whose colours are CSS variables, so that the page decides between light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from simulators.tally import SLICES, Tally
from wire.codes import Code

# Stand-ins that no palette has; the text of the SVG is searched for them.
_VARIABLES: Mapping[str, str] = {
    "#010203": "var(--ink)",
    "#040506": "var(--grid)",
    "#070809": "var(--first)",
    "#0a0b0c": "var(--second)",
    "#0d0e0f": "var(--third)",
}
INK, GRID, FIRST, SECOND, THIRD = _VARIABLES

MEANINGS: Mapping[Code, str] = {
    Code.INVALID_AMOUNT: "invalid amount",
    Code.INVALID_TRANSACTION: "invalid transaction",
    Code.NO_SUCH_ACCOUNT: "no such account or card",
    Code.LOST_CARD: "lost card",
    Code.INSUFFICIENT_FUNDS: "insufficient funds",
    Code.EXPIRED_CARD: "expired card",
    Code.NOT_PERMITTED_TO_TERMINAL: "not permitted to terminal",
    Code.INCORRECT_PIN: "PIN required or wrong",
    Code.OVER_AMOUNT_LIMIT: "over amount limit",
    Code.RESTRICTED_CARD: "restricted card",
    Code.DUPLICATE: "duplicate with other content",
}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


class _Chart:
    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.svg = ""


def rates_chart(tally: Tally) -> str:
    """Offered against answered requests per second over the driving."""
    per_second = SLICES / tally.drive_seconds
    offered = [slice_.offered * per_second for slice_ in tally.slices]
    answered = [slice_.answered * per_second for slice_ in tally.slices]
    seconds = _middles(tally)
    with _chart(3.2) as chart:
        chart.axes.fill_between(seconds, offered, color=FIRST, alpha=0.25, linewidth=0, label="offered")
        chart.axes.plot(seconds, answered, color=SECOND, linewidth=1.6, label="answered")
        chart.axes.set_ylabel("requests per second")
        _time_axis(chart.axes, tally)
    return chart.svg


def latency_chart(tally: Tally) -> str:
    """Percentiles of the latency from the intended moment, over the driving, on a logarithmic scale."""
    middles = zip(_middles(tally), tally.slices, strict=True)
    answered = [(second, slice_.intended.percentiles()) for second, slice_ in middles if slice_.answered]
    seconds = [second for second, _ in answered]
    with _chart(3.2) as chart:
        for name, label, color in (("p99", "p99", THIRD), ("p90", "p90", FIRST), ("p50", "median", SECOND)):
            values = [getattr(percentiles, name) for _, percentiles in answered]
            chart.axes.plot(seconds, values, color=color, linewidth=1.6, label=label)
        if answered:
            chart.axes.set_yscale("log")
            chart.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            chart.axes.yaxis.set_minor_locator(NullLocator())
        chart.axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        chart.axes.set_ylabel("milliseconds")
        _time_axis(chart.axes, tally)
    return chart.svg


def declines_chart(tally: Tally) -> str:
    """Declines by code, most frequent first."""
    declined = [(code, count) for code, count in tally.by_code.most_common() if code is not Code.APPROVED]
    labels = [f"{code:02d} {MEANINGS.get(code, code.name.lower().replace('_', ' '))}" for code, _ in declined]
    counts = [count for _, count in declined]
    with _chart(0.9 + 0.36 * len(declined)) as chart:
        bars = chart.axes.barh(labels, counts, color=FIRST, height=0.62)
        chart.axes.bar_label(bars, padding=4, fmt="{:,.0f}")
        chart.axes.invert_yaxis()
        chart.axes.spines["bottom"].set_visible(False)
        chart.axes.set_xticks([])
        chart.axes.tick_params(length=0)
    return chart.svg


@contextmanager
def _chart(height: float) -> Iterator[_Chart]:
    with rc_context(_STYLE):
        figure = Figure(figsize=(9, height), layout="constrained")
        chart = _Chart(figure.add_subplot())
        chart.axes.set_axisbelow(True)
        yield chart
        output = io.StringIO()
        figure.savefig(output, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    chart.svg = _inline(output.getvalue())


def _inline(svg: str) -> str:
    """The svg element alone, as wide as its place, with variables for colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    return svg


def _middles(tally: Tally) -> list[float]:
    return [(index + 0.5) * tally.drive_seconds / SLICES for index in range(SLICES)]


def _time_axis(axes: Axes, tally: Tally) -> None:
    axes.set_xlim(0, tally.drive_seconds)
    axes.set_xlabel("seconds of the run")
    axes.grid(axis="y", linewidth=0.6)
    axes.set_ylim(bottom=None if axes.get_yscale() == "log" else 0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=3)
