"""`tapswitch backup`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from actors.lmdb_store import LmdbStore
from actors.store import StoreFormatError
from switch.backup import Manifest, take_backup
from switch.folder_verification import shown_head
from switch.new_folder import check_room, made_when_finished, new_folder
from switch.read_only import data_option, read_only
from switch.reports import report_console


@click.command()
@data_option
@click.option(
    "--to", type=click.Path(path_type=Path), required=True, help="The new backup's folder: not there yet, or empty."
)
@click.option("--partial", is_flag=True, help="Copy the shards that are here; the others lie on other machines.")
def backup(data: Path, to: Path, *, partial: bool) -> None:
    """Copy a data folder as it is, also beside a running switch.

    Everything that was acknowledged before the backup began is in it. `tapswitch restore` checks it and makes a data
    folder of it.

    The work is done beside the new folder, in one of the same name and ".unfinished". If that is there already, another
    backup is writing it, or one was killed: it is refused. If none is running, remove it and start again.
    """
    target = new_folder("--to", to, "--data", data)
    with read_only(data, all_shards=not partial) as stores:
        try:
            manifest = _take(stores, target)
        except (StoreFormatError, OSError) as error:
            raise click.ClickException(f"{error}; {to} was not made") from error
    report_console().print(_table(manifest))
    Console(stderr=True).print(
        f"Wrote {to}. campus.toml and secrets.toml are not in it: keep copies of them elsewhere.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _take(stores: Sequence[LmdbStore], target: Path) -> Manifest:
    check_room(sum(store.usage().used for store in stores), target, "the data folder uses")
    with (
        Progress(
            SpinnerColumn(), TextColumn("copied {task.completed:,.0f} of {task.total:,.0f} shards"),
            console=Console(stderr=True), transient=True,
        ) as progress,
        made_when_finished("--to", target) as folder,
    ):  # fmt: skip
        task = progress.add_task("copy", total=len(stores))
        return take_backup(stores, folder, lambda done: progress.update(task, completed=done))


def _table(manifest: Manifest) -> Table:
    table = Table(title=f"Backup of {manifest.taken:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    for column in ("shard", "events", "MiB", "head"):
        table.add_column(column, justify="left" if column == "head" else "right")
    for copy in manifest.copies:
        table.add_row(str(copy.shard), f"{copy.position:,}", f"{copy.bytes / 2**20:,.1f}", shown_head(copy.head))
    return table
