"""`tapswitch gaps`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from actors.account.kind import ACCOUNT
from actors.gaps import Double, Gap, find_gaps
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from switch.amounts import yuan
from switch.read_only import data_option, read_only
from switch.reports import report_console


@click.command()
@data_option
def gaps(data: Path) -> None:
    """List offline purchases that were never uploaded, over all shards: each terminal numbers them without gaps.

    A number that is there twice was given to two accounts: both are posted. While a terminal uploads, a gap may only be
    on its way.
    """
    with read_only(data, all_shards=True) as stores:
        _show(stores)


def _show(stores: list[LmdbStore]) -> None:
    journals = [Journal(store, ACCOUNT.event_type) for store in stores]
    missing = _table("Offline purchases that are missing", "terminal", "from", "to", "how many")
    twice = _table("Offline numbers of two purchases", "terminal", "number", "shard", "position", "account", "amount")
    for found in find_gaps(stores):
        match found:
            case Gap(terminal, first, last):
                missing.add_row(str(terminal), str(first), str(last), f"{last - first + 1:,}")
            case Double(terminal, number, events):
                for shard, position in events:
                    event = journals[shard].event_at(position)
                    twice.add_row(
                        str(terminal), str(number), str(shard), str(position), event.account, yuan(event.amount)
                    )
    console = report_console()
    for table, none in ((missing, "No offline purchase is missing."), (twice, "No offline number is there twice.")):
        console.print(table if table.row_count else none)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    return table
