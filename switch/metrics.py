"""The meters as Prometheus metrics. The only module that knows Prometheus; it reads, and counts nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from actors.account.postings import SUSPENSE
from switch.cluster_status import ClusterStatus
from switch.embedded import EmbeddedShard
from switch.gateway import Gateway
from switch.meters import Histogram, Meters

Families = Iterator[Metric]
Source = Callable[[], Families]
"""Makes its metric families anew for each scrape."""

SHARD_STAGES: Final = ("queue", "decide", "commit")
GATEWAY_STAGES: Final = ("total",)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


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

    def collect(self) -> Families:
        for source in self._sources:
            yield from source()


def of_process(meters: Meters, stages: Collection[str]) -> Families:
    """What both shards and gateways count, each the stages of a request that it sees."""
    refusals = CounterMetricFamily(
        "tapswitch_refusals", "Requests answered before an actor was reached.", labels=["code", "reason"]
    )
    for (code, reason), count in sorted(meters.refusals.items()):
        refusals.add_metric([f"{code:02}", reason], count)
    yield refusals
    latency = HistogramMetricFamily(
        "tapswitch_latency_seconds",
        "Time of a request by stage: waiting for its turn, deciding, committing, and from receipt to answer.",
        labels=["stage"],
    )
    for stage in stages:
        histogram: Histogram = getattr(meters, f"{stage}_latency")
        latency.add_metric([stage], _buckets(histogram), histogram.sum)
    yield latency


def of_shards(meters: Meters, shards: Mapping[int, EmbeddedShard]) -> Families:
    """What the shards of this process, by their numbers, count and have now."""
    answers = CounterMetricFamily(
        "tapswitch_authorizations", "Requests answered by an actor, each decision once.", labels=["service", "code"]
    )
    for (service, code), count in sorted(meters.answers.items()):
        answers.add_metric([service, f"{code:02}"], count)
    yield answers
    yield CounterMetricFamily("tapswitch_emergencies", "Calls for help, each once.", value=meters.emergencies)
    yield CounterMetricFamily("tapswitch_repeats", "Copies answered from the record.", value=meters.repeats)
    yield CounterMetricFamily(
        "tapswitch_commits_refused", "Commits undone for lack of space.", value=meters.commits_refused
    )
    sizes = HistogramMetricFamily("tapswitch_batch_events", "Events in a commit.")
    sizes.add_metric([], _buckets(meters.batch_sizes), meters.batch_sizes.sum)
    yield sizes
    gauges: dict[str, GaugeMetricFamily] = {}
    for number, shard in shards.items():
        for name, description, value in _shard_gauges(shard):
            gauge = gauges.setdefault(name, GaugeMetricFamily(f"tapswitch_{name}", description, labels=["shard"]))
            gauge.add_metric([str(number)], value)
    yield from gauges.values()


def of_gateway(meters: Meters, gateway: Gateway) -> Families:
    """What a gateway counts and has now."""
    rejected = CounterMetricFamily(
        "tapswitch_rejected", "Input that cost its sender an error reply or its connection.", labels=["reason"]
    )
    for reason, count in sorted(meters.rejected.items()):
        rejected.add_metric([reason], count)
    yield rejected
    reconciliations = CounterMetricFamily(
        "tapswitch_reconciliations", "Reconciliations that every shard answered.", labels=["outcome"]
    )
    for outcome, count in sorted(meters.reconciliations.items()):
        reconciliations.add_metric([outcome], count)
    yield reconciliations
    yield CounterMetricFamily("tapswitch_sign_ons", "Sessions that signed on.", value=meters.sign_ons)
    for name, description, value in (
        ("connections", "Open connections.", len(gateway.sessions)),
        ("stations_signed_on", "Stations with a session.", len(gateway.by_station)),
        ("registry_version", "Version of the campus file that holds.", gateway.registry.version),
    ):
        yield GaugeMetricFamily(f"tapswitch_{name}", description, value=value)


def of_cluster(status: ClusterStatus) -> Families:
    """What the supervisor of a cluster knows of its processes."""
    serving = GaugeMetricFamily("tapswitch_process_serving", "1 while a process serves.", labels=["process"])
    restarts = CounterMetricFamily(
        "tapswitch_process_restarts", "Times that a process was started again.", labels=["process"]
    )
    for process in status.processes:
        serving.add_metric([process.name], int(process.problem is None))
        restarts.add_metric([process.name], status.restarts.get(process.name, 0))
    yield serving
    yield restarts
    yield GaugeMetricFamily("tapswitch_nodes_alive", "Nodes of the Ray cluster.", value=len(status.nodes_alive))


def _shard_gauges(embedded: EmbeddedShard) -> Iterator[tuple[str, str, int]]:
    """(name, description, value) of what one shard has now."""
    shard, usage = embedded.shard, embedded.shard.usage()
    yield "mailbox_requests", "Requests waiting for their turn.", embedded.mailbox.depth
    yield "active_actors", "Actors in memory.", len(shard.actors)
    yield "journal_position", "Position of the newest event.", shard.head.position
    yield "snapshot_lag_events", "Events that a restart would replay.", shard.snapshot_lag
    yield "ledger_imbalance_minor_units", "Must be 0.", shard.ledger.imbalance
    yield (
        "suspense_minor_units",
        "Posted although no purse held it, and not settled.",
        -shard.ledger.balances.get(SUSPENSE, 0),
    )
    yield "map_used_bytes", "Used part of the store's map.", usage.used
    yield "map_limit_bytes", "Size of the store's map.", usage.limit


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    edges = [*(str(float(edge)) for edge in histogram.edges), "+Inf"]
    return list(zip(edges, accumulate(histogram.counts), strict=True))
