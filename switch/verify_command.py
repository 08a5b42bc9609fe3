"""`tapswitch verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from actors.account.kind import ACCOUNT
from actors.authorizations import Authorizations
from actors.journal import JournalBrokenError
from actors.ledger import LedgerAccount
from actors.lmdb_store import LmdbStore
from actors.placement import slots_of
from actors.store import StoreFormatError
from actors.verification import Verified
from actors.verification import verify as verify_store
from switch.amounts import yuan
from switch.data_folder import close_all, open_all, open_those_here
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
    try:
        stores = open_stores(data, LmdbStore.open_read_only)
    except StoreFormatError as error:
        raise click.UsageError(str(error)) from error
    errors = Console(stderr=True)
    try:
        with Progress(SpinnerColumn(), TextColumn("replayed {task.completed:,.0f} events"), console=errors,
                      transient=True) as progress:  # fmt: skip
            task = progress.add_task("replay")
            verified, faults = _verify_all(stores, lambda events: progress.update(task, completed=events))
    finally:
        close_all(stores)
    shards = stores[0].made.shards
    for shard, fault in faults.items():
        where = "" if shards == 1 else f"in shard {shard} "
        errors.print(f"[red bold]BROKEN[/] {where}{fault}", highlight=False, soft_wrap=True)
    if faults:
        raise SystemExit(1)
    report_console().print(_one_shard(verified[0]) if shards == 1 else _shard_by_shard(verified, shards))
    _show_ledger(verified.values())


def _verify_all(
    stores: Sequence[LmdbStore], progress: Callable[[int], None]
) -> tuple[dict[int, Verified], dict[int, str]]:
    """By shard what was verified, and what is broken: of each shard its first fault, and the others are looked at.

    `progress` is called with the number of events so far.
    """
    authorizations = Authorizations(stores[0].made.authorizations_after)
    verified: dict[int, Verified] = {}
    faults: dict[int, str] = {}
    for store in stores:
        shard = store.made.shard
        advance = partial(_advance, progress, sum(found.events for found in verified.values()))
        slots = slots_of(shard, store.made.shards)
        try:
            found = verify_store(store, ACCOUNT, advance, shard=shard, slots=slots, authorizations=authorizations)
        except JournalBrokenError as error:
            faults[shard] = f"at {error}"
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            faults[shard] = f"snapshot, its row cannot be read: {error}"
        else:
            verified[shard] = found
    return verified, faults


def _advance(progress: Callable[[int], None], before: int, position: int) -> None:
    progress(before + position)


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
        ("head", _head(verified)),
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
        table.add_row(str(shard), *_counts([found]), _head(found), yuan(found.ledger.imbalance))
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


def _head(verified: Verified) -> str:
    position, digest = verified.head
    return f"{position} {digest.hex()[:16]}…" if position else "0"


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
