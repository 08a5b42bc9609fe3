"""`tapswitch restore`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from msgspec import Struct
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from actors.batch_file import BatchFileError
from actors.exported_journal import ExportedJournal, ExportError
from actors.lmdb_store import MAP_BYTES, LmdbStore
from actors.store import CommitBrokenError, CommitRefusedError, StoreFormatError
from switch.backup import BackupError, Manifest, ShardCopy, put_back, read_manifest
from switch.data_folder import shard_folder
from switch.folder_verification import shown_head
from switch.new_folder import check_room, made_when_finished, new_folder
from switch.reports import report_console
from switch.roll_forward import roll_forward


class Restored(Struct, frozen=True):
    """A shard that was put back, and how far an export took it on."""

    copy: ShardCopy
    exported: ExportedJournal | None

    @property
    def added(self) -> int:
        """Events that came from the export."""
        return max(0, self.exported.head.position - self.copy.position) if self.exported else 0


@click.command()
@click.option(
    "--from", "backup", type=click.Path(path_type=Path), required=True, help="A folder that `tapswitch backup` made."
)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="The new data folder: not there yet, or empty."
)
@click.option(
    "--export",
    type=click.Path(path_type=Path),
    help="A folder that `tapswitch export` wrote: what happened after the backup is replayed from it.",
)
@click.option(
    "--map-size",
    type=click.IntRange(min=1),
    default=MAP_BYTES >> 20,
    show_default=True,
    help="Size of each shard's map in MiB.",
)
def restore(backup: Path, data: Path, export: Path | None, map_size: int) -> None:
    """Make a data folder of a backup, and roll it forward with an export of the journal if there is one.

    Everything is checked against the manifest, and every batch of the export against the one before. A backup or export
    that is damaged or incomplete is refused, with the file and what is wrong, and no data folder is made.
    """
    target = new_folder("--data", data, "--from", backup)
    try:
        manifest = read_manifest(backup)
        restored = _restore(backup, manifest, target, export, map_size << 20)
    except (BackupError, BatchFileError, ExportError, StoreFormatError) as error:
        raise click.ClickException(f"{error}; {data} was not made") from error
    except CommitRefusedError as error:
        raise click.ClickException(f"{error}; make room or raise --map-size; {data} was not made") from error
    except (CommitBrokenError, OSError) as error:
        raise click.ClickException(f"{error}; look at the disk; {data} was not made") from error
    _show(manifest, restored)
    partly = "" if len(restored) == manifest.shards else " --partial"
    _say(f"Wrote {data}. Now check it: tapswitch verify{partly} --data {data}")


def _restore(backup: Path, manifest: Manifest, target: Path, export: Path | None, map_bytes: int) -> list[Restored]:
    check_room(sum(copy.bytes for copy in manifest.copies), target, "the backup has")
    with (
        Progress(
            SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f} events from the export"),
            console=Console(stderr=True), transient=True,
        ) as progress,
        made_when_finished("--data", target) as folder,
    ):  # fmt: skip
        restored = []
        for copy in manifest.copies:
            task = progress.add_task(f"shard {copy.shard}")
            put_back(backup, manifest, copy, folder)
            further = partial(_further, progress, task)
            exported = _roll_forward(manifest, copy, folder, export, map_bytes, further) if export else None
            restored.append(Restored(copy, exported))
        return restored


def _roll_forward(
    manifest: Manifest, copy: ShardCopy, folder: Path, export: Path, map_bytes: int, progress: Callable[[int], None]
) -> ExportedJournal:
    exported = ExportedJournal(shard_folder(export, copy.shard), manifest.made(copy))
    store = LmdbStore.open(shard_folder(folder, copy.shard), map_bytes=map_bytes)
    try:
        roll_forward(store, exported.after(copy.head), progress)
    finally:
        store.close()
    return exported


def _further(progress: Progress, task: int, events: int) -> None:
    progress.update(task, completed=events)  # type: ignore[arg-type]  # a TaskID is an int


def _show(manifest: Manifest, restored: list[Restored]) -> None:
    table = Table(title=f"Restored: backup of {manifest.taken:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    for column in ("shard", "events in the backup", "events from the export", "head"):
        table.add_column(column, justify="left" if column == "head" else "right")
    for shard in restored:
        head = shard.exported.head if shard.exported and shard.added else shard.copy.head
        table.add_row(str(shard.copy.shard), f"{shard.copy.position:,}", f"{shard.added:,}", shown_head(head))
    report_console().print(table)
    for shard in restored:
        exported, number = shard.exported, shard.copy.shard
        if exported is None:
            continue
        if exported.head.position < shard.copy.position:
            _say(
                f"shard {number}: the export ends at position {exported.head.position}, before the backup does: it "
                "added nothing"
            )
        if exported.torn_bytes:
            _say(
                f"shard {number}: the export ends with {exported.torn_bytes} bytes of a record that was not written to "
                "its end; they were left out"
            )


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)
