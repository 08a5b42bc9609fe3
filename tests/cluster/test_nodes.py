"""The switch on several machines: whatever is lost comes back where its data are."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest
from campus_folder import account_number, write_campus
from crowd import Crowd
from processes import is_alive
from ray_nodes import RayNodes
from running_cluster import WAIT_S_MAX, is_ready, process_numbers, status, until
from running_switch import RunningSwitch, make_data, python
from station_client import StationClient
from switch_in_process import purchase
from witnesses import check

from simulators import station
from switch.data_folder import shard_folder
from wire.codes import Code

pytestmark = pytest.mark.ray

ACCOUNTS = 200
SHARDS = 2
ANSWERS_BETWEEN_KILLS = 300


@pytest.fixture(autouse=True)
def quick_reconnects(monkeypatch):
    monkeypatch.setattr(station, "BACK_OFF_SECONDS_MAX", 0.2)


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def folders(tmp_path) -> list[Path]:
    """For each shard the folder of the machine that has it."""
    data = make_data(tmp_path, ACCOUNTS, shards=SHARDS)
    machines = [tmp_path / f"machine-{shard}" for shard in range(SHARDS)]
    for shard, folder in enumerate(machines):
        shutil.move(shard_folder(data, shard), shard_folder(folder, shard))
    return machines


@pytest.fixture
def nodes(tmp_path, folders) -> Iterator[RayNodes]:
    with RayNodes(tmp_path, [("--data", folder, "--gateways", 1) for folder in folders]) as made:
        yield made


def serve(nodes: RayNodes, campus: Path, port: int, *options: object) -> RunningSwitch:
    joining = "--cluster", nodes.address, "--listen", f"127.0.0.1:{port}"
    return RunningSwitch(None, campus, *joining, "--gateways", SHARDS, *options, environment=nodes.environment)


@pytest.fixture
async def crowd(campus, folders, tmp_path) -> AsyncIterator[Crowd]:
    made = Crowd(campus, tmp_path / "accounts.csv", Random(1))
    made.connect()
    yield made
    await made.disconnect()


async def test_whatever_is_lost_comes_back_where_its_data_are(
    pytestconfig, campus, folders, nodes, crowd, tmp_path, unused_tcp_port
):
    seed = 11
    random = Random(seed)
    with serve(nodes, campus, unused_tcp_port) as switch:
        places = {process["name"]: process["node"] for process in status(switch)["shards"]}
        assert len(set(places.values())) == SHARDS
        crowd.address.now = switch.address
        crowd.begin()
        killed: Counter[str] = Counter()
        for number in range(pytestconfig.getoption("--node-rounds")):
            enough = asyncio.Event()
            crowd.after_answers(random.randint(1, ANSWERS_BETWEEN_KILLS), enough.set)
            async with asyncio.timeout(WAIT_S_MAX):
                await enough.wait()
            before = await asyncio.to_thread(process_numbers, switch)
            if number and random.random() < 0.5:
                name = random.choice(sorted(before))
                os.kill(before[name], signal.SIGKILL)
                gone = [name]
            else:
                node = random.choice(nodes.workers)
                gone = await asyncio.to_thread(names_at, switch, node.host)
                await asyncio.to_thread(node.kill)
                await asyncio.to_thread(node.start_again)
            killed.update(gone)
            await until(
                lambda gone=gone, before=before: all(process_numbers(switch)[name] != before[name] for name in gone)
            )
            await until(lambda: is_ready(switch))
        await crowd.settle()
        await crowd.audit()
        found = status(switch)
        assert found["restarts"] == dict(killed)
        assert [shard["imbalance"] for shard in found["shards"]] == [0] * SHARDS
        assert await asyncio.to_thread(switch.stop) == 0
    whole = tmp_path / "data"
    for shard, folder in enumerate(folders):
        shutil.move(shard_folder(folder, shard), shard_folder(whole, shard))
    check(crowd, whole, seed)


def names_at(switch: RunningSwitch, host: str) -> list[str]:
    """The processes that run on a machine."""
    found = status(switch)
    here = {node["node"] for node in found["nodes"] if node["address"] == host}
    return [process["name"] for process in (*found["shards"], *found["gateways"]) if process["node"] in here]


async def test_a_switch_comes_to_a_ray_and_leaves_it(campus, nodes, unused_tcp_port):
    with serve(nodes, campus, unused_tcp_port) as switch:
        started = list(process_numbers(switch).values())
        second = await asyncio.to_thread(
            python, "-m", "switch.command_line", "serve", "--cluster", nodes.address, "--campus", campus,
            "--listen", "127.0.0.1:1", "--http", "127.0.0.1:0", environment=nodes.environment,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another switch runs on this Ray" in second.stderr
        assert await asyncio.to_thread(switch.stop) == 0
        await until(lambda: not [pid for pid in started if is_alive(pid)])
    with serve(nodes, campus, unused_tcp_port, "--shards", SHARDS) as switch:
        async with StationClient(switch.address) as client:
            answers = await client.ask(*(purchase(n, account=account_number(n)) for n in range(1, 9)))
            assert {answer.code for answer in answers} == {Code.APPROVED}
        assert await asyncio.to_thread(switch.stop) == 0
    other = await asyncio.to_thread(
        python, "-m", "switch.command_line", "serve", "--cluster", nodes.address, "--campus", campus,
        "--listen", "127.0.0.1:1", "--http", "127.0.0.1:0", "--shards", 3, environment=nodes.environment,
    )  # fmt: skip
    assert other.returncode == 1
    assert "--shards 3: the nodes have a data folder of 2" in other.stderr
