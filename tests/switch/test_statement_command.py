"""`tapswitch statement`: an account's events, newest first."""

from __future__ import annotations

import shutil
from pathlib import Path

import lmdb
import pytest
from campus_folder import OPERATOR, PURCHASE_MAX, account_number, write_campus
from running_switch import RunningSwitch, command, make_data
from spending import perform, spend
from station_client import StationClient
from switch_in_process import ALICE, purchase, reversal

from actors.journal import HASH_BYTES
from actors.placement import shard_of, slot_of
from switch.campus import read_campus
from switch.data_folder import shard_folder
from wire.messages import FindCard, ReportLoss


@pytest.fixture
def data(tmp_path) -> Path:
    made = make_data(tmp_path)
    policy = read_campus(write_campus(tmp_path)).policy
    spend(made, policy, range(1, 4), checkpoint=True)
    spend(made, policy, range(4, 5), PURCHASE_MAX + 1)
    return made


def lines(data: Path, *arguments: object) -> list[list[str]]:
    """Position, service, code, reason, amount, balance, terminal and STAN of each line."""
    result = command("statement", "--data", data, *arguments)
    assert result.exit_code == 0, result.output
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in result.output.splitlines()
        if line.startswith("│")
    ]
    return [[row[0], *row[2:]] for row in rows]


def test_events_newest_first_from_snapshot_and_tail(data):
    assert lines(data, ALICE) == [
        ["24", "purchase", "61", "purchase-limit", "0.00", "97.00", "1001", "4"],
        ["23", "purchase", "00", "", "-1.00", "97.00", "1001", "3"],
        ["22", "purchase", "00", "", "-1.00", "98.00", "1001", "2"],
        ["21", "purchase", "00", "", "-1.00", "99.00", "1001", "1"],
        ["1", "opening", "00", "", "100.00", "100.00", "0", "0"],
    ]


def test_who_gave_a_command_stands_beside_the_terminal(data, tmp_path):
    policy = read_campus(write_campus(tmp_path)).policy
    loss, found = ReportLoss(OPERATOR, 1, 1_000, ALICE, "wu"), FindCard(OPERATOR, 2, 1_000, ALICE, "li-2")
    perform(data, policy, [loss, found])
    assert lines(data, "--last", 2, ALICE) == [
        ["26", "found", "12", "not-reviewed", "0.00", "97.00", "9201 li-2", "2"],
        ["25", "report-loss", "00", "", "0.00", "97.00", "9201 wu", "1"],
    ]


def test_only_the_newest(data):
    assert [line[0] for line in lines(data, "--last", 2, ALICE)] == ["24", "23"]
    assert len(lines(data, "--last", 100, ALICE)) == 5


def test_an_account_of_which_only_the_opening_is_known(data):
    assert lines(data, account_number(2)) == [["2", "opening", "00", "", "100.00", "100.00", "0", "0"]]


@pytest.mark.parametrize("account", ["404", "2026000", "x", "账号", "9" * 100])
def test_an_unknown_account(data, account):
    result = command("statement", "--data", data, account)
    assert result.exit_code == 2
    assert f"no account {account}" in result.output


def test_an_account_that_is_no_text(data):
    result = command("statement", "--data", data, "2026\udcff")
    assert result.exit_code == 2
    assert "no account '2026\\udcff'" in result.output


@pytest.mark.parametrize("shards", [2, 5])
def test_an_account_is_found_in_its_shard(tmp_path, shards):
    data = make_data(tmp_path, 40, shards=shards)
    found = {}
    for place in range(1, 41):
        ((position, *opening),) = lines(data, account_number(place))
        assert opening == ["opening", "00", "", "100.00", "100.00", "0", "0"]
        found[account_number(place)] = int(position)
    for shard in range(shards):
        own = sorted(found[number] for number in found if shard_of(slot_of(number), shards) == shard)
        assert own == list(range(1, len(own) + 1))
    assert command("statement", "--data", data, account_number(41)).exit_code == 2


def test_where_only_some_shards_are(tmp_path):
    data = make_data(tmp_path, shards=2)
    shutil.rmtree(shard_folder(data, 0))
    here = ALICE
    elsewhere = next(number for number in map(account_number, range(1, 21)) if shard_of(slot_of(number), 2) == 0)
    assert len(lines(data, here)) == 1
    result = command("statement", "--data", data, elsewhere)
    assert result.exit_code == 2
    assert f"account {elsewhere} belongs to shard 0 of 2, whose data are not here" in result.output


def test_a_count_that_is_none(data):
    assert command("statement", "--data", data, "--last", 0, ALICE).exit_code == 2


def test_a_folder_without_data(tmp_path):
    result = command("statement", "--data", tmp_path, ALICE)
    assert result.exit_code == 2
    assert "no data here" in result.output


@pytest.mark.parametrize("position", [22, 24], ids=["before the snapshot", "after the snapshot"])
def test_a_damaged_journal(data, position):
    key = position.to_bytes(8, "big")
    with lmdb.open(str(shard_folder(data)), max_dbs=3) as environment:
        journal = environment.open_db(b"journal", create=False)
        with environment.begin(write=True, db=journal) as transaction:
            value = bytearray(transaction.get(key))
            value[HASH_BYTES + 5] = 0xC1  # where the batch's only event begins; no msgpack value begins so
            assert transaction.put(key, bytes(value))
    result = command("statement", "--data", data, ALICE)
    assert result.exit_code == 1
    assert f"the journal is damaged at position {position}" in result.output
    assert "tapswitch verify" in result.output


async def test_beside_a_running_switch(tmp_path, data):
    with RunningSwitch(data, tmp_path / "campus.toml") as switch:
        async with StationClient(switch.address) as client:
            bought = purchase(11)
            await client.ask(bought)
            await client.ask(reversal(12, bought))
            assert [line[1:6] for line in lines(data, "--last", 2, ALICE)] == [
                ["reversal", "00", "", "1.00", "97.00"],
                ["purchase", "00", "", "-1.00", "96.00"],
            ]
