"""`tapswitch verify`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from actors.account.kind import ACCOUNT
from actors.journal import JournalBrokenError
from actors.lmdb_store import LmdbStore
from actors.store import StoreFormatError
from actors.verification import Verified
from actors.verification import verify as verify_store
from switch.amounts import yuan
from switch.data_folder import shard_folder
from switch.reports import report_console


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Data folder; a running switch does not mind."
)
def verify(data: Path) -> None:
    """Replay the journal and check everything against it. Exit status 1 if something is broken."""
    try:
        store = LmdbStore.open_read_only(shard_folder(data))
    except StoreFormatError as error:
        raise click.UsageError(str(error)) from error
    errors = Console(stderr=True)
    try:
        with Progress(SpinnerColumn(), TextColumn("replayed {task.completed:,.0f} events"), console=errors,
                      transient=True) as progress:  # fmt: skip
            task = progress.add_task("replay")
            verified = verify_store(store, ACCOUNT, lambda position: progress.update(task, completed=position))
    except JournalBrokenError as error:
        errors.print(f"[red bold]BROKEN[/] at {error}", highlight=False)
        raise SystemExit(1) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        errors.print(f"[red bold]BROKEN[/] snapshot, its row cannot be read: {error}", highlight=False)
        raise SystemExit(1) from error
    finally:
        store.close()
    _show(verified)


def _show(verified: Verified) -> None:
    console = report_console()
    table = Table(title="Checked, and found right", title_justify="left")
    table.add_column("checked")
    table.add_column("found", justify="right")
    for what, value in (
        ("batches, each hash following from the one before", f"{verified.batches:,}"),
        ("events replayed, each in its account's chain", f"{verified.events:,}"),
        ("accounts", f"{verified.actors:,}"),
        ("account snapshots equal to the replay", f"{verified.actor_snapshots:,}"),
        ("stored totals equal to the replay", f"{verified.total_snapshots:,}"),
        ("head", f"{verified.head.position} {verified.head.hash.hex()[:16]}…"),
        ("imbalance", yuan(verified.ledger.imbalance)),
    ):
        table.add_row(what, value)
    console.print(table)
    ledger = Table(title="Ledger accounts, yuan", title_justify="left")
    ledger.add_column("account")
    ledger.add_column("balance", justify="right")
    for (name, number), balance in sorted(verified.ledger.balances.items()):
        ledger.add_row(f"{name} {number}", yuan(balance))
    ledger.add_section()
    ledger.add_row("sum", yuan(sum(verified.ledger.balances.values())))
    console.print(ledger)
