"""`tapswitch cluster`: a look at a switch that runs on Ray."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import click
from rich.markup import escape
from rich.table import Table

from switch.addresses import Address
from switch.cluster_status import ClusterStatus, ProcessStatus
from switch.node_command import node as node_command
from switch.reports import report_console
from switch.status_client import NobodyAnswersError, NotThisSwitchError, http_option, read_status

SECONDS_MAX: Final = 5.0
NODE_CHARACTERS: Final = 8
"""Of a node's identity, enough to tell one from another."""

_NOT_ON_RAY: Final = "--http {}: this is no switch on Ray; `tapswitch top` shows one that runs in one process"


@click.group()
def cluster() -> None:
    """Run a machine of a Ray cluster, or look at a switch that was started with `serve --cluster`."""


@cluster.command()
@http_option
@click.option("--json", "as_json", is_flag=True, help="Print what the switch said, instead of tables.")
def status(http: Address, *, as_json: bool) -> None:
    """Show every shard and gateway. Exit status 1 if one of them is not serving, 2 if there is no such switch."""
    try:
        found, page = read_status(http, ClusterStatus, SECONDS_MAX)
    except NobodyAnswersError as error:
        raise click.UsageError(f"--http {http}: nobody answers: {error}") from error
    except NotThisSwitchError as error:
        raise click.UsageError(_NOT_ON_RAY.format(http)) from error
    if not found.log_folder:
        raise click.UsageError(_NOT_ON_RAY.format(http))
    if as_json:
        click.echo(page.decode(), nl=False)
    else:
        _show(found)
    raise SystemExit(0 if found.serving else 1)


cluster.add_command(node_command)


def _show(found: ClusterStatus) -> None:
    addresses = {node.node: node.address for node in found.nodes}
    nodes = _table("Nodes", "node", "address", "shards", "gateways", "state")
    for node in found.nodes:
        nodes.add_row(
            node.node[:NODE_CHARACTERS], node.address, ", ".join(map(str, node.shards)), str(node.gateways),
            "alive" if node.alive else "lost",
        )  # fmt: skip
    shards = _table(
        "Shards", "shard", "slots", "node", "process", "restarts", "registry", "position", "newest event (UTC)",
        "mailbox", "lag", "state",
    )  # fmt: skip
    for number, shard in enumerate(found.shards):
        shards.add_row(
            str(number), f"{shard.first_slot}-{shard.last_slot}", addresses.get(shard.node, ""), str(shard.pid),
            str(found.restarts.get(shard.name, 0)), str(shard.registry), f"{shard.position:,}", _when(shard.time_us),
            str(shard.mailbox), f"{shard.snapshot_lag:,}", _state(shard),
        )  # fmt: skip
    gateways = _table(
        "Gateways", "gateway", "node", "process", "restarts", "registry", "connections", "stations", "waiting", "state"
    )
    for number, gateway in enumerate(found.gateways):
        gateways.add_row(
            str(number), addresses.get(gateway.node, ""), str(gateway.pid), str(found.restarts.get(gateway.name, 0)),
            str(gateway.registry), str(gateway.connections), str(gateway.stations), str(gateway.waiting),
            _state(gateway),
        )  # fmt: skip
    console = report_console()
    for table in (nodes, shards, gateways):
        console.print(table)
    for check in found.checks():
        if check.warning or not check.ok:
            console.print(f"Look at {check.name}: {check.explanation}", soft_wrap=True, markup=False)
    console.print(f"Registry: version {found.registry}. Logs of the processes: {found.log_folder}", soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in {"node", "address", "state"} else "right")
    return table


def _state(process: ProcessStatus) -> str:
    return escape(process.problem) if process.problem is not None else "serving"


def _when(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S") if time_us else "none"
