"""What a node of a Ray cluster offers: the data of shards, and room for gateways, as Ray's custom resources.

A shard runs where its data are, also after its machine was started again under a new identity: it is bound to a
resource that is named after its data, and a node offers one of it for each shard whose data lie on its disk.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from switch.data_folder import shards_made

GATEWAY: Final = "tapswitch-gateway"
DATA_VARIABLE: Final = "TAPSWITCH_DATA"
"""Tells a node's processes, which inherit it, in which data folder their shards lie."""

OBJECT_STORE_BYTES: Final = 100 << 20
"""Calls travel inline; nothing is meant to lie in Ray's object store."""

_SHARD: Final = re.compile("tapswitch-shard-([0-9]+)-of-([0-9]+)-([0-9a-f]+)")


class OfferError(Exception):
    """What the nodes offer is not one whole data folder; the text says what is wrong."""


class Offer(NamedTuple):
    """A whole data folder, over all nodes, and room for gateways."""

    data_folder: str
    shards: int
    gateways: int


def shard_resource(data_folder: str, shard: int, shards: int) -> str:
    """The resource that stands for a shard's data."""
    return f"tapswitch-shard-{shard}-of-{shards}-{data_folder}"


def resources(data: Path | None, gateways: int) -> dict[str, int]:
    """What a node offers that has the shards of `data` and runs `gateways`.

    Raises StoreFormatError or OSError for data that cannot be read.
    """
    offered = {GATEWAY: gateways} if gateways else {}
    for made in shards_made(data) if data is not None else []:
        offered[shard_resource(made.data_folder, made.shard, made.shards)] = 1
    return offered


def set_environment(data: Path | None) -> None:
    """Settle for this process, and for every process of Ray that it starts, what all nodes have in common."""
    # Ray would end the process that uses most memory when little is left: that is a shard.
    os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # or everything else on the machine would go before them
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A node that is told to stop would wait 30 s for its shards to move elsewhere, where their data are not.
    os.environ.setdefault("RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", "0")
    # A node that was given up notices it within a second, instead of a minute, and is started again.
    os.environ.setdefault("RAY_raylet_liveness_self_check_interval_ms", "1000")
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if data is not None:
        os.environ[DATA_VARIABLE] = str(data.absolute())


def shards_of(offered: Mapping[str, float]) -> list[int]:
    """Whose data a node has."""
    return sorted(int(match[1]) for match in map(_SHARD.fullmatch, offered) if match)


def gateways_of(offered: Mapping[str, float]) -> int:
    """For how many gateways a node has room."""
    return int(offered.get(GATEWAY, 0))


def whole(nodes: Iterable[Mapping[str, float]]) -> Offer:
    """What all nodes offer together. Raises OfferError."""
    nodes = list(nodes)
    offers: dict[tuple[str, int], list[int]] = defaultdict(list)
    for offered in nodes:
        for match in filter(None, map(_SHARD.fullmatch, offered)):
            offers[match[3], int(match[2])].append(int(match[1]))
    if not offers:
        raise OfferError("no node has a shard's data: start nodes with `tapswitch cluster node --data DIR`")
    if len(offers) > 1:
        raise OfferError(f"the nodes have shards of {len(offers)} data folders: take all but one away")
    (((data_folder, shards), found),) = offers.items()
    for shard in range(shards):
        if shard not in found:
            raise OfferError(f"no node has the data of shard {shard} of {shards}")
        if found.count(shard) > 1:
            raise OfferError(f"{found.count(shard)} nodes have data of shard {shard}: take all but the newest away")
    return Offer(data_folder, shards, sum(map(gateways_of, nodes)))
