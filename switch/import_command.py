"""`tapswitch import`."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.console import Console

from actors.calendar import Moment
from actors.lmdb_store import MAP_BYTES, LmdbStore
from actors.opening import Opening, conflict, open_accounts
from actors.store import CommitBrokenError, CommitRefusedError, StoreFormatError, StoreLockedError
from switch.accounts_file import AccountRow, AccountsFileError, read_accounts
from switch.data_folder import create, recover_shard, shard_folder


@click.command(name="import")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Data folder of a stopped switch; made if it is not there.",
)
@click.option(
    "--map-size",
    type=click.IntRange(min=1),
    default=MAP_BYTES >> 20,
    show_default=True,
    help="Size of the store's map in MiB.",
)
@click.argument("accounts", type=click.Path(path_type=Path))
def import_accounts(data: Path, map_size: int, accounts: Path) -> None:
    """Open the accounts of a CSV file, with cards and opening balances. Interrupted, run it again."""
    try:
        rows = read_accounts(accounts)
        create(data)
        store = LmdbStore.open(shard_folder(data), map_bytes=map_size << 20)
    except (AccountsFileError, StoreFormatError, StoreLockedError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"--data {data}: {error}") from error
    try:
        opened, existing = _open(store, rows, accounts)
    except StoreFormatError as error:
        raise click.UsageError(f"--data {data}: {error}") from error
    except CommitRefusedError as error:
        raise click.ClickException(f"{error}; make room or raise --map-size, then run this again to finish") from error
    except CommitBrokenError as error:
        raise click.ClickException(f"the commit failed: {error}; look at the disk, then run this again") from error
    finally:
        store.close()
    Console(stderr=True).print(f"{opened} accounts opened, {existing} were open already")


def _open(store: LmdbStore, rows: list[AccountRow], accounts: Path) -> tuple[int, int]:
    shard = recover_shard(store)
    openings = [
        Opening(row.account, row.card, row.state, row.expires, row.person_class, row.balance_minor) for row in rows
    ]
    conflicts = [
        f"{accounts}: line {row.line}: {difference}"
        for row, opening in zip(rows, openings, strict=True)
        if (difference := conflict(shard, opening)) is not None
    ]
    if conflicts:
        raise click.UsageError("\n".join([*conflicts, "nothing was imported"]))
    moment = Moment(max(time.time_ns() // 1_000, shard.time_us), 0, 0)
    opened = open_accounts(shard, openings, moment)
    shard.checkpoint()
    return opened, len(openings) - opened
