"""The meters as Prometheus metrics. The only module that knows Prometheus; it reads, and counts nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from switch.embedded import EmbeddedShard
from switch.gateway import Gateway
from switch.meters import Histogram, Meters
from switch.shards import Shards

Registry = CollectorRegistry
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class SwitchCollector(Collector):
    """Every metric of one process, made anew for each scrape."""

    def __init__(self, meters: Meters, shards: Shards[EmbeddedShard], gateway: Gateway) -> None:
        self._meters = meters
        self._shards = shards
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        """All metric families."""
        yield from self._counters()
        yield from self._histograms()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        meters = self._meters
        answers = CounterMetricFamily(
            "tapswitch_authorizations", "Requests answered by an actor, each decision once.", labels=["service", "code"]
        )
        for (service, code), count in sorted(meters.answers.items()):
            answers.add_metric([service, f"{code:02}"], count)
        yield answers
        refusals = CounterMetricFamily(
            "tapswitch_refusals", "Requests answered before an actor was reached.", labels=["code", "reason"]
        )
        for (code, reason), count in sorted(meters.refusals.items()):
            refusals.add_metric([f"{code:02}", reason], count)
        yield refusals
        rejected = CounterMetricFamily(
            "tapswitch_rejected", "Input that cost its sender an error reply or its connection.", labels=["reason"]
        )
        for reason, count in sorted(meters.rejected.items()):
            rejected.add_metric([reason], count)
        yield rejected
        yield CounterMetricFamily("tapswitch_repeats", "Copies answered from the record.", value=meters.repeats)
        yield CounterMetricFamily("tapswitch_sign_ons", "Sessions that signed on.", value=meters.sign_ons)
        yield CounterMetricFamily(
            "tapswitch_commits_refused", "Commits undone for lack of space.", value=meters.commits_refused
        )

    def _histograms(self) -> Iterator[Metric]:
        meters = self._meters
        stages = HistogramMetricFamily(
            "tapswitch_latency_seconds",
            "Time of a request by stage: waiting for its turn, deciding, committing, and from receipt to answer.",
            labels=["stage"],
        )
        for stage, histogram in (
            ("queue", meters.queue_latency),
            ("decide", meters.decide_latency),
            ("commit", meters.commit_latency),
            ("total", meters.total_latency),
        ):
            stages.add_metric([stage], _buckets(histogram), histogram.sum)
        yield stages
        sizes = HistogramMetricFamily("tapswitch_batch_events", "Events in a commit.")
        sizes.add_metric([], _buckets(meters.batch_sizes), meters.batch_sizes.sum)
        yield sizes

    def _gauges(self) -> Iterator[Metric]:
        for name, description, value in (
            ("connections", "Open connections.", len(self._gateway.sessions)),
            ("stations_signed_on", "Stations with a session.", len(self._gateway.by_station)),
        ):
            yield GaugeMetricFamily(f"tapswitch_{name}", description, value=value)
        gauges: dict[str, GaugeMetricFamily] = {}
        for number, shard in enumerate(self._shards.handles):
            for name, description, value in _shard_gauges(shard):
                gauge = gauges.setdefault(name, GaugeMetricFamily(f"tapswitch_{name}", description, labels=["shard"]))
                gauge.add_metric([str(number)], value)
        yield from gauges.values()


def _shard_gauges(embedded: EmbeddedShard) -> Iterator[tuple[str, str, int]]:
    """(name, description, value) of what one shard has now."""
    shard, usage = embedded.shard, embedded.shard.usage()
    yield "mailbox_requests", "Requests waiting for their turn.", embedded.mailbox.depth
    yield "active_actors", "Actors in memory.", len(shard.actors)
    yield "journal_position", "Position of the newest event.", shard.head.position
    yield "snapshot_lag_events", "Events that a restart would replay.", shard.snapshot_lag
    yield "ledger_imbalance_minor_units", "Must be 0.", shard.ledger.imbalance
    yield "map_used_bytes", "Used part of the store's map.", usage.used
    yield "map_limit_bytes", "Size of the store's map.", usage.limit


def make_registry(meters: Meters, shards: Shards[EmbeddedShard], gateway: Gateway) -> CollectorRegistry:
    """The switch's own metrics, and those of its process."""
    registry = CollectorRegistry()
    registry.register(SwitchCollector(meters, shards, gateway))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """The text of a scrape."""
    return generate_latest(registry)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    edges = [*(str(float(edge)) for edge in histogram.edges), "+Inf"]
    return list(zip(edges, accumulate(histogram.counts), strict=True))
