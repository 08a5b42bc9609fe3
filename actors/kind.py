"""What a shard knows of a kind of actor: one row of functions. A kind is modules and such a row, nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from actors.calendar import Moment
from actors.effect import Effect
from actors.ledger import LedgerAccount
from actors.offline_numbers import OfflineNumber
from actors.policy import Policy
from actors.totals import Counted


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


class Kind(NamedTuple):
    """A row a kind; the tables are by type of request or event.

    Requests are wire messages with `terminal`, `stan`, `wait_ms` and `account`; events have `account`, `time_us` and
    `previous`, and those that decline have the response `code`. An event type that several services share keeps the
    request in `asked`.
    """

    state_type: Any
    event_type: Any
    new: Callable[[str], Any]
    """(number) → state before the first event."""

    decide: Mapping[type, Callable[[Any, Any, Any, Moment, Policy, int], Any]]
    """(state, request, newest event that bears on the named original or None, moment, policy, authorization) → event.

    A request that is not in this table is an inquiry: it is answered without an effect.
    """

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

    effect: Mapping[type, Callable[[Any], Effect | None]]
    """(event) → what the world outside should learn of it, or None; an event that is not here has no effect."""

    book: Callable[[Iterable[Any], int], tuple[list[Counted], Iterable[tuple[LedgerAccount, int]]]]
    """(successive events, position of the first) → (what counts in totals, (ledger account, change) that sum to zero).

    Postings to one ledger account may come added up.
    """

    opening: frozenset[type] = frozenset()
    """Types of request that may be made of an actor that does not exist.

    If one is approved, the actor exists from then on; if it is declined, nothing is recorded.
    """
