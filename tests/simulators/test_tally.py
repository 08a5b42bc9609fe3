"""Counting and latencies."""

from __future__ import annotations

import pytest

from simulators.latency import Histogram
from simulators.tally import SLICES, Tally
from wire.codes import Code


def test_percentiles():
    histogram = Histogram()
    for milliseconds in range(1, 1_001):
        histogram.record(milliseconds / 1_000)
    found = histogram.percentiles()
    assert (found.p50, found.p90, found.p99, found.p999, found.max) == pytest.approx(
        (500, 900, 990, 999, 1_000), rel=0.002
    )


def test_nothing_recorded():
    found = Histogram().percentiles()
    assert (found.p50, found.max) == (0, 0)


def test_beyond_the_range_is_kept_at_its_edge():
    histogram = Histogram()
    histogram.record(1e9)
    histogram.record(-1.0)
    assert histogram.count == 2
    assert histogram.percentiles().max == pytest.approx(600_000, rel=0.01)


def test_counts_and_slices():
    tally = Tally(10.0)
    tally.offer(0.0)
    tally.offer(9.99)
    tally.answer(Code.APPROVED, 0.05, 0.05, 0.04)
    tally.answer(Code.LOST_CARD, 25.0, 0.01, 0.01)
    assert (tally.offered, tally.answered, tally.approved) == (2, 2, 1)
    assert tally.declined_by_code() == {"41": 1}
    assert tally.slices[0].offered == tally.slices[0].answered == 1
    assert tally.slices[SLICES - 1].answered == 1, "what comes after the driving counts in its last slice"
    assert tally.intended.percentiles().max > tally.actual.percentiles().max
