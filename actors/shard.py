"""A shard hosts the actors of its slots: it decides batches of requests, one turn after the other.

    decide(requests)  ──▶ Turn: answers, events, new states. Nothing of the shard has changed.
    commit(turn)      ──▶ one durable commit: the batch of events, and a slice of snapshots of what was there before.
    adopt(turn)       ──▶ the turn's states are the shard's states now, and its answers may leave.

`decide` and `adopt` run on one thread; `commit` may run on another meanwhile, and no turn begins before it returned.
A turn whose commit was refused is simply not adopted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from actors import cell, snapshots
from actors.active import ActiveActors, Actor
from actors.calendar import Moment
from actors.cell import Cell
from actors.dirty import DirtyGroups
from actors.hot_list import HotChange, HotList
from actors.journal import Head, Journal, seal_batch
from actors.kind import Kind
from actors.ledger import Ledger, LedgerAccount
from actors.offline_numbers import OfflineNumber, OfflineNumbers, Positions
from actors.placement import SLOTS, slot_of
from actors.policy import Policy
from actors.snapshots import Snapshots
from actors.store import Row, Store, StoredBatch, Usage
from actors.suspicious import suspicion_of
from actors.totals import Sums, Totals
from wire.codec import encode_message
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

Reading one back from a full batch costs about twelve microseconds, and only a faulty terminal needs many. The first
walk of a turn goes to its end, however long, so that every request is answered some time.
"""

LEG_REQUESTS: Final = 64
"""A turn is decided in legs: what a leg touches is still in the processor's cache when the leg is booked."""

RETRY_AFTER_MS: Final = 200
CATCH_UP_GROUPS: Final = 32
CHECKPOINT_GROUPS: Final = 1_024

TerminalCell = Cell[int, int]
"""A terminal and its highest STAN decided or seen reversed; dirty if that or its totals changed."""

AlarmCell = Cell[int, int]
"""A terminal and the position of its last alarm: the head of that chain. Its row goes with the terminal's."""

Leg = tuple[list[Any], list[Any], list[Any]]
"""Successive events of a turn, and the states before and after each."""

_encode: Final = msgspec.msgpack.Encoder().encode


class Turn:
    """One batch of requests and what came of it, not yet true."""

    __slots__ = (
        "actors", "alarms", "answers", "batch", "clean_slots", "clean_terminals", "counted", "entries",
        "first", "head", "held", "hot", "moment", "newcomers", "numbers", "postings", "put_off", "raised", "recorded",
        "repeats", "reservations", "reserved", "rows", "sliced", "suspicious", "terminals", "unrecorded", "volume",
        "walked",
    )  # fmt: skip

    def __init__(self, first: int, moment: Moment) -> None:
        self.first = first
        """Position of its first event."""

        self.moment = moment
        self.answers: list[bytes] = []
        """One for each request, in their order: encoded, because they are sent only when they have left the cache."""

        self.entries: list[bytes] = []
        """Its events, as they will stand in the journal."""

        self.actors: list[Actor] = []
        """Those that it changed, some of them more than once."""

        self.newcomers: dict[str, Actor] = {}
        """Those that did not exist before; one that it did not change will not exist after it either."""

        self.terminals: list[TerminalCell] = []
        """Those whose requests it decided, some of them more than once."""

        self.alarms: list[AlarmCell] = []
        """Those that it added to."""

        self.raised: list[Any] = []
        """Its alarms: events of terminals themselves."""

        self.held = 0
        """By how much it changed what the actors hold, in minor units."""

        self.reservations = 0
        self.reserved = 0
        """By how much it changed what is reserved in actors: how many, and minor units."""

        self.hot: list[HotChange] = []
        """What it did to cards."""

        self.volume: list[tuple[tuple[int, str], int]] = []
        """What it posted, by merchant and service: a pair may come more than once."""

        self.suspicious: list[str] = []
        """Why something that it posted is not clean, each time."""

        self.counted: list[tuple[Sums, int, int]] = []
        self.postings: list[tuple[LedgerAccount, int]] = []
        self.recorded: Counter[tuple[type, int]] = Counter()
        """Its events, by type and code."""

        self.unrecorded: Counter[tuple[type, int]] = Counter()
        """Answers that the journal does not have (inquiries, unknown accounts), by type of request and code."""

        self.repeats = 0
        """Requests that were decided before."""

        self.walked = 0
        """Events read back from the journal."""

        self.put_off = 0
        """Requests that were told to try again, because too many were."""

        self.batch: StoredBatch | None = None
        self.head: Head | None = None
        self.rows: list[Row] = []
        self.numbers: list[tuple[OfflineNumber, Positions]] = []
        """Offline numbers that its commit writes, with the positions of their events."""

        self.sliced = False
        """Whether it has a slice of snapshots."""

        self.clean_slots: list[tuple[int, list[Actor]]] = []
        self.clean_terminals: list[tuple[int, list[TerminalCell]]] = []


class Shard:
    """See the module's docstring. Made by `actors.recovery.recover`."""

    def __init__(
        self,
        store: Store,
        kind: Kind,
        number: int,
        *,
        authorizations_after: int = 0,
        active_max: int = ACTIVE_MAX,
        snapshot_lag: int = SNAPSHOT_LAG,
    ) -> None:
        self._store = store
        self._kind = kind
        self._first_authorization = authorizations_after * SLOTS + number
        self.number = number
        self.authorizations_after = authorizations_after
        self._snapshot_lag = snapshot_lag
        self._unpack = msgspec.msgpack.Decoder(kind.state_type).decode
        self._decode_event = msgspec.msgpack.Decoder(kind.event_type).decode
        self._dirty_slots: DirtyGroups[Actor] = DirtyGroups(slot_of)
        self._dirty_terminals: DirtyGroups[TerminalCell] = DirtyGroups(int)
        self._looked_up = kind.original_of.keys() | kind.offline_number.keys()
        self._slots_owed = 0
        self._terminals_owed = 0
        self.journal = Journal(store, kind.event_type)
        self._stored = stored = Snapshots(store)
        self.actors = ActiveActors(stored.actor, active_max)
        self.terminals: dict[int, TerminalCell] = {}
        self.offline_numbers = OfflineNumbers(stored.offline_positions)
        self.alarms: dict[int, AlarmCell] = {}
        """By terminal."""

        self.hot_list = HotList()
        self._hot_unwritten: list[HotChange] = []
        """What a recovery found to be listed, and no row has."""

        self.totals = Totals(stored.day)
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
        return self.snapshot_lag <= self.snapshot_lag_max

    @property
    def snapshot_lag_max(self) -> int:
        """The largest lag with which it admits new work."""
        return ADMISSION_LAG_RATIO * self._snapshot_lag

    def usage(self) -> Usage:
        """How full its store is."""
        return self._store.usage()

    def forget_dead_readers(self) -> int:
        """See Store.forget_dead_readers."""
        return self._store.forget_dead_readers()

    def state(self, number: str) -> Any:
        """An actor's adopted state, or None if there is no such actor."""
        actor = self.actors.find(number)
        return None if actor is None else self._unpack(actor.durable)

    def decide(self, requests: Sequence[Any], moment: Moment, policy: Policy, *, sweep: int | None = None) -> Turn:
        """Decide the requests in order. `moment` must not be before `time_us`. Then `commit` and `adopt`, or `drop`.

        `sweep`: a slot in which what is due is settled as well, of actors that nobody asks for anything.
        """
        turn = Turn(self.head.position + 1, moment)
        if sweep is not None:
            self._sweep(turn, sweep)
        for start in range(0, len(requests), LEG_REQUESTS):
            self._decide_leg(turn, requests[start : start + LEG_REQUESTS], policy)
        self._seal(turn)
        return turn

    def open(self, events: Sequence[Any], moment: Moment) -> Turn:
        """A turn of events that bring new actors into being. Then `commit` and `adopt`, or `drop`."""
        turn = Turn(self.head.position + 1, moment)
        leg: Leg = [], [], []
        for event in events:
            actor = self.actors.find(event.account)
            if actor is None:
                actor = turn.newcomers[event.account] = Cell(event.account, _encode(self._kind.new(event.account)))
            self._record(turn, actor, self._unpack(actor.pending), event, leg)
        self._book_leg(turn, turn.first, *leg)
        self._seal(turn)
        return turn

    def commit(self, turn: Turn) -> None:
        """Make the turn durable. Raises CommitRefusedError (undone: drop the turn) or CommitBrokenError (stop)."""
        if turn.batch is not None or turn.rows:
            self._store.commit(turn.batch, turn.rows)

    def adopt(self, turn: Turn) -> None:
        """Take over a turn that is durable."""
        self._dirty_slots.clean(turn.clean_slots)
        self._dirty_terminals.clean(turn.clean_terminals)
        self.offline_numbers.written(turn.numbers)
        if turn.head is not None:
            for actor in turn.newcomers.values():
                if actor.pending is not actor.durable:
                    self.actors.add(actor)
            self._take_over(turn)
            self.head = turn.head
            self.time_us = turn.moment.time_us
        self.actors.passivate()
        if turn.sliced:
            self._hot_unwritten.clear()
        if turn.clean_terminals:
            self.totals.forget(self._dirty_terminals.since)

    def drop(self, turn: Turn) -> None:
        """The turn's commit was refused: it never happened."""
        cell.undo(turn.actors)
        cell.undo(turn.terminals)
        self.offline_numbers.drop(turn.first)
        cell.undo(turn.alarms)
        self.actors.passivate()

    def replay(self, events: Sequence[Any], first: int, *, posted: bool, reserved: bool) -> None:
        """Take over a batch of the journal from position `first` on, but for what snapshots have of it.

        `posted`: the ledger has its postings; `reserved`: and what it reserved.
        """
        for start in range(0, len(events), LEG_REQUESTS):
            leg = events[start : start + LEG_REQUESTS]
            self._replay_leg(leg, first + start, posted=posted, reserved=reserved)

    def _replay_leg(self, events: Sequence[Any], first: int, *, posted: bool, reserved: bool) -> None:
        kind, find, unpack = self._kind, self.actors.find, self._unpack
        turn = Turn(first, Moment(0, 0, 0))
        befores: list[Any] = []
        afters: list[Any] = []
        for position, event in enumerate(events, first):
            turn.terminals += [self.see_stan(*seen) for seen in kind.concerns(event)]
            owner = kind.owner(event)
            if isinstance(owner, int):
                turn.alarms.append(self._see_alarm(owner, position))
                continue
            actor = find(owner)
            if actor is None:
                actor = Cell(owner, _encode(kind.new(owner)))
                self.actors.add(actor)
            before = unpack(actor.pending)
            if position > before.position:
                after = kind.apply[type(event)](before, event, position)
                actor.pending = _encode(after)
                befores.append(before)
                afters.append(after)
            turn.actors.append(actor)
            if (number_of := kind.offline_number.get(type(event))) is not None:
                self.offline_numbers.add(number_of(event), position)
        self._book_leg(turn, first, events, befores, afters)
        if posted:
            turn.held = 0
            turn.postings.clear()
        if reserved:
            turn.reservations = turn.reserved = 0
        hot, turn.hot = turn.hot, []
        self.list_hot(hot)
        self._take_over(turn)

    def _take_over(self, turn: Turn) -> None:
        """What the turn made of actors, terminals, totals and ledger is what they are."""
        cell.adopt(turn.actors)
        cell.adopt(turn.terminals)
        cell.adopt(turn.alarms)
        self._dirty_slots.mark(turn.actors, turn.first)
        self._dirty_terminals.mark(turn.terminals, turn.first)
        self.ledger.held += turn.held
        self.ledger.reserve(turn.reservations, turn.reserved)
        self.ledger.post(turn.postings)
        self.totals.count(turn.counted)
        self.hot_list.note(turn.hot)

    def list_hot(self, changes: Sequence[HotChange]) -> None:
        """Take over what a recovery found to have happened to cards; what no row has is written with the next slice."""
        for change in changes:
            known = self.hot_list.newest(change.card)
            if known is None or known.position < change.position:
                self._hot_unwritten.append(change)
        self.hot_list.note(changes)

    def see_stan(self, terminal: int, stan: int) -> TerminalCell:
        """The terminal's cell, with a highest pending STAN of at least `stan`."""
        found = self.terminals.get(terminal)
        if found is None:
            found = self.terminals[terminal] = Cell(terminal, 0)
        found.pending = max(found.pending, stan)
        return found

    def _see_alarm(self, terminal: int, position: int) -> AlarmCell:
        """The terminal's cell, with a last alarm at `position` or later."""
        found = self.alarms.get(terminal)
        if found is None:
            found = self.alarms[terminal] = Cell(terminal, 0)
        found.pending = max(found.pending, position)
        return found

    def checkpoint(self) -> None:
        """Bring every snapshot up to date, so that a restart replays nothing. Raises as `commit` does."""
        while self._dirty_slots or self._dirty_terminals or self._hot_unwritten:
            turn = Turn(self.head.position + 1, Moment(self.time_us, 0, 0))
            self._slice(turn, CHECKPOINT_GROUPS, CHECKPOINT_GROUPS)
            self._write_numbers(turn)
            self.commit(turn)
            self.adopt(turn)

    def _decide_leg(self, turn: Turn, requests: Sequence[Any], policy: Policy) -> None:
        kind, moment, answers, entries = self._kind, turn.moment, turn.answers, turn.entries
        first_authorization = self._first_authorization
        decide_by, apply_by, answer_by, looked_up = kind.decide, kind.apply, kind.answer, self._looked_up
        find_young, find, unpack, find_terminal = (
            self.actors.find_young,
            self.actors.find,
            self._unpack,
            self.terminals.get,
        )
        leg: Leg = [], [], []
        events, befores, afters = leg
        for request in requests:
            asked = type(request)
            decide = decide_by.get(asked)
            if decide is None:
                answers.append(encode_message(self._answer_beside(turn, request, events, policy)))
                continue
            actor = find_young(request.account) or find(request.account) or self._newcomer(turn, request, policy)
            terminal, stan = find_terminal(request.terminal), request.stan
            if actor is None:
                answers.append(encode_message(self._answer_unrecorded(turn, request, None, policy)))
                continue
            before = unpack(actor.pending)
            while 0 < before.due_us <= moment.time_us:
                before = self._record(turn, actor, before, kind.fall_due(before, moment), leg)
            if terminal is None:
                terminal = self.see_stan(request.terminal, 0)
            original = None
            if stan <= terminal.pending or asked in looked_up:
                known = self._answer_known(turn, request, before.position, terminal.pending)
                if known is not None:
                    answers.append(encode_message(known))
                    continue
                original = self._original(turn, before.position, request)
            if before.unclaimed and (earlier := kind.precede(before, request, moment, policy)) is not None:
                before = self._record(turn, actor, before, earlier, leg)
            position = turn.first + len(entries)
            event = decide(
                before, request, original,
                policy.moment_at(request.terminal, moment) if policy.own_calendars else moment,
                policy, position * SLOTS + first_authorization,
            )  # fmt: skip
            after = apply_by[type(event)](before, event, position)
            if terminal.pending is terminal.durable:
                turn.terminals.append(terminal)
            terminal.pending = max(terminal.pending, stan)
            if actor.pending is actor.durable:
                turn.actors.append(actor)
            actor.pending = _encode(after)
            if asked in looked_up:
                turn.terminals += [self.see_stan(*seen) for seen in kind.concerns(event)]
                if (number_of := kind.offline_number.get(type(event))) is not None:
                    self.offline_numbers.add(number_of(event), position)
            entries.append(_encode(event))
            answers.append(encode_message(answer_by[type(event)](event)))
            events.append(event)
            befores.append(before)
            afters.append(after)
        if events:
            self._book_leg(turn, turn.first + len(entries) - len(events), events, befores, afters)

    def _sweep(self, turn: Turn, slot: int) -> None:
        """Settle what is due in a slot: of some hundreds of actors, most of which are in the store only."""
        leg: Leg = [], [], []
        now_us = turn.moment.time_us
        stored = map(self._unpack, self._stored.actors_of(slot))
        suspects = [state.number for state in stored if 0 < state.due_us <= now_us]
        # Of an actor that changed since its snapshot, its cell says what is due.
        suspects += [actor.number for actor in self._dirty_slots.members(slot)]
        for number in dict.fromkeys(suspects):
            actor = self.actors.find(number)
            assert actor is not None, "it is in the store or dirty"
            state = self._unpack(actor.pending)
            while 0 < state.due_us <= now_us:
                state = self._record(turn, actor, state, self._kind.fall_due(state, turn.moment), leg)
        if leg[0]:
            self._book_leg(turn, turn.first, *leg)

    def _record(self, turn: Turn, actor: Actor, state: Any, event: Any, leg: Leg) -> Any:
        """Add an event that no request is answered with. Returns the actor's state after it."""
        events, befores, afters = leg
        after = self._kind.apply[type(event)](state, event, turn.first + len(turn.entries))
        if actor.pending is actor.durable:
            turn.actors.append(actor)
        actor.pending = _encode(after)
        turn.entries.append(_encode(event))
        events.append(event)
        befores.append(state)
        afters.append(after)
        return after

    def _book_leg(
        self, turn: Turn, first: int, events: Sequence[Any], befores: Sequence[Any], afters: Sequence[Any]
    ) -> None:
        """Add up what successive events of the turn, from position `first` on, moved and count."""
        kind = self._kind
        turn.held += kind.holdings(afters) - kind.holdings(befores)
        turn.hot += kind.hot_changes(events, befores, afters)
        counted, postings, volume = kind.book(events, first)
        turn.counted += self.totals.find(counted)
        turn.postings += postings
        turn.volume += volume
        outcomes = _outcomes(events)
        turn.recorded.update(outcomes)
        types = {event_type for event_type, _ in outcomes}
        if not kind.reserving.isdisjoint(types):
            (before, before_amount), (after, after_amount) = kind.reserved(befores), kind.reserved(afters)
            turn.reservations += after - before
            turn.reserved += after_amount - before_amount
        if not kind.doubtful.isdisjoint(types):
            turn.suspicious += [reason for event in events if (reason := suspicion_of(event, kind)) is not None]

    def _newcomer(self, turn: Turn, request: Any, policy: Policy) -> Actor | None:
        """An actor that does not exist yet: this turn has brought it into being, or `request` will."""
        number = request.account
        actor = turn.newcomers.get(number)
        if actor is not None and actor.pending is not actor.durable:
            return actor
        if type(request) not in self._kind.opening or self._refused_opening(turn, request, policy) is not None:
            return None
        actor = turn.newcomers[number] = Cell(number, _encode(self._kind.new(number)))
        return actor

    def _refused_opening(self, turn: Turn, request: Any, policy: Policy) -> Any:
        """The event that declines to bring an actor into being, or None if nothing speaks against it.

        It is not recorded: there is no actor to record it of. What is approved is decided once more where all requests
        are, and comes to the same.
        """
        kind = self._kind
        here = policy.moment_at(request.terminal, turn.moment)
        event = kind.decide[type(request)](kind.new(request.account), request, None, here, policy, 0)
        return event if hasattr(event, "code") else None

    def _answer_beside(self, turn: Turn, request: Any, events: list[Any], policy: Policy) -> Any:
        """Answer what no actor decides: an alarm, which is added to `events`; this shard's part; an inquiry."""
        asked = type(request)
        if asked in self._kind.alarms:
            return self._raise_alarm(turn, request, events, policy)
        part = self._kind.part.get(asked)
        if part is not None:
            return part(request, self)
        actor = self.actors.find(request.account) or self._newcomer(turn, request, policy)
        return self._answer_unrecorded(turn, request, actor, policy)

    def _raise_alarm(self, turn: Turn, request: Any, events: list[Any], policy: Policy) -> Any:
        """Answer a request that is recorded in its terminal's own chain."""
        kind = self._kind
        terminal, alarm = self.see_stan(request.terminal, 0), self._see_alarm(request.terminal, 0)
        known = self._answer_known(turn, request, alarm.pending, terminal.pending)
        if known is not None:
            return known
        position = turn.first + len(turn.entries)
        here = policy.moment_at(request.terminal, turn.moment)
        event = kind.alarms[type(request)](request, alarm.pending, here, policy)
        terminal.pending = max(terminal.pending, request.stan)
        alarm.pending = position
        turn.terminals.append(terminal)
        turn.alarms.append(alarm)
        turn.raised.append(event)
        turn.entries.append(_encode(event))
        events.append(event)
        return kind.answer[type(event)](event)

    def _answer_unrecorded(self, turn: Turn, request: Any, actor: Actor | None, policy: Policy) -> Any:
        """Answer an inquiry, or a request to an actor that does not exist."""
        if actor is None and type(request) in self._kind.opening:
            refused = self._refused_opening(turn, request, policy)
            reply = self._kind.answer[type(refused)](refused)
        elif actor is None:
            reply = Answer(request.terminal, request.stan, Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT, 0, (), ())
        elif turn.walked > WALKED_EVENTS_MAX:
            return self._put_off(turn, request)
        else:
            state = self._unpack(actor.pending)
            newest = list(islice(self._chain(turn, state.position), self._kind.events_wanted(request)))
            reply = self._kind.inquire(state, request, newest, turn.moment, policy)
        turn.unrecorded[type(request), int(getattr(reply, "code", Code.APPROVED))] += 1
        return reply

    def _answer_known(self, turn: Turn, request: Any, newest: int, highest: int) -> Any:
        """The answer to a request that was decided before, in the chain from `newest` back, or None: then it is new."""
        kind, new_stan = self._kind, request.stan > highest
        settled = self._uploaded(turn, request)
        if settled is None or not (new_stan or kind.same_content(settled, request)):
            if turn.walked > WALKED_EVENTS_MAX and (not new_stan or type(request) in kind.original_of):
                return self._put_off(turn, request)
            if not new_stan:
                found = self._newest(turn, newest, kind.concerns, (request.terminal, request.stan))
                settled = found or settled
        if settled is None:
            return None
        turn.repeats += 1
        return self._kind.answer_repeat(settled, request)

    def _uploaded(self, turn: Turn, request: Any) -> Any:
        """The event that the request's offline number came to, of its own actor if any is; None if it is new."""
        number_of = self._kind.offline_number.get(type(request))
        if number_of is None:
            return None
        events = [self._event_at(turn, position) for position in self.offline_numbers.positions(number_of(request))]
        return next((event for event in events if event.account == request.account), events[0] if events else None)

    def _put_off(self, turn: Turn, request: Any) -> Answer:
        turn.put_off += 1
        return Answer(request.terminal, request.stan, Code.TRY_AGAIN, Reason.BUSY_SHARD, 0, (), (), RETRY_AFTER_MS)

    def _original(self, turn: Turn, newest: int, request: Any) -> Any:
        """What became of the original that a request names; None if it is unknown, or if it names none."""
        original_of = self._kind.original_of.get(type(request))
        if original_of is None:
            return None
        named = terminal, stan = original_of(request)
        seen = self.terminals.get(terminal)
        if seen is None or stan > seen.pending:
            return None
        return self._newest(turn, newest, self._kind.bears_on, named)

    def _newest(
        self, turn: Turn, newest: int, pairs_of: Callable[[Any], tuple[tuple[int, int], ...]], asked: tuple[int, int]
    ) -> Any:
        """The newest event of this chain among whose pairs is (terminal, stan) `asked`, or None.

        Only asked when a STAN is not above its terminal's highest. A retry is found at the chain's head or near it.
        """
        return next((event for event in self._chain(turn, newest) if asked in pairs_of(event)), None)

    def _chain(self, turn: Turn, position: int) -> Iterator[Any]:
        """The events of a chain from `position` back, from this very turn and from the journal."""
        while position >= turn.first:
            event = self._event_at(turn, position)
            yield event
            position = event.previous
        for _, event in self.journal.chain(position):
            turn.walked += 1
            yield event

    def _event_at(self, turn: Turn, position: int) -> Any:
        """An event of this very turn or of the journal."""
        if position >= turn.first:
            return self._decode_event(turn.entries[position - turn.first])
        return self.journal.event_at(position)

    def _seal(self, turn: Turn) -> None:
        """Make the turn ready for its commit: its batch, and its slice of snapshots."""
        if turn.entries:
            turn.batch, turn.head = seal_batch(self.head, turn.entries)
            turn.rows += snapshots.hot_rows(turn.hot)  # rare, and with their events: so these rows never lag
            self._slice(turn, *self._pace(len(turn.entries)))
            self._write_numbers(turn)
        elif not self.admits:
            self._slice(turn, CATCH_UP_GROUPS, CATCH_UP_GROUPS)

    def _pace(self, events: int) -> tuple[int, int]:
        """How many slots and terminals to write now, so that all that are dirty are written before admission ends.

        Under steady traffic each one's turn then comes about once in SNAPSHOT_LAG events.
        """
        left = max(1, self.snapshot_lag_max - self.snapshot_lag)
        slots, self._slots_owed = divmod(self._slots_owed + events * len(self._dirty_slots), left)
        terminals, self._terminals_owed = divmod(self._terminals_owed + events * len(self._dirty_terminals), left)
        return slots, terminals

    def _slice(self, turn: Turn, slots: int, terminals: int) -> None:
        """Add the snapshots of the longest dirty slots and terminals to the turn's commit.

        They are of the adopted states, so they never hold an event that is not durable.
        """
        turn.clean_slots = self._dirty_slots.first_groups(slots)
        turn.clean_terminals = self._dirty_terminals.first_groups(terminals)
        if not turn.clean_slots and not turn.clean_terminals and not self._hot_unwritten:
            return
        turn.sliced = True
        rows = turn.rows
        rows += snapshots.hot_rows(self._hot_unwritten)
        for slot, actors in turn.clean_slots:
            rows += snapshots.actor_rows(slot, actors)
        for number, (terminal,) in turn.clean_terminals:
            rows.append(snapshots.terminal_row(number, terminal.durable))
            if (alarm := self.alarms.get(number)) is not None and alarm.durable:
                rows.append(snapshots.alarm_row(number, alarm.durable))
            rows += [snapshots.day_row(day, number, sums) for day, sums in self.totals.in_memory(number)]
        replay_from = self._replay_from(len(turn.clean_slots), len(turn.clean_terminals))
        rows.append(snapshots.ledger_row(self.head.position, replay_from, self.ledger))

    def _write_numbers(self, turn: Turn) -> None:
        """Add the offline numbers that the store lacks to the turn's commit."""
        turn.numbers = self.offline_numbers.unwritten()
        turn.rows += [snapshots.offline_row(number, positions) for number, positions in turn.numbers]

    def _replay_from(self, slots: int, terminals: int) -> int:
        """Where a replay would begin if the oldest `slots` slots and `terminals` terminals were clean."""
        oldest = (self._dirty_slots.oldest_after(slots), self._dirty_terminals.oldest_after(terminals))
        return min((position for position in oldest if position is not None), default=self.head.position + 1)


def _outcomes(events: Sequence[Any]) -> Counter[tuple[type, int]]:
    """How many events there are by type (that of the request, where an event keeps it) and response code."""
    outcomes: Counter[tuple[type, int]] = Counter()
    for event_type, count in Counter(map(type, events)).items():
        if hasattr(event_type, "code"):
            declined: list[Any] = [event for event in events if type(event) is event_type]
            outcomes.update((type(getattr(event, "asked", event)), int(event.code)) for event in declined)
        else:
            outcomes[event_type, int(Code.APPROVED)] = count
    return outcomes
