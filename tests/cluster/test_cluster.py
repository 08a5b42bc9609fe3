"""The switch on Ray, as processes: it answers, heals whatever is killed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from campus_folder import KEYS, NORTH, SOUTH, SOUTH_TILL, account_number, write_campus, write_secrets
from running_cluster import WAIT_S_MAX, is_ready, process_numbers, status, taken, until
from running_switch import RunningSwitch, command, make_data, python
from station_client import StationClient
from switch_in_process import purchase
from witnesses import check

from bench.nodes import LOST_SOON
from bench.processes import family, is_alive
from simulators.metrics_page import read_page
from wire.codes import Code

pytestmark = pytest.mark.ray

ACCOUNTS = 200
SHARDS = 2
CLUSTER = ("--cluster", "local", "--gateways", 2, "--shards", SHARDS)
ANSWERS_BETWEEN_KILLS = 300


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, ACCOUNTS, shards=SHARDS)


async def test_every_gateway_serves_every_account_and_nothing_is_left_behind(campus, data):
    with RunningSwitch(data, campus, *CLUSTER) as switch:
        assert is_ready(switch)
        served: set[str] = set()
        while len(served) < 2:
            async with StationClient(switch.address) as client:
                stan = 1 + len(served) * ACCOUNTS
                answers = await client.ask(
                    *(purchase(stan + n, 1, account=account_number(n)) for n in range(1, ACCOUNTS))
                )
                assert {answer.code for answer in answers} == {Code.APPROVED}
                busy = await until(lambda: [g["name"] for g in status(switch)["gateways"] if g["connections"]])
                served |= set(busy)
        started = family(switch.process.pid)[1:]
        assert len(started) > SHARDS + 2
        began = monotonic()
        assert await asyncio.to_thread(switch.stop) == 0
        assert monotonic() - began < WAIT_S_MAX
        await until(lambda: not [pid for pid in started if is_alive(pid)])
    assert command("verify", "--data", data).exit_code == 0


async def test_whatever_is_killed_comes_back_and_no_answer_is_wrong(pytestconfig, campus, data, crowd):
    seed = 7
    random = Random(seed)
    with RunningSwitch(data, campus, *CLUSTER) as switch:
        crowd.address.now = switch.address
        crowd.begin()
        killed: Counter[str] = Counter()
        for _ in range(pytestconfig.getoption("--cluster-rounds")):
            enough = asyncio.Event()
            crowd.after_answers(random.randint(1, ANSWERS_BETWEEN_KILLS), enough.set)
            async with asyncio.timeout(WAIT_S_MAX):
                await enough.wait()
            before = await asyncio.to_thread(process_numbers, switch)
            name = random.choice(sorted(before))
            os.kill(before[name], signal.SIGKILL)
            killed[name] += 1
            await until(lambda name=name, pid=before[name]: process_numbers(switch)[name] not in {0, pid})
            await until(lambda: is_ready(switch))
        await crowd.settle()
        await crowd.audit()
        found = status(switch)
        assert found["restarts"] == dict(killed)
        assert [shard["imbalance"] for shard in found["shards"]] == [0] * SHARDS
        assert await asyncio.to_thread(switch.stop) == 0
    check(crowd, data, seed)


async def test_a_shard_has_one_owner_and_waits_for_its_data(campus, data):
    with RunningSwitch(data, campus, *CLUSTER) as switch:
        second = await asyncio.to_thread(
            command, "serve", "--data", data, "--campus", campus, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"
        )
        assert second.exit_code == 2
        assert "another process is writing to this data folder" in second.output
        before = await read_page(switch.http)
        assert before is not None
        os.kill((await asyncio.to_thread(process_numbers, switch))["shard-1"], signal.SIGKILL)
        held = await until(lambda: taken(data, 1))
        try:
            await until(lambda: "another process is writing" in (status(switch)["shards"][1]["problem"] or ""))
            assert not is_ready(switch)
            assert await read_page(switch.http) is None
        finally:
            held.close()
        await until(lambda: is_ready(switch))
        assert status(switch)["restarts"] == {"shard-1": 1}
        async with StationClient(switch.address) as client:
            answers = await client.ask(*(purchase(n, account=account_number(n)) for n in range(1, 9)))
            assert {answer.code for answer in answers} == {Code.APPROVED}
        page = await read_page(switch.http)
        assert page is not None
        assert (page.decisions, page.imbalance) == ({("purchase", Code.APPROVED): 8}, 0)
        assert page.since(before) is None
        assert await asyncio.to_thread(switch.stop) == 0


async def test_another_switch_does_not_share_the_port(campus, data, tmp_path):
    other = make_data(tmp_path / "other", ACCOUNTS, shards=1)
    with RunningSwitch(data, campus, *CLUSTER) as switch:
        listen = "--listen", "{}:{}".format(*switch.address)
        second = await asyncio.to_thread(
            python, "-m", "switch.command_line", "serve", "--cluster", "local", "--data", other, "--campus", campus,
            *listen, "--http", "127.0.0.1:0",
        )  # fmt: skip
        assert (second.returncode, second.stdout) == (2, "")
        assert "Address already in use" in second.stderr
        assert await asyncio.to_thread(switch.stop) == 0


async def test_without_ray_the_switch_ends(campus, data):
    with RunningSwitch(data, campus, *CLUSTER, environment=LOST_SOON) as switch:
        (raylet,) = [pid for pid in family(switch.process.pid)[1:] if program(pid).endswith("/raylet")]
        os.kill(raylet, signal.SIGKILL)
        assert await asyncio.to_thread(switch.wait) == 1
    assert command("verify", "--data", data).exit_code == 0


async def test_a_changed_registry_reaches_every_gateway_and_revoked_stations_go(campus, data):
    with RunningSwitch(data, campus, *CLUSTER) as switch:
        clients = {name: StationClient(switch.address, name) for name in (NORTH, SOUTH)}
        for client in clients.values():
            await client.open()
            await client.sign_on()
        write_secrets(campus.parent, KEYS | {NORTH: bytes(range(32))})
        switch.process.send_signal(signal.SIGHUP)
        await until(lambda: {gateway["registry"] for gateway in status(switch)["gateways"]} == {2})
        assert await clients[NORTH].until_closed() == []
        (answer,) = await clients[SOUTH].ask(purchase(1, terminal=SOUTH_TILL, account=account_number(1)))
        assert answer.code is Code.APPROVED
        for client in clients.values():
            await client.close()
        campus.write_text("[campus")
        switch.process.send_signal(signal.SIGHUP)
        await until(lambda: switch.logged("registry not changed"))
        assert status(switch)["registry"] == 2
        gone = (await asyncio.to_thread(process_numbers, switch))["gateway-0"]
        os.kill(gone, signal.SIGKILL)
        await until(lambda: process_numbers(switch)["gateway-0"] != gone and is_ready(switch))
        assert {process["registry"] for process in status(switch)["gateways"] + status(switch)["shards"]} == {2}
        assert await asyncio.to_thread(switch.stop) == 0


def program(pid: int) -> str:
    """The path of the program that a process runs."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
