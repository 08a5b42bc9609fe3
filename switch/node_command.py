"""`tapswitch cluster node`: one machine's part of a Ray cluster."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from actors.store import StoreFormatError
from switch.addresses import ADDRESS, Address
from switch.node_resources import OBJECT_STORE_BYTES, resources, set_environment, shards_of
from switch.raylet_watch import start_watching

TOKEN_FILE = Path("~/.ray/auth_token")


@click.command()
@click.option("--head", type=ADDRESS, help="Be the head of a new cluster, at this HOST:PORT.")
@click.option("--join", type=ADDRESS, help="Be a node of the cluster whose head is at this HOST:PORT.")
@click.option("--host", help="This machine's address, as the others reach it.  [default: --head's, or found by Ray]")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the shards whose data are on this machine.",
)
@click.option(
    "--gateways",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="How many gateways may run on this machine.",
)
def node(head: Address | None, join: Address | None, host: str | None, data: Path | None, gateways: int) -> None:
    """Run Ray's daemons on this machine until SIGTERM, for `serve --cluster HOST:PORT`.

    Let systemd or Kubernetes start this again when it ends: a machine's shards come back with it.
    """
    if (head is None) == (join is None):
        raise click.UsageError("either --head HOST:PORT or --join HOST:PORT")
    _require_token()
    try:
        offered = resources(data, gateways)
    except (StoreFormatError, OSError) as error:
        raise click.UsageError(f"--data: {error}") from error
    if data is not None and not shards_of(offered):
        raise click.UsageError(f"--data {data}: no shard's data are there")
    set_environment(data)
    arguments = ["start", "--block", "--num-cpus=0", f"--object-store-memory={OBJECT_STORE_BYTES}"]
    arguments.append(f"--resources={json.dumps(offered)}")
    if head is not None:
        arguments += ["--head", f"--port={head.port}", f"--node-ip-address={host or head.host}"]
        arguments += ["--include-dashboard=false"]
    else:
        arguments += [f"--address={join}", *([f"--node-ip-address={host}"] if host else [])]
    start_watching()
    os.execv(sys.executable, [sys.executable, "-m", "ray.scripts.scripts", *arguments])  # noqa: S606 - no shell wanted


def _require_token() -> None:
    """Ray would start without one only to refuse everybody."""
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", TOKEN_FILE)).expanduser()
    if not os.environ.get("RAY_AUTH_TOKEN") and not file.is_file():
        raise click.UsageError(
            f"no token: make one with `ray get-auth-token --generate`, which writes {TOKEN_FILE}, and give "
            "the same file to every machine, or set RAY_AUTH_TOKEN"
        )
