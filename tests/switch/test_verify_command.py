"""`tapswitch verify`: what it says of a sound folder, and where it finds a broken one broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from campus_folder import TILL, write_campus
from running_switch import RunningSwitch, command, make_data
from spending import spend
from station_client import StationClient
from switch_in_process import purchase

from switch.campus import read_campus
from switch.data_folder import shard_folder

OPENED = 20
"""The first batch has positions 1 to 20; each purchase after it is a batch of its own."""


@pytest.fixture
def data(tmp_path) -> Path:
    made = make_data(tmp_path, OPENED)
    spend(made, read_campus(write_campus(tmp_path)).policy, range(1, 11), checkpoint=True)
    return made


def key(position: int) -> bytes:
    return position.to_bytes(8, "big")


def tamper(data: Path, table: bytes, change: Callable[[lmdb.Transaction], None]) -> None:
    with lmdb.open(str(shard_folder(data)), max_dbs=3) as environment:
        rows = environment.open_db(table, create=False)
        with environment.begin(write=True, db=rows) as transaction:
            change(transaction)


def alter(at: bytes, place: int = -1) -> Callable[[lmdb.Transaction], None]:
    def change(transaction: lmdb.Transaction) -> None:
        value = bytearray(transaction.get(at))
        value[place] ^= 1
        assert transaction.put(at, bytes(value))

    return change


def remove(at: bytes) -> Callable[[lmdb.Transaction], None]:
    def change(transaction: lmdb.Transaction) -> None:
        assert transaction.delete(at)

    return change


def swap(one: bytes, other: bytes) -> Callable[[lmdb.Transaction], None]:
    def change(transaction: lmdb.Transaction) -> None:
        first, second = transaction.get(one), transaction.get(other)
        transaction.put(one, second)
        transaction.put(other, first)

    return change


def broken_at(data: Path) -> int:
    result = command("verify", "--data", data)
    assert result.exit_code == 1, result.output
    assert "Checked" not in result.output
    words = result.output.partition("BROKEN at position ")[2]
    return int(words.partition(":")[0])


def figures(data: Path) -> dict[str, str]:
    """The tables of a sound folder."""
    result = command("verify", "--data", data)
    assert result.exit_code == 0, result.output
    rows = (line.strip("│").split("│") for line in result.output.splitlines())
    return {cells[0].strip(): cells[1].strip() for cells in rows if len(cells) == 2}


def test_a_sound_folder(data):
    found = figures(data)
    assert found["batches, each hash following from the one before"] == "11"
    assert found["events replayed, each in its account's chain"] == "30"
    assert found["accounts"] == "20"
    assert found["account snapshots equal to the replay"] == "20"
    assert found["head"].startswith("30 ")
    assert found["imbalance"] == "0.00"
    assert found["opening 0"] == "-2,000.00"
    assert found["purse 0"] == "1,990.00"
    assert found["merchant 1"] == "10.00"
    assert found["sum"] == "0.00"


@pytest.mark.parametrize("place", [0, 31, 32, -1])
def test_an_altered_batch(data, place):
    tamper(data, b"journal", alter(key(25), place))
    assert broken_at(data) == 25


def test_the_first_of_several_is_named(data):
    tamper(data, b"journal", alter(key(28)))
    tamper(data, b"journal", alter(key(23)))
    assert broken_at(data) == 23


def test_an_altered_first_batch(data):
    tamper(data, b"journal", alter(key(OPENED)))
    assert broken_at(data) == 1


def test_a_removed_batch(data):
    tamper(data, b"journal", remove(key(25)))
    assert broken_at(data) == 25


def test_batches_in_another_order(data):
    tamper(data, b"journal", swap(key(25), key(26)))
    assert broken_at(data) == 25


def test_a_journal_cut_short(data):
    """Every hash is right, but the snapshots know more."""
    tamper(data, b"journal", remove(key(30)))
    assert broken_at(data) >= 29


def test_an_altered_snapshot(data):
    def enrich(transaction: lmdb.Transaction) -> None:
        cursor = transaction.cursor()
        assert cursor.set_range(b"a")
        at, value = cursor.item()
        assert value.count(b"\xcd\x27\x10") == 1, "a purse of 10,000, as MessagePack"
        transaction.put(at, value.replace(b"\xcd\x27\x10", b"\xcd\x27\x11"))

    tamper(data, b"rows", enrich)
    assert 1 <= broken_at(data) <= OPENED


def test_a_snapshot_that_cannot_be_read(data):
    tamper(data, b"rows", lambda transaction: transaction.put(b"t" + TILL.to_bytes(4, "big"), b"\xc1"))
    result = command("verify", "--data", data)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "BROKEN snapshot" in result.output


def test_an_altered_highest_stan(data):
    tamper(data, b"rows", lambda transaction: transaction.put(b"t" + TILL.to_bytes(4, "big"), b"\x63"))
    assert broken_at(data) == 30


def test_a_folder_without_data(tmp_path):
    result = command("verify", "--data", tmp_path)
    assert result.exit_code == 2
    assert "no data here" in result.output


async def test_beside_a_running_switch(tmp_path, data):
    with RunningSwitch(data, tmp_path / "campus.toml") as switch:
        async with StationClient(switch.address) as client:
            await client.ask(*(purchase(stan) for stan in range(11, 21)))
            assert figures(data)["events replayed, each in its account's chain"] == "40"
            (answer,) = await client.ask(purchase(21))
            assert answer.authorization
            assert figures(data)["events replayed, each in its account's chain"] == "41"
