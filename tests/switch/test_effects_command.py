"""`tapswitch effects`: what the world outside should learn, from a stopped folder and beside a running switch."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from campus_folder import DESK, NORTH, OFFICE, OPERATOR, TILL, TOP_UP_MACHINE, account_number, card_of, write_campus
from running_switch import SECONDS_MAX, RunningSwitch, command, make_data
from station_client import StationClient

from actors.placement import shard_of, slot_of
from switch.data_folder import shard_folder
from wire.codes import Code
from wire.messages import Emergency, Purchase, ReportLoss, Reversal, ReviewLoss, TopUp

SHARDS = 2
ACCOUNTS = [account_number(place) for place in range(1, 6)]


@pytest.fixture
def campus(tmp_path: Path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path, accounts=len(ACCOUNTS), shards=SHARDS)


def overdraw(switch: RunningSwitch, number: str, stan: int) -> None:
    """Reverse a top-up of 50.00 of which 20.00 are left: 30.00 are owed."""
    top_up = TopUp(TOP_UP_MACHINE, stan, 5_000, number, card_of(number), 5_000, 1)
    purchase = Purchase(TILL, stan, 5_000, number, card_of(number), 13_000)
    reversal = Reversal(TOP_UP_MACHINE, stan + 1, 5_000, number, TOP_UP_MACHINE, stan, 5_000)

    async def ask_each() -> None:
        async with StationClient(switch.address, NORTH) as north, StationClient(switch.address, OFFICE) as office:
            for station, request in ((office, top_up), (north, purchase), (office, reversal)):
                (answer,) = await station.ask(request)
                assert answer.code is Code.APPROVED

    asyncio.run(ask_each())


def printed(*arguments: object) -> list[dict[str, Any]]:
    result = command("effects", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def owed(effects: list[dict[str, Any]]) -> dict[str, int]:
    return {effect["account"]: effect["shortfall"] for effect in effects}


def test_each_shortfall_is_told_once_by_cursor(data, campus, tmp_path):
    cursor = tmp_path / "cursor"
    with RunningSwitch(data, campus) as switch:
        assert printed("--data", data, "--cursor", cursor) == []
        overdraw(switch, ACCOUNTS[0], 1)
        (first,) = printed("--data", data, "--cursor", cursor)
        overdraw(switch, ACCOUNTS[1], 11)
        assert owed(printed("--data", data, "--cursor", cursor)) == {ACCOUNTS[1]: 3_000}
        assert printed("--data", data, "--cursor", cursor) == []
        assert switch.stop() == 0
    assert owed(printed("--data", data)) == {ACCOUNTS[0]: 3_000, ACCOUNTS[1]: 3_000}
    shard = shard_of(slot_of(ACCOUNTS[0]), SHARDS)
    told = {"effect": "suspicious", "reason": "top-up-was-spent", "shard": shard, "terminal": TOP_UP_MACHINE, "stan": 2}
    assert first.items() >= told.items()


def test_an_emergency_is_told_with_what_the_terminal_knew(data, campus):
    async def call_for_help(switch: RunningSwitch) -> None:
        async with StationClient(switch.address, NORTH) as north:
            known = Emergency(TILL, 1, 5_000, ACCOUNTS[0], card_of(ACCOUNTS[0]))
            answers = await north.ask(known, known, Emergency(TILL, 2, 5_000))
            assert {answer.code for answer in answers} == {Code.APPROVED}

    with RunningSwitch(data, campus) as switch:
        asyncio.run(call_for_help(switch))
        assert switch.stop() == 0
    known, unknown = printed("--data", data)
    told = {"effect": "emergency", "shard": shard_of(slot_of(str(TILL)), SHARDS), "terminal": TILL, "merchant": 1}
    assert known.items() >= {**told, "stan": 1, "account": ACCOUNTS[0], "card": card_of(ACCOUNTS[0])}.items()
    assert unknown.items() >= {**told, "stan": 2, "account": "", "card": ""}.items()
    assert command("verify", "--data", data).exit_code == 0


def test_a_loss_that_nobody_reviewed_in_time_is_told_once(data, campus):
    number, reviewed = ACCOUNTS[:2]

    async def ask(switch: RunningSwitch, station: str, *requests: Any) -> list[Code]:
        async with StationClient(switch.address, station) as client:
            return [answer.code for answer in await client.ask(*requests)]

    lost = [ReportLoss(OPERATOR, stan, 5_000, account, "wu") for stan, account in enumerate((number, reviewed), 1)]
    with RunningSwitch(data, campus) as switch:
        review = ReviewLoss(OPERATOR, 3, 5_000, reviewed, "wu")
        assert asyncio.run(ask(switch, DESK, *lost, review)) == [Code.APPROVED] * 3
        assert switch.stop() == 0
    two_weeks_later = (datetime.now(UTC) + timedelta(days=14)).strftime("%Y-%m-%dT%H:%M")
    with RunningSwitch(data, campus, "--simulated-clock", f"{two_weeks_later},1") as switch:
        taps = [Purchase(TILL, stan, 5_000, account, card_of(account), 1) for stan, account in enumerate(ACCOUNTS, 1)]
        assert asyncio.run(ask(switch, NORTH, *taps)) == [Code.LOST_CARD] * 2 + [Code.APPROVED] * 3
        assert switch.stop() == 0
    told = [effect for effect in printed("--data", data) if effect["effect"] != "hot-list"]
    assert [(effect["effect"], effect["account"], effect["card"]) for effect in told] == [
        ("review-overdue", number, card_of(number))
    ]
    (effect,) = told
    assert effect["reported_us"] + 2 * 86_400_000_000 < effect["review_due_us"]
    assert {"terminal", "stan"}.isdisjoint(effect)
    assert "review-overdue" in command("statement", "--data", data, number).output
    assert command("verify", "--data", data).exit_code == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_follow(data, campus, tmp_path, how):
    cursor = tmp_path / "cursor"
    with RunningSwitch(data, campus) as switch:
        arguments = ["effects", "--follow", "--data", data, "--cursor", cursor]
        with subprocess.Popen(
            [sys.executable, "-m", "switch.command_line", *arguments], stdout=subprocess.PIPE, text=True
        ) as follower:
            try:
                assert follower.stdout is not None
                for place, number in enumerate(ACCOUNTS[:3]):
                    overdraw(switch, number, 10 * place + 1)
                    assert json.loads(follower.stdout.readline())["account"] == number
                follower.send_signal(how)
                assert follower.wait(SECONDS_MAX) == 0
                assert follower.stdout.read() == ""
            finally:
                follower.kill()
        overdraw(switch, ACCOUNTS[3], 91)
        assert owed(printed("--data", data, "--cursor", cursor)) == {ACCOUNTS[3]: 3_000}


def test_what_nobody_read_is_told_again(data, campus, tmp_path):
    cursor = tmp_path / "cursor"
    with RunningSwitch(data, campus) as switch:
        overdraw(switch, ACCOUNTS[0], 1)
        assert switch.stop() == 0
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as nobody:
        command_line = [sys.executable, "-m", "switch.command_line", "effects", "--data", data, "--cursor", cursor]
        ended = subprocess.run(command_line, stdout=nobody, stderr=subprocess.PIPE, check=False, timeout=SECONDS_MAX)
    assert ended.stderr == b""
    assert owed(printed("--data", data, "--cursor", cursor)) == {ACCOUNTS[0]: 3_000}


def test_an_older_copy_of_the_folder_is_refused(data, campus, tmp_path):
    older = shutil.copytree(data, tmp_path / "older")
    cursor = tmp_path / "cursor"
    with RunningSwitch(data, campus) as switch:
        overdraw(switch, ACCOUNTS[0], 1)
        assert switch.stop() == 0
    printed("--data", data, "--cursor", cursor)
    refused = command("effects", "--data", older, "--cursor", cursor)
    assert refused.exit_code == 2
    assert "older copy" in refused.output


def test_no_data_folder(tmp_path):
    refused = command("effects", "--data", tmp_path / "none")
    assert refused.exit_code == 2
    assert str(shard_folder(tmp_path / "none")) in refused.output
