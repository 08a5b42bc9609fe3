"""Every metric of the switch: its name, what sort it is, which labels it has, and what it means.

`/metrics` takes its help texts from here, and `python -m switch.metrics_manual` makes docs/operations/metrics.md of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

PREFIX: Final = "tapswitch_"


class Sort(StrEnum):
    """How a metric behaves. A counter's name ends in `_total` where it is read."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Owner(StrEnum):
    """Which process of a switch on Ray has a metric. An embedded switch has all but the supervisor's."""

    PROCESS = "shard, gateway"
    SHARD = "shard"
    GATEWAY = "gateway"
    ALL = "shard, gateway, supervisor"
    SUPERVISOR = "supervisor"
    EMBEDDED = "embedded only"


class Described(NamedTuple):
    """One metric. `name` is without the prefix, and without `_total`."""

    name: str
    sort: Sort
    owner: Owner
    labels: tuple[str, ...]
    meaning: str


def _counter(name: str, owner: Owner, meaning: str, *labels: str) -> Described:
    return Described(name, Sort.COUNTER, owner, labels, meaning)


def _gauge(name: str, owner: Owner, meaning: str, *labels: str) -> Described:
    return Described(name, Sort.GAUGE, owner, labels, meaning)


def _histogram(name: str, owner: Owner, meaning: str, *labels: str) -> Described:
    return Described(name, Sort.HISTOGRAM, owner, labels, meaning)


_ALL: Final = (
    # What was answered.
    _counter("authorizations", Owner.SHARD, "Requests answered by an actor, each decision once.", "service", "code"),
    _counter("refusals", Owner.PROCESS, "Requests answered before an actor was reached.", "code", "reason"),
    _counter("repeats", Owner.SHARD, "Copies answered from the record."),
    _histogram(
        "latency_seconds",
        Owner.PROCESS,
        "Time of a request by stage: waiting for its turn, deciding, committing, and from receipt to answer. "
        "The stage commit is counted once a commit, the others once a request.",
        "stage",
    ),
    # Terminals.
    _counter("rejected", Owner.GATEWAY, "Input that cost its sender an error reply or its connection.", "reason"),
    _counter("sign_ons", Owner.GATEWAY, "Sessions that signed on."),
    _counter("reconciliations", Owner.GATEWAY, "Reconciliations that every shard answered.", "outcome"),
    _counter("emergencies", Owner.SHARD, "Calls for help, each once."),
    _gauge("connections", Owner.GATEWAY, "Open connections."),
    _gauge("stations_signed_on", Owner.GATEWAY, "Stations with a session."),
    _gauge("terminals_signed_on", Owner.GATEWAY, "Terminals whose station has a session."),
    _gauge("terminals_registered", Owner.GATEWAY, "Terminals in the campus file. Every gateway says the same."),
    _gauge("site_stations_signed_on", Owner.GATEWAY, "Stations of a site with a session.", "site"),
    _gauge(
        "site_stations_registered",
        Owner.GATEWAY,
        "Stations of a site in the campus file, but for operator stations. Every gateway says the same.",
        "site",
    ),
    _gauge("registry_version", Owner.GATEWAY, "Version of the campus file that holds; each reading is a new one."),
    _gauge(
        "offline_gaps",
        Owner.EMBEDDED,
        "Runs of offline numbers that were never uploaded though a later one was, and that nobody explained: when it "
        "was last looked, which takes its time. `tapswitch gaps` lists them.",
    ),
    _gauge(
        "offline_doubles", Owner.EMBEDDED, "Offline numbers that a terminal gave to two accounts; looked for likewise."
    ),
    # Money.
    _counter(
        "volume_minor_units",
        Owner.SHARD,
        "Amounts posted, whatever their direction; of a purchase what was paid, of a reversal what was named.",
        "kind",
        "service",
    ),
    _gauge("ledger_imbalance_minor_units", Owner.SHARD, "Must be 0.", "shard"),
    _gauge("suspense_minor_units", Owner.SHARD, "Posted although no purse held it, and not settled.", "shard"),
    _gauge("holds_outstanding", Owner.SHARD, "Holds that were neither captured, released nor expired.", "shard"),
    _gauge("holds_outstanding_minor_units", Owner.SHARD, "What those holds reserve.", "shard"),
    _counter(
        "suspicious_posted",
        Owner.SHARD,
        "Events that posted something that had happened although it is not clean; `tapswitch suspicious` lists them.",
        "reason",
    ),
    _counter("suspicious_settled", Owner.SHARD, "Suspicious items that an operator settled."),
    # Shards and storage.
    _histogram("batch_events", Owner.SHARD, "Events in a commit."),
    _counter("commits_refused", Owner.SHARD, "Commits undone for lack of space."),
    _gauge(
        "commit_running_seconds", Owner.SHARD, "How long the commit in flight has taken so far; 0 if none is.", "shard"
    ),
    _gauge("mailbox_requests", Owner.SHARD, "Requests waiting for their turn.", "shard"),
    _gauge("mailbox_limit_requests", Owner.SHARD, "How many may wait; more are refused as busy.", "shard"),
    _gauge("active_actors", Owner.SHARD, "Actors in memory.", "shard"),
    _gauge("journal_position", Owner.SHARD, "Position of the newest event.", "shard"),
    _gauge("snapshot_lag_events", Owner.SHARD, "Events that a restart would replay.", "shard"),
    _gauge("snapshot_lag_limit_events", Owner.SHARD, "Past this lag, new requests are refused as busy.", "shard"),
    _gauge("map_used_bytes", Owner.SHARD, "Used part of the store's map.", "shard"),
    _gauge("map_limit_bytes", Owner.SHARD, "Size of the store's map.", "shard"),
    _gauge("disk_free_bytes", Owner.SHARD, "Free space for the data folder."),
    # The process.
    _gauge("ready", Owner.ALL, "1 if every check of /readyz is ok."),
    _gauge("check_ok", Owner.PROCESS, "1 if this check of /readyz is ok.", "check"),
    _gauge("check_warning", Owner.PROCESS, "1 if this check is ok, but not for long.", "check"),
    _histogram(
        "event_loop_lag_seconds",
        Owner.PROCESS,
        "How late a timer of the event loop came, ten times a second; up to a millisecond is the timer's own.",
    ),
    _gauge(
        "clock_jump_seconds",
        Owner.PROCESS,
        "How far the system clock has moved against the boot clock since the start; ahead is above zero.",
    ),
    _gauge("build_info", Owner.ALL, "1; its labels say what runs.", "version", "python"),
    # A switch on Ray.
    _gauge("process_serving", Owner.SUPERVISOR, "1 while a process serves.", "process"),
    _counter("process_restarts", Owner.SUPERVISOR, "Times that a process was started again.", "process"),
    _gauge("nodes_alive", Owner.SUPERVISOR, "Nodes of the Ray cluster."),
)

CATALOGUE: Final = {described.name: described for described in _ALL}

LABELS: Final = {
    "service": "what was asked for, as the role and the kind of a terminal permit it (`purchase`, `top-up`); in "
    "`volume` also `reversal-of-` one of them",
    "code": "response code, two digits (`00`, `51`)",
    "reason": "the finer word beside a code, a breach of the protocol, or what is not clean",
    "stage": "`queue`, `decide`, `commit` of a shard; `total` of a gateway",
    "outcome": "`in-balance` or `out-of-balance`",
    "site": "a place of the campus file",
    "kind": "of the merchant: the first of its terminals' kinds in the order canteen, shop, bath, charger, printer, "
    "top-up, kiosk, gate, operator; `unknown` if the campus file has it no more",
    "shard": "number of the shard",
    "check": "as in `/readyz`",
    "version": "of tapswitch",
    "python": "version of Python",
    "process": "`shard-0`, `gateway-1`",
}
"""What each label says. All are closed sets: none holds what a stranger may choose."""
