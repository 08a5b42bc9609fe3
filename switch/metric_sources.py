"""What the parts of a switch tell of themselves when somebody scrapes: values of the metrics in the catalogue."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from actors.account.postings import SUSPENSE
from actors.policy import Service
from switch.campus import Campus
from switch.clock import Clock
from switch.cluster_status import ClusterStatus
from switch.embedded import EmbeddedShard
from switch.gap_watch import GapWatch
from switch.gateway import Gateway
from switch.meters import Histogram, Meters
from switch.readiness import Check
from switch.software import VERSION
from wire.codes import Code

SHARD_STAGES: Final = ("queue", "decide", "commit")
GATEWAY_STAGES: Final = ("total",)


class Family(NamedTuple):
    """The values of one metric now, by its labels' values."""

    name: str
    """As in the catalogue."""

    values: Mapping[tuple[str, ...], float | Histogram]


Families = Iterator[Family]
Source = Callable[[], Families]
"""Makes its families anew for each scrape."""


def of_process(meters: Meters, clock: Clock, stages: Collection[str]) -> Families:
    """What both shards and gateways count, each the stages of a request that it sees."""
    yield Family("refusals", {(f"{code:02}", reason): count for (code, reason), count in meters.refusals.items()})
    yield Family("latency_seconds", {(stage,): getattr(meters, f"{stage}_latency") for stage in stages})
    yield _one("event_loop_lag_seconds", meters.event_loop_lag)
    yield _one("clock_jump_seconds", clock.jump_us() / 1e6)
    yield from of_build()


def of_build() -> Families:
    """What runs."""
    yield Family("build_info", {(VERSION, platform.python_version()): 1})


def of_checks(checks: Sequence[Check]) -> Families:
    """Is it ready, and if not, which check says so?"""
    yield _one("ready", all(check.ok for check in checks))
    yield Family("check_ok", {(check.name,): check.ok for check in checks})
    yield Family("check_warning", {(check.name,): check.warning for check in checks})


def of_shards(meters: Meters, shards: Mapping[int, EmbeddedShard], campus: Campus) -> Families:
    """What the shards of this process, by their numbers, count and have now."""
    answers = meters.answers
    yield Family("authorizations", {(service, f"{code:02}"): count for (service, code), count in answers.items()})
    yield Family("volume_minor_units", _volume(meters, campus))
    yield Family("suspicious_posted", {(reason,): count for reason, count in meters.suspicious.items()})
    yield _one("suspicious_settled", answers[Service.SETTLE.value, int(Code.APPROVED)])
    yield _one("emergencies", meters.emergencies)
    yield _one("repeats", meters.repeats)
    yield _one("commits_refused", meters.commits_refused)
    yield _one("batch_events", meters.batch_sizes)
    gauges: dict[str, dict[tuple[str, ...], float | Histogram]] = {}
    for number, shard in shards.items():
        for name, value in _shard_gauges(shard):
            gauges.setdefault(name, {})[str(number),] = value
    for name, values in gauges.items():
        yield Family(name, values)


def of_disk(data: Path) -> Families:
    """The disk of the data folder."""
    yield _one("disk_free_bytes", shutil.disk_usage(data).free)


def of_gaps(watch: GapWatch) -> Families:
    """What is missing among offline numbers, once it was looked."""
    if watch.found is not None:
        yield _one("offline_gaps", watch.found.gaps)
        yield _one("offline_doubles", watch.found.doubles)


def of_gateway(meters: Meters, gateway: Gateway) -> Families:
    """What a gateway counts and has now."""
    yield Family("rejected", {(reason,): count for reason, count in meters.rejected.items()})
    yield Family("reconciliations", {(outcome,): count for outcome, count in meters.reconciliations.items()})
    yield _one("sign_ons", meters.sign_ons)
    yield _one("connections", len(gateway.sessions))
    yield _one("registry_version", gateway.registry.version)
    campus = gateway.campus
    here = [station for station in gateway.by_station if station in campus.stations]
    yield _one("stations_signed_on", len(gateway.by_station))
    yield _one("terminals_signed_on", sum(len(campus.stations[station]) for station in here))
    yield _one("terminals_registered", sum(map(len, campus.stations.values())))
    registered = Counter(campus.station_sites.values())
    signed_on = Counter(campus.station_sites[station] for station in here if station in campus.station_sites)
    yield Family("site_stations_registered", {(site,): count for site, count in registered.items()})
    yield Family("site_stations_signed_on", {(site,): signed_on[site] for site in registered})


def of_cluster(status: ClusterStatus) -> Families:
    """What the supervisor of a cluster knows of its processes."""
    processes = status.processes
    yield _one("ready", all(check.ok for check in status.checks()))
    yield Family("process_serving", {(process.name,): process.problem is None for process in processes})
    yield Family("process_restarts", {(process.name,): status.restarts.get(process.name, 0) for process in processes})
    yield _one("nodes_alive", len(status.nodes_alive))
    yield from of_build()


def _one(name: str, value: float | Histogram) -> Family:
    """Of a metric without labels."""
    return Family(name, {(): value})


def _volume(meters: Meters, campus: Campus) -> Counter[tuple[str, ...]]:
    by_kind: Counter[tuple[str, ...]] = Counter()
    for (merchant, service), amount in meters.volume.items():
        by_kind[campus.merchant_kinds.get(merchant, "unknown"), service] += amount
    return by_kind


def _shard_gauges(embedded: EmbeddedShard) -> Iterator[tuple[str, float]]:
    """What one shard has now."""
    shard, usage = embedded.shard, embedded.shard.usage()
    yield "mailbox_requests", embedded.mailbox.depth
    yield "mailbox_limit_requests", embedded.mailbox.limit
    yield "active_actors", len(shard.actors)
    yield "journal_position", shard.head.position
    yield "snapshot_lag_events", shard.snapshot_lag
    yield "snapshot_lag_limit_events", shard.snapshot_lag_max
    yield "ledger_imbalance_minor_units", shard.ledger.imbalance
    yield "suspense_minor_units", -shard.ledger.balances.get(SUSPENSE, 0)
    yield "holds_outstanding", shard.ledger.reservations
    yield "holds_outstanding_minor_units", shard.ledger.reserved
    yield "commit_running_seconds", embedded.commit_running_s
    yield "map_used_bytes", usage.used
    yield "map_limit_bytes", usage.limit
