"""`tapswitch backup` and `tapswitch restore`: a folder that is whole, or none."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from campus_folder import write_campus
from running_switch import RunningSwitch, command, make_data, python
from spending import spend
from station_client import StationClient
from switch_in_process import purchase

from actors.account.kind import ACCOUNT
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from actors.policy import Policy
from switch import backup as backups
from switch import new_folder
from switch.campus import read_campus
from switch.data_folder import close_all, open_all, shard_folder
from switch.new_folder import UNFINISHED
from wire.codes import Code

SHARDS = 2

KILLED_BEFORE_THE_MANIFEST = """
import os, signal, sys
from switch import backup
from switch.command_line import main
backup.msgspec.json.encode = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.argv[0] = "tapswitch"
main()
"""


@pytest.fixture
def policy(tmp_path) -> Policy:
    return read_campus(write_campus(tmp_path)).policy


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, shards=SHARDS)


@pytest.fixture
def to(tmp_path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def taken(data, to) -> Path:
    back_up(data, to)
    return to


def back_up(data: Path, to: Path, *options: object) -> str:
    result = command("backup", "--data", data, "--to", to, *options)
    assert result.exit_code == 0, result.output
    assert not unfinished(to).exists()
    return result.output


def restored(backup: Path, data: Path, *options: object) -> str:
    result = command("restore", "--from", backup, "--data", data, *options)
    assert result.exit_code == 0, result.output
    assert not unfinished(data).exists()
    assert command("verify", "--data", data, *(option for option in options if option == "--partial")).exit_code == 0
    return result.output


def refused(backup: Path, *options: object, status: int = 1) -> str:
    """What it says; no data folder is made, and the backup is as it was."""
    data, before = backup.parent / "refused", list(backup.rglob("*"))
    result = command("restore", "--from", backup, "--data", data, *options)
    assert result.exit_code == status, result.output
    assert not data.exists()
    assert not unfinished(data).exists()
    assert list(backup.rglob("*")) == before
    return " ".join(result.output.split())


def unfinished(folder: Path) -> Path:
    return folder.with_name(folder.name + UNFINISHED)


def journals(data: Path) -> list[list[Any]]:
    stores = open_all(data, LmdbStore.open_read_only)
    try:
        return [list(store.batches(1)) for store in stores]
    finally:
        close_all(stores)


def heads(data: Path) -> list[tuple[int, str]]:
    stores = open_all(data, LmdbStore.open_read_only)
    try:
        found = [Journal(store, ACCOUNT.event_type).head() for store in stores]
    finally:
        close_all(stores)
    return [(head.position, head.hash.hex()) for head in found]


def copies(backup: Path) -> list[Path]:
    return sorted(backup.glob("shard-*/data.mdb"))


# --- what it makes ---------------------------------------------------------------------------------------------------


def test_there_and_back(tmp_path, data, to):
    before = datetime.now(UTC)
    output = back_up(data, to)
    manifest = json.loads((to / backups.MANIFEST).read_bytes())
    assert before <= datetime.fromisoformat(manifest["taken"]) <= datetime.now(UTC)
    assert [(copy["position"], copy["hash"]) for copy in manifest["copies"]] == heads(data)
    assert [(copy["shard"], copy["bytes"]) for copy in manifest["copies"]] == [
        (shard, path.stat().st_size) for shard, path in enumerate(copies(to))
    ]
    assert (manifest["shards"], manifest["data_format"]) == (SHARDS, 1)
    assert "secrets.toml" in output
    new = tmp_path / "new"
    assert f"Now check it: tapswitch verify --data {new}" in restored(to, new)
    assert journals(new) == journals(data)
    assert [path.read_bytes() for path in copies(new)] == [path.read_bytes() for path in copies(to)]


def test_what_is_in_a_backup(taken):
    found = sorted(str(path.relative_to(taken)) for path in taken.rglob("*") if path.is_file())
    assert found == [backups.MANIFEST, "shard-0000/data.mdb", "shard-0001/data.mdb"]
    assert {path.stat().st_mode & 0o077 for path in taken.rglob("*")} == {0}
    assert taken.stat().st_mode & 0o077 == 0


async def test_beside_a_running_switch(tmp_path, data, to):
    campus = write_campus(tmp_path)
    with RunningSwitch(data, campus) as switch:
        async with StationClient(switch.address) as client:
            (bought,) = await client.ask(purchase(1))
            assert bought.code is Code.APPROVED
            back_up(data, to)
            (later,) = await client.ask(purchase(2))
            assert later.code is Code.APPROVED
        switch.kill()
    restored(to, tmp_path / "new")
    with RunningSwitch(tmp_path / "new", campus) as switch:
        async with StationClient(switch.address) as client:
            (again,) = await client.ask(purchase(1))
            assert again == bought
            assert switch.samples()["tapswitch_repeats_total", ()] == 1
        assert switch.stop() == 0


def test_into_an_empty_folder(data, to):
    to.mkdir()
    back_up(data, to)
    assert (to / backups.MANIFEST).exists()


def test_some_shards_on_a_machine(tmp_path, data, to):
    shutil.rmtree(shard_folder(data, 0))
    refusal = command("backup", "--data", data, "--to", to)
    assert refusal.exit_code == 2
    assert "is missing" in refusal.output
    back_up(data, to, "--partial")
    result = command("restore", "--from", to, "--data", tmp_path / "new")
    assert f"tapswitch verify --partial --data {tmp_path / 'new'}" in result.output
    assert command("verify", "--partial", "--data", tmp_path / "new").exit_code == 0


# --- with an export --------------------------------------------------------------------------------------------------


def export(data: Path, to: Path) -> None:
    result = command("export", "--data", data, "--to", to)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("lag", [2, 200_000])
def test_rolled_forward(tmp_path, policy, to, monkeypatch, lag):
    """Also where snapshots are brought up to date on the way."""
    monkeypatch.setattr("switch.roll_forward.SNAPSHOT_LAG", lag)
    monkeypatch.setattr("switch.roll_forward.BATCHES_PER_COMMIT", 3)
    data, exported, new = make_data(tmp_path), tmp_path / "export", tmp_path / "new"
    spend(data, policy, range(1, 4))
    back_up(data, to)
    spend(data, policy, range(4, 15))
    export(data, exported)
    spend(data, policy, range(15, 17))
    output = restored(to, new, "--export", exported)
    (row,) = [line.strip("│").split("│") for line in output.splitlines() if line.startswith("│")]
    assert [cell.strip() for cell in row][:3] == ["0", "23", "11"]
    assert journals(new) == [journals(data)[0][:-2]]
    export(data, exported)
    restored(to, tmp_path / "newer", "--export", exported)
    assert journals(tmp_path / "newer") == journals(data)


def test_an_export_that_ends_before_the_backup_adds_nothing(tmp_path, policy, to):
    data, exported = make_data(tmp_path), tmp_path / "export"
    export(data, exported)
    spend(data, policy, range(1, 4))
    back_up(data, to)
    output = restored(to, tmp_path / "new", "--export", exported)
    assert "the export ends at position 20, before the backup does: it added nothing" in " ".join(output.split())
    assert journals(tmp_path / "new") == journals(data)


def test_a_torn_export_is_told(tmp_path, policy, to):
    data, exported = make_data(tmp_path), tmp_path / "export"
    back_up(data, to)
    spend(data, policy, range(1, 4))
    export(data, exported)
    (path,) = exported.rglob("*.batches")
    os.truncate(path, path.stat().st_size - 1)
    output = " ".join(restored(to, tmp_path / "new", "--export", exported).split())
    assert "of a record that was not written to its end; they were left out" in output
    assert journals(tmp_path / "new") == [journals(data)[0][:-1]]


def test_an_export_that_does_not_fit(tmp_path, policy, to):
    data, exported = make_data(tmp_path), tmp_path / "export"
    back_up(data, to)
    assert "no exported journal is here" in refused(to, "--export", exported)
    other = make_data(tmp_path / "other")
    export(other, exported)
    assert "another data folder" in refused(to, "--export", exported)
    (path,) = exported.rglob("*.batches")
    path.write_bytes(b"x")
    message = refused(to, "--export", exported)
    assert str(path) in message
    assert "not a file of batches" in message


def test_a_map_that_is_too_small_to_roll_forward(tmp_path, policy, to):
    data, exported = make_data(tmp_path), tmp_path / "export"
    back_up(data, to)
    make_data(tmp_path, 4_000)
    export(data, exported)
    assert "raise --map-size" in refused(to, "--export", exported, "--map-size", 1)


def test_all_of_an_export_without_a_backup(tmp_path, policy):
    """Also the offline numbers and other rows: verify finds what a replay would never see."""
    data, exported, new = make_data(tmp_path), tmp_path / "export", tmp_path / "new"
    spend(data, policy, range(1, 8))
    export(data, exported)
    result = command("restore", "--export", exported, "--data", new)
    assert result.exit_code == 0, result.output
    assert "Restored: all of the export" in result.output
    assert command("verify", "--data", new).exit_code == 0
    assert journals(new) == journals(data)
    spend(data, policy, range(8, 10))
    export(data, exported)
    spend(new, policy, range(8, 9))


def test_without_a_backup_the_export_must_begin_at_the_first_event(tmp_path, policy, monkeypatch):
    monkeypatch.setattr("actors.exported_journal.FILE_BYTES", 1)
    monkeypatch.setattr("actors.exported_journal.BATCHES_AT_ONCE", 1)
    data, exported, new = make_data(tmp_path), tmp_path / "export", tmp_path / "new"
    spend(data, policy, range(1, 4))
    export(data, exported)
    min(exported.rglob("*.batches")).unlink()
    result = command("restore", "--export", exported, "--data", new)
    assert (result.exit_code, new.exists()) == (1, False)
    assert "begins at position 21, and would have to go on from 1" in " ".join(result.output.split())


def test_neither_backup_nor_export(tmp_path):
    assert command("restore", "--data", tmp_path / "new").exit_code == 2
    (tmp_path / "export").mkdir()
    result = command("restore", "--export", tmp_path / "export", "--data", tmp_path / "new")
    assert result.exit_code == 1
    assert "no exported journal is here" in result.output


# --- what restore refuses --------------------------------------------------------------------------------------------


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def change_manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def damage(backup: Path) -> None:
        path = backup / backups.MANIFEST
        manifest = json.loads(path.read_bytes())
        change(manifest)
        path.write_text(json.dumps(manifest))

    return damage


@pytest.mark.parametrize(("damage", "file", "said"), [
    (lambda backup: flip(copies(backup)[1], 9_000), "shard-0001/data.mdb", "damaged: its SHA-256 is"),
    (lambda backup: os.truncate(copies(backup)[0], 4_096), "shard-0000/data.mdb", "4096 bytes, but the manifest says"),
    (lambda backup: copies(backup)[0].unlink(), "shard-0000/data.mdb", "cannot be read: No such file"),
    (lambda backup: (backup / backups.MANIFEST).unlink(), "manifest.json", "is missing: this is no backup"),
    (lambda backup: (backup / backups.MANIFEST).write_bytes(b"{"), "manifest.json", "damaged"),
    (change_manifest(lambda manifest: manifest.pop("taken")), "manifest.json", "damaged"),
    (change_manifest(lambda manifest: manifest["copies"].clear()), "manifest.json", "it lists no shard"),
    (change_manifest(lambda manifest: manifest["copies"][1].update(hash="00")), "manifest.json", "something else"),
    (change_manifest(lambda manifest: manifest["copies"][1].update(hash="x")), "manifest.json", "damaged"),
    (change_manifest(lambda manifest: manifest.update(data_folder="x")), "manifest.json", "something else of shard 0"),
    (change_manifest(lambda manifest: manifest["copies"][1].update(file="../x")), "manifest.json", "has file '../x'"),
    (change_manifest(lambda manifest: manifest.update(format=2)), "manifest.json", "format 2 is newer"),
    (change_manifest(lambda manifest: manifest.update(data_format=2)), "manifest.json", "data format 2 is newer"),
])  # fmt: skip
def test_a_damaged_backup_is_refused_with_the_file(taken, damage, file, said):
    damage(taken)
    message = refused(taken)
    assert str(taken / file) in message
    assert said in message
    assert "was not made" in message


def test_a_data_folder_that_is_there(tmp_path, data, taken):
    result = command("restore", "--from", taken, "--data", data)
    assert result.exit_code == 2
    assert "is there already" in result.output


def test_no_backup(tmp_path):
    (tmp_path / "nothing").mkdir()
    assert "is missing: this is no backup" in refused(tmp_path / "nothing")


# --- what backup refuses, and what goes wrong on the way -------------------------------------------------------------


def not_made(data: Path, to: Path, status: int) -> str:
    result = command("backup", "--data", data, "--to", to)
    assert result.exit_code == status, result.output
    assert not (to / backups.MANIFEST).exists()
    return " ".join(result.output.split())


def test_a_folder_that_is_not_empty(data, to):
    to.mkdir()
    (to / "mine").write_text("keep this")
    assert "is there already, and not an empty folder" in not_made(data, to, 2)
    assert [path.name for path in to.iterdir()] == ["mine"]


def test_a_folder_within_the_data(data):
    assert "is in the folder of --data" in not_made(data, data / "backup", 2)


def test_no_data(tmp_path, to):
    assert "no data here" in not_made(tmp_path / "nothing", to, 2)
    assert not unfinished(to).exists()


def test_a_disk_without_room(data, to, monkeypatch):
    monkeypatch.setattr(new_folder.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, 4_096))
    message = not_made(data, to, 1)
    assert "no space: the data folder uses" in message
    assert not unfinished(to).exists()


def test_a_disk_that_fails_on_the_way(data, to, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups.os, "posix_fadvise", full)
    assert "No space left on device" in not_made(data, to, 1)
    assert not unfinished(to).exists()
    assert not to.exists()


def test_killed_it_is_never_taken_for_a_backup(data, to):
    killed = python("-c", KILLED_BEFORE_THE_MANIFEST, "backup", "--data", data, "--to", to)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not to.exists()
    assert len(copies(unfinished(to))) == SHARDS
    assert "is missing: this is no backup, or one that was not completed" in refused(unfinished(to))
    message = not_made(data, to, 2)
    assert str(unfinished(to)) in message
    assert "remove it" in message
    shutil.rmtree(unfinished(to))
    back_up(data, to)
