"""`tapswitch statement`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from actors.account.inquiries import statement_entry
from actors.account.kind import ACCOUNT
from actors.account.service import asked
from actors.account.state import Account
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from actors.placement import shard_of, slot_of
from actors.snapshots import Snapshots
from switch.amounts import yuan
from switch.read_only import data_option, read_only
from switch.reports import report_console, when


@click.command()
@data_option
@click.option("--last", type=click.IntRange(min=1), help="Only the newest so many events.")
@click.argument("account")
def statement(data: Path, last: int | None, account: str) -> None:
    """Print an account's events, newest first. Beside an operator's terminal stands who gave the command."""
    with read_only(data) as stores:
        try:
            store = _store_of(stores, account)
            _show(account, list(islice(_events(store, account), last)))
        except UnicodeEncodeError as error:
            raise click.UsageError(f"no account {account!a} in this data folder") from error


def _store_of(stores: list[LmdbStore], account: str) -> LmdbStore:
    shards = stores[0].made.shards
    shard = shard_of(slot_of(account), shards)
    for store in stores:
        if store.made.shard == shard:
            return store
    raise click.UsageError(f"account {account} belongs to shard {shard} of {shards}, whose data are not here")


def _events(store: LmdbStore, account: str) -> Iterator[tuple[int, Any]]:
    """(position, event), newest first. The head of the chain is in the snapshot or in the journal's tail after it."""
    snapshots = Snapshots(store)
    journal = Journal(store, ACCOUNT.event_type)
    # In this order beside a running switch: what is not in the snapshot is then in the tail that is read after it.
    replay_from = snapshots.ledger().replay_from
    packed = snapshots.actor(account)
    head = msgspec.msgpack.decode(packed, type=Account).position if packed is not None else 0
    for position, event in journal.events(replay_from):
        if ACCOUNT.owner(event) == account:
            head = max(head, position)
    if not head:
        raise click.UsageError(f"no account {account} in this data folder")
    return journal.chain(head)


def _show(account: str, events: list[tuple[int, Any]]) -> None:
    table = Table(title=f"Account {account}, newest first", title_justify="left")
    for column, justify in (
        ("position", "right"), ("time (UTC)", "left"), ("service", "left"), ("code", "left"), ("reason", "left"),
        ("amount", "right"), ("balance", "right"), ("terminal", "right"), ("STAN", "right"),
    ):  # fmt: skip
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # rich wants the literals themselves
    for position, event in events:
        entry = statement_entry(event)
        clerk = getattr(asked(event), "clerk", "")
        table.add_row(
            str(position), when(entry.time_us), entry.service, f"{entry.code:02}", str(getattr(event, "reason", "")),
            yuan(entry.amount), yuan(sum(entry.balances)), f"{entry.terminal} {clerk}".rstrip(), str(entry.stan),
        )  # fmt: skip
    report_console().print(table)
