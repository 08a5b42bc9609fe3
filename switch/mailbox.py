"""Requests on their way to a shard: parcels of one session's record, in order of arrival, up to a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol

from wire.codec import encode_message
from wire.codes import Code, Reason
from wire.messages import Answer

DEADLINE_TICK_S: Final = 0.05
"""How often a handle looks for requests whose terminals have stopped waiting."""

RETRY_AFTER_MS: Final = 500
"""What a terminal is told to wait before it tries again where nothing better is known."""


def refusal(request: Any, code: Code, reason: Reason) -> bytes:
    """The encoded answer to a request that reached no actor, or of whose outcome nothing is known."""
    retry_after_ms = RETRY_AFTER_MS if code is Code.TRY_AGAIN else 0
    return encode_message(Answer(request.terminal, request.stan, code, reason, 0, (), (), retry_after_ms))


class Sender(Protocol):
    """Whoever waits for answers."""

    def deliver(self, parcel: Parcel, answers: Sequence[bytes]) -> None:
        """Take the encoded answers to some of the parcel's requests. Called until each has been answered once."""
        ...


class Parcel:
    """The account requests of one record. Each request is answered exactly once."""

    __slots__ = ("deadline", "received", "requests", "sender")

    def __init__(self, sender: Sender, requests: list[Any], received: float, wait_ms_min: int) -> None:
        self.sender = sender
        self.requests = requests
        """Those that are still unanswered."""

        self.received = received
        """Monotonic seconds."""

        self.deadline = received + wait_ms_min / 1_000
        """Monotonic seconds after which the first of the terminals has stopped waiting."""

    def take_expired(self, now: float) -> list[Any]:
        """Remove and return the requests whose terminals have stopped waiting."""
        if now <= self.deadline:
            return []
        waited_ms = (now - self.received) * 1_000
        expired = [request for request in self.requests if waited_ms > request.wait_ms]
        self.requests = [request for request in self.requests if waited_ms <= request.wait_ms]
        self.deadline = self.received + min((request.wait_ms for request in self.requests), default=0) / 1_000
        return expired


class Mailbox:
    """First in, first out."""

    def __init__(self, requests_max: int) -> None:
        self._parcels: deque[Parcel] = deque()
        self._requests_max = requests_max
        self.depth = 0
        """Requests waiting."""

    def __bool__(self) -> bool:
        return bool(self._parcels)

    def room(self) -> int:
        """How many more requests fit."""
        return self._requests_max - self.depth

    def put(self, parcel: Parcel) -> None:
        """Add a parcel; the caller has made sure that there is room."""
        self.depth += len(parcel.requests)
        self._parcels.append(parcel)

    def take(self, requests_max: int) -> list[Parcel]:
        """The oldest parcels: at least one if there is any, and no more requests than `requests_max` if possible."""
        taken: list[Parcel] = []
        count = 0
        parcels = self._parcels
        while parcels:
            after = count + len(parcels[0].requests)
            if after > requests_max and taken:
                break
            taken.append(parcels.popleft())
            count = after
        self.depth -= count
        return taken

    def take_expired(self, now: float) -> list[tuple[Parcel, list[Any]]]:
        """Remove and return, by parcel, the requests whose terminals have stopped waiting."""
        expired = [(parcel, requests) for parcel in self._parcels if (requests := parcel.take_expired(now))]
        if expired:
            self.depth -= sum(len(requests) for _, requests in expired)
            self._parcels = deque(parcel for parcel in self._parcels if parcel.requests)
        return expired
