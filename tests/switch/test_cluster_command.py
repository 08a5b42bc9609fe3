"""`tapswitch cluster status`: what it shows, and of whom."""

from __future__ import annotations

import socket

import msgspec
import pytest
from msgspec.structs import replace
from one_page import page
from running_switch import command

from switch.cluster_status import ClusterStatus, GatewayStatus, NodeStatus, ShardStatus
from switch.readiness import Check

NODE = "0a79124353c1"
SERVING = ClusterStatus(
    registry=3,
    nodes=[
        NodeStatus(node=NODE, address="10.0.0.2", alive=True, shards=[0, 1], gateways=1),
        NodeStatus(node="ffee00112233", address="10.0.0.3", alive=False, shards=[], gateways=0),
    ],
    shards=[
        ShardStatus(
            name="shard-0", pid=41, node=NODE, problem=None, registry=3, first_slot=0, last_slot=2047, position=1234,
            time_us=1_788_235_200_000_000, mailbox=3, snapshot_lag=77,
            checks=[Check("map", ok=True, explanation="nearly full", warning=True)],
        ),
        ShardStatus(name="shard-1", pid=42, node=NODE, problem=None, registry=3, first_slot=2048, last_slot=4095),
    ],
    gateways=[
        GatewayStatus(
            name="gateway-0", pid=43, node=NODE, problem=None, registry=2, connections=12, stations=11, waiting=2,
            checks=[Check("registry", ok=False, explanation="too old")],
        )
    ],
    restarts={"shard-0": 5},
    log_folder="/logs",
)  # fmt: skip
WAITING = replace(SERVING, shards=[SERVING.shards[0], replace(SERVING.shards[1], problem="another process is writing")])


def test_everything_serves():
    with page(msgspec.json.encode(SERVING)) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line]
    assert rows == [
        ["0a791243", "10.0.0.2", "0, 1", "1", "alive"],
        ["ffee0011", "10.0.0.3", "", "0", "lost"],
        ["0", "0-2047", "10.0.0.2", "41", "5", "3", "1,234", "2026-09-01 04:00:00", "3", "77", "serving"],
        ["1", "2048-4095", "10.0.0.2", "42", "0", "3", "0", "none", "0", "0", "serving"],
        ["0", "10.0.0.2", "43", "0", "2", "12", "11", "2", "serving"],
    ]
    assert result.output.splitlines()[-3:] == [
        "Look at shard-0 map: nearly full",
        "Look at gateway-0 registry: too old",
        "Registry: version 3. Logs of the processes: /logs",
    ]


def test_something_does_not():
    with page(msgspec.json.encode(WAITING)) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 1
    assert "another process is" in result.output


def test_a_problem_is_shown_as_it_is():
    """What looks like markup is none."""
    failed = Check("disk", ok=False, explanation="cannot read [/etc]")
    shard = replace(SERVING.shards[1], problem="KeyError('[/b]')", checks=[failed])
    with page(msgspec.json.encode(replace(SERVING, shards=[SERVING.shards[0], shard]))) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 1, result.output
    assert "KeyError('[/b]')" in result.output
    assert "Look at shard-1 disk: cannot read [/etc]" in result.output


def test_json_is_what_the_switch_said():
    with page(msgspec.json.encode(SERVING)) as address:
        result = command("cluster", "status", "--json", "--http", address)
    assert msgspec.json.decode(result.output, type=ClusterStatus) == SERVING


def test_an_embedded_switch_is_no_switch_on_ray():
    with page(msgspec.json.encode(replace(SERVING, log_folder=""))) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 2
    assert "`tapswitch top`" in result.output


@pytest.mark.parametrize(
    ("body", "status"), [(b"{}", 200), (b"nothing", 200), (b"", 404), (b"SSH-2.0\r\n", 0), (b"", 0)]
)
def test_somebody_else_answers(body, status):
    with page(body, status) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 2
    assert f"--http {address}: this is no switch on Ray" in result.output


def test_nobody_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 2
    assert f"--http {address}: nobody answers: Connection refused" in result.output
