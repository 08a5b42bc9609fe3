"""`tapswitch export`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from actors.batch_file import BatchFileError, sync_folder
from actors.exported_journal import ExportError, JournalExport
from actors.journal import JournalBrokenError
from actors.lmdb_store import LmdbStore
from switch.data_folder import shard_folder
from switch.folder_verification import shown_head
from switch.read_only import data_option, read_only
from switch.reports import report_console
from switch.until_stopped import until_stopped

POLL_SECONDS: Final = 0.2
"""How often it looks whether a journal has grown: with the disk's own time, what a lost disk costs at most."""

_LOCK_FILE: Final = "writer.lock"


@click.command()
@data_option
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the export, best on another disk or machine.",
)
@click.option("--follow", is_flag=True, help="Wait for more, until SIGTERM or Ctrl-C.")
def export(data: Path, to: Path, *, follow: bool) -> None:
    """Copy the journal of every shard that is here, batch by batch, each checked against the one before.

    Goes on where it stopped. `tapswitch restore --export` takes a backup forward with it, so with --follow no more is
    lost with a disk than what was acknowledged within the last second. Exit status 1 if the journal is damaged, or if
    what was exported before is.
    """
    with read_only(data) as stores:
        try:
            with _locked(to, data), _exports(stores, to) as exports:
                _tell_torn(exports)
                _advance(exports)
                if follow:
                    until_stopped(lambda: _advance(exports), POLL_SECONDS)
                _show(exports)
        except (BatchFileError, ExportError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{error}; make room or look at the disk, and run this again") from error


@contextmanager
def _locked(to: Path, data: Path) -> Iterator[None]:
    """Keep a second export out of the folder, which is made if it is not there."""
    if (target := to.resolve()) == (source := data.resolve()) or source in target.parents:
        raise click.UsageError(f"--to {to} is in the folder of --data; name one beside it, best on another disk")
    try:
        to.mkdir(mode=0o700, exist_ok=True)
        sync_folder(to.parent)
        descriptor = os.open(to / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise click.UsageError(f"--to {to}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise click.UsageError(f"--to {to}: another export is writing there; stop it first") from error
    finally:
        os.close(descriptor)


@contextmanager
def _exports(stores: Sequence[LmdbStore], to: Path) -> Iterator[dict[int, JournalExport]]:
    with ExitStack() as stack:
        exports = {}
        for store in stores:
            exports[store.made.shard] = export = JournalExport(shard_folder(to, store.made.shard), store)
            stack.callback(export.close)
        sync_folder(to)
        yield exports


def _advance(exports: dict[int, JournalExport]) -> None:
    """Export everything that is in the journals by now."""
    for shard, exported in exports.items():
        try:
            while exported.advance():
                pass
        except JournalBrokenError as error:
            raise ExportError(
                f"the journal of shard {shard} is damaged at {error}; `tapswitch verify` says more, and the export has "
                f"everything up to position {exported.head.position}"
            ) from error


def _tell_torn(exports: dict[int, JournalExport]) -> None:
    for shard, exported in exports.items():
        if exported.torn_bytes:
            Console(stderr=True).print(
                f"shard {shard}: {exported.torn_bytes} bytes after position {exported.head.position} were not written "
                "to their end; they are written again",
                highlight=False, soft_wrap=True,
            )  # fmt: skip


def _show(exports: dict[int, JournalExport]) -> None:
    table = Table(title="Exported", title_justify="left")
    for column in ("shard", "events", "head"):
        table.add_column(column, justify="left" if column == "head" else "right")
    for shard, exported in exports.items():
        table.add_row(str(shard), f"{exported.head.position:,}", shown_head(exported.head))
    report_console().print(table)
