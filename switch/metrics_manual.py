"""`python -m switch.metrics_manual FILE` writes the page of the manual that lists every metric."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from switch.meters import BATCH_EDGES, LATENCY_EDGES_S, LOOP_LAG_EDGES_S
from switch.metric_catalogue import CATALOGUE, LABELS, PREFIX, Described, Sort

_HEAD: Final = f"""\
# Metrics

Every process of the switch serves them at `/metrics`. An embedded switch is one process and has all of them but the
supervisor's; a switch on Ray has each in the processes that are named here, and `/targets` of `tapswitch serve` says
where these are. This page is made from the code by `make manual`.

All names begin with `{PREFIX}`. Counters begin at 0 with each start of a process; amounts are minor units (fen), times
seconds. A series under whose labels nothing was counted yet is not there: write `or vector(0)` where that matters.
Beside these, each process has the usual `process_`, `python_` and `python_gc_` metrics.

Labels come from closed sets, so a process with one shard stays below 300 series. Each further shard in the same process
has {{per_shard}} more, and two for each of its checks.
"""
_EDGES: Final = {
    "latency_seconds": LATENCY_EDGES_S,
    "event_loop_lag_seconds": LOOP_LAG_EDGES_S,
    "batch_events": BATCH_EDGES,
}


def page() -> str:
    """The whole page."""
    per_shard = sum("shard" in described.labels for described in CATALOGUE.values())
    return "\n".join([_HEAD.format(per_shard=per_shard), *_metrics(), "", *_labels(), "", *_edges(), ""])


def _metrics() -> Iterator[str]:
    yield "| metric | type | labels | process | meaning |"
    yield "|---|---|---|---|---|"
    yield from map(_row, CATALOGUE.values())


def _row(described: Described) -> str:
    name = PREFIX + described.name + ("_total" if described.sort is Sort.COUNTER else "")
    labels = ", ".join(f"`{label}`" for label in described.labels)
    return f"| `{name}` | {described.sort} | {labels} | {described.owner} | {described.meaning} |"


def _labels() -> Iterator[str]:
    yield "## Labels"
    yield ""
    yield "| label | what it says |"
    yield "|---|---|"
    for label, says in LABELS.items():
        yield f"| `{label}` | {says} |"


def _edges() -> Iterator[str]:
    yield "## Edges of the histograms"
    yield ""
    for name, edges in _EDGES.items():
        yield f"- `{PREFIX}{name}`: {', '.join(f'{edge:g}' for edge in edges)}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
