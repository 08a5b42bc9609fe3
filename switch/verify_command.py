"""`tapswitch verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from actors.ledger import LedgerAccount
from actors.lmdb_store import LmdbStore
from actors.store import StoreDamagedError, StoreFormatError
from actors.verification import Verified
from switch.amounts import yuan
from switch.data_folder import close_all, open_all, open_those_here
from switch.folder_verification import shown_head, verify_shards
from switch.reports import report_console

FOUND_RIGHT = "Checked, and found right"


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Data folder; a running switch does not mind."
)
@click.option("--partial", is_flag=True, help="Check the shards that are here; the others lie on other machines.")
def verify(data: Path, *, partial: bool) -> None:
    """Replay every journal and check everything against it. Exit status 1 if something is broken."""
    open_stores = open_those_here if partial else open_all
    errors = Console(stderr=True)
    try:
        stores = open_stores(data, LmdbStore.open_read_only)
    except StoreDamagedError as error:
        _say_broken(errors, str(error))
        raise SystemExit(1) from error
    except StoreFormatError as error:
        raise click.UsageError(str(error)) from error
    verified: dict[int, Verified] = {}
    faults: dict[int, str] = {}
    try:
        with Progress(SpinnerColumn(), TextColumn("replayed {task.completed:,.0f} events"), console=errors,
                      transient=True) as progress:  # fmt: skip
            task = progress.add_task("replay")
            for shard, found in verify_shards(stores, lambda events: progress.update(task, completed=events)):
                if isinstance(found, Verified):
                    verified[shard] = found
                else:
                    faults[shard] = found
    finally:
        close_all(stores)
    for shard, fault in faults.items():
        _say_broken(errors, f"in shard {shard} {fault}")
    if faults:
        raise SystemExit(1)
    shards = stores[0].made.shards
    report_console().print(_one_shard(verified[0]) if shards == 1 else _shard_by_shard(verified, shards))
    _show_ledger(verified.values())


def _say_broken(errors: Console, fault: str) -> None:
    errors.print(f"[red bold]BROKEN[/] {escape(fault)}", highlight=False, soft_wrap=True)


def _one_shard(verified: Verified) -> Table:
    table = Table(title=FOUND_RIGHT, title_justify="left")
    table.add_column("checked")
    table.add_column("found", justify="right")
    for what, value in (
        ("batches, each hash following from the one before", f"{verified.batches:,}"),
        ("events replayed, each in its account's chain", f"{verified.events:,}"),
        ("accounts", f"{verified.actors:,}"),
        ("account snapshots equal to the replay", f"{verified.actor_snapshots:,}"),
        ("stored totals equal to the replay", f"{verified.total_snapshots:,}"),
        ("authorization numbers, each given once", f"{verified.authorizations:,}"),
        ("head", shown_head(verified.head)),
        ("imbalance", yuan(verified.ledger.imbalance)),
    ):
        table.add_row(what, value)
    return table


def _shard_by_shard(verified: Mapping[int, Verified], shards: int) -> Table:
    table = Table(
        title=FOUND_RIGHT, title_justify="left", caption_justify="left",
        caption="Each batch's hash follows from the one before; events were replayed, each in its account's chain; "
        "accounts are in the shard of their slot; account snapshots and stored totals equal the replay; no "
        "authorization number was given twice.",
    )  # fmt: skip
    for column in (
        "shard", "batches", "events", "accounts", "account\nsnapshots", "stored\ntotals", "authorization\nnumbers",
        "head", "imbalance",
    ):  # fmt: skip
        table.add_column(column, justify="right", no_wrap=True)
    for shard, found in verified.items():
        table.add_row(str(shard), *_counts([found]), shown_head(found.head), yuan(found.ledger.imbalance))
    table.add_section()
    which = "all" if len(verified) == shards else f"{len(verified)} of {shards}"
    imbalance = sum(found.ledger.imbalance for found in verified.values())
    table.add_row(which, *_counts(verified.values()), "", yuan(imbalance))
    return table


def _counts(verified: Iterable[Verified]) -> list[str]:
    counts = (
        (found.batches, found.events, found.actors, found.actor_snapshots, found.total_snapshots, found.authorizations)
        for found in verified
    )
    return [f"{sum(column):,}" for column in zip(*counts, strict=True)]


def _show_ledger(verified: Iterable[Verified]) -> None:
    """The ledger accounts over all these shards."""
    balances: Counter[LedgerAccount] = Counter()
    for found in verified:
        balances.update(found.ledger.balances)
    table = Table(title="Ledger accounts, yuan", title_justify="left")
    table.add_column("account")
    table.add_column("balance", justify="right")
    for (name, number), balance in sorted(balances.items()):
        table.add_row(f"{name} {number}", yuan(balance))
    table.add_section()
    table.add_row("sum", yuan(sum(balances.values())))
    report_console().print(table)
