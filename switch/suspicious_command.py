"""`tapswitch suspicious`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from actors.account.kind import ACCOUNT
from actors.effect import Effect, EffectName
from actors.journal import Journal, JournalBrokenError
from actors.lmdb_store import LmdbStore
from actors.store import StoreFormatError
from switch.amounts import yuan
from switch.data_folder import close_all, open_those_here
from switch.reports import report_console


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Data folder; a running switch does not mind."
)
def suspicious(data: Path) -> None:
    """List what had happened already and was posted although it is not clean, shard by shard, oldest first.

    What the account did not hold (short) sits in suspense.
    """
    try:
        stores = open_those_here(data, LmdbStore.open_read_only)
    except StoreFormatError as error:
        raise click.UsageError(str(error)) from error
    try:
        _show(stores)
    except JournalBrokenError as error:
        raise click.ClickException(f"the journal is damaged at {error}; `tapswitch verify` says more") from error
    finally:
        close_all(stores)


def _show(stores: list[LmdbStore]) -> None:
    table = Table(title="Posted, and suspicious", title_justify="left")
    for column in ("shard", "position", "time (UTC)", "service", "reason", "account", "amount", "short", "terminal",
                   "STAN"):  # fmt: skip
        table.add_column(column, justify="left" if column in {"service", "reason"} else "right")
    short = 0
    for store in stores:
        for position, event, effect in _suspicious(store):
            shortfall = int(effect.details.get("shortfall", 0))
            short += shortfall
            table.add_row(
                str(store.made.shard), str(position),
                datetime.fromtimestamp(event.time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
                ACCOUNT.service[type(event)], str(effect.details["reason"]), event.account, yuan(event.amount),
                yuan(shortfall), str(event.terminal), str(event.stan),
            )  # fmt: skip
    if not table.row_count:
        report_console().print("Nothing is suspicious.")
        return
    table.add_section()
    table.add_row("all", "", "", "", "", "", "", yuan(short))
    report_console().print(table)


def _suspicious(store: LmdbStore) -> Iterator[tuple[int, Any, Effect]]:
    """(position, event, what it tells)."""
    for position, event in Journal(store, ACCOUNT.event_type).events(1):
        effect = ACCOUNT.effect[type(event)](event) if type(event) in ACCOUNT.effect else None
        if effect is not None and effect.name is EffectName.SUSPICIOUS:
            yield position, event, effect
