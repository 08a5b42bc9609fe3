"""`tapswitch import`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from actors.calendar import Moment
from actors.lmdb_store import MAP_BYTES, LmdbStore
from actors.opening import Opening, conflict, open_accounts
from actors.placement import shard_of, slot_of
from actors.shard import Shard
from actors.store import CommitBrokenError, CommitRefusedError, StoreDamagedError, StoreFormatError, StoreLockedError
from switch.accounts_file import AccountRow, AccountsFileError, read_accounts
from switch.data_folder import close_all, create, open_all, recover_shard, shard_folder, shards_found
from switch.system_errors import in_words


@click.command(name="import")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Data folder of a stopped switch; one of a single shard is made if it is not there.",
)
@click.option(
    "--map-size",
    type=click.IntRange(min=1),
    default=MAP_BYTES >> 20,
    show_default=True,
    help="Size of each shard's map in MiB.",
)
@click.argument("accounts", type=click.Path(path_type=Path))
def import_accounts(data: Path, map_size: int, accounts: Path) -> None:
    """Open the accounts of a CSV file, with cards and opening balances. Interrupted, run it again."""
    try:
        rows = read_accounts(accounts)
        if not shards_found(data):
            create(data)
        stores = open_all(data, partial(LmdbStore.open, map_bytes=map_size << 20))
    except (AccountsFileError, StoreFormatError, StoreLockedError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"--data {data}: {in_words(error)}") from error
    try:
        opened = _open(_recover(data, stores), rows, accounts)
    except CommitRefusedError as error:
        raise click.ClickException(f"{error}; make room or raise --map-size, then run this again to finish") from error
    except CommitBrokenError as error:
        raise click.ClickException(f"the commit failed: {error}; look at the disk, then run this again") from error
    except StoreDamagedError as error:
        raise click.ClickException(str(error)) from error
    finally:
        close_all(stores)
    Console(stderr=True).print(f"{opened} accounts opened, {len(rows) - opened} were open already")


def _recover(data: Path, stores: Sequence[LmdbStore]) -> list[Shard]:
    shards: list[Shard] = []
    for store in stores:
        try:
            shards.append(recover_shard(store))
        except StoreFormatError as error:
            raise click.UsageError(f"--data {data}: {shard_folder(data, len(shards)).name}: {error}") from error
    return shards


def _open(shards: Sequence[Shard], rows: Sequence[AccountRow], accounts: Path) -> int:
    """Open each account in the shard of its slot, unless one of them is in conflict; returns how many are new."""
    openings: list[list[Opening]] = [[] for _ in shards]
    conflicts: list[str] = []
    for row in rows:
        number = shard_of(slot_of(row.account), len(shards))
        opening = Opening(row.account, row.card, row.state, row.expires, row.person_class, row.purses)
        if (difference := conflict(shards[number], opening)) is not None:
            conflicts.append(f"{accounts}: line {row.line}: {difference}")
        openings[number].append(opening)
    if conflicts:
        raise click.UsageError("\n".join([*conflicts, "nothing was imported"]))
    opened = 0
    for shard, own in zip(shards, openings, strict=True):
        opened += open_accounts(shard, own, Moment(max(time.time_ns() // 1_000, shard.time_us), 0, 0))
        shard.checkpoint()
    return opened
