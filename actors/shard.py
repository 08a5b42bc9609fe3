"""A shard hosts the actors of its slots: it decides batches of requests, one turn after the other.

    decide(requests)  ──▶ Turn: answers, events, new states. Nothing of the shard has changed.
    commit(turn)      ──▶ one durable commit: the batch of events, and a slice of snapshots of what was there before.
    adopt(turn)       ──▶ the turn's states are the shard's states now, and its answers may leave.

`decide` and `adopt` run on one thread; `commit` may run on another meanwhile, and no turn begins before it returned.
A turn whose commit was refused is simply not adopted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from actors import snapshots
from actors.active import ActiveActors
from actors.calendar import Moment
from actors.dirty import DirtyGroups
from actors.journal import Head, Journal, seal_batch
from actors.kind import Kind
from actors.ledger import Ledger
from actors.placement import SLOTS, slot_of
from actors.policy import Policy
from actors.snapshots import Snapshots
from actors.store import Row, Store, StoredBatch, Usage
from actors.totals import Totals
from wire.codes import Code, Reason
from wire.messages import Answer

ACTIVE_MAX: Final = 400_000
"""Actors in memory, of about 1 KB each."""

SNAPSHOT_LAG: Final = 200_000
"""Events that a restart may have to replay: each snapshot's turn to be written comes once in so many."""

ADMISSION_LAG_RATIO: Final = 2
"""Past this multiple of the lag, no new requests are admitted until snapshots have caught up."""

WALKED_EVENTS_MAX: Final = 500
"""Events read back from the journal in one turn: a request that would need more is told to try again.

Reading one back from a full batch costs up to a hundred microseconds, and only a faulty terminal needs many. The first
walk of a turn goes to its end, however long, so that every request is answered some time.
"""

RETRY_AFTER_MS: Final = 200
CATCH_UP_GROUPS: Final = 32
CHECKPOINT_GROUPS: Final = 1_024


class Turn:
    """One batch of requests and what came of it, not yet true."""

    __slots__ = ("answers", "batch", "events", "first", "head", "held", "moment", "put_off", "repeats", "rows", "slots",
                 "stans", "states", "terminals", "unrecorded", "walked")  # fmt: skip

    def __init__(self, first: int, moment: Moment) -> None:
        self.first = first
        """Position of its first event."""

        self.moment = moment
        self.answers: list[Any] = []
        """One for each request, in their order."""

        self.events: list[Any] = []
        self.states: dict[str, Any] = {}
        self.stans: dict[int, int] = {}
        self.held = 0
        self.repeats = 0
        """Requests that were decided before."""

        self.walked = 0
        """Events read back from the journal."""

        self.put_off = 0
        """Requests that were told to try again, because too many were."""

        self.unrecorded: Counter[tuple[type, int]] = Counter()
        """Answers that the journal does not have (inquiries, unknown accounts), by type of request and code."""

        self.batch: StoredBatch | None = None
        self.head: Head | None = None
        self.rows: list[Row] = []
        self.slots: list[tuple[int, list[str]]] = []
        self.terminals: list[tuple[int, list[int]]] = []


class Shard:
    """See the module's docstring. Made by `actors.recovery.recover`."""

    def __init__(
        self, store: Store, kind: Kind, number: int, *, active_max: int = ACTIVE_MAX, snapshot_lag: int = SNAPSHOT_LAG
    ) -> None:
        self._store = store
        self._kind = kind
        self._number = number
        self._snapshot_lag = snapshot_lag
        self._snapshots: Snapshots[Any] = Snapshots(store, kind.state_type)
        self._dirty_slots: DirtyGroups[int, str] = DirtyGroups(slot_of)
        self._dirty_terminals: DirtyGroups[int, int] = DirtyGroups(int)
        self._slots_owed = 0
        self._terminals_owed = 0
        self.journal = Journal(store, kind.event_type)
        self.actors: ActiveActors[Any] = ActiveActors(self._snapshots.actor, active_max)
        self.stans: dict[int, int] = {}
        """Highest STAN decided or seen reversed, by terminal."""

        self.totals = Totals(self._snapshots.day)
        self.ledger = Ledger()
        self.head = Head(0, b"")
        self.time_us = 0
        """Time of the newest event; 0 before the first."""

    @property
    def snapshot_lag(self) -> int:
        """Events that a restart would have to replay now."""
        return self.head.position + 1 - self._replay_from(0, 0)

    @property
    def admits(self) -> bool:
        """False while snapshots lag so far behind that new work must wait for them."""
        return self.snapshot_lag <= ADMISSION_LAG_RATIO * self._snapshot_lag

    def usage(self) -> Usage:
        """How full its store is."""
        return self._store.usage()

    def decide(self, requests: Sequence[Any], moment: Moment, policy: Policy) -> Turn:
        """Decide the requests in order. `moment` must not be before `time_us`."""
        turn = Turn(self.head.position + 1, moment)
        kind, first, answers, events, states, stans = (
            self._kind, turn.first, turn.answers, turn.events, turn.states, turn.stans,
        )  # fmt: skip
        decide_by, apply_by, answer_by, original_of = kind.decide, kind.apply, kind.answer, kind.original_of
        find_young, find, highest_before = self.actors.find_young, self.actors.find, self.stans.get
        befores: list[Any] = []
        afters: list[Any] = []
        for request in requests:
            number, terminal, stan, asked = request.account, request.terminal, request.stan, type(request)
            state = states.get(number) or find_young(number) or find(number)
            decide = decide_by.get(asked)
            if state is None or decide is None:
                answers.append(self._answer_unrecorded(turn, request, state, policy))
                continue
            highest = stans.get(terminal) or highest_before(terminal, 0)
            original = None
            if stan <= highest or asked in original_of:
                known = self._answer_known(turn, request, state, highest)
                if known is not None:
                    answers.append(known)
                    continue
                original = self._original(turn, state, request)
            stans[terminal] = stan if stan > highest else highest  # noqa: FURB136 - a call of max costs as much as a rule
            position = first + len(events)
            event = decide(state, request, original, moment, policy, position * SLOTS + self._number)
            after = apply_by[type(event)](state, event, position)
            events.append(event)
            states[number] = after
            befores.append(state)
            afters.append(after)
            if asked in original_of:
                self._see_originals(turn, event)
            answers.append(answer_by[type(event)](event))
        turn.held = kind.holdings(afters) - kind.holdings(befores)
        self.seal(turn)
        return turn

    def commit(self, turn: Turn) -> None:
        """Make the turn durable. Raises CommitRefusedError (undone: drop the turn) or CommitBrokenError (stop)."""
        if turn.batch is not None or turn.rows:
            self._store.commit(turn.batch, turn.rows)

    def adopt(self, turn: Turn) -> None:
        """Take over a turn that is durable."""
        self._dirty_slots.clean(turn.slots)
        self._dirty_terminals.clean(turn.terminals)
        if turn.head is not None:
            self.actors.adopt(turn.states)
            self.stans.update(turn.stans)
            self.ledger.held += turn.held
            self.book(turn.events, turn.first)
            self.mark_dirty(turn.states.keys(), turn.stans.keys(), turn.first)
            self.head = turn.head
            self.time_us = turn.moment.time_us
        self.actors.passivate(self._dirty_slots.__contains__)
        if turn.terminals:
            self.totals.forget(self._dirty_terminals.since)

    def drop(self) -> None:
        """The last turn's commit was refused and it is not adopted: what it activated may leave memory again."""
        self.actors.passivate(self._dirty_slots.__contains__)

    def book(self, events: Iterable[Any], first: int, *, post: bool = True) -> None:
        """Count durable events, the first at position `first`, in their totals and (if `post`) in the ledger."""
        counted, postings = self._kind.book(events, first)
        if post:
            self.ledger.post(postings)
        self.totals.count(counted)

    def mark_dirty(self, numbers: Iterable[str], terminals: Iterable[int], position: int) -> None:
        """The snapshots of these actors and terminals lack events from `position` on."""
        self._dirty_slots.mark(numbers, position)
        self._dirty_terminals.mark(terminals, position)

    def checkpoint(self) -> None:
        """Bring every snapshot up to date, so that a restart replays nothing. Raises as `commit` does."""
        while self._dirty_slots or self._dirty_terminals:
            turn = Turn(self.head.position + 1, Moment(self.time_us, 0, 0))
            self._slice(turn, CHECKPOINT_GROUPS, CHECKPOINT_GROUPS)
            self.commit(turn)
            self.adopt(turn)

    def _answer_unrecorded(self, turn: Turn, request: Any, state: Any, policy: Policy) -> Any:
        """Answer an inquiry, or a request to an actor that does not exist."""
        if state is None:
            reply = Answer(request.terminal, request.stan, Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT, 0, (), ())
        elif turn.walked > WALKED_EVENTS_MAX:
            return self._put_off(turn, request)
        else:
            newest = list(islice(self._chain(turn, state), self._kind.events_wanted(request)))
            reply = self._kind.inquire(state, request, newest, turn.moment, policy)
        turn.unrecorded[type(request), int(getattr(reply, "code", Code.APPROVED))] += 1
        return reply

    def record(self, turn: Turn, state: Any, event: Any, position: int) -> None:
        """Add an event to the turn, with the state that follows from it."""
        after = self._kind.apply[type(event)](state, event, position)
        turn.states[event.account] = after
        turn.events.append(event)
        turn.held += self._kind.holdings([after]) - self._kind.holdings([state])

    def _answer_known(self, turn: Turn, request: Any, state: Any, highest: int) -> Any:
        """The answer to a request that was decided before, or None: then it is new."""
        if turn.walked > WALKED_EVENTS_MAX:
            return self._put_off(turn, request)
        if request.stan > highest:
            return None
        settled = self._settling(turn, state, request.terminal, request.stan)
        if settled is None:
            return None
        turn.repeats += 1
        return self._kind.answer_repeat(settled, request)

    def _put_off(self, turn: Turn, request: Any) -> Answer:
        turn.put_off += 1
        return Answer(request.terminal, request.stan, Code.TRY_AGAIN, Reason.BUSY_SHARD, 0, (), (), RETRY_AFTER_MS)

    def _original(self, turn: Turn, state: Any, request: Any) -> Any:
        """What settles the original that a request names; None if it is unknown, or if it names none."""
        original_of = self._kind.original_of.get(type(request))
        if original_of is None:
            return None
        terminal, stan = original_of(request)
        return self._settling(turn, state, terminal, stan) if stan <= self._highest_stan(turn, terminal) else None

    def _see_originals(self, turn: Turn, event: Any) -> None:
        """A reversed original counts as seen, whether or not it ever came."""
        for terminal, stan in self._kind.concerns(event):
            turn.stans[terminal] = max(stan, self._highest_stan(turn, terminal))

    def _highest_stan(self, turn: Turn, terminal: int) -> int:
        return turn.stans.get(terminal) or self.stans.get(terminal, 0)

    def _settling(self, turn: Turn, state: Any, terminal: int, stan: int) -> Any:
        """The newest event of this actor that (terminal, stan) came to, or None.

        Only asked when a STAN is not above its terminal's highest. A retry is found at the chain's head or near it.
        """
        asked = (terminal, stan)
        return next((event for event in self._chain(turn, state) if asked in self._kind.concerns(event)), None)

    def _chain(self, turn: Turn, state: Any) -> Iterator[Any]:
        """The actor's events, newest first, from this very turn and from the journal."""
        position = state.position
        while position >= turn.first:
            event = turn.events[position - turn.first]
            yield event
            position = event.previous
        for _, event in self.journal.chain(position):
            turn.walked += 1
            yield event

    def seal(self, turn: Turn) -> None:
        """Make the turn ready for its commit: its batch, and its slice of snapshots."""
        if turn.events:
            turn.batch, turn.head = seal_batch(self.head, turn.events)
            self._slice(turn, *self._pace(len(turn.events)))
        elif not self.admits:
            self._slice(turn, CATCH_UP_GROUPS, CATCH_UP_GROUPS)

    def _pace(self, events: int) -> tuple[int, int]:
        """How many slots and terminals to write now, so that all that are dirty are written before admission ends.

        Under steady traffic each one's turn then comes about once in SNAPSHOT_LAG events.
        """
        left = max(1, ADMISSION_LAG_RATIO * self._snapshot_lag - self.snapshot_lag)
        slots, self._slots_owed = divmod(self._slots_owed + events * self._dirty_slots.groups(), left)
        terminals, self._terminals_owed = divmod(self._terminals_owed + events * self._dirty_terminals.groups(), left)
        return slots, terminals

    def _slice(self, turn: Turn, slots: int, terminals: int) -> None:
        """Add the snapshots of the longest dirty slots and terminals to the turn's commit.

        They are of the adopted states, so they never hold an event that is not durable.
        """
        turn.slots = self._dirty_slots.first_groups(slots)
        turn.terminals = self._dirty_terminals.first_groups(terminals)
        if not turn.slots and not turn.terminals:
            return
        rows = turn.rows
        for slot, numbers in turn.slots:
            rows += snapshots.actor_rows(slot, sorted(numbers), self.actors.find)
        for terminal, _ in turn.terminals:
            rows.append(snapshots.terminal_row(terminal, self.stans[terminal]))
            rows.extend(snapshots.day_row(day, terminal, sums) for day, sums in self.totals.in_memory(terminal))
        replay_from = self._replay_from(len(turn.slots), len(turn.terminals))
        rows.append(snapshots.ledger_row(self.head.position, replay_from, self.ledger))

    def _replay_from(self, slots: int, terminals: int) -> int:
        """Where a replay would begin if the oldest `slots` slots and `terminals` terminals were clean."""
        oldest = (self._dirty_slots.oldest_after(slots), self._dirty_terminals.oldest_after(terminals))
        return min((position for position in oldest if position is not None), default=self.head.position + 1)
