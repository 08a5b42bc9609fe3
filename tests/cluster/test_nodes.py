"""The switch on several machines: whatever is lost comes back where its data are."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from campus_folder import account_number, write_campus
from running_cluster import WAIT_S_MAX, is_ready, process_numbers, status, until
from running_switch import RunningSwitch, make_data, python
from station_client import StationClient
from switch_in_process import purchase
from witnesses import check

from bench.nodes import LOST_SOON, Node, free_port, fresh_token
from bench.processes import is_alive
from switch.data_folder import shard_folder
from wire.codes import Code

pytestmark = pytest.mark.ray

ACCOUNTS = 200
SHARDS = 2
ANSWERS_BETWEEN_KILLS = 300


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, ACCOUNTS, shards=SHARDS)


@pytest.fixture
def folders(tmp_path, data) -> list[Path]:
    """For each shard the folder of the machine that has it."""
    made = [tmp_path / f"machine-{shard}" for shard in range(SHARDS)]
    for shard, folder in enumerate(made):
        shutil.move(shard_folder(data, shard), shard_folder(folder, shard))
    return made


class Machines:
    """A head, and a worker for each shard; every address of 127.0.0.0/8 is a machine of its own."""

    def __init__(self, stack: ExitStack, log: Path, folders: list[Path]) -> None:
        self.environment = {"RAY_AUTH_TOKEN": fresh_token()}
        self.head = f"127.0.0.2:{free_port('127.0.0.2')}"
        inherited = os.environ | self.environment
        stack.enter_context(Node(["--head", self.head], log, inherited | LOST_SOON))
        self.workers: dict[str, Node] = {}
        for number, folder in enumerate(folders, start=3):
            host = f"127.0.0.{number}"
            options = ["--join", self.head, "--host", host, "--data", str(folder), "--gateways", "1"]
            self.workers[host] = stack.enter_context(Node(options, log, inherited))


@pytest.fixture
def machines(tmp_path, folders) -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(stack, tmp_path / "machines.log", folders)


def serve(machines: Machines, campus: Path, port: int, *options: object) -> RunningSwitch:
    joining = "--cluster", machines.head, "--listen", f"127.0.0.1:{port}"
    return RunningSwitch(None, campus, *joining, "--gateways", SHARDS, *options, environment=machines.environment)


async def test_whatever_is_lost_comes_back_where_its_data_are(
    pytestconfig, campus, folders, machines, crowd, tmp_path, unused_tcp_port
):
    seed = 11
    random = Random(seed)
    with serve(machines, campus, unused_tcp_port) as switch:
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
                host, node = random.choice(list(machines.workers.items()))
                gone = await asyncio.to_thread(names_at, switch, host)
                await asyncio.to_thread(node.kill)
                await asyncio.to_thread(node.start)
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


async def test_a_switch_comes_to_a_ray_and_leaves_it(campus, machines, unused_tcp_port):
    with serve(machines, campus, unused_tcp_port) as switch:
        started = list(process_numbers(switch).values())
        second = await asyncio.to_thread(
            python, "-m", "switch.command_line", "serve", "--cluster", machines.head, "--campus", campus,
            "--listen", "127.0.0.1:1", "--http", "127.0.0.1:0", environment=machines.environment,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another switch runs on this Ray" in second.stderr
        assert await asyncio.to_thread(switch.stop) == 0
        await until(lambda: not [pid for pid in started if is_alive(pid)])
    with serve(machines, campus, unused_tcp_port, "--shards", SHARDS) as switch:
        async with StationClient(switch.address) as client:
            answers = await client.ask(*(purchase(n, account=account_number(n)) for n in range(1, 9)))
            assert {answer.code for answer in answers} == {Code.APPROVED}
        assert await asyncio.to_thread(switch.stop) == 0
    other = await asyncio.to_thread(
        python, "-m", "switch.command_line", "serve", "--cluster", machines.head, "--campus", campus,
        "--listen", "127.0.0.1:1", "--http", "127.0.0.1:0", "--shards", 3, environment=machines.environment,
    )  # fmt: skip
    assert other.returncode == 1
    assert "--shards 3: the nodes have a data folder of 2" in other.stderr


async def test_a_node_ends_when_its_raylet_ends_in_good_order(tmp_path):
    log = tmp_path / "node.log"
    node = Node(["--head", f"127.0.0.5:{free_port('127.0.0.5')}"], log, os.environ | {"RAY_AUTH_TOKEN": fresh_token()})
    await asyncio.to_thread(node.start)
    try:
        (agent,) = await until(lambda: [pid for pid in node.members() if name_of(pid) == "ray::RuntimeEnv"])
        members = node.members()
        os.kill(agent, signal.SIGKILL)  # without it, the raylet ends itself
        await until(lambda: node.has_ended and not list(filter(is_alive, members)))
        assert "The raylet has ended" in log.read_text()
    finally:
        node.kill()


def name_of(pid: int) -> str:
    """As the kernel has it: at most 15 characters."""
    return Path(f"/proc/{pid}/comm").read_text().rstrip()
