"""`tapswitch restore`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from msgspec import Struct
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from actors.batch_file import BatchFileError
from actors.exported_journal import ExportedJournal, ExportError
from actors.journal import GENESIS, Head
from actors.lmdb_store import MAP_BYTES, LmdbStore, Made
from actors.store import CommitBrokenError, CommitRefusedError, StoreFormatError
from switch.backup import BackupError, put_back, read_manifest
from switch.data_folder import exported_shards, shard_folder
from switch.folder_verification import shown_head
from switch.new_folder import check_room, made_when_finished, new_folder
from switch.reports import report_console
from switch.roll_forward import roll_forward


class Restored(Struct, frozen=True):
    """A shard that was put back, and how far an export took it on."""

    made: Made
    begins: Head
    """Where its journal ended in the backup; without a backup, before its first event."""

    exported: ExportedJournal | None

    @property
    def added(self) -> int:
        """Events that came from the export."""
        return max(0, self.exported.head.position - self.begins.position) if self.exported else 0

    @property
    def head(self) -> Head:
        """Where its journal ends now."""
        return self.exported.head if self.exported and self.added else self.begins


@click.command()
@click.option("--from", "backup", type=click.Path(path_type=Path), help="A folder that `tapswitch backup` made.")
@click.option(
    "--export",
    type=click.Path(path_type=Path),
    help="A folder that `tapswitch export` wrote: what happened after the backup is replayed from it; without --from, "
    "everything.",
)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="The new data folder: not there yet, or empty."
)
@click.option(
    "--map-size",
    type=click.IntRange(min=1),
    default=MAP_BYTES >> 20,
    show_default=True,
    help="Size of each shard's map in MiB.",
)
def restore(backup: Path | None, export: Path | None, data: Path, map_size: int) -> None:
    """Make a data folder of a backup, and roll it forward with an export of the journal if there is one.

    Everything is checked against the manifest, and every batch of the export against the one before. A backup or export
    that is damaged or incomplete is refused, with the file and what is wrong, and no data folder is made.
    """
    source = backup or export
    if source is None:
        raise click.UsageError("--from is missing: a backup; or --export, to make everything of an export")
    target = new_folder("--data", data, "--from" if backup else "--export", source)
    try:
        title, put_backs = _of_backup(backup) if backup else _of_export(source)
        restored = _restore(put_backs, target, export, map_size << 20)
    except (BackupError, BatchFileError, ExportError, StoreFormatError) as error:
        raise click.ClickException(f"{error}; {data} was not made") from error
    except CommitRefusedError as error:
        raise click.ClickException(f"{error}; make room or raise --map-size; {data} was not made") from error
    except (CommitBrokenError, OSError) as error:
        raise click.ClickException(f"{error}; look at the disk; {data} was not made") from error
    _show(title, restored)
    partly = "" if len(restored) == restored[0].made.shards else " --partial"
    _say(f"Wrote {data}. Now check it: tapswitch verify{partly} --data {data}")


class PutBack(Struct, frozen=True):
    """A shard as it is before an export takes it on."""

    made: Made
    head: Head
    bytes: int
    into: Callable[[Path], None]
    """Puts it into a data folder."""


def _of_backup(backup: Path) -> tuple[str, list[PutBack]]:
    manifest = read_manifest(backup)
    return f"backup of {manifest.taken:%Y-%m-%d %H:%M:%S} UTC", [
        PutBack(manifest.made(copy), copy.head, copy.bytes, partial(put_back, backup, manifest, copy))
        for copy in manifest.copies
    ]


def _of_export(export: Path) -> tuple[str, list[PutBack]]:
    """Empty shards, which the export is to fill from its first file on."""
    found = exported_shards(export)
    if not found:
        raise ExportError(f"{export}: no exported journal is here")
    return "all of the export", [PutBack(made, Head(0, GENESIS), 0, partial(_create_empty, made)) for made in found]


def _create_empty(made: Made, data: Path) -> None:
    LmdbStore.create(shard_folder(data, made.shard), made)


def _restore(put_backs: list[PutBack], target: Path, export: Path | None, map_bytes: int) -> list[Restored]:
    check_room(sum(shard.bytes for shard in put_backs), target, "the backup has")
    with (
        Progress(
            SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f} events from the export"),
            console=Console(stderr=True), transient=True,
        ) as progress,
        made_when_finished("--data", target) as folder,
    ):  # fmt: skip
        restored = []
        for shard in put_backs:
            task = progress.add_task(f"shard {shard.made.shard}")
            shard.into(folder)
            further = partial(_further, progress, task)
            exported = _roll_forward(shard, folder, export, map_bytes, further) if export else None
            restored.append(Restored(shard.made, shard.head, exported))
        return restored


def _roll_forward(
    shard: PutBack, folder: Path, export: Path, map_bytes: int, progress: Callable[[int], None]
) -> ExportedJournal:
    number = shard.made.shard
    exported = ExportedJournal(shard_folder(export, number), shard.made)
    store = LmdbStore.open(shard_folder(folder, number), map_bytes=map_bytes)
    try:
        roll_forward(store, exported.after(shard.head), progress)
    finally:
        store.close()
    return exported


def _further(progress: Progress, task: TaskID, events: int) -> None:
    progress.update(task, completed=events)


def _show(title: str, restored: list[Restored]) -> None:
    table = Table(title=f"Restored: {title}", title_justify="left")
    for column in ("shard", "events in the backup", "events from the export", "head"):
        table.add_column(column, justify="left" if column == "head" else "right")
    for shard in restored:
        table.add_row(str(shard.made.shard), f"{shard.begins.position:,}", f"{shard.added:,}", shown_head(shard.head))
    report_console().print(table)
    for shard in restored:
        if (exported := shard.exported) is None:
            continue
        if exported.head.position < shard.begins.position:
            _say(
                f"shard {shard.made.shard}: the export ends at position {exported.head.position}, before the backup "
                "does: it added nothing"
            )
        if exported.torn_bytes:
            _say(
                f"shard {shard.made.shard}: the export ends with {exported.torn_bytes} bytes of a record that was not "
                "written to its end; they were left out"
            )


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)
