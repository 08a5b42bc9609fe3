"""Latency of taps, twice: from the moment the plan intended, and from the moment the request really left.

The first is what a customer feels; the second hides every wait that a slow answer caused for the next one.
"""

from __future__ import annotations

from hdrh.histogram import HdrHistogram
from msgspec import Struct

LATENCY_US_MAX = 600_000_000
SIGNIFICANT_DIGITS = 3
_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


class Percentiles(Struct, frozen=True):
    """In milliseconds."""

    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Histogram:
    """High dynamic range: up to ten minutes, each value kept to the given significant digits."""

    def __init__(self, digits: int = SIGNIFICANT_DIGITS) -> None:
        self._histogram = HdrHistogram(1, LATENCY_US_MAX, digits)

    def record(self, seconds: float) -> None:
        """Count one latency."""
        self._histogram.record_value(min(max(1, round(seconds * 1e6)), LATENCY_US_MAX))

    @property
    def count(self) -> int:
        """How many were recorded."""
        return int(self._histogram.total_count)

    def percentiles(self) -> Percentiles:
        """All zero if nothing was recorded."""
        found = self._histogram.get_percentile_to_value_dict(list(_PERCENTILES.values()))
        values = {name: found[percentile] / 1_000 for name, percentile in _PERCENTILES.items()} if self.count else {}
        return Percentiles(**{**dict.fromkeys(_PERCENTILES, 0.0), **values}, max=self._maximum())

    def _maximum(self) -> float:
        return float(self._histogram.get_max_value()) / 1_000 if self.count else 0.0
