"""Whether two sets of shards hold the same: all that their journals and snapshots say, but for positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from heapq import merge
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from actors.account.kind import ACCOUNT
from actors.account.state import Account
from actors.journal import Journal
from actors.ledger import LedgerAccount
from actors.offline_numbers import OfflineNumber
from actors.placement import slot_of
from actors.recovery import recover
from actors.snapshots import Snapshots
from actors.store import Row, Store, StoredBatch, Usage

_DIGEST_BYTES: Final = 32


class DifferenceError(Exception):
    """The two sides do not hold the same; the text says what differs."""


class Compared(NamedTuple):
    """What both sides hold."""

    events: int
    accounts: int
    terminals: int
    """Those with a highest STAN."""

    offline_numbers: int
    """Events that one came to."""

    totals: int
    """By business day, merchant, terminal, service and meal period."""

    balances: dict[LedgerAccount, int]
    """Of each ledger account, over all shards, in minor units."""

    held: int
    """What the accounts hold, in minor units."""


def compare(old: Sequence[Store], new: Sequence[Store], progress: Callable[[int], None] = lambda _: None) -> Compared:
    """Compare the stores of two sets of shards. Changes nothing. Raises DifferenceError at the first difference.

    Each store by itself must be sound (`actors.verification.verify`). Events that no snapshot has yet count as if a
    restart had taken them up. Memory: a number for each account, and what a restart of all shards needs. `progress` is
    called with the number of events read so far, of both sides together.
    """
    events, digest = _digest(old, progress)
    _same("number and digest of the events", (events, digest), _digest(new, lambda count: progress(events + count)))
    before, after = _restarted(old), _restarted(new)
    accounts = _same_in_order("account", _accounts(before), _accounts(after))
    terminals = len(_same("highest STAN by terminal", _highest_stans(before), _highest_stans(after)))
    offline_numbers = _same_in_order("offline number", _offline_numbers(before), _offline_numbers(after))
    totals = _same_in_order("total", _totals(before), _totals(after))
    _same("hot list", _hot_lists(before), _hot_lists(after))
    balances, held = _same("ledger accounts and what the accounts hold", _ledger(before), _ledger(after))
    return Compared(events, accounts, terminals, offline_numbers, totals, balances, held)


def _same(what: str, before: Any, after: Any) -> Any:
    if before != after:
        raise DifferenceError(f"{what}: {before} became {after}")
    return before


def _same_in_order(what: str, before: Iterator[Any], after: Iterator[Any]) -> int:
    """How many there are."""
    count = 0
    for left, right in zip_longest(before, after):
        _same(what, left, right)
        count += 1
    return count


def _digest(stores: Sequence[Store], progress: Callable[[int], None]) -> tuple[int, str]:
    """How many events, and a digest of each with its place in its chain instead of `previous`.

    It is the sum of their hashes, so the order between chains does not matter.
    """
    encode = msgspec.msgpack.Encoder().encode
    places: Counter[str | int] = Counter()
    digest = count = 0
    for store in stores:
        for _, events in Journal(store, ACCOUNT.event_type).batches(1):
            for event in events:
                owner = ACCOUNT.owner(event)
                encoded = encode(replace(event, previous=places[owner]))
                places[owner] += 1
                digest += int.from_bytes(blake2b(encoded, digest_size=_DIGEST_BYTES).digest())
            count += len(events)
            progress(count)
    return count, f"{digest % (1 << 8 * _DIGEST_BYTES):064x}"


def _restarted(stores: Sequence[Store]) -> list[Snapshots]:
    """All snapshots as a restart and a checkpoint would leave them."""
    current = [_Unwritten(store) for store in stores]
    for store in current:
        recover(store, ACCOUNT).checkpoint()
    return [Snapshots(store) for store in current]


def _accounts(shards: Sequence[Snapshots]) -> Iterator[Account]:
    """Every account's state but for positions, slot by slot."""
    unpack = msgspec.msgpack.Decoder(Account).decode

    def of_shard(snapshots: Snapshots) -> Iterator[Account]:
        for packed in snapshots.actors():
            yield replace(unpack(packed), position=0, opened_at=0)

    return merge(*map(of_shard, shards), key=lambda account: (slot_of(account.number), account.number.encode()))


def _totals(shards: Sequence[Snapshots]) -> Iterator[tuple[Any, int, int]]:
    """(where, count, amount) over all shards, by day and terminal."""

    def of_shard(snapshots: Snapshots) -> Iterator[tuple[Any, int, int]]:
        for day in snapshots.days():
            for key, (count, amount, _) in sorted(day.items()):
                business_day, _, terminal, _, _ = key
                yield (business_day, terminal, key), count, amount

    for where, parts in groupby(merge(*map(of_shard, shards)), key=itemgetter(0)):
        counts, amounts = zip(*((count, amount) for _, count, amount in parts), strict=True)
        yield where, sum(counts), sum(amounts)


def _highest_stans(shards: Sequence[Snapshots]) -> dict[int, int]:
    highest: dict[int, int] = {}
    for snapshots in shards:
        for terminal, stan in snapshots.highest_stans().items():
            highest[terminal] = max(stan, highest.get(terminal, 0))
    return highest


def _offline_numbers(shards: Sequence[Snapshots]) -> Iterator[OfflineNumber]:
    """Over all shards, by terminal and number, each as often as it came to an event."""

    def of_shard(snapshots: Snapshots) -> Iterator[OfflineNumber]:
        return (number for number, positions in snapshots.offline_numbers() for _ in positions)

    return merge(*map(of_shard, shards))


def _hot_lists(shards: Sequence[Snapshots]) -> dict[str, str]:
    """State by card."""
    return {change.card: change.state for snapshots in shards for change in snapshots.hot_cards()}


def _ledger(shards: Sequence[Snapshots]) -> tuple[dict[LedgerAccount, int], int]:
    """Balances, and what the accounts hold."""
    balances: Counter[LedgerAccount] = Counter()
    held = 0
    for ledger in (snapshots.ledger() for snapshots in shards):
        balances.update({(name, number): balance for name, number, balance in ledger.balances})
        held += ledger.held
    return dict(sorted(balances.items())), held


class _Unwritten:
    """A store to which rows can be put that are kept in memory: the store beneath it is only read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[bytes, bytes] = {}
        self.batch_holding = store.batch_holding
        self.batches = store.batches
        self.last_batch = store.last_batch

    def commit(self, batch: StoredBatch | None, rows: Sequence[Row]) -> None:
        """Keep the rows in mind."""
        assert batch is None, "its journal is the one beneath"
        self._rows.update(rows)

    def row(self, key: bytes) -> bytes | None:
        """See Store.row."""
        return self._rows.get(key) or self._store.row(key)

    def rows(self, prefix: bytes, start: bytes = b"") -> Iterator[Row]:
        """See Store.rows."""
        put = [row for row in sorted(self._rows.items()) if row[0].startswith(prefix) and row[0] >= start]
        beneath = (row for row in self._store.rows(prefix, start) if row[0] not in self._rows)
        return merge(put, beneath)

    def usage(self) -> Usage:
        """See Store.usage."""
        return self._store.usage()

    def forget_dead_readers(self) -> int:
        """See Store.forget_dead_readers."""
        return self._store.forget_dead_readers()

    def close(self) -> None:
        """The store beneath stays open."""
