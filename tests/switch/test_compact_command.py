"""`tapswitch compact`: a stopped folder without the room in it that is free, and otherwise the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from campus_folder import write_campus
from running_switch import RunningSwitch, command, make_data
from spending import spend

from actors.lmdb_store import LmdbStore
from actors.policy import Policy
from switch import new_folder
from switch.campus import read_campus
from switch.compact_command import DifferentError, compare_exactly
from switch.data_folder import shard_folder
from switch.new_folder import UNFINISHED


@pytest.fixture
def policy(tmp_path) -> Policy:
    return read_campus(write_campus(tmp_path)).policy


@pytest.fixture
def data(tmp_path, policy) -> Path:
    """With room that is free: rows were written and made smaller again."""
    made = make_data(tmp_path)
    spend(made, policy, range(1, 4), checkpoint=True)
    store = LmdbStore.open(shard_folder(made))
    for size in (100_000, 1):
        store.commit(None, [(b"x%d" % number, bytes(size)) for number in range(20)])
    store.close()
    return made


@pytest.fixture
def into(tmp_path) -> Path:
    return tmp_path / "new"


def contents(data: Path) -> tuple[Any, ...]:
    store = LmdbStore.open_read_only(shard_folder(data))
    try:
        return store.made, list(store.batches(1)), list(store.rows(b""))
    finally:
        store.close()


def refused(data: Path, into: Path, status: int) -> str:
    result = command("compact", "--data", data, "--into", into)
    assert result.exit_code == status, result.output
    assert not into.exists()
    assert not into.with_name(into.name + UNFINISHED).exists()
    return " ".join(result.output.split())


def test_smaller_and_the_same(tmp_path, data, into, policy):
    before = (shard_folder(data) / "data.mdb").read_bytes()
    result = command("compact", "--data", data, "--into", into)
    assert result.exit_code == 0, result.output
    assert (shard_folder(data) / "data.mdb").read_bytes() == before
    assert contents(into) == contents(data)
    sizes = [(shard_folder(folder) / "data.mdb").stat().st_size for folder in (data, into)]
    assert sizes[1] < 200_000
    assert sizes[0] > 2_000_000
    spend(into, policy, range(4, 6))
    with RunningSwitch(into, tmp_path / "campus.toml") as switch:
        assert switch.stop() == 0


def test_a_running_switch_keeps_it_out(tmp_path, data, into):
    with RunningSwitch(data, tmp_path / "campus.toml") as switch:
        assert "another process is writing to this data folder" in refused(data, into, 2)
        assert switch.stop() == 0
    assert command("compact", "--data", data, "--into", into).exit_code == 0


@pytest.mark.parametrize("change", [
    lambda store: store.commit(None, [(b"x1", b"other")]), lambda store: store.commit(None, [(b"y", b"more")]),
    lambda store: store.append([store.last_batch()._replace(last_position=99)]),
])  # fmt: skip
def test_a_difference_is_an_error(tmp_path, data, change):
    old = LmdbStore.open(shard_folder(data))
    old.copy(tmp_path / "copy")
    new = LmdbStore.open(tmp_path / "copy")
    assert compare_exactly(old, new).position == 23
    change(new)
    with pytest.raises(DifferentError, match="differs from the old folder's"):
        compare_exactly(old, new)
    for store in (old, new):
        store.close()


def test_a_difference_leaves_nothing(data, into, monkeypatch):
    rows = LmdbStore.rows
    monkeypatch.setattr(
        LmdbStore, "rows",
        lambda store, prefix: rows(store, prefix if UNFINISHED not in store._environment.path() else b"a"),
    )  # fmt: skip
    assert "BROKEN: the snapshot number" in refused(data, into, 1)


def test_what_it_refuses(tmp_path, data, into, monkeypatch):
    assert "no data here" in refused(tmp_path / "no", into, 2)
    assert "in the folder of --data" in refused(data, data / "new", 2)
    monkeypatch.setattr(new_folder.shutil, "disk_usage", lambda _: new_folder.shutil._ntuple_diskusage(0, 0, 0))
    assert "no space" in refused(data, into, 1)
