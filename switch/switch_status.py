"""A switch at a glance, as `/status.json` says it, `tapswitch top` and the status page show it: embedded or on Ray."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from typing import Final

from msgspec import Struct

from actors.placement import slots_of
from switch.activity import Activity, Window, add_up
from switch.campus import Campus
from switch.clock import Clock
from switch.cluster_status import ClusterStatus, GatewayStatus, NodeStatus, ShardStatus
from switch.embedded import EmbeddedShard
from switch.gateway import Gateway
from switch.logs import LogLine, problems
from switch.readiness import Check
from switch.shards import Shards
from switch.software import VERSION

PROBLEMS_MAX: Final = 20


class SwitchStatus(Struct, frozen=True, kw_only=True):
    """What a `ClusterStatus` says, and what the whole did lately.

    An embedded switch has one gateway, and its shards in the same process: neither nodes nor restarts, no log folder.
    """

    version: str
    campus: str
    time_us: int
    simulated_clock: bool
    ready: bool
    checks: list[Check]
    activity: Activity
    problems: list[LogLine]
    """Newest last: warnings and errors that were logged."""

    registry: int
    shards: list[ShardStatus]
    gateways: list[GatewayStatus]
    nodes: list[NodeStatus] = []
    restarts: dict[str, int] = {}
    log_folder: str = ""
    stopping: bool = False


def of_cluster(status: ClusterStatus, campus: Campus, clock: Clock) -> SwitchStatus:
    """A switch on Ray, as its supervisor knows it."""
    checks = status.checks()
    logged = chain(problems(), *(process.problems for process in status.processes))
    return SwitchStatus(
        version=VERSION,
        campus=campus.name,
        time_us=clock.now_us(),
        simulated_clock=clock.simulated,
        ready=all(check.ok for check in checks),
        checks=checks,
        activity=_activity([process.window for process in status.processes if not process.is_silent], campus),
        problems=sorted(logged, key=lambda line: line.time)[-PROBLEMS_MAX:],
        registry=status.registry,
        shards=status.shards,
        gateways=status.gateways,
        nodes=status.nodes,
        restarts=status.restarts,
        log_folder=status.log_folder,
        stopping=status.stopping,
    )


def of_embedded(
    checks: list[Check], window: Window, gateway: Gateway, shards: Shards[EmbeddedShard], clock: Clock
) -> SwitchStatus:
    """A switch in this process."""
    registry = gateway.registry.version
    return SwitchStatus(
        version=VERSION,
        campus=gateway.campus.name,
        time_us=clock.now_us(),
        simulated_clock=clock.simulated,
        ready=all(check.ok for check in checks),
        checks=checks,
        activity=_activity([window], gateway.campus),
        problems=problems(),
        registry=registry,
        shards=[_shard(number, shard, len(shards.handles), registry) for number, shard in enumerate(shards.handles)],
        gateways=[
            GatewayStatus(
                name="gateway-0",
                pid=os.getpid(),
                problem="stopping" if gateway.stopping else None,
                registry=registry,
                connections=len(gateway.sessions),
                stations=len(gateway.by_station),
            )
        ],
        stopping=gateway.stopping,
    )


def _shard(number: int, embedded: EmbeddedShard, shards: int, registry: int) -> ShardStatus:
    shard, slots = embedded.shard, slots_of(number, shards)
    return ShardStatus(
        name=f"shard-{number}",
        pid=os.getpid(),
        problem=embedded.problem(),
        registry=registry,
        first_slot=slots[0],
        last_slot=slots[-1],
        position=shard.head.position,
        time_us=shard.time_us,
        mailbox=embedded.mailbox.depth,
        snapshot_lag=shard.snapshot_lag,
        imbalance=shard.ledger.imbalance,
    )


def _activity(windows: Sequence[Window], campus: Campus) -> Activity:
    return add_up(windows, {number: merchant.name for number, merchant in campus.merchants.items()})
