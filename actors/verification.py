"""Checks a shard's store against itself: the journal from its beginning, and every snapshot against the replay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from actors.authorizations import Authorizations
from actors.hot_list import HotChange
from actors.journal import Head, Journal, JournalBrokenError
from actors.kind import Kind
from actors.ledger import PURSES, Ledger
from actors.offline_numbers import OfflineNumber
from actors.placement import SLOTS, slot_of
from actors.snapshots import LedgerSnapshot, Snapshots
from actors.store import Store
from actors.totals import Sums, TotalsKey

ALL_SLOTS: Final = range(SLOTS)


class Verified(NamedTuple):
    """What was checked, and found right."""

    head: Head
    batches: int
    events: int
    actors: int
    actor_snapshots: int
    total_snapshots: int
    authorizations: int
    ledger: Ledger


def verify(
    store: Store,
    kind: Kind,
    progress: Callable[[int], None] = lambda _: None,
    *,
    shard: int = 0,
    slots: range = ALL_SLOTS,
    authorizations: Authorizations | None = None,
) -> Verified:
    """Replay everything in the store of a shard, in which only actors of `slots` may be.

    One `authorizations` for all shards of a data folder finds numbers that were given twice; without, the shard is the
    only one. `progress` is called with the position after each batch.

    Raises JournalBrokenError at the first position that contradicts the rest.
    """
    return _Replay(store, kind, shard, slots, authorizations or Authorizations()).run(progress)


class _Replay:
    def __init__(self, store: Store, kind: Kind, shard: int, slots: range, authorizations: Authorizations) -> None:
        snapshots = Snapshots(store)
        unpack = msgspec.msgpack.Decoder(kind.state_type).decode
        # The snapshots first: beside a running switch, a journal read later has all that they have.
        self._ledger_row = snapshots.ledger()
        self._replay_from = self._ledger_row.replay_from
        self._hot_complete = self._ledger_row.hot_list
        self._actor_rows: dict[str, Any] = {}
        for state in map(unpack, snapshots.actors()):
            found = snapshots.actor(state.number)
            if state.number in self._actor_rows or found is None or unpack(found).number != state.number:
                raise JournalBrokenError(state.position, f"account {state.number}: its snapshot has another's key")
            self._actor_rows[state.number] = state
        self._actor_positions = {number: state.position for number, state in self._actor_rows.items()}
        self._day_rows: dict[int, list[tuple[TotalsKey, Sums]]] = defaultdict(list)
        for day in snapshots.days():
            for key, sums in day.items():
                self._day_rows[sums[2]].append((key, sums))
        self._total_positions = {key: position for position, rows in self._day_rows.items() for key, _ in rows}
        self._stan_rows = snapshots.highest_stans()
        self._offline_rows = {number: set(positions) for number, positions in snapshots.offline_numbers()}
        self._uploaded: set[tuple[OfflineNumber, str]] = set()
        self._hot_rows = {change.card: change for change in snapshots.hot_cards()}
        self._hot_unseen = set(self._hot_rows.values())
        self._alarm_rows = snapshots.alarms()
        self._alarms: dict[int, int] = {}
        self._alarms_unseen = set(self._alarm_rows.items())
        self._kind = kind
        self._shard = shard
        self._slots = slots
        self._authorizations = authorizations
        self._seen_authorizations = 0
        self._journal = Journal(store, kind.event_type)
        self._states: dict[str, Any] = {}
        self._ledger = Ledger()
        self._stans: dict[int, int] = {}
        self._sums: dict[TotalsKey, list[int]] = {}
        self._checked_actors = 0
        self._checked_totals = 0

    def run(self, progress: Callable[[int], None]) -> Verified:
        batches = 0
        head = Head(0, b"")
        self._check_ledger_row(0)
        for head, events in self._journal.checked_batches():
            batches += 1
            for position, event in enumerate(events, head.position - len(events) + 1):
                self._replay(position, event)
            self._check_ledger_row(head.position)
            progress(head.position)
        self._check_end(head.position)
        return Verified(
            head, batches, head.position, len(self._states), self._checked_actors, self._checked_totals,
            self._seen_authorizations, self._ledger,
        )  # fmt: skip

    def _replay(self, position: int, event: Any) -> None:
        owner = self._kind.owner(event)
        if isinstance(owner, int):
            self._replay_alarm(position, event, owner)
        else:
            self._replay_actor(position, event)
        for terminal, stan in self._kind.concerns(event):
            if position < self._replay_from and self._stan_rows.get(terminal, 0) < stan:
                raise self._lost(position, f"terminal {terminal}")
            self._stans[terminal] = max(stan, self._stans.get(terminal, 0))

    def _replay_alarm(self, position: int, event: Any, terminal: int) -> None:
        self._check_slot(position, str(terminal), f"terminal {terminal}")
        previous = self._alarms.get(terminal, 0)
        if event.previous != previous:
            raise JournalBrokenError(
                position, f"terminal {terminal}: its previous alarm is {previous}, not {event.previous}"
            )
        if position < self._replay_from and self._alarm_rows.get(terminal, 0) < position:
            raise self._lost(position, f"terminal {terminal}")
        self._alarms[terminal] = position
        self._alarms_unseen.discard((terminal, position))

    def _replay_actor(self, position: int, event: Any) -> None:
        kind = self._kind
        before = self._states.get(event.account) or self._new(event.account, position)
        if event.previous != before.position:
            raise JournalBrokenError(
                position, f"account {event.account}: its previous event is {before.position}, not {event.previous}"
            )
        after = kind.apply[type(event)](before, event, position)
        if after.purses != event.balances:
            raise JournalBrokenError(
                position, f"account {event.account}: balances {after.purses} differ from the event's {event.balances}"
            )
        self._states[event.account] = after
        self._book(position, event, kind.holdings([after]) - kind.holdings([before]))
        if type(event) in kind.reserving:
            (earlier, earlier_amount), (now, now_amount) = kind.reserved([before]), kind.reserved([after])
            self._ledger.reserve(now - earlier, now_amount - earlier_amount)
        self._check_hot(kind.hot_changes([event], [before], [after]))
        if position < self._replay_from and self._actor_positions.get(event.account, 0) < position:
            raise self._lost(position, f"account {event.account}")
        if (number_of := kind.offline_number.get(type(event))) is not None:
            self._see_upload(number_of(event), event.account, position)
        authorization = getattr(event, "authorization", None)
        if authorization is not None:
            self._authorizations.see(authorization, self._shard, position)
            self._seen_authorizations += 1
        row = self._actor_rows.get(event.account)
        if row is not None and row.position == position:
            self._checked_actors += 1
            del self._actor_rows[event.account]
            if row != after:
                raise JournalBrokenError(position, f"account {event.account}: its snapshot differs from the replay")

    def _see_upload(self, number: OfflineNumber, account: str, position: int) -> None:
        which = f"offline number {number[1]} of terminal {number[0]}"
        if (number, account) in self._uploaded:
            raise JournalBrokenError(position, f"{which} came to an event of account {account} before")
        self._uploaded.add((number, account))
        stored = self._offline_rows.get(number, set())
        if position in stored:
            stored.remove(position)
        elif position < self._replay_from:
            raise self._lost(position, which)

    def _new(self, number: str, position: int) -> Any:
        """An actor before its first event, if it may be here at all."""
        self._check_slot(position, number, f"account {number}")
        return self._kind.new(number)

    def _check_slot(self, position: int, number: str, whose: str) -> None:
        slot = slot_of(number)
        if slot not in self._slots:
            raise JournalBrokenError(
                position,
                f"{whose}: its slot {slot} belongs to another shard; this one has slots {self._slots.start} "
                f"to {self._slots.stop - 1}",
            )

    def _book(self, position: int, event: Any, gained: int) -> None:
        counted, postings, _ = self._kind.book([event], position)
        if sum(change for _, change in postings):
            raise JournalBrokenError(position, f"postings do not sum to zero: {postings}")
        purses = sum(change for (name, _), change in postings if name == PURSES)
        if purses != gained:
            raise JournalBrokenError(position, f"account {event.account} gained {gained}, but {purses} was posted")
        self._ledger.post(postings)
        self._ledger.held += gained
        for key, amount, _ in counted:
            if position < self._replay_from and self._total_positions.get(key, 0) < position:
                raise self._lost(position, f"total {key}")
            sums = self._sums.setdefault(key, [0, 0, 0])
            sums[0] += 1
            sums[1] += amount
            sums[2] = position
        for row_key, row in self._day_rows.pop(position, ()):
            self._checked_totals += 1
            if self._sums.get(row_key) != row:
                raise JournalBrokenError(position, f"the stored total {row_key} differs from the replay")

    def _check_hot(self, changes: Iterable[HotChange]) -> None:
        for change in changes:
            self._hot_unseen.discard(change)
            if change.position < self._replay_from and self._hot_complete:
                row = self._hot_rows.get(change.card)
                if row is None or row.position < change.position:
                    raise self._lost(change.position, f"card {change.card} on the hot list")

    def _lost(self, position: int, what: str) -> JournalBrokenError:
        """A restart would never see this event: it is in no snapshot, and a replay begins after it."""
        return JournalBrokenError(position, f"{what}: its snapshot lacks this event, and a replay begins after it")

    def _check_ledger_row(self, position: int) -> None:
        row = self._ledger_row
        if row.position != position:
            return
        if row.replay_from > position + 1:
            raise JournalBrokenError(position, f"the stored ledger has a replay begin at {row.replay_from}: too late")
        balances = [(name, number, balance) for (name, number), balance in self._ledger.balances.items()]
        if sorted(map(tuple, row.balances)) != sorted(balances) or row.held != self._ledger.held:
            raise JournalBrokenError(position, "the stored ledger differs from the replay")
        if row.reserved not in {None, (self._ledger.reservations, self._ledger.reserved)}:
            raise JournalBrokenError(position, "what the stored ledger says is reserved differs from the replay")
        self._ledger_row = LedgerSnapshot(-1, 0, 0, [])

    def _check_end(self, position: int) -> None:
        """Nothing stored may speak of events that the journal does not have."""
        for row in self._actor_rows.values():
            raise JournalBrokenError(
                row.position, f"account {row.number}: its snapshot stands at no event of its chain"
            )
        if self._day_rows:
            raise JournalBrokenError(min(self._day_rows), "a stored total stands at no event")
        for (terminal, number), stored in self._offline_rows.items():
            if stored:
                explanation = f"offline number {number} of terminal {terminal} is stored, and came to no event there"
                raise JournalBrokenError(min(stored), explanation)
        if self._ledger_row.position >= 0:
            raise JournalBrokenError(self._ledger_row.position, "the stored ledger stands at no batch's end")
        for change in self._hot_unseen:
            raise JournalBrokenError(change.position, f"card {change.card}: its row of the hot list stands at no event")
        for terminal, alarm in self._alarms_unseen:
            raise JournalBrokenError(alarm, f"terminal {terminal}: its stored alarm stands at no event of its chain")
        for terminal, stan in self._stan_rows.items():
            if stan > self._stans.get(terminal, 0):
                raise JournalBrokenError(position, f"terminal {terminal}: stored STAN {stan} is above the journal's")
