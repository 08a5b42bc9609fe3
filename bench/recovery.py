"""`python -m bench.recovery --json FILE`: how long after a kill the accounts that it touched are approved again.

A switch runs on a Ray of three machines, all of them on this one: the head, and two nodes with a shard and a gateway
each. Under a light load, one round after the other kills a shard's process, a gateway's, or a node with everything on
it, which is then started again at once. A sample is the time from the kill to the first approval of a purchase that
was sent after it: on an account of the shard that was hit, or on a terminal that lost its connection with its gateway.
At the end the journals are verified; every approval must be in them, and no request may have been decided twice.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.table import Table

from actors.account.events import Decided
from actors.account.kind import ACCOUNT
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from bench.campus import BenchCampus, write_campus
from bench.kills import Asked, RecoveryError, Round, Running, Victim, measure
from bench.nodes import LOST_SOON, Node, free_port, fresh_token
from bench.processes import running
from switch.data_folder import close_all, open_all, shard_folder
from switch.reports import report_console
from wire.codes import Code

HEAD: Final = "127.0.0.2"
WORKERS: Final = ("127.0.0.3", "127.0.0.4")
"""Each has the shard of its place here, and a gateway."""

SHARDS: Final = len(WORKERS)
PROCESSES: Final = [Victim(kind, number) for kind in ("shard", "gateway") for number in range(SHARDS)]
NODES: Final = [Victim("node", number) for number in range(SHARDS)]
VICTIMS: Final = {"process": PROCESSES, "node": NODES, "all": PROCESSES + NODES}
LABELS: Final = {"shard": "a shard's process", "gateway": "a gateway's process", "node": "a node"}
EXPECTED: Final = frozenset({Code.APPROVED, Code.TRY_AGAIN, Code.TOO_LATE, Code.SYSTEM_MALFUNCTION, None})
"""All that a good card may be answered while something is lost; None is no answer."""


@contextmanager
def cluster(campus: BenchCampus, *, tuned: bool) -> Iterator[Running]:
    """Nodes and switch, until the block ends. Raises RuntimeError if one does not start, or does not end well."""
    environment = os.environ | {"RAY_AUTH_TOKEN": fresh_token()}
    head = f"{HEAD}:{free_port(HEAD)}"
    with ExitStack() as stack:

        def node(name: str, options: list[str], variables: dict[str, str]) -> Node:
            return stack.enter_context(Node(options, campus.folder / f"{name}.log", variables))

        node("head", ["--head", head], environment | (LOST_SOON if tuned else {}))
        nodes = [
            node(
                f"node-{number}",
                ["--join", head, "--host", host, "--data", str(node_data(campus, number)), "--gateways", "1"],
                environment,
            )
            for number, host in enumerate(WORKERS)
        ]
        serve = [
            "-m", "switch.command_line", "serve", "--cluster", head, "--shards", str(SHARDS), "--gateways", str(SHARDS),
            "--campus", str(campus.campus_file), "--listen", f"127.0.0.1:{free_port('127.0.0.1')}",
            "--http", "127.0.0.1:0",
        ]  # fmt: skip
        yield Running(nodes, stack.enter_context(running(serve, None, campus.folder / "serve.log", environment)))


def node_data(campus: BenchCampus, node: int) -> Path:
    """The data folder of one node."""
    return campus.folder / f"data-{node}"


def give_shards_to_nodes(campus: BenchCampus) -> None:
    """Each node's data folder gets its shard."""
    for shard in range(SHARDS):
        node_data(campus, shard).mkdir()
        shard_folder(campus.data, shard).rename(shard_folder(node_data(campus, shard), shard))


def take_shards_back(campus: BenchCampus) -> None:
    """All shards in one data folder again."""
    for shard in range(SHARDS):
        shard_folder(node_data(campus, shard), shard).rename(shard_folder(campus.data, shard))


def check(data: Path, asked: Asked) -> str:
    """What `verify` prints. Raises RecoveryError if it finds a fault, or if a terminal was answered something wrong."""
    verify = [sys.executable, "-m", "switch.command_line", "verify", "--data", str(data)]
    verified = subprocess.run(verify, capture_output=True, text=True, check=False)
    if verified.returncode:
        raise RecoveryError(f"verify found a fault:\n{verified.stderr}")
    compare(asked, journaled(data))
    return verified.stdout


def compare(asked: Asked, decided: Sequence[Decided]) -> None:
    """Raises RecoveryError unless what was answered is what good cards may be, and was decided, and that once."""
    if unexpected := asked.codes.keys() - EXPECTED:
        raise RecoveryError(f"a good card was answered {unexpected}")
    authorizations = set(asked.authorizations)
    if twice := len(asked.authorizations) - len(authorizations):
        raise RecoveryError(f"{twice} approvals had an authorization number that was given before")
    if lost := authorizations - {event.authorization for event in decided if hasattr(event, "authorization")}:
        raise RecoveryError(f"{len(lost)} approvals are in no journal: {sorted(lost)[:5]}")
    # Gateways send again what a lost shard left unanswered. A copy's second effect would have a number of its own.
    times = Counter((event.terminal, event.stan) for event in decided)
    if doubled := [request for request, count in times.items() if count > 1]:
        raise RecoveryError(f"{len(doubled)} requests were decided more than once: {doubled[:5]}")


def journaled(data: Path) -> list[Decided]:
    """Every decision in all journals."""
    stores = open_all(data, LmdbStore.open_read_only)
    try:
        events = [event for store in stores for _, event in Journal(store, ACCOUNT.event_type).events(1)]
    finally:
        close_all(stores)
    return [event for event in events if isinstance(event, Decided)]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below so large a share of all (nearest rank)."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def summarise(rounds: Sequence[Round]) -> dict[str, Any]:
    """The keys of the result file, for each kind of kill that there was."""
    summary: dict[str, Any] = {}
    for kind in LABELS:
        mine = [measured for measured in rounds if measured.kind == kind]
        if samples := [sample for measured in mine for sample in measured.samples_s]:
            summary[f"{kind}_rounds"] = len(mine)
            summary[f"{kind}_samples"] = len(samples)
            summary[f"{kind}_p50_s"] = round(percentile(samples, 0.5), 3)
            summary[f"{kind}_p99_s"] = round(percentile(samples, 0.99), 3)
            summary[f"{kind}_max_s"] = round(max(samples), 3)
    return summary


def show(summary: dict[str, Any]) -> None:
    """Print the table."""
    detection = "tuned" if summary["tuned"] else "Ray's default"
    table = Table(title=f"Seconds from a kill to the next approval; detection of lost nodes: {detection}")
    columns = ("rounds", "samples", "p50_s", "p99_s", "max_s")
    table.add_column("killed")
    for column in columns:
        table.add_column(column.removesuffix("_s"), justify="right")
    for kind, label in LABELS.items():
        if f"{kind}_rounds" in summary:
            table.add_row(label, *(str(summary[f"{kind}_{column}"]) for column in columns))
    report_console().print(table)


@click.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result here.")
@click.option("--rounds", type=click.IntRange(min=1), default=50, show_default=True, help="How often to kill.")
@click.option("--kill", type=click.Choice(list(VICTIMS)), default="all", show_default=True, help="What to kill.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Chooses what is killed, and whose approval counts."
)
@click.option("--tuned", is_flag=True, help="Let Ray give a node up after 2 s instead of its default.")
def main(json_file: Path | None, rounds: int, kill: str, seed: int, *, tuned: bool) -> None:
    """Measure how long after a kill the accounts that it touched are approved again."""
    # Beside the repository and not in /tmp, which may be memory.
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))
    try:
        campus = write_campus(folder, SHARDS)
        give_shards_to_nodes(campus)
        with cluster(campus, tuned=tuned) as there:
            measured, asked = asyncio.run(measure(there, campus.lone, VICTIMS[kill], rounds, seed))
        take_shards_back(campus)
        verdict = check(campus.data, asked)
    except (RecoveryError, RuntimeError, OSError) as error:
        raise click.ClickException(f"{error}\nData and logs are left in {folder}") from error
    shutil.rmtree(folder)
    answers = {"none" if code is None else f"{code:02}": count for code, count in asked.codes.most_common()}
    summary = summarise(measured) | {"tuned": tuned, "seed": seed, "answers": answers}
    show(summary)
    click.echo(verdict)
    click.echo(f"All {len(asked.authorizations):,} approvals are in the journals. Answers: {answers}")
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


if __name__ == "__main__":
    main()
