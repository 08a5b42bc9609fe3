"""A folder that a command makes: whole, or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from actors.batch_file import sync_folder
from switch.system_errors import in_words

UNFINISHED: Final = ".unfinished"
"""Added to the new folder's name until everything in it is checked."""


def new_folder(option: str, into: Path, source_option: str, source: Path) -> Path:
    """Where the folder that `option` names will be, made sure that it can be there. Raises click.UsageError.

    `source` is the folder that it is made from, which stays as it is.
    """
    try:
        target, origin = into.resolve(), source.resolve()
        if target == origin or origin in target.parents:
            raise click.UsageError(f"{option} {into} is in the folder of {source_option}; name one beside it")
        if not target.parent.is_dir():
            raise click.UsageError(f"{option} {into}: there is no folder {target.parent}; make it first")
        if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
            raise click.UsageError(f"{option} {into} is there already, and not an empty folder; name another")
        if target.is_mount():
            raise click.UsageError(f"{option} {into} is a mount point; name a new folder in it")
    except (OSError, RuntimeError) as error:  # RuntimeError: symbolic links in a circle
        raise click.UsageError(
            f"{option} {into}: {in_words(error) if isinstance(error, OSError) else error}"
        ) from error
    return target


@contextmanager
def made_when_finished(option: str, target: Path) -> Iterator[Path]:
    """A folder beside the target, which becomes the target at the end, or is removed if there is no good end.

    The files in it must be durable by then; their names are made so. Raises click.UsageError or OSError.
    """
    folder = target.with_name(target.name + UNFINISHED)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise click.UsageError(
            f"{folder} is there already: another command is writing it, or one was killed; if none is running, "
            "remove it and run this again"
        ) from error
    except OSError as error:
        raise click.UsageError(f"{option} {target}: {in_words(error)}") from error
    try:
        yield folder
        for written in folder.rglob("*"):
            if written.is_dir():
                sync_folder(written)
        sync_folder(folder)
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder)
        raise
    sync_folder(target.parent)


def check_room(needed: int, target: Path, what: str) -> None:
    """Refuse at once what would fill the disk after a long time. Raises OSError."""
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise OSError(
            f"no space: {what} {needed / 2**20:,.0f} MiB, and only {free / 2**20:,.0f} MiB are free in {target.parent}"
        )
