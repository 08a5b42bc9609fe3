"""`tapswitch doctor`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from actors.lmdb_store import MAP_BYTES
from switch.data_folder import shards_found
from switch.doctor import Asked, examine
from switch.read_only import data_option
from switch.readiness import Check
from switch.reports import report_console


@click.command()
@data_option
@click.option(
    "--campus",
    "campus_file",
    type=click.Path(path_type=Path),
    help="campus.toml, to look at it and at secrets.toml beside it too.",
)
@click.option("--export", type=click.Path(path_type=Path), help="Folder of `tapswitch export`, to see if it keeps up.")
@click.option(
    "--map-size",
    type=click.IntRange(min=1),
    default=MAP_BYTES >> 20,
    show_default=True,
    help="Size of each shard's map in MiB, as `serve` has it.",
)
def doctor(data: Path, campus_file: Path | None, export: Path | None, map_size: int) -> None:
    """Look for what is wrong or soon will be, and say what to do. Exit status 1 if something is wrong.

    The limit of open files is that of this shell; a running switch tells its own at /readyz.
    """
    if not shards_found(data):
        raise click.UsageError(f"--data {data}: no data here; name a data folder")
    checks = examine(Asked(data, campus_file, export, map_size << 20))
    table = Table(title=f"The health of {escape(str(data))}", title_justify="left")
    table.add_column("check")
    table.add_column("verdict")
    table.add_column("what was found", overflow="fold")
    for check in checks:
        table.add_row(check.name, _verdict(check), escape(check.explanation))
    report_console().print(table)
    if not all(check.ok for check in checks):
        raise SystemExit(1)


def _verdict(check: Check) -> str:
    if not check.ok:
        return "[red bold]not ok[/]"
    return "[yellow]look[/]" if check.warning else "[green]ok[/]"
