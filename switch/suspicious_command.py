"""`tapswitch suspicious`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from actors.account.events import SuspicionSettled
from actors.account.kind import ACCOUNT
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from actors.suspicious import SuspiciousItem, find_suspicious
from switch.amounts import yuan
from switch.read_only import data_option, read_only
from switch.reports import report_console, when


@click.command()
@data_option
@click.option("--all", "with_settled", is_flag=True, help="Also what is settled already: how, by whom, and why.")
def suspicious(data: Path, *, with_settled: bool) -> None:
    """List what had happened already and was posted although it is not clean, shard by shard, oldest first.

    What the account did not hold (short) sits in suspense, until `tapswitch operator settle` says what becomes of it:
    terminal and STAN name the item.
    """
    with read_only(data) as stores:
        items = [(store.made.shard, item) for store in stores for item in find_suspicious(_journal(store), ACCOUNT)]
    open_items = [(shard, item) for shard, item in items if item.ended_by is None]
    settled = [item for _, item in items if item.ended_by is not None]
    console = report_console()
    if open_items:
        console.print(_open_table(open_items))
    elif settled and not with_settled:
        console.print(f"Nothing suspicious is open; --all lists {len(settled):,} that were settled.")
    else:
        console.print("Nothing suspicious is open." if settled else "Nothing is suspicious.")
    if settled and with_settled:
        console.print(_settled_table(settled))


def _journal(store: LmdbStore) -> Journal:
    return Journal(store, ACCOUNT.event_type)


def _open_table(items: list[tuple[int, SuspiciousItem]]) -> Table:
    columns = ("time (UTC)", "service", "reason", "account", "amount", "short", "terminal", "STAN")
    table = _table("Posted, and suspicious", "shard", "position", *columns)
    for shard, item in items:
        event = item.event
        table.add_row(
            str(shard), str(item.position), when(event.time_us), ACCOUNT.service[type(event)], item.reason,
            event.account, yuan(event.amount), yuan(item.shortfall), str(event.terminal), str(event.stan),
        )  # fmt: skip
    table.add_section()
    table.add_row("all", "", "", "", "", "", "", yuan(sum(item.owes for _, item in items)))
    return table


def _settled_table(items: list[SuspiciousItem]) -> Table:
    table = _table("Settled", "account", "terminal", "STAN", "reason", "short", "settled (UTC)", "how", "by", "note")
    for item in items:
        event, end = item.event, item.ended_by
        named = (
            event.account, str(event.terminal), str(event.stan), item.reason, yuan(item.shortfall), when(end.time_us)
        )  # fmt: skip
        if isinstance(end, SuspicionSettled):
            # A note is what somebody typed: nothing in it is mark-up.
            table.add_row(*named, end.how.value, end.clerk, Text(end.note))
        else:
            table.add_row(*named, ACCOUNT.service[type(end)], f"terminal {end.terminal}", "")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    left = {"service", "reason", "how", "by", "note"}
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right")
    return table
