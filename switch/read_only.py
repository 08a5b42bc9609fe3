"""What commands have in common that read a data folder, beside a running switch or without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from actors.journal import JournalBrokenError
from actors.lmdb_store import LmdbStore
from actors.store import StoreDamagedError, StoreFormatError
from switch.data_folder import close_all, open_all, open_those_here

data_option: Final = click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Data folder; a running switch does not mind."
)


@contextmanager
def read_only(data: Path, *, all_shards: bool = False) -> Iterator[list[LmdbStore]]:
    """The stores of the shards that are here, at least one; with `all_shards`, of all shards, or none.

    What is wrong with the folder, or found to be while it is read, ends the command with a message.
    """
    try:
        stores = (open_all if all_shards else open_those_here)(data, LmdbStore.open_read_only)
    except StoreDamagedError as error:
        raise click.ClickException(str(error)) from error
    except StoreFormatError as error:
        raise click.UsageError(str(error)) from error
    try:
        yield stores
    except StoreDamagedError as error:
        raise click.ClickException(str(error)) from error
    except JournalBrokenError as error:
        raise click.ClickException(f"the journal is damaged at {error}; `tapswitch verify` says more") from error
    finally:
        close_all(stores)
