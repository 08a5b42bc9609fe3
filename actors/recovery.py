"""A shard from what is on disk: its snapshots, and the journal's tail replayed over them."""

from __future__ import annotations

import msgspec

from actors.cell import Cell
from actors.hot_list import HotList
from actors.journal import JournalBrokenError
from actors.kind import Kind
from actors.shard import ACTIVE_MAX, SNAPSHOT_LAG, Shard
from actors.snapshots import LedgerSnapshot, Snapshots
from actors.store import Store, StoreFormatError


def recover(
    store: Store,
    kind: Kind,
    number: int = 0,
    *,
    authorizations_after: int = 0,
    active_max: int = ACTIVE_MAX,
    snapshot_lag: int = SNAPSHOT_LAG,
) -> Shard:
    """The shard as it was after its last durable commit. Raises StoreFormatError if what is on disk is damaged."""
    shard = Shard(
        store, kind, number, authorizations_after=authorizations_after, active_max=active_max, snapshot_lag=snapshot_lag
    )
    try:
        ledger = _read_snapshots(shard, Snapshots(store), kind)
        for first, events in shard.journal.batches(ledger.replay_from):
            posted = first <= ledger.position
            shard.replay(events, first, posted=posted, reserved=posted and ledger.reserved is not None)
    except JournalBrokenError as error:
        raise StoreFormatError(f"the journal is damaged at {error}; `tapswitch verify` says more") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreFormatError(f"a snapshot cannot be read: {error}; `tapswitch verify` says more") from error
    return shard


def _read_snapshots(shard: Shard, stored: Snapshots, kind: Kind) -> LedgerSnapshot:
    """Take over all that is read at once; actors and totals are read when they are needed."""
    ledger = stored.ledger()
    shard.ledger.held = ledger.held
    shard.ledger.balances.update({(name, number): balance for name, number, balance in ledger.balances})
    unpack = msgspec.msgpack.Decoder(kind.state_type).decode
    shard.ledger.reserve(*(ledger.reserved or kind.reserved(map(unpack, stored.actors()))))
    shard.terminals = {terminal: Cell(terminal, stan) for terminal, stan in stored.highest_stans().items()}
    shard.alarms = {terminal: Cell(terminal, position) for terminal, position in stored.alarms().items()}
    shard.hot_list = HotList(stored.hot_cards())
    if not ledger.hot_list:
        listed = (kind.hot_card(unpack(packed)) for packed in stored.actors())
        shard.list_hot(sorted(change for change in listed if change is not None))
    shard.head = shard.journal.head()
    if shard.head.position:
        shard.time_us = shard.journal.event_at(shard.head.position).time_us
    return ledger
