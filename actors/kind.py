"""What a shard knows of a kind of actor: one row of functions. A kind is modules and such a row, nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from actors.calendar import Moment
from actors.effect import Effect
from actors.hot_list import HotChange, HotList
from actors.journal import Head
from actors.ledger import LedgerAccount
from actors.offline_numbers import OfflineNumber
from actors.policy import Policy
from actors.totals import Counted, Totals


class State(Protocol):
    """An actor's immutable state."""

    @property
    def number(self) -> str:
        """Which actor it is."""
        ...

    @property
    def position(self) -> int:
        """Journal position of its last event; 0 before its first."""
        ...

    @property
    def due_us(self) -> int:
        """When something happens to it that nobody asks for, microseconds since the Unix epoch; 0 if nothing does."""
        ...

    @property
    def unclaimed(self) -> Sequence[Any]:
        """What waits for a request that takes it; empty for nearly every actor."""
        ...


class Part(Protocol):
    """What a shard holds of what is kept over all shards."""

    @property
    def totals(self) -> Totals:
        """What terminals took of this shard's accounts."""
        ...

    @property
    def hot_list(self) -> HotList:
        """Of this shard's accounts."""
        ...

    @property
    def head(self) -> Head:
        """The end of its journal."""
        ...

    @property
    def number(self) -> int:
        """Which of the switch's shards it is."""
        ...

    @property
    def authorizations_after(self) -> int:
        """Above all positions that journals had before they were rewritten for this number of shards."""
        ...


class Booked(NamedTuple):
    """What successive events moved."""

    counted: list[Counted]
    """What counts in totals."""

    postings: Sequence[tuple[LedgerAccount, int]]
    """(ledger account, change) that sum to zero; those to one ledger account may come added up."""

    volume: Iterable[tuple[tuple[int, str], int]]
    """What is counted, by merchant and service, whatever its direction; a pair may come more than once."""


class Kind(NamedTuple):
    """A row a kind; the tables are by type of request or event.

    Requests are wire messages with `terminal`, `stan`, `wait_ms` and `account`; events have `account`, `time_us` and
    `previous`, and those that decline have the response `code`. An event type that several services share keeps the
    request in `asked`.

    Beside its actors, a shard records *alarms*: events of a terminal itself, which have a chain of their own, be they
    approvals or declines.
    """

    state_type: Any
    event_type: Any
    new: Callable[[str], Any]
    """(number) → state before the first event."""

    decide: Mapping[type, Callable[[Any, Any, Any, Moment, Policy, int], Any]]
    """(state, request, newest event that bears on the named original or None, moment, policy, authorization) → event.

    A request that is not in this table is an inquiry: it is answered without an effect.
    """

    fall_due: Callable[[Any, Moment], Any]
    """(state whose `due_us` has come, moment) → event, after which it is due later or not at all."""

    precede: Callable[[Any, Any, Moment, Policy], Any]
    """(state with something `unclaimed`, request that is new, moment, policy) → event that comes before the request's
    own, or None."""

    apply: Mapping[type, Callable[[Any, Any, int], Any]]
    """(state, event, its position) → state."""

    service: Mapping[type, str]
    """By type of request and of event (but for those that keep the request): which service it belongs to."""

    answer: Mapping[type, Callable[[Any], Any]]
    """(event) → reply."""

    answer_repeat: Callable[[Any, Any], Any]
    """(event that settled it, request) → reply."""

    same_content: Callable[[Any, Any], bool]
    """(event, request) → whether what led to the event asked for the same."""

    concerns: Callable[[Any], tuple[tuple[int, int], ...]]
    """(event) → the (terminal, stan) pairs that came to it."""

    bears_on: Callable[[Any], tuple[tuple[int, int], ...]]
    """(event) → those, and the pair whose effect it used: what may still be done with a pair, the newest such event
    tells."""

    original_of: Mapping[type, Callable[[Any], tuple[int, int]]]
    """(request) → the (terminal, stan) it names besides its own; absent if its type names none."""

    offline_number: Mapping[type, Callable[[Any], OfflineNumber]]
    """(request, or event that such a request comes to) → its offline number; absent if its type has none.

    A number comes to one event, and whoever sends it again is answered by that, under whatever STAN.
    """

    events_wanted: Callable[[Any], int]
    """(inquiry) → how many of the actor's newest events its answer needs."""

    inquire: Callable[[Any, Any, Sequence[Any], Moment, Policy], Any]
    """(state, inquiry, newest events, moment, policy) → reply."""

    holdings: Callable[[Sequence[Any]], int]
    """(states) → how many minor units they hold together."""

    reserving: frozenset[type]
    """Types of event that may change what is reserved in an actor: any other leaves it as it is."""

    reserved: Callable[[Iterable[Any]], tuple[int, int]]
    """(states) → how many reservations stand in them, and of how many minor units."""

    doubtful: frozenset[type]
    """Types of event that may have posted something that is not clean: then that is their effect."""

    effect: Mapping[type, Callable[[Any], Effect | None]]
    """(event) → what the world outside should learn of it, or None; an event that is not here has no effect."""

    book: Callable[[Iterable[Any], int], Booked]
    """(successive events, position of the first) → what they moved."""

    alarms: Mapping[type, Callable[[Any, int, Moment, Policy], Any]]
    """(request of a terminal, position of that terminal's previous alarm or 0, moment, policy) → event."""

    owner: Callable[[Any], str | int]
    """(event) → in whose chain it is: the number of an actor; of a terminal, as an integer, if it is an alarm."""

    part: Mapping[type, Callable[[Any, Part], Any]]
    """(request that every shard answers for its part, what this shard holds) → its part of the reply."""

    hot_changes: Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], list[HotChange]]
    """(events, states before, states after; none for alarms) → what they did to cards."""

    hot_card: Callable[[Any], HotChange | None]
    """(state in a folder that never had a hot list) → what is to be listed of it."""

    opening: frozenset[type] = frozenset()
    """Types of request that may be made of an actor that does not exist.

    If one is approved, the actor exists from then on; if it is declined, nothing is recorded.
    """
