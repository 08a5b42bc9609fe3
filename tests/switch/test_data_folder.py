"""A data folder is whole, or it is not opened."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from actors.lmdb_store import FORMAT, LmdbStore, Made
from actors.placement import SLOTS
from actors.store import StoreFormatError, StoreLockedError
from switch.data_folder import SHARDS_MAX, close_all, create, open_all, recover_shard, shard_folder, shards_found

SHARDS = 4


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    create(folder, SHARDS)
    return folder


@pytest.fixture
def open_file_limit() -> Iterator[int]:
    """A soft limit that is too low for every data folder, for the time of a test."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowered = 300
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, limits[1]))
    yield lowered
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def made(data: Path) -> list[Made]:
    """What the shards say of themselves; they are closed again."""
    stores = open_all(data, LmdbStore.open_read_only)
    close_all(stores)
    return [store.made for store in stores]


def refused(data: Path) -> str:
    with pytest.raises(StoreFormatError) as raised:
        open_all(data)
    for folder in data.glob("shard-*"):  # none is left open, or locked
        LmdbStore.open(folder).close()
    return str(raised.value)


@pytest.mark.parametrize("shards", [1, 2, SHARDS])
def test_shards_are_made_together(tmp_path: Path, shards: int) -> None:
    create(tmp_path, shards, authorizations_after=7)
    assert shards_found(tmp_path) == list(range(shards))
    found = made(tmp_path)
    assert found == [Made(FORMAT, found[0].data_folder, shard, shards, 7) for shard in range(shards)]
    assert found[0].data_folder


def test_each_data_folder_is_another(tmp_path: Path) -> None:
    for name in ("a", "b"):
        create(tmp_path / name)
    assert made(tmp_path / "a")[0].data_folder != made(tmp_path / "b")[0].data_folder


def test_what_is_there_is_left_and_what_is_missing_is_made(data: Path) -> None:
    before = made(data)
    shutil.rmtree(shard_folder(data, 2))
    create(data, SHARDS, authorizations_after=9)
    assert made(data) == before


@pytest.mark.parametrize("shards", [1, SHARDS - 1, SHARDS + 1])
def test_another_number_of_shards_is_refused(data: Path, shards: int) -> None:
    before = made(data)
    with pytest.raises(StoreFormatError, match=f"one of {SHARDS} shards"):
        create(data, shards)
    assert made(data) == before


def test_without_its_first_shard_it_is_not_made_anew(data: Path) -> None:
    shutil.rmtree(shard_folder(data))
    with pytest.raises(StoreFormatError, match="shard-0000 is missing"):
        create(data, SHARDS)
    assert shards_found(data) == [1, 2, 3]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_missing_shard(data: Path, shard: int) -> None:
    shutil.rmtree(shard_folder(data, shard))
    assert f"shard-{shard:04} is missing" in refused(data)


def test_a_missing_first_shard_is_what_is_said_first(tmp_path: Path, data: Path) -> None:
    """Whatever else is wrong: without it nobody knows what belongs here."""
    create(tmp_path / "other", SHARDS)
    shutil.rmtree(shard_folder(data))
    shutil.rmtree(shard_folder(data, 2))
    shutil.copytree(shard_folder(tmp_path / "other", 2), shard_folder(data, 2))
    assert "shard-0000 is missing" in refused(data)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_shard_without_data(data: Path, shard: int) -> None:
    folder = shard_folder(data, shard)
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(StoreFormatError, match=f"shard-{shard:04} is missing"):
        open_all(data)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_shard_of_another_data_folder(tmp_path: Path, data: Path, shard: int) -> None:
    create(tmp_path / "other", SHARDS)
    shutil.rmtree(shard_folder(data, shard))
    shutil.copytree(shard_folder(tmp_path / "other", shard), shard_folder(data, shard))
    assert f"shard {shard or 1} of {SHARDS} of another data folder than {shard_folder(data)}" in refused(data)


def test_a_shard_of_a_data_folder_with_fewer(tmp_path: Path, data: Path) -> None:
    create(tmp_path / "other", 1)
    shutil.rmtree(shard_folder(data))
    shutil.copytree(shard_folder(tmp_path / "other"), shard_folder(data))
    assert "of another data folder" in refused(data)


@pytest.mark.parametrize("number", [SHARDS, SHARDS + 3, 9_999])
def test_one_shard_too_many(tmp_path: Path, data: Path, number: int) -> None:
    shutil.copytree(shard_folder(data, 1), shard_folder(data, number))
    assert f"shard-{number:04}: this is shard 1 of {SHARDS} of another data folder" in refused(data)


def test_shards_under_each_others_names(data: Path) -> None:
    shard_folder(data, 1).rename(data / "aside")
    shard_folder(data, 2).rename(shard_folder(data, 1))
    (data / "aside").rename(shard_folder(data, 2))
    assert "shard-0001: this is shard 2" in refused(data)


def test_shards_that_might_give_the_same_authorization_numbers(tmp_path: Path) -> None:
    for shard, after in enumerate((5, 6)):
        LmdbStore.create(shard_folder(tmp_path, shard), Made(FORMAT, "same", shard, 2, after))
    assert "of another data folder" in refused(tmp_path)


def test_what_is_no_shard_is_left_alone(data: Path) -> None:
    for name in ("shard-12", "shard-00001", "shard-0001.old", "lost+found"):
        (data / name).mkdir()
    shutil.copytree(shard_folder(data, 1), data / "shard-0001.copy")
    (data / "shard-0007").touch()
    assert len(made(data)) == SHARDS


def test_a_folder_without_data(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        assert shards_found(folder) == []
        with pytest.raises(StoreFormatError, match="no data here"):
            open_all(folder)


def test_one_locked_shard_keeps_all_closed(data: Path) -> None:
    writer = LmdbStore.open(shard_folder(data, 2))
    with pytest.raises(StoreLockedError, match="shard-0002"):
        open_all(data)
    writer.close()
    stores = open_all(data)
    with pytest.raises(StoreLockedError):
        LmdbStore.open(shard_folder(data, SHARDS - 1))
    close_all(stores)


@pytest.mark.usefixtures("open_file_limit")
def test_the_most_shards_there_may_be(tmp_path: Path) -> None:
    create(tmp_path, SHARDS_MAX)
    stores = open_all(tmp_path, partial(LmdbStore.open, map_bytes=1 << 20))
    assert [store.made.shard for store in stores] == list(range(SHARDS_MAX))
    close_all(stores)


def test_a_shard_is_recovered_with_its_number(tmp_path: Path) -> None:
    create(tmp_path, 3, authorizations_after=5)
    stores = open_all(tmp_path)
    assert [recover_shard(store)._first_authorization for store in stores] == [
        5 * SLOTS,
        5 * SLOTS + 1,
        5 * SLOTS + 2,
    ]
    close_all(stores)
