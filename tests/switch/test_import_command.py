"""Opening accounts: all of a file or nothing of it, and finished by a second run after an interruption."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from campus_folder import account_number, account_row, card_of, write_accounts, write_campus
from running_switch import RunningSwitch, command, python

from actors import opening
from actors.account.kind import ACCOUNT
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from actors.opening import ACCOUNTS_PER_COMMIT
from actors.placement import shard_of, slot_of
from actors.recovery import recover
from switch.data_folder import close_all, create, open_all, recover_shard, shard_folder, shards_found

HEADER = "account,card,state,expires,class,balance\n"

KILLED_AT_THE_THIRD_COMMIT = """
import os, signal, sys
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from switch.command_line import main
commit, left = LmdbStore.commit, [2]
def dying(self, batch, rows):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    commit(self, batch, rows)
LmdbStore.commit = dying
sys.argv[0] = "tapswitch"
main()
"""


@pytest.fixture
def data(tmp_path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "accounts.csv"


def balances_by_shard(data: Path) -> list[dict[str, int]]:
    stores = open_all(data, LmdbStore.open_read_only)
    found = []
    try:
        for shard in map(recover_shard, stores):
            events = [event for _, event in shard.journal.events(1)]
            assert len({event.account for event in events}) == len(events)
            assert shard.ledger.imbalance == 0
            found.append({event.account: shard.state(event.account).purses[0] for event in events})
    finally:
        close_all(stores)
    return found


def balances(data: Path) -> dict[str, int]:
    return {account: balance for shard in balances_by_shard(data) for account, balance in shard.items()}


def imported(data: Path, file: Path, *options: object) -> str:
    result = command("import", "--data", data, *options, file)
    assert result.exit_code == 0, result.output
    assert command("verify", "--data", data).exit_code == 0
    return result.output


def test_accounts_are_opened_with_their_balances(data, file):
    file.write_text(HEADER + account_row("1", "12.5") + account_row("01", "0.00") + account_row("7", "1.00", "lost"))
    assert "3 accounts opened, 0 were open already" in imported(data, file)
    assert balances(data) == {"1": 1_250, "01": 0, "7": 100}


def test_nothing_is_left_to_replay(data, file):
    imported(data, write_accounts(file, 50))
    store = LmdbStore.open_read_only(shard_folder(data))
    assert recover(store, ACCOUNT).snapshot_lag == 0
    store.close()


def test_the_whole_file_is_read_before_anything_is_imported(data, file):
    rows = [account_row("1"), account_row("2", "12.345"), account_row("3", state="asleep"), account_row("1")]
    file.write_text(HEADER + "".join(rows))
    result = command("import", "--data", data, file)
    assert result.exit_code == 2
    for mistake in ("line 3: balance", "line 4: state", "line 5: account"):
        assert mistake in result.output
    assert not data.exists()


def test_a_file_that_is_not_there(data, file):
    result = command("import", "--data", data, file)
    assert result.exit_code == 2
    assert f"{file}: cannot be read" in result.output
    assert not data.exists()


def test_a_data_folder_that_cannot_be(tmp_path, file):
    write_accounts(file, 1)
    result = command("import", "--data", file, file)
    assert result.exit_code == 2
    assert "--data" in result.output


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_what_spreadsheets_write(data, file, encoding):
    text = "账号,卡号,状态,有效期,身份,余额,姓名\r\n20260001,C1,active,2030-07-31,student,120.00,张伟\r\n"
    file.write_bytes(text.encode(encoding))
    imported(data, file)
    assert balances(data) == {"20260001": 12_000}


def test_gb18030_with_a_byte_order_mark(data, file):
    file.write_bytes(
        ("\ufeff" + HEADER.replace("\n", ",name\n") + "1,C1,active,2030-07-31,staff,5,李\n").encode("gb18030")
    )
    imported(data, file)
    assert balances(data) == {"1": 500}


def test_run_again_equal_rows_are_skipped_and_new_ones_opened(data, file):
    imported(data, write_accounts(file, 5))
    assert "0 accounts opened, 5 were open already" in imported(data, file)
    assert "3 accounts opened, 5 were open already" in imported(data, write_accounts(file, 8))
    assert len(balances(data)) == 8


@pytest.mark.parametrize(
    ("row", "difference"),
    [
        (account_row(account_number(2), "100.01"), "balance in minor units was 10000, not 10001"),
        (account_row(account_number(2), state="frozen"), "state was active, not frozen"),
        (account_row(account_number(2)).replace(card_of(account_number(2)), "C9"), "card was C20260002, not C9"),
    ],
)
def test_run_again_a_differing_row_is_an_error_and_nothing_is_imported(data, file, row, difference):
    imported(data, write_accounts(file, 2))
    file.write_text(HEADER + account_row("77") + row)
    result = command("import", "--data", data, file)
    assert result.exit_code == 2
    assert "line 3: account 20260002 exists already" in result.output
    assert difference in result.output
    assert "nothing was imported" in result.output
    assert set(balances(data)) == {account_number(1), account_number(2)}


def test_without_space_it_says_so_and_is_finished_with_more(data, file, monkeypatch):
    monkeypatch.setattr(opening, "ACCOUNTS_PER_COMMIT", 200)
    numbers = [f"2026{place:015}" for place in range(1, 12_001)]  # as wide as they may be, for soon the map is full
    file.write_text(HEADER + "".join(f"{number},C{number},active,2099-12-31,student,100.00\n" for number in numbers))
    result = command("import", "--data", data, "--map-size", 1, file)
    assert result.exit_code == 1
    assert "--map-size" in result.output
    assert command("verify", "--data", data).exit_code == 0
    opened = len(balances(data))
    assert 0 < opened < len(numbers)
    assert f"{len(numbers) - opened} accounts opened, {opened} were open already" in imported(data, file)
    assert balances(data) == dict.fromkeys(numbers, 10_000)


def test_killed_it_is_finished_by_a_second_run(data, file):
    count = 3 * ACCOUNTS_PER_COMMIT + 5
    write_accounts(file, count)
    killed = python("-c", KILLED_AT_THE_THIRD_COMMIT, "import", "--data", data, file)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    opened = 2 * ACCOUNTS_PER_COMMIT
    assert len(balances(data)) == opened
    assert f"{count - opened} accounts opened, {opened} were open already" in imported(data, file)
    assert len(balances(data)) == count


def test_a_running_switch_keeps_it_out(tmp_path, data, file):
    imported(data, write_accounts(file, 2))
    with RunningSwitch(data, write_campus(tmp_path)) as switch:
        result = command("import", "--data", data, write_accounts(file, 3))
        assert result.exit_code == 2
        assert "another process is writing to this data folder" in result.output
        other = python(
            "-m", "switch.command_line", "serve", "--data", data, "--campus", tmp_path / "campus.toml",
            "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
        )  # fmt: skip
        assert other.returncode == 2
        assert "another process is writing to this data folder" in other.stderr
        assert switch.stop() == 0
    assert "1 accounts opened, 2 were open already" in imported(data, file)


# --- several shards ---------------------------------------------------------------------------------------------------

SHARDS = 3


@pytest.fixture
def sharded(data: Path) -> Path:
    create(data, SHARDS)
    return data


def numbers(count: int) -> list[str]:
    """Account numbers that every shard has some of."""
    return [str(1_000_000 + 37 * place) for place in range(count)]


def write_numbers(file: Path, accounts: list[str], balance: str = "100.00") -> Path:
    file.write_text(HEADER + "".join(account_row(number, balance) for number in accounts))
    return file


def of_shard(accounts: list[str], shard: int) -> list[str]:
    return [number for number in accounts if shard_of(slot_of(number), SHARDS) == shard]


def test_a_new_folder_has_one_shard(data, file):
    imported(data, write_numbers(file, numbers(60)))
    assert shards_found(data) == [0]


def test_each_account_is_opened_in_the_shard_of_its_slot(sharded, file):
    accounts = numbers(60)
    assert "60 accounts opened, 0 were open already" in imported(sharded, write_numbers(file, accounts))
    assert [sorted(found) for found in balances_by_shard(sharded)] == [
        of_shard(accounts, shard) for shard in range(SHARDS)
    ]
    assert all(balances_by_shard(sharded))
    assert set(balances(sharded).values()) == {10_000}


def test_run_again_over_shards(sharded, file):
    imported(sharded, write_numbers(file, numbers(60)))
    assert "20 accounts opened, 60 were open already" in imported(sharded, write_numbers(file, numbers(80)))
    assert len(balances(sharded)) == 80


def test_conflicts_of_all_shards_are_found_before_anything_is_written(sharded, file):
    accounts = numbers(60)
    known = [of_shard(accounts, shard)[0] for shard in range(SHARDS)]
    imported(sharded, write_numbers(file, known))
    others = [number for number in accounts if number not in known]
    file.write_text(HEADER + "".join(map(account_row, others)) + "".join(account_row(n, "1.00") for n in known[1:]))
    result = command("import", "--data", sharded, file)
    assert result.exit_code == 2
    for line, number in enumerate(known[1:], start=2 + len(others)):
        assert f"line {line}: account {number} exists already" in result.output
    assert "nothing was imported" in result.output
    assert set(balances(sharded)) == set(known)


def test_killed_between_shards_it_is_finished_by_a_second_run(sharded, file):
    """The third commit is after that of the first shard's accounts, and that of their snapshots."""
    accounts = numbers(60)
    write_numbers(file, accounts)
    killed = python("-c", KILLED_AT_THE_THIRD_COMMIT, "import", "--data", sharded, file)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    first = of_shard(accounts, 0)
    assert [sorted(found) for found in balances_by_shard(sharded)] == [first, [], []]
    assert command("verify", "--data", sharded).exit_code == 0
    again = imported(sharded, file)
    assert f"{60 - len(first)} accounts opened, {len(first)} were open already" in again
    assert sorted(balances(sharded)) == accounts


@pytest.mark.parametrize("locked", range(SHARDS))
def test_one_locked_shard_refuses_all(sharded, file, locked):
    write_numbers(file, numbers(60))
    writer = LmdbStore.open(shard_folder(sharded, locked))
    result = command("import", "--data", sharded, file)
    writer.close()
    assert result.exit_code == 2
    assert f"shard-{locked:04}: another process is writing to this data folder" in result.output
    assert balances(sharded) == {}


@pytest.mark.parametrize("missing", range(SHARDS))
def test_a_missing_shard_is_not_made_anew(sharded, file, missing):
    imported(sharded, write_numbers(file, numbers(60)))
    shutil.rmtree(shard_folder(sharded, missing))
    result = command("import", "--data", sharded, file)
    assert result.exit_code == 2
    assert f"shard-{missing:04} is missing" in result.output
    assert not shard_folder(sharded, missing).exists()


def test_a_shard_that_is_damaged_is_named(sharded, file):
    imported(sharded, write_numbers(file, numbers(60)))
    store = LmdbStore.open(shard_folder(sharded, 1))
    store.commit(None, [(b"l", b"\xc1")])
    store.close()
    before = accounts_of(sharded, 0)
    result = command("import", "--data", sharded, write_numbers(file, numbers(80)))
    assert result.exit_code == 2
    assert "shard-0001: a snapshot cannot be read" in result.output
    assert accounts_of(sharded, 0) == before


def accounts_of(data: Path, shard: int) -> list[str]:
    """The accounts that a shard's journal opens."""
    store = LmdbStore.open_read_only(shard_folder(data, shard))
    try:
        return [event.account for _, event in Journal(store, ACCOUNT.event_type).events(1)]
    finally:
        store.close()
