"""`tapswitch reshard`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from actors.account.kind import ACCOUNT
from actors.comparison import Compared, DifferenceError, compare
from actors.journal import Journal, JournalBrokenError
from actors.lmdb_store import MAP_BYTES, LmdbStore
from actors.resharding import rewrite
from actors.store import CommitBrokenError, CommitRefusedError, StoreFormatError, StoreLockedError
from actors.verification import Verified
from switch.amounts import yuan
from switch.data_folder import SHARDS_MAX, close_all, create, files_needed, open_all
from switch.folder_verification import shown_head, verify_shards
from switch.new_folder import check_room, made_when_finished, new_folder
from switch.open_files import raise_open_file_limit
from switch.reports import report_console
from switch.system_errors import in_words

Step = Callable[[str, int], Callable[[int], None]]
"""(what is done, to how many events) → what is to be called with how many of them are done."""


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Data folder of a stopped switch; it stays as it is."
)
@click.option(
    "--to", "shards", type=click.IntRange(1, SHARDS_MAX), required=True, help="How many shards to make of it."
)
@click.option(
    "--into", type=click.Path(path_type=Path), required=True, help="The new data folder: not there yet, or empty."
)
@click.option(
    "--map-size",
    type=click.IntRange(min=1),
    default=MAP_BYTES >> 20,
    show_default=True,
    help="Size of the map of each new shard's store in MiB.",
)
def reshard(data: Path, shards: int, into: Path, map_size: int) -> None:
    """Rewrite a data folder for another number of shards.

    Every event keeps its answer and its authorization number. Both folders are checked and compared before the new one
    gets its name; exit status 1 if something is broken or differs.

    The work is done beside the new folder, in one of the same name and ".unfinished". If that is there already, another
    reshard is writing it, or one was killed: it is refused. If none is running, remove it and start again.
    """
    target = new_folder("--into", into, "--data", data)
    raise_open_file_limit(files_needed(2 * SHARDS_MAX))  # two folders are open at once
    try:
        old = open_all(data)
    except (StoreFormatError, StoreLockedError, OSError) as error:
        raise click.UsageError(f"--data {data}: {error}") from error
    try:
        verified, compared = _reshard(old, target, shards, map_size << 20)
    except (JournalBrokenError, DifferenceError) as error:
        raise click.ClickException(f"BROKEN: {error}; {into} was not made") from error
    except StoreFormatError as error:
        raise click.ClickException(f"{error}; {into} was not made") from error
    except CommitRefusedError as error:
        raise click.ClickException(f"{error}; make room or raise --map-size; {into} was not made") from error
    except CommitBrokenError as error:
        raise click.ClickException(
            f"the commit failed: {error}; look at the disk, which may be full; {into} was not made"
        ) from error
    except OSError as error:
        raise click.ClickException(f"{in_words(error)}; {into} was not made") from error
    finally:
        close_all(old)
    _show(verified, compared)
    click.echo(f"Wrote {into}. {data} is as it was: keep it as a backup, but let no switch serve it again.", err=True)


def _reshard(
    old: Sequence[LmdbStore], target: Path, shards: int, map_bytes: int
) -> tuple[Sequence[Verified], Compared]:
    """The new folder's shards, and what they have in common with the old ones."""
    check_room(sum(store.usage().used for store in old), target, "the old folder uses")
    with _shown_progress() as step, made_when_finished("--into", target) as folder:
        heads = [Journal(store, ACCOUNT.event_type).head().position for store in old]
        events = sum(heads)
        _verify("old", old, step("checking the old folder", events))
        # No number was given above those of the last positions, so those of the new folder begin there.
        last = max(head + store.made.authorizations_after for head, store in zip(heads, old, strict=True))
        create(folder, shards, last)
        new = open_all(folder, partial(LmdbStore.open, map_bytes=map_bytes))
        try:
            rewrite(old, new, ACCOUNT, step("writing the new one", events))
            verified = _verify("new", new, step("checking the new one", events))
            compared = compare(old, new, step("comparing", 2 * events))
        finally:
            close_all(new)
    return verified, compared


@contextmanager
def _shown_progress() -> Iterator[Step]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} events"),
        console=Console(stderr=True),
        transient=True,
    )

    def step(description: str, events: int) -> Callable[[int], None]:
        task = bar.add_task(description, total=events)
        return lambda done: bar.update(task, completed=done)

    with bar:
        yield step


def _verify(side: str, stores: Sequence[LmdbStore], progress: Callable[[int], None]) -> list[Verified]:
    """Check every shard. Raises StoreFormatError, which names the first that is broken."""
    verified: list[Verified] = []
    for shard, found in verify_shards(stores, progress):
        if isinstance(found, str):
            raise StoreFormatError(f"the {side} folder is BROKEN: shard {shard} {found}")
        verified.append(found)
    return verified


def _show(verified: Sequence[Verified], compared: Compared) -> None:
    console = report_console()
    table = Table(title="Rewritten, and the same in both folders", title_justify="left")
    table.add_column("compared")
    table.add_column("found", justify="right")
    for what, value in (
        ("events, but for their positions", f"{compared.events:,}"),
        ("accounts, but for their positions", f"{compared.accounts:,}"),
        ("totals by day, merchant, terminal, service and period", f"{compared.totals:,}"),
        ("terminals with a highest STAN", f"{compared.terminals:,}"),
        ("offline numbers", f"{compared.offline_numbers:,}"),
        ("what the accounts hold, yuan", yuan(compared.held)),
        *((f"{name} {number}, yuan", yuan(balance)) for (name, number), balance in compared.balances.items()),
    ):
        table.add_row(what, value)
    console.print(table)
    made = Table(title="The new shards, checked and found right", title_justify="left")
    made.add_column("shard", justify="right")
    made.add_column("events", justify="right")
    made.add_column("accounts", justify="right")
    made.add_column("head")
    for shard, found in enumerate(verified):
        made.add_row(str(shard), f"{found.events:,}", f"{found.actors:,}", shown_head(found.head))
    console.print(made)
