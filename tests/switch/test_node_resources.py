"""What a node offers, and whether all nodes together have one whole data folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from actors.store import StoreFormatError
from switch.data_folder import create, shard_folder, shards_made
from switch.node_resources import (
    GATEWAY,
    Offer,
    OfferError,
    gateways_of,
    resources,
    shard_resource,
    shards_of,
    whole,
)

HERE, ELSEWHERE = "0af3", "1be4"
SHARD_0, SHARD_1 = (shard_resource(HERE, shard, 2) for shard in (0, 1))


def test_the_shards_of_a_folder_and_room_for_gateways(tmp_path: Path) -> None:
    create(tmp_path, 3)
    name = shards_made(tmp_path)[0].data_folder
    shutil.rmtree(shard_folder(tmp_path, 1))
    offered = resources(tmp_path, 2)
    assert offered == {shard_resource(name, 0, 3): 1, shard_resource(name, 2, 3): 1, GATEWAY: 2}
    assert (shards_of(offered), gateways_of(offered)) == ([0, 2], 2)


def test_nothing(tmp_path: Path) -> None:
    assert resources(None, 0) == resources(tmp_path, 0) == {}
    assert resources(None, 1) == {GATEWAY: 1}
    assert (shards_of({"CPU": 4.0}), gateways_of({"CPU": 4.0})) == ([], 0)


def test_a_shard_under_another_name(tmp_path: Path) -> None:
    create(tmp_path, 2)
    shutil.move(shard_folder(tmp_path, 1), shard_folder(tmp_path, 7))
    with pytest.raises(StoreFormatError, match="this is shard 1; give each shard's folder its own name back"):
        resources(tmp_path, 0)


def test_one_whole_data_folder() -> None:
    nodes = [{"memory": 1.0}, {SHARD_0: 1.0, GATEWAY: 2.0}, {SHARD_1: 1.0, GATEWAY: 1.0}]
    assert whole(nodes) == whole(reversed(nodes)) == Offer(HERE, 2, 3)
    assert whole([{SHARD_0: 1.0, SHARD_1: 1.0}]) == Offer(HERE, 2, 0)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], "no node has a shard's data"),
        ([{GATEWAY: 1.0}], "no node has a shard's data"),
        ([{SHARD_0: 1.0}], "no node has the data of shard 1 of 2"),
        ([{SHARD_1: 1.0}], "no node has the data of shard 0 of 2"),
        ([{SHARD_0: 1.0}, {SHARD_1: 1.0}, {SHARD_1: 1.0}], "2 nodes have data of shard 1"),
        ([{SHARD_0: 1.0}, {shard_resource(ELSEWHERE, 1, 2): 1.0}], "shards of 2 data folders"),
        ([{SHARD_0: 1.0}, {shard_resource(HERE, 1, 3): 1.0}], "shards of 2 data folders"),
    ],
)
def test_anything_else(nodes: list[dict[str, float]], expected: str) -> None:
    with pytest.raises(OfferError, match=expected):
        whole(nodes)
