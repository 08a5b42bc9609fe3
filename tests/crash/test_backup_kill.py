"""Backups taken at full load, while now the switch and now the backup is killed: each restores to what it must hold."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from campus_folder import write_campus
from crowd import Crowd
from running_switch import RunningSwitch, command, make_data
from witnesses import check, journaled

from switch.new_folder import UNFINISHED

ACCOUNTS = 300
SHARDS = 2
ANSWERS_MAX = 400
DELAY_SECONDS_MAX = 0.3
"""The victim is killed at most so long after the backup began: it takes about as long, most of it Python's start."""


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, ACCOUNTS, shards=SHARDS)


def begun(*arguments: object) -> subprocess.Popen[str]:
    """A command of `tapswitch` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "switch.command_line", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = await asyncio.to_thread(process.communicate, timeout=60)
    return process.returncode, said


async def some_answers(crowd: Crowd, count: int) -> None:
    loop, enough = asyncio.get_running_loop(), asyncio.Event()
    crowd.after_answers(count, lambda: loop.call_soon(enough.set))
    async with asyncio.timeout(60):
        await enough.wait()


def missing(data: Path, acknowledged: dict) -> list:
    """What was acknowledged and is not in the journals."""
    found = {(event.terminal, event.stan): event.authorization for event in journaled(data)
             if hasattr(event, "authorization")}  # fmt: skip
    return sorted(acknowledged.items() - found.items())


def approvals(crowd: Crowd) -> dict:
    return {key: answer.authorization for key, answer in crowd.answered.items() if answer.authorization}


async def test_backups_under_load_with_kills_in_between(pytestconfig, tmp_path, campus, data, crowd):
    switch = await asyncio.to_thread(RunningSwitch, data, campus)
    crowd.address.now = switch.address
    export = tmp_path / "export"
    exporting = begun("export", "--data", data, "--to", export, "--follow")
    completed = 0
    try:
        for seed in range(1, pytestconfig.getoption("--backup-rounds") + 1):
            random, victim = Random(seed), ("nobody", "switch", "backup", "export")[seed % 4]
            crowd.begin()
            await some_answers(crowd, random.randint(1, ANSWERS_MAX))
            acknowledged, to = approvals(crowd), tmp_path / f"backup-{seed}"
            assert acknowledged
            backup = begun("backup", "--data", data, "--to", to)
            if victim != "nobody":
                await asyncio.sleep(random.uniform(0, DELAY_SECONDS_MAX))  # the moment of the kill
                {"switch": switch.process, "backup": backup, "export": exporting}[victim].kill()
            status, said = await ended(backup)
            assert to.is_dir() == (status == 0), f"seed {seed}: {status} {said}"
            assert status == 0 or victim == "backup", f"seed {seed}: {said}"
            if victim == "switch":
                await asyncio.to_thread(switch.kill)
                switch = await asyncio.to_thread(RunningSwitch, data, campus)
                crowd.address.now = switch.address
            await crowd.settle()
            await crowd.audit()
            check(crowd, data, seed)
            if victim == "export":
                await ended(exporting)
                exporting = begun("export", "--data", data, "--to", export, "--follow")
            if to.is_dir():
                completed += 1
                await asyncio.to_thread(restores, to, tmp_path / "restored", acknowledged, seed)
                # Everything of now, from the same backup and what one more run of the export brings.
                exporting.terminate()
                assert (await ended(exporting))[0] in {0, -15}, "stopped, perhaps while it started"
                exported = command("export", "--data", data, "--to", export)
                assert exported.exit_code == 0, f"seed {seed}: {exported.output}"
                await asyncio.to_thread(restores, to, tmp_path / "rolled", approvals(crowd), seed, "--export", export)
                exporting = begun("export", "--data", data, "--to", export, "--follow")
            else:
                shutil.rmtree(to.with_name(to.name + UNFINISHED), ignore_errors=True)
    finally:
        switch.kill()
        exporting.kill()
        await ended(exporting)
    assert completed


def restores(backup: Path, data: Path, acknowledged: dict, seed: int, *options: object) -> None:
    """The backup restores to a folder that is right and holds what was acknowledged."""
    restored = command("restore", "--from", backup, "--data", data, *options)
    assert restored.exit_code == 0, f"seed {seed}: {restored.output}"
    verified = command("verify", "--data", data)
    assert verified.exit_code == 0, f"seed {seed}: {verified.output}"
    assert missing(data, acknowledged) == [], f"seed {seed}"
    shutil.rmtree(data)
