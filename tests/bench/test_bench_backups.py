"""`python -m bench.backups`: what it finds lost, and what it refuses to believe."""

from __future__ import annotations

from pathlib import Path

import pytest
from campus_folder import write_campus
from running_switch import command, make_data
from spending import spend

from bench.backups import Approvals, BackupsError, Round, _lost, position_of, restores, summarise
from switch.campus import read_campus

OPENED = 20


def authorization(position: int) -> int:
    return position * 4_096


@pytest.fixture
def data(tmp_path) -> Path:
    made = make_data(tmp_path, OPENED)
    spend(made, read_campus(write_campus(tmp_path)).policy, range(1, 6))
    return made


@pytest.fixture
def approvals() -> Approvals:
    made = Approvals()
    made.received = [(float(at), [authorization(OPENED + at)]) for at in range(1, 6)]
    return made


def test_approvals(approvals):
    assert approvals.numbers(2) == {authorization(21), authorization(22)}
    assert len(approvals.numbers()) == 5
    assert approvals.rate(1.0, 3.0) == 1.0
    assert position_of(authorization(23)) == 23


def test_what_an_export_of_then_does_not_have(tmp_path, data, approvals):
    assert command("export", "--data", data, "--to", tmp_path / "export").exit_code == 0
    (path,) = (tmp_path / "export").rglob("*.batches")
    whole = path.stat().st_size
    assert _lost(approvals, 6.0, (path, whole)) == []
    assert _lost(approvals, 6.0, (path, whole - 1)) == [5.0]
    assert _lost(approvals, 5.0, (path, whole - 1)) == []
    assert _lost(approvals, 3.0, None) == [1.0, 2.0]


def test_an_approval_that_is_missing(tmp_path, data, approvals):
    backup, new = tmp_path / "backup", tmp_path / "new"
    assert command("backup", "--data", data, "--to", backup).exit_code == 0
    restores(backup, new, approvals.numbers())
    assert not new.exists()
    with pytest.raises(BackupsError, match="1 approvals are missing"):
        restores(backup, new, {authorization(99), authorization(21)})


def test_a_backup_that_is_damaged(tmp_path, data, approvals):
    backup = tmp_path / "backup"
    assert command("backup", "--data", data, "--to", backup).exit_code == 0
    (backup / "manifest.json").unlink()
    with pytest.raises(BackupsError, match="restore ended with status 1"):
        restores(backup, tmp_path / "new", approvals.numbers())


def test_the_summary():
    rounds = [
        Round("nobody", 2.0, 10.0, 100.0, 90.0, 3, 0.2), Round("backup", None, 0.0, 300.0, 30.0, 0, 0.0),
        Round("switch", 1.0, 20.0, 200.0, 50.0, 9, 0.1),
    ]  # fmt: skip
    assert summarise(rounds) == {
        "rounds": 3, "kills": {"backup": 1, "switch": 1}, "completed": 2, "backup_s_median": 1.5, "backup_s_max": 2.0,
        "backup_mib_max": 20.0, "per_s_before_median": 200, "rate_during_over_before_median": 0.9,
        "lost_with_the_disk_s_median": 0.1, "lost_with_the_disk_s_max": 0.2, "lost_with_the_disk_approvals_max": 9,
    }  # fmt: skip
