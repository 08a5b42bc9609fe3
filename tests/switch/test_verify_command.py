"""`tapswitch verify`: what it says of a sound folder, and where it finds a broken one broken."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lmdb
import msgspec
import pytest
from campus_folder import TILL, account_row, write_campus
from msgspec.structs import replace
from running_switch import RunningSwitch, command, make_data
from spending import spend
from station_client import StationClient
from switch_in_process import purchase

from actors.account.card import CardState, PersonClass
from actors.account.events import Opened
from actors.account.kind import ACCOUNT
from actors.journal import Head, Journal, seal_batch
from actors.lmdb_store import LmdbStore
from actors.placement import SLOTS, shard_of, slot_of
from actors.policy import Policy
from switch.campus import read_campus
from switch.data_folder import close_all, create, open_all, recover_shard, shard_folder

OPENED = 20
"""The first batch has positions 1 to 20; each purchase after it is a batch of its own."""


@pytest.fixture
def data(tmp_path) -> Path:
    made = make_data(tmp_path, OPENED)
    spend(made, read_campus(write_campus(tmp_path)).policy, range(1, 11), checkpoint=True)
    return made


def key(position: int) -> bytes:
    return position.to_bytes(8, "big")


def tamper(data: Path, table: bytes, change: Callable[[lmdb.Transaction], None], shard: int = 0) -> None:
    with lmdb.open(str(shard_folder(data, shard)), max_dbs=3) as environment:
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
    words = result.output.partition("BROKEN in shard 0 at position ")[2]
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
    assert found["authorization numbers, each given once"] == "10"
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
    assert "BROKEN in shard 0 at a snapshot" in result.output


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


# --- several shards ---------------------------------------------------------------------------------------------------

SHARDS = 3
ACCOUNTS = [str(1_000_000 + 37 * place) for place in range(30)]
"""Every shard has some of them."""


def home(number: str) -> int:
    return shard_of(slot_of(number), SHARDS)


def opened(shard: int) -> int:
    """How many accounts the shard has: the length of its first batch."""
    return sum(home(number) == shard for number in ACCOUNTS)


def buy(data: Path, policy: Policy, first_stan: int = 1) -> None:
    """A purchase with each account, each in a batch of its own, and all snapshots written."""
    stores = open_all(data)
    shards = [recover_shard(store) for store in stores]
    for stan, number in enumerate(ACCOUNTS, start=first_stan):
        shard = shards[home(number)]
        moment = policy.calendar.moment(max(time.time_ns() // 1_000, shard.time_us))
        turn = shard.decide([purchase(stan, 100, account=number)], moment, policy)
        shard.commit(turn)
        shard.adopt(turn)
    for shard in shards:
        shard.checkpoint()
    close_all(stores)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    data, file = tmp_path / "data", tmp_path / "accounts.csv"
    create(data, SHARDS)
    file.write_text("account,card,state,expires,class,balance\n" + "".join(map(account_row, ACCOUNTS)))
    assert command("import", "--data", data, file).exit_code == 0
    buy(data, read_campus(write_campus(tmp_path)).policy)
    return data


def table(data: Path, *options: str) -> dict[str, list[str]]:
    """The rows of a sound folder's tables by their first cell."""
    result = command("verify", "--data", data, *options)
    assert result.exit_code == 0, result.output
    rows = ([cell.strip() for cell in line.strip("│").split("│")] for line in result.output.splitlines())
    return {cells[0]: cells[1:] for cells in rows if len(cells) > 1}


def faults(data: Path) -> list[str]:
    """What is said of a broken folder, a line for each shard that is broken."""
    result = command("verify", "--data", data)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Checked" not in result.output
    return [line for line in result.output.splitlines() if "BROKEN" in line]


def test_a_row_for_each_shard_and_one_for_all(sharded):
    found = table(sharded)
    for shard in range(SHARDS):
        count = opened(shard)
        batches, events, accounts, snapshots, totals, authorizations, head, imbalance = found[str(shard)]
        assert [batches, events, accounts] == [str(count + 1), str(2 * count), str(count)]
        assert [snapshots, totals, authorizations] == [str(count), "1", str(count)]
        assert head.startswith(f"{2 * count} ")
        assert imbalance == "0.00"
    assert found["all"] == ["33", "60", "30", "30", "3", "30", "", "0.00"]
    assert found["opening 0"] == ["-3,000.00"]
    assert found["purse 0"] == ["2,970.00"]
    assert found["merchant 1"] == ["30.00"]
    assert found["sum"] == ["0.00"]


def test_empty_shards(tmp_path):
    create(tmp_path, 2)
    found = table(tmp_path)
    assert found["0"] == found["1"] == ["0", "0", "0", "0", "0", "0", "0", "0.00"]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_broken_shard_is_named(sharded, shard):
    tamper(sharded, b"journal", alter(key(opened(shard) + 1)), shard)
    (line,) = faults(sharded)
    assert line.startswith(f"BROKEN in shard {shard} at position {opened(shard) + 1}: ")


def test_all_broken_shards_are_named(sharded):
    tamper(sharded, b"journal", alter(key(opened(0) + 1)), 0)
    tamper(sharded, b"rows", lambda transaction: transaction.put(b"l", b"\xc1"), 2)
    first, second = faults(sharded)
    assert first.startswith(f"BROKEN in shard 0 at position {opened(0) + 1}: ")
    assert second.startswith("BROKEN in shard 2 at a snapshot that cannot be read: ")


def test_an_account_in_a_shard_that_is_not_its_own(tmp_path):
    """As if a shard had been served with another number of shards."""
    create(tmp_path, SHARDS)
    number = next(number for number in ACCOUNTS if home(number) == 0)
    events = [Opened(number, 1, 0, "C", CardState.ACTIVE, 20300731, PersonClass.STUDENT, (5,))]
    write_journal(tmp_path, 1, events)
    (line,) = faults(tmp_path)
    assert line.startswith(f"BROKEN in shard 1 at position 1: account {number}: its slot {slot_of(number)} ")


def write_journal(data: Path, shard: int, events: Sequence[Any]) -> None:
    """Give an empty shard a journal of these events, with hashes that fit, and no snapshots."""
    store = LmdbStore.open(shard_folder(data, shard))
    store.commit(seal_batch(Head(0, bytes(32)), [msgspec.msgpack.encode(event) for event in events])[0], [])
    store.close()


def resharded(tmp_path: Path, sharded: Path, change: Callable[[Any], Any]) -> Path:
    """The same events in a new folder of as many shards, as if they were carried over; the last one changed."""
    data = tmp_path / "resharded"
    journals = []
    for store in (stores := open_all(sharded, LmdbStore.open_read_only)):
        journals.append([event for _, event in Journal(store, ACCOUNT.event_type).events(1)])
    close_all(stores)
    create(data, SHARDS, authorizations_after=max(map(len, journals)))
    journals[-1][-1] = change(journals[-1][-1])
    for shard, events in enumerate(journals):
        write_journal(data, shard, events)
    return data


def test_authorization_numbers_that_were_carried_over(tmp_path, sharded):
    data = resharded(tmp_path, sharded, lambda event: event)
    assert table(data)["all"][5] == "30"
    buy(data, read_campus(tmp_path / "campus.toml").policy, first_stan=1_000)
    assert table(data)["all"][5] == "60"


def test_an_authorization_number_that_occurs_in_two_shards(tmp_path, sharded):
    """It was given by the first shard; nothing in either journal alone is wrong."""
    given = (opened(0) + 1) * SLOTS
    data = resharded(tmp_path, sharded, lambda event: replace(event, authorization=given))
    (line,) = faults(data)
    assert line == (
        f"BROKEN in shard {SHARDS - 1} at position {2 * opened(SHARDS - 1)}: "
        f"authorization number {given} was given to two events"
    )


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_missing_shard(sharded, shard):
    shutil.rmtree(shard_folder(sharded, shard))
    result = command("verify", "--data", sharded)
    assert result.exit_code == 2
    assert f"shard-{shard:04} is missing" in result.output


def test_some_shards_of_a_folder_that_lies_on_several_machines(sharded):
    whole = table(sharded)
    shutil.rmtree(shard_folder(sharded, 0))
    found = table(sharded, "--partial")
    assert "0" not in found
    assert (found["1"], found["2"]) == (whole["1"], whole["2"])
    assert found["2 of 3"][1] == str(2 * (opened(1) + opened(2)))
    assert found["sum"] == ["0.00"]
    tamper(sharded, b"journal", remove(key(opened(2))), 2)
    result = command("verify", "--data", sharded, "--partial")
    assert result.exit_code == 1
    assert "BROKEN in shard 2" in result.output


def test_a_whole_folder_can_be_checked_as_a_part(sharded):
    assert table(sharded, "--partial") == table(sharded)


def test_a_foreign_shard(tmp_path, sharded):
    create(tmp_path / "other", SHARDS)
    shutil.rmtree(shard_folder(sharded, 1))
    shutil.copytree(shard_folder(tmp_path / "other", 1), shard_folder(sharded, 1))
    result = command("verify", "--data", sharded)
    assert result.exit_code == 2
    assert "of another data folder" in result.output


def test_several_shards_beside_a_running_switch(tmp_path, sharded):
    with RunningSwitch(sharded, tmp_path / "campus.toml"):
        assert table(sharded)["all"][1] == "60"
        assert command("statement", "--data", sharded, ACCOUNTS[0]).exit_code == 0
