"""`tapswitch gaps`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from actors.account.kind import ACCOUNT
from actors.gaps import Double, ExplainedGap, find_explanations, find_gaps, split_gap
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from switch.amounts import yuan
from switch.read_only import data_option, read_only
from switch.reports import report_console, when


@click.command()
@data_option
@click.option("--all", "with_explained", is_flag=True, help="Also what is explained already: by whom, and why.")
def gaps(data: Path, *, with_explained: bool) -> None:
    """List offline purchases that were never uploaded, over all shards: each terminal numbers them without gaps.

    While a terminal uploads, a gap may only be on its way. One that never comes is explained by `tapswitch operator
    explain-gap`. A number that is there twice was given to two accounts: both are posted.
    """
    with read_only(data, all_shards=True) as stores:
        _show(stores, with_explained=with_explained)


def _show(stores: list[LmdbStore], *, with_explained: bool) -> None:
    explanations = [said for store in stores for said in find_explanations(store, ACCOUNT)]
    missing = _table("Offline purchases that are missing", "terminal", "from", "to", "how many")
    explained = _table("Missing, and explained", "terminal", "from", "to", "how many", "explained (UTC)", "by", "note")
    twice = _table("Offline numbers of two purchases", "terminal", "number", "shard", "position", "account", "amount")
    known = 0
    for found in find_gaps(stores):
        if isinstance(found, Double):
            _add_double(twice, found, stores)
            continue
        for piece in split_gap(found, explanations):
            how_many = piece.last - piece.first + 1
            row = str(piece.terminal), str(piece.first), str(piece.last), f"{how_many:,}"
            if isinstance(piece, ExplainedGap):
                known += how_many
                # A note is what somebody typed: nothing in it is mark-up.
                explained.add_row(
                    *row, when(piece.explanation.time_us), piece.explanation.clerk, Text(piece.explanation.note)
                )
            else:
                missing.add_row(*row)
    console = report_console()
    none = "No offline purchase is missing without an explanation." if known else "No offline purchase is missing."
    console.print(missing if missing.row_count else none)
    if known:
        console.print(explained if with_explained else f"Explained are {known:,}; --all shows why.")
    console.print(twice if twice.row_count else "No offline number is there twice.")


def _add_double(table: Table, double: Double, stores: list[LmdbStore]) -> None:
    for shard, position in double.events:
        event = Journal(stores[shard], ACCOUNT.event_type).event_at(position)
        table.add_row(
            str(double.terminal), str(double.number), str(shard), str(position), event.account, yuan(event.amount)
        )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in {"by", "note"} else "right")
    return table
