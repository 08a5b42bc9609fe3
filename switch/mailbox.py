"""Requests on their way to a shard: parcels of one session's record, in order of arrival, up to a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, Protocol

from wire.codec import encode_message
from wire.codes import Code, Reason
from wire.messages import Answer, Emergency

URGENT_MAX: Final = 1_024
"""Emergencies that may wait in a mailbox. They have a lane of their own, which nothing else can fill."""

DEADLINE_TICK_S: Final = 0.05
"""How often a handle looks for requests whose terminals have stopped waiting."""

RETRY_AFTER_MS: Final = 500
"""What a terminal is told to wait before it tries again where nothing better is known."""

_wait_ms: Final = attrgetter("wait_ms")


def refusal(request: Any, code: Code, reason: Reason) -> bytes:
    """The encoded answer to a request that reached no actor, or of whose outcome nothing is known."""
    retry_after_ms = RETRY_AFTER_MS if code is Code.TRY_AGAIN else 0
    return encode_message(Answer(request.terminal, request.stan, code, reason, 0, (), (), retry_after_ms))


class Sender(Protocol):
    """Whoever waits for answers."""

    def deliver(self, parcel: Parcel, answers: Sequence[bytes]) -> None:
        """Take the encoded answers to some of the parcel's requests. Called until each has been answered once."""
        ...


def is_urgent(requests: Sequence[Any]) -> bool:
    """Whether these requests, at least one and all of a parcel, go before everything else: emergencies do."""
    return type(requests[0]) is Emergency


class Parcel:
    """Requests of one record: all of them emergencies, or none. Each request is answered exactly once."""

    __slots__ = ("deadline", "received", "requests", "sender")

    def __init__(self, sender: Sender, requests: list[Any], received: float) -> None:
        self.sender = sender
        self.requests = requests
        """Those that are still unanswered."""

        self.received = received
        """Monotonic seconds."""

        wait_ms = requests[0].wait_ms if len(requests) == 1 else min(map(_wait_ms, requests))
        self.deadline = received + wait_ms / 1_000
        """Monotonic seconds after which the first of the terminals has stopped waiting."""

    def take_expired(self, now: float) -> list[Any]:
        """Remove and return the requests whose terminals have stopped waiting."""
        if now <= self.deadline:
            return []
        waited_ms = (now - self.received) * 1_000
        expired = [request for request in self.requests if waited_ms > request.wait_ms]
        self.requests = [request for request in self.requests if waited_ms <= request.wait_ms]
        self.deadline = self.received + min(map(_wait_ms, self.requests), default=0) / 1_000
        return expired


class Mailbox:
    """First in, first out; emergencies before all others."""

    def __init__(self, requests_max: int) -> None:
        self._urgent = _Lane(URGENT_MAX)
        self._others = _Lane(requests_max)

    def __bool__(self) -> bool:
        return bool(self._others.parcels or self._urgent.parcels)

    @property
    def depth(self) -> int:
        """Requests waiting."""
        return self._urgent.depth + self._others.depth

    @property
    def limit(self) -> int:
        """How many requests may wait, besides emergencies."""
        return self._others.requests_max

    def room(self, *, urgent: bool = False) -> int:
        """How many more requests fit, emergencies or others."""
        lane = self._urgent if urgent else self._others
        return lane.requests_max - lane.depth

    def put(self, parcel: Parcel) -> None:
        """Add a parcel; the caller has made sure that there is room."""
        lane = self._urgent if is_urgent(parcel.requests) else self._others
        lane.depth += len(parcel.requests)
        lane.parcels.append(parcel)

    def take(self, requests_max: int) -> list[Parcel]:
        """The next parcels: at least one if there is any, and no more requests than `requests_max` if possible."""
        taken: list[Parcel] = []
        if self._urgent.parcels:
            requests_max -= self._urgent.take(requests_max, taken)
        self._others.take(requests_max, taken)
        return taken

    def take_expired(self, now: float) -> list[tuple[Parcel, list[Any]]]:
        """Remove and return, by parcel, the requests whose terminals have stopped waiting."""
        return self._urgent.take_expired(now) + self._others.take_expired(now)


class _Lane:
    __slots__ = ("depth", "parcels", "requests_max")

    def __init__(self, requests_max: int) -> None:
        self.requests_max = requests_max
        self.parcels: deque[Parcel] = deque()
        self.depth = 0
        """Requests waiting."""

    def take(self, requests_max: int, taken: list[Parcel]) -> int:
        """Move the oldest parcels to `taken`, the first one in any case if that is empty; returns their requests."""
        count = 0
        parcels = self.parcels
        while parcels:
            after = count + len(parcels[0].requests)
            if after > requests_max and taken:
                break
            taken.append(parcels.popleft())
            count = after
        self.depth -= count
        return count

    def take_expired(self, now: float) -> list[tuple[Parcel, list[Any]]]:
        expired = [(parcel, requests) for parcel in self.parcels if (requests := parcel.take_expired(now))]
        if expired:
            self.depth -= sum(len(requests) for _, requests in expired)
            self.parcels = deque(parcel for parcel in self.parcels if parcel.requests)
        return expired
