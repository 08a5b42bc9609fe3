"""Switches as they say that they are."""

from __future__ import annotations

from switch.activity import Activity, Busy, CodeRate, Percentiles
from switch.cluster_status import ClusterStatus, GatewayStatus, NodeStatus, ShardStatus
from switch.logs import LogLine
from switch.readiness import Check
from switch.switch_status import SwitchStatus

ACTIVITY = Activity(
    seconds=10.0,
    answered_per_s=1_234.5,
    repeats_per_s=2.5,
    codes=[CodeRate("00", "approved", 1_200.0), CodeRate("51", "insufficient funds", 32.0)],
    latency_ms={"commit": Percentiles(1.0, 2.0, 3.0, 4.0), "total": Percentiles(2.0, 3.0, 47.5, 99.0)},
    slowest_stage="commit",
    merchants=[Busy("North <canteen>", 700.0), Busy("South [canteen]", 7.0)],
    stations=[Busy("north-1", 800.0)],
)
STATUS = SwitchStatus(
    version="0.1.0",
    campus="Test campus",
    time_us=1_795_749_951_247_392,
    simulated_clock=False,
    ready=True,
    checks=[Check("serving", ok=True, explanation="2 connections")],
    activity=ACTIVITY,
    problems=[LogLine("2026-11-27T03:05:51Z", "warning", "emergency", "terminal=1001, stan=7")],
    registry=3,
    shards=[ShardStatus(name="shard-0", problem=None, first_slot=0, last_slot=4095, position=12_345, mailbox=17)],
    gateways=[GatewayStatus(name="gateway-0", problem=None, connections=2, stations=1)],
)

ON_RAY = ClusterStatus(
    registry=1,
    nodes=[NodeStatus(node="aa", address="10.0.0.2", alive=True, shards=[0], gateways=1)],
    shards=[
        ShardStatus(
            name="shard-0", pid=41, node="aa", http="10.0.0.2:4100", problem=None, registry=1, first_slot=0,
            last_slot=4095, checks=[Check("disk", ok=True, explanation="9 MiB free")],
        )
    ],
    gateways=[GatewayStatus(name="gateway-0", pid=43, node="aa", http="10.0.0.2:4300", problem=None, registry=1)],
    restarts={"shard-0": 5},
    log_folder="/logs",
)  # fmt: skip
