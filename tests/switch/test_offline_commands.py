"""`tapswitch gaps` and `tapswitch suspicious`: what offline terminals owe, and what they brought that is not clean."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import lmdb
import pytest
from campus_folder import DESK, OPERATOR, TILL, account_number, card_of, write_campus
from msgspec.structs import replace
from running_switch import RunningSwitch, command, make_data
from station_client import StationClient
from switch_in_process import purchase

from actors.journal import HASH_BYTES
from actors.placement import shard_of, slot_of
from switch.data_folder import shard_folder
from wire.codes import Code, Reason
from wire.messages import Advice, ExplainGap, Settlement, SettleSuspicion

SHARDS = 2
ACCOUNTS = [account_number(place) for place in range(1, 21)]
IN_FIRST = [number for number in ACCOUNTS if shard_of(slot_of(number), SHARDS) == 0]
IN_SECOND = [number for number in ACCOUNTS if shard_of(slot_of(number), SHARDS) == 1]
NOBODY = "999"
LONG_AGO_US = 1


@pytest.fixture
def campus(tmp_path: Path) -> Path:
    return write_campus(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path, shards=SHARDS)


def advice(number: int, account: str, amount: int = 100, *, stan: int = 0, taken_us: int = 0) -> Any:
    """An offline purchase, of just now unless said otherwise."""
    return Advice(TILL, stan or number, 5_000, account, card_of(account), amount, number, taken_us)


async def upload(switch: RunningSwitch, *requests: Any) -> list[Any]:
    async with StationClient(switch.address) as client:
        return [answer for request in requests for answer in await client.ask(request)]


def rows(name: str, data: Path, *options: str) -> list[list[str]]:
    result = command(name, "--data", data, *options)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


async def test_gaps_over_all_shards_beside_a_running_switch(data, campus):
    with RunningSwitch(data, campus) as switch:
        answers = await upload(
            switch, advice(2, IN_FIRST[0]), advice(3, IN_SECOND[0]), advice(7, IN_FIRST[1]), advice(8, IN_SECOND[1])
        )
        assert {answer.code for answer in answers} == {Code.APPROVED}
        assert rows("gaps", data) == [[str(TILL), "1", "1", "1"], [str(TILL), "4", "6", "3"]]
        await upload(switch, advice(5, IN_SECOND[2]), advice(1, IN_SECOND[3]))
        assert rows("gaps", data) == [[str(TILL), "4", "4", "1"], [str(TILL), "6", "6", "1"]]
        await upload(switch, advice(4, IN_FIRST[2]), advice(6, NOBODY))
        switch.kill()
    assert command("gaps", "--data", data).output.splitlines() == [
        "No offline purchase is missing.", "No offline number is there twice.",
    ]  # fmt: skip
    assert command("verify", "--data", data).exit_code == 0


async def test_gaps_that_are_explained(data, campus):
    """Beside a running switch, and after it was killed: the note is in the journal and nowhere else."""
    explained = ExplainGap(OPERATOR, 1, 5_000, "wu", TILL, 1, 3, "[till] broke")
    with RunningSwitch(data, campus) as switch:
        await upload(switch, advice(2, IN_FIRST[0]), advice(5, IN_SECOND[0]), advice(9, IN_FIRST[1]))
        async with StationClient(switch.address, DESK) as desk:
            later = replace(explained, stan=2, first=7, last=7, note="lost")
            assert {answer.code for answer in await desk.ask(explained, later)} == {Code.APPROVED}
        switch.kill()
    told = command("gaps", "--data", data)
    assert "Explained are 3; --all shows why." in told.output
    split = [[str(TILL), "4", "4", "1"], [str(TILL), "6", "6", "1"], [str(TILL), "8", "8", "1"]]
    assert rows("gaps", data) == split
    listed = rows("gaps", data, "--all")
    assert listed[:3] == split
    assert [row[:4] + row[5:] for row in listed[3:]] == [
        [str(TILL), "1", "1", "1", "wu", "[till] broke"],
        [str(TILL), "3", "3", "1", "wu", "[till] broke"],
        [str(TILL), "7", "7", "1", "wu", "lost"],
    ]
    with RunningSwitch(data, campus) as switch:
        (posted,) = await upload(switch, advice(7, IN_SECOND[1]))
        assert posted.code is Code.APPROVED
        await upload(switch, advice(4, IN_FIRST[2]), advice(6, IN_SECOND[2]), advice(8, IN_SECOND[3]))
    assert command("gaps", "--data", data).output.splitlines() == [
        "No offline purchase is missing without an explanation.",
        "Explained are 2; --all shows why.",
        "No offline number is there twice.",
    ]
    verified = command("verify", "--data", data)
    assert verified.exit_code == 0, verified.output


async def test_a_number_that_two_shards_have(data, campus):
    with RunningSwitch(data, campus) as switch:
        one, other = await upload(switch, advice(1, IN_FIRST[0], 700, stan=1), advice(1, IN_SECOND[0], 900, stan=2))
        assert (one.code, other.code) == (Code.APPROVED, Code.APPROVED)
        again, refused = await upload(switch, advice(1, IN_SECOND[0], 900, stan=3), advice(1, IN_FIRST[1], 700, stan=4))
        assert (again.authorization, refused.code) == (other.authorization, Code.DUPLICATE)
    found = rows("gaps", data)
    assert [row[:3] + row[4:] for row in found] == [
        [str(TILL), "1", "0", IN_FIRST[0], "7.00"],
        [str(TILL), "1", "1", IN_SECOND[0], "9.00"],
    ]


async def test_suspicious(data, campus):
    balance = 10_000
    with RunningSwitch(data, campus) as switch:
        now = (await upload(switch, purchase(1, 1, account=IN_FIRST[0])))[0]
        assert now.code is Code.APPROVED
        assert command("suspicious", "--data", data).output == "Nothing is suspicious.\n"
        (first, beyond, _) = await upload(
            switch,
            advice(1, IN_FIRST[0], 100, stan=10, taken_us=LONG_AGO_US),
            advice(2, IN_SECOND[0], balance + 250, stan=11, taken_us=LONG_AGO_US),
            advice(3, NOBODY, 300, stan=12),
        )
        assert (first.paid, beyond.paid) == ((100,), (balance,))
        found = rows("suspicious", data)
    assert sorted(row[3:] for row in found) == sorted([
        ["advice", "time", IN_FIRST[0], "1.00", "0.00", str(TILL), "10"],
        ["advice", "time", IN_SECOND[0], "102.50", "2.50", str(TILL), "11"],
        ["advice", "no-account", NOBODY, "3.00", "3.00", str(TILL), "12"],
        ["", "", "", "", "5.50", "", ""],
    ])  # fmt: skip


async def test_what_is_settled_is_listed_no_more(data, campus):
    owing, late = advice(1, NOBODY, 300, stan=10), advice(2, IN_FIRST[0], 100, stan=11, taken_us=LONG_AGO_US)

    def settle(stan: int, of: Any, how: Settlement, note: str) -> SettleSuspicion:
        return SettleSuspicion(OPERATOR, stan, 5_000, of.account, "wu", of.terminal, of.stan, how, note)

    with RunningSwitch(data, campus) as switch:
        await upload(switch, owing, late)
        async with StationClient(switch.address, DESK) as desk:
            (refused,) = await desk.ask(settle(1, owing, Settlement.ACCEPT, "seen"))
            assert (refused.code, refused.reason) == (Code.INVALID_TRANSACTION, Reason.OWED)
            (settled,) = await desk.ask(settle(2, owing, Settlement.WRITE_OFF, "[red]nobody's[/red] card"))
            assert settled.code is Code.APPROVED
            assert [row[4:] for row in rows("suspicious", data)] == [
                ["time", IN_FIRST[0], "1.00", "0.00", str(TILL), "11"],
                ["", "", "", "0.00", "", ""],
            ]
            assert (await desk.ask(settle(3, late, Settlement.ACCEPT, "clock was reset")))[0].code is Code.APPROVED
            (again,) = await desk.ask(settle(4, late, Settlement.ACCEPT, "clock was reset"))
            assert (again.code, again.reason) == (Code.INVALID_TRANSACTION, Reason.ORIGINAL_SETTLED)
    assert command("suspicious", "--data", data).output == (
        "Nothing suspicious is open; --all lists 2 that were settled.\n"
    )
    found = rows("suspicious", data, "--all")
    assert sorted(row[:5] + row[6:] for row in found) == sorted([
        [IN_FIRST[0], str(TILL), "11", "time", "0.00", "accept", "wu", "clock was reset"],
        [NOBODY, str(TILL), "10", "no-account", "3.00", "write-off", "wu", "[red]nobody's[/red] card"],
    ])  # fmt: skip
    verified = command("verify", "--data", data)
    assert verified.exit_code == 0, verified.output


@pytest.mark.parametrize("name", ["gaps", "suspicious"])
def test_a_folder_without_data(tmp_path, name):
    result = command(name, "--data", tmp_path)
    assert result.exit_code == 2
    assert str(shard_folder(tmp_path)) in result.output


def test_gaps_need_all_shards(data):
    shutil.rmtree(shard_folder(data, 1))
    result = command("gaps", "--data", data)
    assert result.exit_code == 2
    assert "is missing; put it back" in result.output


async def test_a_damaged_journal(data, campus):
    with RunningSwitch(data, campus) as switch:
        await upload(switch, advice(1, IN_FIRST[0], stan=1), advice(1, IN_SECOND[0], stan=2))
        switch.kill()
    with lmdb.open(str(shard_folder(data, 1)), max_dbs=3) as environment:
        journal = environment.open_db(b"journal", create=False)
        with environment.begin(write=True, db=journal) as transaction, transaction.cursor() as cursor:
            assert cursor.last()
            value = bytearray(cursor.value())
            value[HASH_BYTES + 5] = 0xC1  # where the batch's only event begins; no msgpack value begins so
            assert transaction.put(cursor.key(), bytes(value))
    for name in ("gaps", "suspicious"):
        result = command(name, "--data", data)
        assert result.exit_code == 1
        assert "the journal is damaged at position" in result.output
