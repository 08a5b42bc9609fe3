"""`tapswitch compact`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from actors.account.kind import ACCOUNT
from actors.journal import Head, Journal
from actors.lmdb_store import LmdbStore
from actors.store import StoreFormatError, StoreLockedError
from switch.data_folder import close_all, open_all, shard_folder
from switch.folder_verification import shown_head
from switch.new_folder import check_room, made_when_finished, new_folder
from switch.reports import report_console

_COMPARED_AT_ONCE: Final = 1_000


class DifferentError(Exception):
    """The new folder does not hold what the old one does."""


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Data folder of a stopped switch; it stays as it is."
)
@click.option(
    "--into", type=click.Path(path_type=Path), required=True, help="The new data folder: not there yet, or empty."
)
def compact(data: Path, into: Path) -> None:
    """Write a data folder anew, without the space in it that is free.

    Every batch of the journals and every snapshot is compared with the old folder's before the new one gets its name;
    exit status 1 if something differs.
    """
    target = new_folder("--into", into, "--data", data)
    try:
        old = open_all(data)
    except (StoreFormatError, StoreLockedError, OSError) as error:
        raise click.UsageError(f"--data {data}: {error}") from error
    try:
        rows = _compact(old, target)
    except (DifferentError, StoreFormatError, OSError) as error:
        raise click.ClickException(f"{error}; {into} was not made") from error
    finally:
        close_all(old)
    table = Table(title="Written anew, and the same in both folders", title_justify="left")
    for column in ("shard", "events", "MiB before", "MiB now", "head"):
        table.add_column(column, justify="left" if column == "head" else "right")
    for row in rows:
        table.add_row(*row)
    report_console().print(table)
    click.echo(f"Wrote {into}. {data} is as it was: keep it as a backup, but let no switch serve it again.", err=True)


def _compact(old: Sequence[LmdbStore], target: Path) -> list[list[str]]:
    """A line of the table for each shard."""
    check_room(sum(store.usage().used for store in old), target, "the old folder uses")
    with (
        Progress(
            SpinnerColumn(), TextColumn("{task.description}: compared {task.completed:,.0f} batches and snapshots"),
            console=Console(stderr=True), transient=True,
        ) as progress,
        made_when_finished("--into", target) as folder,
    ):  # fmt: skip
        rows = []
        for store in old:
            shard = store.made.shard
            task = progress.add_task(f"shard {shard}")
            path = store.copy(shard_folder(folder, shard))
            new = LmdbStore.open_read_only(path.parent)
            try:
                head = compare_exactly(store, new, partial(progress.advance, task))
                before, now = store.usage().used, new.usage().used
            finally:
                new.close()
            rows.append([
                str(shard), f"{head.position:,}", f"{before / 2**20:,.1f}", f"{now / 2**20:,.1f}", shown_head(head),
            ])  # fmt: skip
        return rows


def compare_exactly(old: LmdbStore, new: LmdbStore, progress: Callable[[int], object] = lambda _: None) -> Head:
    """The head of both. Raises DifferentError unless the two stores hold the same, byte for byte."""
    if old.made != new.made:
        raise DifferentError(f"the new folder says {new.made} of itself, the old one {old.made}")
    _compare_all("batch of the journal", old.batches(1), new.batches(1), progress)
    _compare_all("snapshot", old.rows(b""), new.rows(b""), progress)
    return Journal(new, ACCOUNT.event_type).head()


def _compare_all(what: str, old: Iterable[Any], new: Iterable[Any], progress: Callable[[int], object]) -> None:
    for number, (one, other) in enumerate(zip_longest(old, new), 1):
        if one != other:
            raise DifferentError(f"BROKEN: the {what} number {number} differs from the old folder's")
        if number % _COMPARED_AT_ONCE == 0:
            progress(_COMPARED_AT_ONCE)
