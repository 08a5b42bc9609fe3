"""`tapswitch doctor`: each thing that may be wrong is found, and said with what to do."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import lmdb
import pytest
from campus_folder import write_campus
from running_switch import RunningSwitch, command, make_data
from spending import spend

from actors.journal import HASH_BYTES
from switch import doctor, readiness
from switch.campus import read_campus
from switch.data_folder import shard_folder
from switch.growth import Growth

SHARDS = 2
DAY_US = 86_400_000_000
EVERYTHING = [
    "shard-0000", "map-0", "export-0", "shard-0001", "map-1", "export-1", "map-0 full", "map-1 full", "disk",
    "permissions", "campus", "secrets", "open-files", "clock", "time-synchronised",
]  # fmt: skip


@pytest.fixture(autouse=True)
def wide_lines(monkeypatch):
    monkeypatch.setattr("switch.reports.COLUMNS_MIN", 1_000)


@pytest.fixture(autouse=True)
def synchronised(monkeypatch):
    monkeypatch.setattr(doctor, "kernel_clock", lambda: 0)


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path, connections_max=100)


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path, shards=SHARDS)


@pytest.fixture
def export(tmp_path, data) -> Path:
    assert command("export", "--data", data, "--to", tmp_path / "export").exit_code == 0
    return tmp_path / "export"


def seen(data: Path, *options: object, wrong: int = 0) -> dict[str, tuple[str, str]]:
    """Verdict and text of each check; the exit status says whether one is not ok."""
    result = command("doctor", "--data", data, *options)
    assert result.exit_code == int(wrong > 0), result.output
    rows = [line.strip("│").split("│") for line in result.output.splitlines() if line.startswith("│")]
    assert len({row[0] for row in rows}) == len(rows)
    checks = {name.strip(): (verdict.strip(), text.strip()) for name, verdict, text in rows}
    assert sum(verdict == "not ok" for verdict, _ in checks.values()) == wrong, checks
    return checks


def growing(monkeypatch: pytest.MonkeyPatch, bytes_per_day: float) -> None:
    monkeypatch.setattr(doctor, "measure_growth", lambda *_: Growth(bytes_per_day, 1.0))


def test_a_folder_that_is_well(data, campus, export):
    checks = seen(data, "--campus", campus, "--export", export)
    assert list(checks) == EVERYTHING
    assert {verdict for verdict, _ in checks.values()} == {"ok"}
    assert checks["shard-0001"][1] == "format 1 of at most 1, shard 1 of 2, journal at 16"
    assert checks["map-0 full"][1] == "no forecast: the journal is younger than an hour"


def test_without_campus_and_export(data):
    assert list(seen(data)) == [
        name for name in EVERYTHING if name not in {"campus", "secrets"} and not name.startswith("export")
    ]


def test_beside_a_running_switch(data, campus):
    with RunningSwitch(data, campus) as switch:
        seen(data, "--campus", campus)
        assert switch.stop() == 0


def test_no_data(tmp_path):
    result = command("doctor", "--data", tmp_path)
    assert result.exit_code == 2
    assert "no data here" in result.output


def change_last_batch(data: Path, at: int) -> None:
    with lmdb.open(str(shard_folder(data, 1)), max_dbs=3) as environment:
        journal = environment.open_db(b"journal", create=False)
        with environment.begin(write=True, db=journal) as transaction, transaction.cursor() as cursor:
            assert cursor.last()
            value = bytearray(cursor.value())
            value[at] ^= 1
            assert transaction.put(cursor.key(), bytes(value))


@pytest.mark.parametrize("at", [0, HASH_BYTES + 4, HASH_BYTES + 10])
def test_a_head_that_cannot_be_read(data, at):
    change_last_batch(data, at)
    verdict, text = seen(data, wrong=1)["shard-0001"]
    assert verdict == "not ok"
    assert "position" in text
    assert "`tapswitch verify` says more" in text


def test_a_head_in_the_middle_of_a_journal(tmp_path, campus):
    data = make_data(tmp_path)
    spend(data, read_campus(campus).policy, range(1, 4))
    assert "journal at 23" in seen(data)["shard-0000"][1]


def test_a_shard_that_is_no_store(data):
    path = shard_folder(data, 0) / "data.mdb"
    os.truncate(path, 4_096 * 3)
    assert "was cut short" in seen(data, wrong=1)["shard-0000"][1]


def test_a_map_that_is_full(data):
    used = (shard_folder(data, 0) / "data.mdb").stat().st_size
    assert used < 1 << 20
    assert seen(data, "--map-size", 1)["map-0"][0] == "ok"
    with lmdb.open(str(shard_folder(data, 0)), max_dbs=3) as environment:
        rows = environment.open_db(b"rows", create=False)
        with environment.begin(write=True, db=rows) as transaction:
            transaction.put(b"x", bytes(1 << 20))
    assert "make room now" in seen(data, "--map-size", 1, wrong=1)["map-0"][1]


@pytest.mark.parametrize(("days", "verdict", "advice"), [(13, "not ok", True), (15, "look", True), (91, "ok", False)])
def test_a_map_that_will_be_full(data, monkeypatch, days, verdict, advice):
    room = (1 << 30) - (shard_folder(data, 0) / "data.mdb").stat().st_size
    growing(monkeypatch, room / (days + 0.5))
    checks = seen(data, "--map-size", 1 << 10, wrong=2 if verdict == "not ok" else 0)
    assert checks["map-0 full"][0] == verdict
    assert f"in {days} days, " in checks["map-0 full"][1] or f"in {days + 1} days, " in checks["map-0 full"][1]
    assert ("a larger --map-size" in checks["map-0 full"][1]) == advice


@pytest.mark.parametrize(("days", "verdict"), [(13, "not ok"), (15, "look"), (91, "ok")])
def test_a_disk_that_will_be_full(data, monkeypatch, days, verdict):
    per_day = 1 << 26
    growing(monkeypatch, per_day)
    free = readiness.DISK_FREE_BYTES_MIN + int(SHARDS * per_day * days)
    monkeypatch.setattr(doctor, "free_bytes", lambda _: free)
    monkeypatch.setattr(readiness, "free_bytes", lambda _: 1 << 40)
    checks = seen(data, wrong=1 if verdict == "not ok" else 0)
    assert checks["disk full"][0] == verdict
    assert f"in {days} days, " in checks["disk full"][1]
    assert "128.00 MiB a day" in checks["disk full"][1]


def test_a_disk_that_is_full(data, monkeypatch):
    monkeypatch.setattr(readiness, "free_bytes", lambda _: 1 << 20)
    assert "make room now" in seen(data, wrong=1)["disk"][1]


@pytest.mark.parametrize(("path", "mode"), [("", 0o777), ("shard-0001", 0o750), ("shard-0000/data.mdb", 0o644)])
def test_data_that_others_may_use(data, path, mode):
    (data / path).chmod(mode)
    _, text = seen(data, wrong=1)["permissions"]
    assert str(data / path) in text
    assert "chmod" in text


def test_data_of_another_user(data, monkeypatch):
    monkeypatch.setattr(doctor.os, "access", lambda path, _: Path(path).suffix != ".mdb")
    assert "run this as the user that serves" in seen(data, wrong=1)["permissions"][1]


def test_secrets_that_others_may_read(data, campus):
    secrets = campus.with_name("secrets.toml")
    secrets.chmod(0o644)
    _, text = seen(data, "--campus", campus, wrong=1)["secrets"]
    assert str(secrets) in text
    secrets.unlink()
    assert "cannot be read" in seen(data, "--campus", campus, wrong=1)["secrets"][1]


def test_a_campus_with_a_mistake(data, campus):
    campus.write_text("[campus]\n")
    checks = seen(data, "--campus", campus, wrong=1)
    assert checks["campus"][0] == "not ok"
    assert "secrets" not in checks


def test_a_limit_of_open_files(data, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 1_024))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert "raise `ulimit -n`" in seen(data, wrong=1)["open-files"][1]


def test_a_clock_that_is_behind(data, monkeypatch):
    now = doctor.time.time_ns()
    monkeypatch.setattr(doctor.time, "time_ns", lambda: now - 2 * 3_600 * 10**9)
    assert "behind the journal's last event" in seen(data, wrong=1)["clock"][1]


@pytest.mark.parametrize("state", [5])
def test_a_clock_that_nothing_keeps_right(data, monkeypatch, state):
    monkeypatch.setattr(doctor, "kernel_clock", lambda: state)
    assert seen(data)["time-synchronised"] == (
        "look", "nothing keeps the clock right: start chrony, systemd-timesyncd, or the like",
    )  # fmt: skip


def test_the_kernel_can_be_asked(monkeypatch):
    monkeypatch.undo()
    assert doctor.kernel_clock() in range(-1, 6)


def test_an_export_that_is_missing_behind_or_damaged(tmp_path, campus, monkeypatch):
    data, export = make_data(tmp_path), tmp_path / "export"
    assert "run `tapswitch export`" in seen(data, "--export", export, wrong=1)["export-0"][1]
    command("export", "--data", data, "--to", export)
    spend(data, read_campus(campus).policy, range(1, 4))
    assert "3 events and 0 s behind" in seen(data, "--export", export)["export-0"][1]
    now: Any = doctor.time.time_ns()
    monkeypatch.setattr(doctor.time, "time_ns", lambda: now + 61 * 10**9)
    assert "is `tapswitch export --follow` running?" in seen(data, "--export", export, wrong=1)["export-0"][1]
    (path,) = export.rglob("*.batches")
    path.write_bytes(b"x")
    assert "not a file of batches" in seen(data, "--export", export, wrong=1)["export-0"][1]
