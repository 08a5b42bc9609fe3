"""Opening accounts: all of a file or nothing of it, and finished by a second run after an interruption."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from campus_folder import account_number, account_row, card_of, write_accounts, write_campus
from running_switch import RunningSwitch, command, python

from actors import opening
from actors.account.kind import ACCOUNT
from actors.lmdb_store import LmdbStore
from actors.opening import ACCOUNTS_PER_COMMIT
from actors.recovery import recover
from switch.data_folder import shard_folder

HEADER = "account,card,state,expires,class,balance\n"

KILLED_AT_THE_THIRD_COMMIT = """
import os, signal, sys
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


def balances(data: Path) -> dict[str, int]:
    store = LmdbStore.open_read_only(shard_folder(data))
    try:
        shard = recover(store, ACCOUNT)
        events = [event for _, event in shard.journal.events(1)]
        assert len({event.account for event in events}) == len(events)
        assert shard.ledger.imbalance == 0
        return {event.account: shard.state(event.account).purses[0] for event in events}
    finally:
        store.close()


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
