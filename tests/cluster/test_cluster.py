"""The switch on Ray, as processes: it answers, heals whatever is killed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from campus_folder import account_number, write_campus
from crowd import Crowd
from running_switch import RunningSwitch, command, make_data, python
from station_client import StationClient
from switch_in_process import purchase
from witnesses import check

from actors.lmdb_store import LmdbStore
from actors.store import StoreLockedError
from simulators import station
from simulators.metrics_page import read_page
from switch.data_folder import shard_folder
from wire.codes import Code

pytestmark = pytest.mark.ray

ACCOUNTS = 200
SHARDS = 2
CLUSTER = ("--cluster", "local", "--gateways", 2, "--shards", SHARDS)
WAIT_S_MAX = 60.0
ANSWERS_BETWEEN_KILLS = 300


@pytest.fixture(autouse=True)
def quick_reconnects(monkeypatch):
    monkeypatch.setattr(station, "BACK_OFF_SECONDS_MAX", 0.2)


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, ACCOUNTS, shards=SHARDS)


@pytest.fixture
async def crowd(campus, data, tmp_path) -> AsyncIterator[Crowd]:
    made = Crowd(campus, tmp_path / "accounts.csv", Random(1))
    made.connect()
    yield made
    await made.disconnect()


def status(switch: RunningSwitch) -> dict[str, Any]:
    """What /status.json says."""
    return json.loads(switch.get("/status.json")[1])


async def until(condition: Callable[[], Any]) -> Any:
    """The first true value of a condition that asks another process."""
    async with asyncio.timeout(WAIT_S_MAX):
        while not (value := await asyncio.to_thread(condition)):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.02)
        return value


def processes(switch: RunningSwitch) -> dict[str, int]:
    """Process numbers by name."""
    found = status(switch)
    return {process["name"]: process["pid"] for process in (*found["shards"], *found["gateways"])}


def descendants(pid: int) -> list[int]:
    """Every process that this one started, and those they started."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def program(pid: int) -> str:
    """The path of the program that a process runs."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_every_gateway_serves_every_account_and_nothing_is_left_behind(campus, data):
    with RunningSwitch(data, campus, *CLUSTER) as switch:
        assert switch.get("/readyz")[0] == 200
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
        started = descendants(switch.process.pid)
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
            before = await asyncio.to_thread(processes, switch)
            name = random.choice(sorted(before))
            os.kill(before[name], signal.SIGKILL)
            killed[name] += 1
            await until(lambda name=name, pid=before[name]: processes(switch)[name] not in {0, pid})
            await until(lambda: switch.get("/readyz")[0] == 200)
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
        os.kill((await asyncio.to_thread(processes, switch))["shard-1"], signal.SIGKILL)
        held = await until(lambda: taken(data))
        try:
            await until(lambda: "another process is writing" in (status(switch)["shards"][1]["problem"] or ""))
            assert switch.get("/readyz")[0] == 503
            assert await read_page(switch.http) is None
        finally:
            held.close()
        await until(lambda: switch.get("/readyz")[0] == 200)
        assert status(switch)["restarts"] == {"shard-1": 1}
        async with StationClient(switch.address) as client:
            answers = await client.ask(*(purchase(n, account=account_number(n)) for n in range(1, 9)))
            assert {answer.code for answer in answers} == {Code.APPROVED}
        page = await read_page(switch.http)
        assert page is not None
        assert (page.decisions, page.imbalance) == ({("purchase", Code.APPROVED): 8}, 0)
        assert page.since(before) is None
        assert await asyncio.to_thread(switch.stop) == 0


def taken(data: Path) -> LmdbStore | None:
    """A shard's data, once its owner is gone."""
    try:
        return LmdbStore.open(shard_folder(data, 1))
    except StoreLockedError:
        return None


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
    with RunningSwitch(data, campus, *CLUSTER) as switch:
        (raylet,) = [pid for pid in descendants(switch.process.pid) if program(pid).endswith("/raylet")]
        os.kill(raylet, signal.SIGKILL)
        assert await asyncio.to_thread(switch.wait) == 1
    assert command("verify", "--data", data).exit_code == 0
