"""The meters as Prometheus metrics. The only module that knows Prometheus; it reads, and counts nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from switch.meters import Histogram
from switch.metric_catalogue import CATALOGUE, PREFIX, Sort
from switch.metric_sources import Family, Source

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_CLASSES: Final = {
    Sort.COUNTER: CounterMetricFamily,
    Sort.GAUGE: GaugeMetricFamily,
    Sort.HISTOGRAM: HistogramMetricFamily,
}


class Metrics:
    """Of one process: what its sources say, and what the process takes of its machine."""

    def __init__(self, *sources: Source) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Sources(sources))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self) -> bytes:
        """The text of a scrape."""
        return generate_latest(self._registry)


class _Sources(Collector):
    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from map(_metric, source())


def _metric(family: Family) -> Metric:
    described = CATALOGUE[family.name]
    metric: Any = _CLASSES[described.sort](PREFIX + family.name, described.meaning, labels=described.labels)
    for labels, value in sorted(family.values.items(), key=lambda item: item[0]):
        if isinstance(value, Histogram):
            metric.add_metric(labels, _buckets(value), value.sum)
        else:
            metric.add_metric(labels, value)
    made: Metric = metric
    return made


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    edges = [*(str(float(edge)) for edge in histogram.edges), "+Inf"]
    return list(zip(edges, accumulate(histogram.counts), strict=True))
