"""A shard from what is on disk: its snapshots, and the journal's tail replayed over them."""

from __future__ import annotations

from typing import Any

from actors.kind import Kind
from actors.shard import ACTIVE_MAX, SNAPSHOT_LAG, Shard
from actors.snapshots import Snapshots
from actors.store import Store


def recover(
    store: Store, kind: Kind, number: int = 0, *, active_max: int = ACTIVE_MAX, snapshot_lag: int = SNAPSHOT_LAG
) -> Shard:
    """The shard as it was after its last durable commit."""
    shard = Shard(store, kind, number, active_max=active_max, snapshot_lag=snapshot_lag)
    snapshots: Snapshots[Any] = Snapshots(store, kind.state_type)
    stored = snapshots.ledger()
    shard.ledger.held = stored.held
    shard.ledger.balances.update({(name, number): balance for name, number, balance in stored.balances})
    shard.stans = snapshots.highest_stans()
    shard.head = shard.journal.head()
    if shard.head.position:
        shard.time_us = shard.journal.event_at(shard.head.position).time_us
    for position, event in shard.journal.events(stored.replay_from):
        _replay(shard, kind, event, position, posted=position <= stored.position)
    return shard


def _replay(shard: Shard, kind: Kind, event: Any, position: int, *, posted: bool) -> None:
    state = shard.actors.find(event.account) or kind.new(event.account)
    if position > state.position:
        after = kind.apply[type(event)](state, event, position)
        shard.actors.adopt({event.account: after})
        if not posted:
            shard.ledger.held += kind.holdings([after]) - kind.holdings([state])
    terminals = set()
    for terminal, stan in kind.concerns(event):
        shard.stans[terminal] = max(stan, shard.stans.get(terminal, 0))
        terminals.add(terminal)
    shard.book([event], position, post=not posted)
    shard.mark_dirty({event.account}, terminals, position)
