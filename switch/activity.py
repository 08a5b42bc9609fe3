"""What a switch did in the last seconds: how much it answered with which codes, how fast, and who asked most.

Each process keeps the last seconds of its own counts. What they say adds up over processes, and sums to an `Activity`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from time import monotonic
from typing import Final

from msgspec import Struct

from switch.meters import LATENCY_EDGES_S, Meters
from wire.codes import Code

WINDOW_S: Final = 10
"""How far back it reaches."""

SAMPLE_S: Final = 1.0
STAGES: Final = ("queue", "decide", "commit", "total")
BUSIEST_MAX: Final = 8


class Window(Struct, frozen=True, kw_only=True):
    """One process's last seconds."""

    seconds: float = 0.0
    """How long they are: less than WINDOW_S just after a start, 0 when nothing is known yet."""

    codes: dict[str, float] = {}
    """Answers a second by response code, copies of answers not among them."""

    repeats: float = 0.0
    """Copies answered from the record, a second."""

    stages: dict[str, list[int]] = {}
    """Counts of each stage's latencies by their upper edges, LATENCY_EDGES_S."""

    merchants: dict[int, float] = {}
    stations: dict[str, float] = {}
    """Requests a second of those that asked most."""


class Percentiles(Struct, frozen=True):
    """Milliseconds, as Prometheus estimates them from the edges of a histogram."""

    p50: float
    p90: float
    p99: float
    p999: float


class CodeRate(Struct, frozen=True):
    """How often a response code is given."""

    code: str
    meaning: str
    per_s: float


class Busy(Struct, frozen=True):
    """Somebody who asks."""

    name: str
    per_s: float


class Activity(Struct, frozen=True, kw_only=True):
    """A whole switch's last seconds."""

    seconds: float
    answered_per_s: float
    """Copies among them."""

    repeats_per_s: float
    codes: list[CodeRate]
    """By code."""

    latency_ms: dict[str, Percentiles]
    """By stage; one in which nothing happened is not there."""

    slowest_stage: str | None
    """Of queue, decide and commit, the one with the highest p99."""

    merchants: list[Busy]
    stations: list[Busy]
    """The busiest first."""


class Pulse:
    """Looks at a process's meters once a second, until it is stopped."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._loop = asyncio.get_running_loop()
        self._samples: deque[_Sample] = deque([self._sample()], maxlen=WINDOW_S)
        self._wind()

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def window(self, busiest: tuple[Mapping[int, float], Mapping[str, float]] = ({}, {})) -> Window:
        """From the oldest sample until now, with the merchants and stations that ask most."""
        then, now = self._samples[0], self._sample()
        seconds = now.at - then.at
        if seconds <= 0:
            return Window()
        return Window(
            seconds=seconds,
            codes={code: count / seconds for code, count in sorted((now.codes - then.codes).items())},
            repeats=(now.repeats - then.repeats) / seconds,
            stages={
                stage: [later - earlier for earlier, later in zip(then.stages[stage], counts, strict=True)]
                for stage, counts in now.stages.items()
            },
            merchants=dict(busiest[0]),
            stations=dict(busiest[1]),
        )

    def _wind(self) -> None:
        self._timer = self._loop.call_later(SAMPLE_S, self._ring)

    def _ring(self) -> None:
        self._samples.append(self._sample())
        self._wind()

    def _sample(self) -> _Sample:
        meters = self._meters
        codes: Counter[str] = Counter()
        for (_, code), count in meters.answers.items():
            codes[f"{code:02}"] += count
        for (code, _), count in meters.refusals.items():
            codes[f"{code:02}"] += count
        stages = {stage: list(getattr(meters, f"{stage}_latency").counts) for stage in STAGES}
        return _Sample(monotonic(), codes, meters.repeats, stages)


class _Sample(Struct, frozen=True):
    at: float
    codes: Counter[str]
    repeats: int
    stages: dict[str, list[int]]


def add_up(windows: Iterable[Window], merchants: Mapping[int, str]) -> Activity:
    """What all processes of a switch did. `merchants`: their names."""
    codes: Counter[str] = Counter()
    asked_at: Counter[int] = Counter()
    asked_by: Counter[str] = Counter()
    stages = {stage: [0] * (len(LATENCY_EDGES_S) + 1) for stage in STAGES}
    seconds = repeats = 0.0
    for window in windows:
        seconds = max(seconds, window.seconds)
        repeats += window.repeats
        codes.update(window.codes)
        asked_at.update(window.merchants)
        asked_by.update(window.stations)
        for stage, counts in window.stages.items():
            stages[stage] = [have + more for have, more in zip(stages[stage], counts, strict=True)]
    latency = {stage: _percentiles(counts) for stage, counts in stages.items() if any(counts)}
    working = {stage: found.p99 for stage, found in latency.items() if stage != "total"}
    return Activity(
        seconds=round(seconds, 3),
        answered_per_s=round(codes.total() + repeats, 3),
        repeats_per_s=round(repeats, 3),
        codes=[CodeRate(code, _meaning(code), round(per_s, 3)) for code, per_s in sorted(codes.items())],
        latency_ms=latency,
        slowest_stage=max(working, key=working.__getitem__, default=None),
        merchants=[
            Busy(merchants.get(number, f"merchant {number}"), round(per_s, 3))
            for number, per_s in asked_at.most_common(BUSIEST_MAX)
        ],
        stations=[Busy(name, round(per_s, 3)) for name, per_s in asked_by.most_common(BUSIEST_MAX)],
    )


def _meaning(code: str) -> str:
    return Code(int(code)).name.lower().replace("_", " ")


def _percentiles(counts: Sequence[int]) -> Percentiles:
    return Percentiles(*(round(_quantile(counts, share) * 1_000, 3) for share in (0.5, 0.9, 0.99, 0.999)))


def _quantile(counts: Sequence[int], share: float) -> float:
    """Seconds; within a bucket as if its values were spread evenly, beyond the last edge that edge."""
    rank = share * sum(counts)
    below = 0
    for index, (count, upto) in enumerate(zip(counts, accumulate(counts), strict=True)):
        if upto >= rank and count:
            if index == len(LATENCY_EDGES_S):
                break
            low = LATENCY_EDGES_S[index - 1] if index else 0.0
            return low + (LATENCY_EDGES_S[index] - low) * (rank - below) / count
        below = upto
    return LATENCY_EDGES_S[-1]
