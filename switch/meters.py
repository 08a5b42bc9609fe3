"""What is counted while the switch works: plain integers, added to once a batch and read when somebody scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Final

from actors.account.suspicion import SUSPICIONS

LATENCY_EDGES_S: Final = (
    0.00025,
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
)
LOOP_LAG_EDGES_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)
BATCH_EDGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class Histogram:
    """Counts by upper edge, the last one being everything above."""

    __slots__ = ("counts", "edges", "sum")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count `value` `times` times."""
        self.counts[bisect_left(self.edges, value)] += times
        self.sum += value * times

    def observe_waits(self, now: float, since: Sequence[float], times: Sequence[int]) -> None:
        """Count the time from each of `since` (ascending) to `now`, each as often as `times` says.

        Looks up every edge among the waits instead of every wait among the edges: there are more waits.
        """
        before = [0, *accumulate(times)]
        total, within = before[-1], 0
        for index, edge in enumerate(self.edges):
            within_before, within = within, total - before[bisect_left(since, now - edge)]
            self.counts[index] += within - within_before
        self.counts[-1] += total - within
        self.sum += now * total - sum(map(mul, since, times))


class Meters:
    """One for each process. Latencies are in seconds, from the receipt of a record."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        """By service and code; repeats are not in it."""

        self.repeats = 0
        self.refusals: Counter[tuple[int, str]] = Counter()
        """Answered without an actor, by code and reason."""

        self.rejected: Counter[str] = Counter()
        """Input that cost its sender a connection, a sign-on or an error reply, by reason."""

        self.emergencies = 0
        """Calls for help, each once."""

        self.reconciliations: Counter[str] = Counter()
        """Answered ones, by outcome."""

        self.volume: Counter[tuple[int, str]] = Counter()
        """Minor units posted, by merchant and service."""

        self.suspicious: Counter[str] = Counter(dict.fromkeys(SUSPICIONS, 0))
        """Posted although it was not clean, by reason."""

        self.event_loop_lag = Histogram(LOOP_LAG_EDGES_S)
        self.sign_ons = 0
        self.queue_latency = Histogram(LATENCY_EDGES_S)
        self.decide_latency = Histogram(LATENCY_EDGES_S)
        self.commit_latency = Histogram(LATENCY_EDGES_S)
        self.total_latency = Histogram(LATENCY_EDGES_S)
        self.batch_sizes = Histogram(BATCH_EDGES)
        self.commits_refused = 0

    def count_answers(self, service: Mapping[type, str], counted: Mapping[tuple[type, int], int]) -> None:
        """Count answers by type (of the request, or of the event it came to) and code. `service` is by such type.

        A type that it does not know answers nobody, and is not counted.
        """
        answers = self.answers
        for (of_type, code), count in counted.items():
            if of_type in service:
                answers[service[of_type], code] += count

    def count_posted(self, volume: Iterable[tuple[tuple[int, str], int]], suspicious: Iterable[str]) -> None:
        """Count minor units by merchant and service, and why something that was posted is not clean."""
        posted = self.volume
        for of, amount in volume:
            posted[of] += amount
        self.suspicious.update(suspicious)
