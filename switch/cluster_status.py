"""The whole cluster at a glance, as `/status.json` says it and `tapswitch cluster status` shows it."""

from __future__ import annotations

from msgspec import Struct

from switch.gateway_process import GatewayStatus
from switch.shard_process import ShardStatus


class ClusterStatus(Struct, frozen=True):
    """What every process said when it was last asked."""

    shards: list[ShardStatus]
    gateways: list[GatewayStatus]
    restarts: dict[str, int]
    """By name of process, since the cluster was started."""

    log_folder: str
    stopping: bool = False

    @property
    def problems(self) -> dict[str, str]:
        """By name of process: why it is not serving."""
        named: dict[str, str | None] = {f"shard-{shard.shard}": shard.problem for shard in self.shards} | {
            f"gateway-{gateway.gateway}": gateway.problem for gateway in self.gateways
        }
        if self.stopping:
            named["switch"] = "stopping"
        return {name: problem for name, problem in named.items() if problem is not None}
