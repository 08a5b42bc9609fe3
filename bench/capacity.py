"""`python -m bench.capacity --json FILE`: durable, encrypted purchases a second, side by side with a bare echo.

One run measures in turn, three times over: (c) the echo server, (b) 1,000 terminals with one request in flight each,
and (a) 64 concentrators with 64 each; with `--cluster`, (a) also of a switch on Ray, with one gateway. What is measured
has one core, its load the other. With `--watched`, (a) also while a console and a Prometheus look at the switch. CPU is
that of the whole process, and of every process that it started. Every second time, the order is the other way round.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic, process_time
from typing import Any, Final

import click
import msgspec
import uvloop
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench.campus import BenchCampus, Station, import_accounts, write_campus
from bench.load import Client, EchoClient
from bench.processes import Measured, cores, running
from switch.data_folder import SHARDS_MAX

REPEATS: Final = 3
APPROVED_SHARE_MIN: Final = 0.999
WATCHED: Final = "watched"
SCRAPE_S: Final = 5
SNAPSHOT_LAG_EVENTS: Final = 200_000
COLUMNS_MIN: Final = 110


class Figure(Struct, frozen=True):
    """One measurement of one load."""

    per_s: float
    cpu_us: float
    """CPU of the measured process for each answer."""

    load_cpu_share: float
    """Of one core, taken by the load generator; near 1 it was the bottleneck."""

    approved_share: float
    lag_start: int
    lag_end: int


async def measure(
    target: Measured,
    make: Sequence[Callable[[Counter[int]], Any]],
    seconds: float,
    warm_up_s: float,
    warm_up_min: int,
    *,
    watched: bool = False,
) -> Figure:
    """Drive `target` with the clients that `make` makes, and measure after `warm_up_s` and `warm_up_min` answers.

    `watched`: meanwhile, look at it as `tapswitch top` and a Prometheus do.
    """
    answers: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    clients = []
    for factory in make:
        _, client = await loop.create_connection(partial(factory, answers), *target.terminals)
        await client.signed_on
        clients.append(client)
    for client in clients:
        client.start()
    await asyncio.sleep(warm_up_s)
    while answers.total() < warm_up_min:  # noqa: ASYNC110 - an event set for every answer would burden the load
        await asyncio.sleep(0.05)
    lag_start = await loop.run_in_executor(None, _lag, target)
    before, began, cpu, own = answers.copy(), monotonic(), target.cpu_s(), process_time()
    watching = loop.create_task(_watch(target)) if watched else None
    await asyncio.sleep(seconds)
    if watching is not None:
        watching.cancel()
    elapsed, used, own = monotonic() - began, target.cpu_s() - cpu, process_time() - own
    counted = answers - before
    lag_end = await loop.run_in_executor(None, _lag, target)
    for client in clients:
        client.stop()
    await _settled(answers)
    for client in clients:
        client.close()
    total = counted.total()
    return Figure(total / elapsed, used / total * 1e6, own / elapsed, counted[0] / total, lag_start, lag_end)


async def _watch(target: Measured) -> None:
    """A look each second, a scrape each SCRAPE_S, both at once first."""
    loop = asyncio.get_running_loop()
    for second in count():
        began = monotonic()
        if not second % SCRAPE_S:
            assert await loop.run_in_executor(None, target.page, "/metrics"), "the switch has metrics"
        assert await loop.run_in_executor(None, target.page, "/status.json"), "the switch has a status"
        await asyncio.sleep(max(0.0, began + 1 - monotonic()))


async def _settled(answers: Counter[int]) -> None:
    """Wait until the last requests in flight are answered, so that they do not burden the next measurement."""
    seen = -1
    while answers.total() != seen:
        seen = answers.total()
        await asyncio.sleep(0.2)


def _lag(target: Measured) -> int:
    if target.http is None:
        return 0
    status = target.page("/status.json")
    assert status is not None, "the switch has a status"
    return sum(shard["snapshot_lag"] for shard in msgspec.json.decode(status)["shards"])


def _clients(stations: Sequence[Station]) -> list[Callable[[Counter[int]], Any]]:
    return [partial(Client, station, seed) for seed, station in enumerate(stations)]


def measure_all(
    campus: BenchCampus, seconds: float, repeats: int, cluster_shards: Sequence[int] = (), *, watched: bool = False
) -> dict[str, list[Figure]]:
    """The figures of every repeat, by load; of a cluster with N shards as `cluster_N`."""
    server_core, load_core = cores()
    os.sched_setaffinity(0, {load_core})
    loads: list[tuple[str, Measured, Sequence[Callable[[Counter[int]], Any]]]] = []
    figures: dict[str, list[Figure]] = {}
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> Measured:
            return stack.enter_context(running([*arguments], server_core, campus.folder / f"{name}.log"))

        echo = start("echo", "-m", "bench.echo")
        switch = start("switch", *_serve(campus, campus.data))
        loads += [("echo", echo, [EchoClient] * len(campus.lone)), ("terminals", switch, _clients(campus.lone)),
                  ("concentrators", switch, _clients(campus.concentrators))]  # fmt: skip
        if watched:
            loads.append((WATCHED, switch, _clients(campus.concentrators)))
        for shards in cluster_shards:
            data = campus.cluster_data(shards)
            import_accounts(campus, data, shards)
            cluster = start(f"cluster-{shards}", *_serve(campus, data), "--cluster", "local")
            loads.append((f"cluster_{shards}", cluster, _clients(campus.concentrators)))
        warm: set[Measured] = {echo}
        for repeat in range(repeats):
            for name, target, clients in loads if repeat % 2 == 0 else reversed(loads):
                warm_up_min = 0 if target in warm else int(SNAPSHOT_LAG_EVENTS * 1.2)
                warm.add(target)
                figure = uvloop.run(
                    measure(target, clients, seconds, 1.0, warm_up_min, watched=name == WATCHED)
                )  # fmt: skip
                figures.setdefault(name, []).append(figure)
    return figures


def _serve(campus: BenchCampus, data: Path) -> list[str]:
    return [
        "-m", "switch.command_line", "serve", "--data", str(data),
        "--campus", str(campus.campus_file), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
        "--log-level", "warning",
    ]  # fmt: skip


def summarise(figures: dict[str, list[Figure]]) -> dict[str, Any]:
    """The keys of the result file. A rate or a time is the median of the repeats, with their spread beside it."""
    summary: dict[str, Any] = {}
    for name, measured in figures.items():
        for key, values in (
            (f"{name}_per_s", [figure.per_s for figure in measured]),
            (f"{name}_cpu_us", [figure.cpu_us for figure in measured]),
        ):
            summary[key] = round(statistics.median(values), 3)
            summary[f"{key}_spread"] = [round(min(values), 3), round(max(values), 3)]
        summary[f"{name}_load_cpu_share"] = round(max(figure.load_cpu_share for figure in measured), 3)
        if name != "echo":
            summary[f"{name}_approved_share"] = min(figure.approved_share for figure in measured)
            summary[f"{name}_snapshot_lag_events"] = [[figure.lag_start, figure.lag_end] for figure in measured]
            summary[f"{name}_snapshot_lag_grew"] = any(
                figure.lag_end > 1.1 * max(figure.lag_start, SNAPSHOT_LAG_EVENTS) for figure in measured
            )
    if WATCHED in figures:
        summary |= _watched(figures)
    ratios = [ours.cpu_us / bare.cpu_us for ours, bare in zip(figures["terminals"], figures["echo"], strict=True)]
    clusters = [name for name in figures if name.startswith("cluster_")]
    for name in clusters:
        summary |= _beside_embedded(name, name, figures)
    if clusters:
        summary |= _beside_embedded("cluster", clusters[0], figures)
    summary["terminals_cpu_over_echo"] = round(statistics.median(ratios), 3)
    summary["terminals_cpu_over_echo_spread"] = [round(min(ratios), 3), round(max(ratios), 3)]
    return summary


def _beside_embedded(key: str, name: str, figures: dict[str, list[Figure]]) -> dict[str, Any]:
    """A cluster's throughput over the embedded switch's, and its CPU above it, each within one repeat.

    The first cluster's are also under `cluster_over_embedded` and `cluster_cpu_us_over_embedded`.
    """
    pairs = list(zip(figures[name], figures["concentrators"], strict=True))
    throughput = [cluster.per_s / embedded.per_s for cluster, embedded in pairs]
    cpu_us = [cluster.cpu_us - embedded.cpu_us for cluster, embedded in pairs]
    return {
        f"{key}_over_embedded": round(statistics.median(throughput), 3),
        f"{key}_over_embedded_spread": [round(min(throughput), 3), round(max(throughput), 3)],
        f"{key}_cpu_us_over_embedded": round(statistics.median(cpu_us), 3),
        f"{key}_cpu_us_over_embedded_spread": [round(min(cpu_us), 3), round(max(cpu_us), 3)],
    }


def _watched(figures: dict[str, list[Figure]]) -> dict[str, Any]:
    """Throughput and CPU while watched over those without, each within one repeat."""
    pairs = list(zip(figures[WATCHED], figures["concentrators"], strict=True))
    summary: dict[str, Any] = {}
    for key, ratios in (
        ("watched_over_not", [watched.per_s / alone.per_s for watched, alone in pairs]),
        ("watched_cpu_over_not", [watched.cpu_us / alone.cpu_us for watched, alone in pairs]),
    ):
        summary[key] = round(statistics.median(ratios), 4)
        summary[f"{key}_spread"] = [round(min(ratios), 4), round(max(ratios), 4)]
    return summary


def show(summary: dict[str, Any]) -> None:
    """Print the table."""
    table = Table(title="Capacity: one core for what is measured, one for its load; median of the repeats")
    for column in ("load", "answers/s", "CPU µs each", "spread µs", "load generator's CPU", "snapshot lag"):
        table.add_column(column, justify="left" if column == "load" else "right")
    labels = {
        "concentrators": "64 concentrators x 64 in flight",
        "terminals": "1,000 terminals x 1 in flight",
        "echo": "bare uvloop echo, 1,000 x 1",
    }
    if "watched_per_s" in summary:
        labels[WATCHED] = "64 x 64, watched"
    clusters = [key.removesuffix("_per_s") for key in summary if key.startswith("cluster_") and key.endswith("_per_s")]
    labels |= {name: f"64 x 64, on Ray, {name.removeprefix('cluster_')} shards" for name in clusters}
    for name, label in labels.items():
        low, high = summary[f"{name}_cpu_us_spread"]
        lag = summary.get(f"{name}_snapshot_lag_events", [])
        grew = " GREW" if summary.get(f"{name}_snapshot_lag_grew") else ""
        table.add_row(
            label, f"{summary[f'{name}_per_s']:,.0f}", f"{summary[f'{name}_cpu_us']:.2f}", f"{low:.2f} to {high:.2f}",
            f"{summary[f'{name}_load_cpu_share']:.0%}", f"{lag[-1][1]:,}{grew}" if lag else "",
        )  # fmt: skip
    console = Console(width=max(COLUMNS_MIN, Console().width))
    console.print(table)
    console.print(f"CPU of a terminal's purchase over a bare echo: {summary['terminals_cpu_over_echo']:.2f}")
    if "watched_over_not" in summary:
        console.print(
            f"{labels[WATCHED]}: {summary['watched_over_not']:.3f} of the throughput without, "
            f"{summary['watched_cpu_over_not']:.3f} of its CPU for each answer"
        )
    for name in clusters:
        console.print(
            f"{labels[name]}: {summary[f'{name}_over_embedded']:.2f} of the embedded switch's throughput, "
            f"{summary[f'{name}_cpu_us_over_embedded']:+.2f} µs of CPU for each answer"
        )


class ShardsType(click.ParamType[list[int]]):
    """Numbers of shards, as 1,2,4."""

    name = "N,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """The numbers."""
        numbers = str(value).split(",")
        if not all(number.isdecimal() and 1 <= int(number) <= SHARDS_MAX for number in numbers):
            self.fail(f"{value!r} is not like 1,2,4, each from 1 to {SHARDS_MAX}", param, ctx)
        return [int(number) for number in numbers]


SHARDS: Final = ShardsType()


@click.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result here.")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=4.0, show_default=True, help="Of each measurement.")
@click.option("--repeats", type=click.IntRange(1, 100), default=REPEATS, show_default=True)
@click.option("--cluster", is_flag=True, help="Measure a switch on Ray beside the embedded one.")
@click.option(
    "--watched", is_flag=True, help="Measure also what watching costs: a scrape each 5 s, a look each second."
)
@click.option(
    "--shards", type=SHARDS, default="1", show_default=True, help="With --cluster: numbers of shards, as 1,2,4."
)
def main(
    json_file: Path | None, seconds: float, repeats: int, shards: list[int], *, cluster: bool, watched: bool
) -> None:
    """Measure how many durable, encrypted purchases a second one core does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Beside the repository and not in /tmp, which may be memory: durability is what is measured.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        campus = write_campus(Path(folder))
        figures = measure_all(campus, seconds, repeats, shards if cluster else [], watched=watched)
        summary = summarise(figures)
    show(summary)
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    for name in [key.removesuffix("_approved_share") for key in summary if key.endswith("_approved_share")]:
        if summary[f"{name}_approved_share"] < APPROVED_SHARE_MIN:
            raise click.ClickException(f"{name}: only {summary[f'{name}_approved_share']:.2%} were approved")


if __name__ == "__main__":
    main()
