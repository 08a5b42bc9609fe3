"""The processes and machines of a cluster: a part of `/status.json`, which `tapswitch cluster status` shows."""

from __future__ import annotations

from itertools import chain
from typing import Final

from msgspec import Struct

from switch.activity import Window
from switch.logs import LogLine
from switch.readiness import Check

SILENT: Final = "does not answer"
"""The problem of a process that was asked and said nothing."""


class ProcessStatus(Struct, frozen=True, kw_only=True):
    """What a process of the cluster says of itself."""

    name: str
    """`shard-0`, `gateway-1`."""

    pid: int = 0
    node: str = ""
    """Identity of the Ray node on which it runs."""

    http: str = ""
    """HOST:PORT of its `/metrics`."""

    problem: str | None
    """Why it is not serving, or None."""

    registry: int = 0
    """The version of the registry that it goes by; 0 before it has one."""

    checks: list[Check] = []
    """What was looked at while it serves."""

    window: Window = Window()
    """What it did lately."""

    problems: list[LogLine] = []
    """Its newest warnings and errors."""

    @property
    def is_silent(self) -> bool:
        """Whether all else here was said earlier."""
        return self.problem is not None and self.problem.startswith(SILENT)


class ShardStatus(ProcessStatus, frozen=True, kw_only=True):
    """What a shard says of itself."""

    first_slot: int
    last_slot: int
    position: int = 0
    """Of its newest event."""

    time_us: int = 0
    """Of its newest event: when it last committed one."""

    mailbox: int = 0
    """Requests waiting for their turn."""

    snapshot_lag: int = 0
    imbalance: int = 0
    """Minor units; must be 0."""


class GatewayStatus(ProcessStatus, frozen=True, kw_only=True):
    """What a gateway says of itself."""

    connections: int = 0
    stations: int = 0
    """Stations with a session."""

    waiting: int = 0
    """Requests that wait for a call to a shard."""


class NodeStatus(Struct, frozen=True, kw_only=True):
    """A machine of the Ray cluster, as Ray sees it."""

    node: str
    """Its identity. A machine whose Ray was started again has a new one."""

    address: str
    alive: bool
    shards: list[int]
    """Whose data it has."""

    gateways: int
    """For how many it has room."""


class ClusterStatus(Struct, frozen=True):
    """What every process said when it was last asked."""

    registry: int
    """Its newest version, which all processes are to have."""

    nodes: list[NodeStatus]
    shards: list[ShardStatus]
    gateways: list[GatewayStatus]
    restarts: dict[str, int]
    """By name of process, since the switch was started."""

    log_folder: str
    stopping: bool = False

    @property
    def processes(self) -> list[ProcessStatus]:
        """Shards, then gateways."""
        return [*self.shards, *self.gateways]

    @property
    def nodes_alive(self) -> list[NodeStatus]:
        """Those that Ray has not given up."""
        return [node for node in self.nodes if node.alive]

    @property
    def serving(self) -> bool:
        """Whether every process does what it is there for."""
        return not self.stopping and all(process.problem is None for process in self.processes)

    def checks(self) -> list[Check]:
        """All checks of all processes; the switch is ready if every one is ok."""
        return [
            Check("serving", not self.stopping, "stopping" if self.stopping else f"{len(self.processes)} processes"),
            *chain.from_iterable(map(_checks, self.processes)),
        ]


def _checks(process: ProcessStatus) -> list[Check]:
    return [
        Check(process.name, process.problem is None, process.problem or f"serving, process {process.pid}"),
        *(
            Check(f"{process.name} {check.name}", check.ok, check.explanation, check.warning)
            for check in process.checks
        ),
    ]
