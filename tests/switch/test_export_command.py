"""`tapswitch export`: beside a running switch it keeps up, and goes on where it was stopped or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from campus_folder import account_number, write_campus
from running_switch import SECONDS_MAX, RunningSwitch, command, make_data
from station_client import StationClient
from switch_in_process import purchase

from actors.batch_file import BatchFile
from actors.exported_journal import exported_files
from actors.lmdb_store import LmdbStore
from switch.data_folder import close_all, open_all, shard_folder
from wire.codes import Code

SHARDS = 2
ACCOUNTS = [account_number(place) for place in range(1, 21)]


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, len(ACCOUNTS), shards=SHARDS)


@pytest.fixture
def to(tmp_path) -> Path:
    return tmp_path / "export"


@contextmanager
def following(data: Path, to: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "switch.command_line", "export", "--data", data, "--to", to, "--follow"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SECONDS_MAX)


def exported(to: Path) -> list[int]:
    """Where the export of each shard ends; -1 where there is none yet."""
    return [_end(exported_files(shard_folder(to, shard))) for shard in range(SHARDS)]


def _end(paths: list[Path]) -> int:
    if not paths:
        return -1
    file = BatchFile(paths[-1])
    return [file.head.position, *(batch.last_position for batch in file.batches())][-1]


def journaled(data: Path) -> list[int]:
    stores = open_all(data, LmdbStore.open_read_only)
    try:
        return [batch.last_position if (batch := store.last_batch()) else 0 for store in stores]
    finally:
        close_all(stores)


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS_MAX
    while not what():
        assert time.monotonic() < until, "it does not keep up"
        time.sleep(0.02)


async def buy(switch: RunningSwitch, stan: int) -> None:
    async with StationClient(switch.address) as client:
        for offset, account in enumerate(ACCOUNTS):
            (answer,) = await client.ask(purchase(stan + offset, 1, account=account))
            assert answer.code is Code.APPROVED


async def test_beside_a_running_switch_stopped_and_killed(data, campus, to):
    with RunningSwitch(data, campus) as switch:
        with following(data, to) as process:
            await buy(switch, 100)
            wait_for(lambda: exported(to) == journaled(data))
            process.terminate()
            said, _ = process.communicate(timeout=SECONDS_MAX)
            assert process.returncode == 0
            assert [line.split("│")[2].strip() for line in said.splitlines() if line.startswith("│")] == [
                str(position) for position in journaled(data)
            ]
        await buy(switch, 200)
        assert exported(to) != journaled(data)
        with following(data, to) as process:
            wait_for(lambda: exported(to) == journaled(data))
            await buy(switch, 300)
            wait_for(lambda: exported(to) == journaled(data))
            process.send_signal(signal.SIGKILL)
        await buy(switch, 400)
        assert command("export", "--data", data, "--to", to).exit_code == 0
        assert exported(to) == journaled(data)
        assert switch.stop() == 0


def test_a_torn_end_is_told_and_written_again(data, to):
    assert command("export", "--data", data, "--to", to).exit_code == 0
    (path,) = exported_files(shard_folder(to, 1))
    whole = path.read_bytes()
    os.truncate(path, len(whole) - 1)
    result = command("export", "--data", data, "--to", to)
    assert result.exit_code == 0
    assert "shard 1: " in result.output
    assert "they are written again" in " ".join(result.output.split())
    assert path.read_bytes() == whole


def test_one_export_at_a_time(data, to):
    with following(data, to):
        wait_for(lambda: exported(to) == journaled(data))
        result = command("export", "--data", data, "--to", to)
    assert result.exit_code == 2
    assert "another export is writing there" in result.output


def test_what_it_refuses(tmp_path, data, to):
    assert "no data here" in command("export", "--data", tmp_path / "no", "--to", to).output
    inside = command("export", "--data", data, "--to", data / "export")
    assert (inside.exit_code, (data / "export").exists()) == (2, False)
    to.write_text("a file")
    assert command("export", "--data", data, "--to", to).exit_code == 2
    to.unlink()
    other = make_data(tmp_path / "other", shards=SHARDS)
    assert command("export", "--data", other, "--to", to).exit_code == 0
    result = command("export", "--data", data, "--to", to)
    assert result.exit_code == 1
    assert "another data folder" in result.output


def test_a_damaged_journal_is_named(data, to):
    store = LmdbStore.open(shard_folder(data, 1))
    last = store.last_batch()
    store.append([last._replace(last_position=last.last_position + 1)])
    store.close()
    result = command("export", "--data", data, "--to", to)
    assert result.exit_code == 1
    assert "the journal of shard 1 is damaged at position" in result.output
