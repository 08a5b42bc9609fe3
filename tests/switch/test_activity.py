"""What a switch did in the last seconds."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch import activity
from switch.activity import BUSIEST_MAX, SAMPLE_S, STAGES, Busy, CodeRate, Percentiles, Pulse, Window, add_up
from switch.meters import LATENCY_EDGES_S, Meters


@pytest.fixture
def clock(monkeypatch):
    """Seconds, as a test sets them."""
    now = [100.0]
    monkeypatch.setattr(activity, "monotonic", lambda: now[0])
    return now


@pytest.fixture
async def pulse(clock):
    pulse = Pulse(Meters())
    yield pulse
    pulse.stop()


async def test_nothing_is_known_in_the_first_moment(pulse):
    assert pulse.window() == Window()


async def test_it_tells_of_what_was_counted_since(pulse, clock):
    meters = pulse._meters
    meters.answers["purchase", 0] = 30
    meters.answers["top-up", 0] = 10
    meters.answers["purchase", 51] = 5
    meters.refusals[91, "busy-shard"] = 20
    meters.repeats = 15
    meters.commit_latency.observe(0.004, 7)
    clock[0] += 5
    window = pulse.window(({3: 8.0}, {"north-1": 4.0}))
    assert window.seconds == 5
    assert window.codes == {"00": 8, "51": 1, "91": 4}
    assert window.repeats == 3
    assert sum(window.stages["commit"]) == window.stages["commit"][LATENCY_EDGES_S.index(0.005)] == 7
    assert window.stages.keys() == set(STAGES)
    assert (window.merchants, window.stations) == ({3: 8.0}, {"north-1": 4.0})


async def test_what_is_longer_ago_is_forgotten(pulse, clock):
    pulse._meters.answers["purchase", 0] = 1_000
    for _ in range(activity.WINDOW_S):
        clock[0] += SAMPLE_S
        pulse._ring()
    clock[0] += 0.5
    assert pulse.window().seconds == activity.WINDOW_S - 1 + 0.5
    assert pulse.window().codes == {}


async def test_it_looks_by_itself_until_it_is_stopped(monkeypatch):
    monkeypatch.setattr(activity, "SAMPLE_S", 0.01)
    pulse = Pulse(Meters())
    async with asyncio.timeout(20):
        while len(pulse._samples) < 3:  # noqa: ASYNC110 - its own timer is what is waited for
            await asyncio.sleep(0.01)
    pulse.stop()
    samples = len(pulse._samples)
    await asyncio.sleep(0.05)
    assert len(pulse._samples) == samples


def counts(**by_edge: int) -> list[int]:
    """Latencies of which so many fell below each edge, in milliseconds."""
    found = [0] * (len(LATENCY_EDGES_S) + 1)
    for edge, count in by_edge.items():
        found[LATENCY_EDGES_S.index(int(edge[2:]) / 1_000)] = count
    return found


def test_processes_add_up():
    shard = Window(seconds=10, codes={"00": 90.0, "51": 5.0}, repeats=1.0, stages={"commit": counts(ms10=100)})
    other = Window(seconds=9, codes={"00": 10.0}, stages={"commit": counts(ms25=100), "queue": counts(ms1=9)})
    gateway = Window(seconds=10, codes={"91": 4.0}, stages={"total": counts(ms50=100)}, merchants={1: 5.0, 2: 9.0},
                     stations={"a": 5.0})  # fmt: skip
    second = Window(seconds=10, merchants={1: 5.0, 77: 1.0}, stations={"a": 1.0, "b": 2.0})
    found = add_up([shard, other, gateway, second], {1: "North", 2: "South"})
    assert (found.seconds, found.answered_per_s, found.repeats_per_s) == (10, 110, 1)
    assert found.codes == [
        CodeRate("00", "approved", 100.0),
        CodeRate("51", "insufficient funds", 5.0),
        CodeRate("91", "try again", 4.0),
    ]
    assert found.latency_ms["commit"] == Percentiles(10, 22, 24.7, 24.97)
    assert found.slowest_stage == "commit", "total is no stage of its own"
    assert found.merchants == [Busy("North", 10), Busy("South", 9), Busy("merchant 77", 1)]
    assert found.stations == [Busy("a", 6), Busy("b", 2)]


def test_nothing_adds_up_to_nothing():
    found = add_up([], {})
    assert (found.seconds, found.answered_per_s, found.codes, found.latency_ms) == (0, 0, [], {})
    assert (found.slowest_stage, found.merchants) == (None, [])


def test_only_the_busiest_are_named():
    found = add_up([Window(merchants={number: float(number) for number in range(1, 50)})], {})
    assert [busy.per_s for busy in found.merchants] == [float(49 - place) for place in range(BUSIEST_MAX)]


def test_beyond_the_last_edge_is_the_last_edge():
    beyond = [0] * len(LATENCY_EDGES_S) + [3]
    assert add_up([Window(stages={"queue": beyond})], {}).latency_ms["queue"] == Percentiles(*[5_000.0] * 4)


@given(st.lists(st.integers(0, 1_000), min_size=len(LATENCY_EDGES_S) + 1, max_size=len(LATENCY_EDGES_S) + 1))
def test_percentiles_rise_and_lie_in_their_buckets(found):
    latency = add_up([Window(stages={"queue": found})], {}).latency_ms
    if not any(found):
        assert latency == {}
        return
    rising = latency["queue"]
    assert 0 < rising.p50 <= rising.p90 <= rising.p99 <= rising.p999 <= 5_000
    edges_ms = [0.0, *(edge * 1_000 for edge in LATENCY_EDGES_S)]
    median = next(index for index in range(len(found)) if sum(found[: index + 1]) >= sum(found) / 2)
    if median < len(LATENCY_EDGES_S):
        assert edges_ms[median] - 0.001 <= rising.p50 <= edges_ms[median + 1] + 0.001
