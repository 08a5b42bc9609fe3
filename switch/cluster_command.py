"""`tapswitch cluster`: a look at a switch that runs on Ray."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Final

import click
import msgspec
from rich.table import Table

from switch.addresses import ADDRESS, Address
from switch.cluster_status import ClusterStatus
from switch.reports import report_console

SECONDS_MAX: Final = 5.0
_NOT_ON_RAY: Final = "--http {}: this is no switch on Ray; one that runs in one process has /readyz and /metrics there"


@click.group()
def cluster() -> None:
    """Look at a switch that was started with `serve --cluster`."""


@cluster.command()
@click.option(
    "--http",
    type=ADDRESS,
    default="127.0.0.1:7180",
    show_default=True,
    help="The --http address of the running switch.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what the switch said, instead of tables.")
def status(http: Address, *, as_json: bool) -> None:
    """Show every shard and gateway. Exit status 1 if one of them is not serving, 2 if there is no such switch."""
    page = _page(http)
    try:
        found = msgspec.json.decode(page, type=ClusterStatus)
    except msgspec.MsgspecError as error:
        raise click.UsageError(_NOT_ON_RAY.format(http)) from error
    if as_json:
        click.echo(page.decode(), nl=False)
    else:
        _show(found)
    raise SystemExit(1 if found.problems else 0)


def _page(http: Address) -> bytes:
    try:
        with urllib.request.urlopen(f"http://{http}/status.json", timeout=SECONDS_MAX) as answer:
            page: bytes = answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        raise click.UsageError(_NOT_ON_RAY.format(http)) from error
    except OSError as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        raise click.UsageError(f"--http {http}: nobody answers: {why}") from error
    return page


def _show(found: ClusterStatus) -> None:
    shards = Table(title="Shards", title_justify="left")
    for column in (
        "shard",
        "slots",
        "process",
        "restarts",
        "position",
        "newest event (UTC)",
        "mailbox",
        "lag",
        "state",
    ):
        shards.add_column(column, justify="left" if column == "state" else "right")
    for shard in found.shards:
        shards.add_row(
            str(shard.shard), f"{shard.first_slot}-{shard.last_slot}", str(shard.pid),
            str(found.restarts.get(f"shard-{shard.shard}", 0)), f"{shard.position:,}", _when(shard.time_us),
            str(shard.mailbox), f"{shard.snapshot_lag:,}", shard.problem or "serving",
        )  # fmt: skip
    gateways = Table(title="Gateways", title_justify="left")
    for column in ("gateway", "process", "restarts", "connections", "stations", "waiting", "state"):
        gateways.add_column(column, justify="left" if column == "state" else "right")
    for gateway in found.gateways:
        gateways.add_row(
            str(gateway.gateway), str(gateway.pid), str(found.restarts.get(f"gateway-{gateway.gateway}", 0)),
            str(gateway.connections), str(gateway.stations), str(gateway.waiting), gateway.problem or "serving",
        )  # fmt: skip
    console = report_console()
    console.print(shards)
    console.print(gateways)
    console.print(f"Logs of the processes: {found.log_folder}")


def _when(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S") if time_us else "none"
