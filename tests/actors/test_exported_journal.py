"""The export of a shard's journal: it goes on where it stopped, and is read back only as the history that it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from shutil import copytree

import pytest
from example_campus import opened_shard, perform, purchase, restarted

from actors import exported_journal
from actors.batch_file import BatchFile, BatchFileError
from actors.exported_journal import ExportedJournal, ExportError, JournalExport, exported_files
from actors.journal import GENESIS, HASH_BYTES, Head, JournalBrokenError
from actors.lmdb_store import FORMAT, LmdbStore, Made
from actors.store import StoredBatch

MADE = Made(FORMAT, "folder", 1, 4, 77)
stans = count(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    LmdbStore.create(tmp_path / "data", MADE)
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[LmdbStore]:
    opened = LmdbStore.open(folder)
    opened_shard(opened)
    spend(opened, 3)
    yield opened
    opened.close()


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "export"


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for each batch."""
    monkeypatch.setattr(exported_journal, "FILE_BYTES", 1)
    monkeypatch.setattr(exported_journal, "BATCHES_AT_ONCE", 1)


def spend(store: LmdbStore, times: int) -> None:
    shard = restarted(store)
    for _ in range(times):
        perform(shard, purchase(next(stans), 1))


def export(store: LmdbStore, to: Path) -> JournalExport:
    exporting = JournalExport(to, store)
    while exporting.advance():
        pass
    exporting.close()
    return exporting


def head_after(store: LmdbStore, batches: int) -> Head:
    if not batches:
        return Head(0, GENESIS)
    last = list(store.batches(1))[batches - 1]
    return Head(last.last_position, last.value[:HASH_BYTES])


def read(to: Path, head: Head = Head(0, GENESIS), made: Made = MADE) -> list[StoredBatch]:  # noqa: B008 - a constant
    return list(ExportedJournal(to, made).after(head))


def test_everything_and_then_what_came_since(store, to):
    assert export(store, to).head == head_after(store, 4)
    assert read(to) == list(store.batches(1))
    spend(store, 2)
    exporting = JournalExport(to, store)
    assert exporting.head == head_after(store, 4)
    assert (exporting.advance(), exporting.advance()) == (2, 0)
    assert exporting.head == head_after(store, 6)
    exporting.close()
    assert read(to) == list(store.batches(1))
    assert len(exported_files(to)) == 1


def test_an_empty_journal(tmp_path, to):
    LmdbStore.create(tmp_path / "empty", MADE)
    store = LmdbStore.open(tmp_path / "empty")
    assert export(store, to).head == Head(0, GENESIS)
    assert read(to) == []
    opened_shard(store)
    export(store, to)
    assert read(to) == list(store.batches(1))
    store.close()


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("batches", range(5))
def test_from_any_batch_on_and_over_several_files(store, to, batches):
    export(store, to)
    assert [int(path.stem) for path in exported_files(to)] == [
        head_after(store, number).position + 1 for number in range(4)
    ]
    exported = ExportedJournal(to, MADE)
    assert list(exported.after(head_after(store, batches))) == list(store.batches(1))[batches:]
    assert (exported.head, exported.torn_bytes) == (head_after(store, 4), 0)


@pytest.mark.usefixtures("small_files")
def test_old_files_may_be_removed(store, to):
    export(store, to)
    for path in exported_files(to)[:2]:
        path.unlink()
    assert read(to, head_after(store, 2)) == list(store.batches(1))[2:]
    with pytest.raises(ExportError, match=f"begins at position {head_after(store, 2).position + 1}, and would have to"):
        read(to, head_after(store, 1))
    spend(store, 1)
    export(store, to)
    assert read(to, head_after(store, 2)) == list(store.batches(1))[2:]


@pytest.mark.usefixtures("small_files")
def test_a_file_that_is_missing_in_between(store, to):
    export(store, to)
    exported_files(to)[2].unlink()
    with pytest.raises(ExportError, match="a file is missing or of another export"):
        read(to)


def test_an_export_that_ends_before_the_backup(store, to):
    export(store, to)
    spend(store, 3)
    exported = ExportedJournal(to, MADE)
    assert list(exported.after(head_after(store, 7))) == []
    assert exported.head == head_after(store, 4)


@pytest.mark.parametrize("torn", [1, 50])
def test_a_torn_record_is_cut_off_and_written_again(store, to, torn):
    export(store, to)
    (path,) = exported_files(to)
    whole = path.read_bytes()
    os.truncate(path, len(whole) - torn)
    exported = ExportedJournal(to, MADE)
    assert list(exported.after(Head(0, GENESIS))) == list(store.batches(1))[:-1]
    left = len(list(store.batches(1))[-1].value) + 8 - torn
    assert exported.torn_bytes == left
    exporting = export(store, to)
    assert exporting.torn_bytes == left
    assert path.read_bytes() == whole


@pytest.mark.usefixtures("small_files")
def test_a_torn_record_before_another_file_is_damage(store, to):
    export(store, to)
    path = exported_files(to)[1]
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(BatchFileError, match=r"damaged after position .*, and another file follows"):
        read(to)


def test_a_damaged_file_is_not_gone_on_with(store, to):
    export(store, to)
    (path,) = exported_files(to)
    content = bytearray(path.read_bytes())
    content[BatchFile(path).end + 40] ^= 1
    path.write_bytes(content)
    spend(store, 1)
    with pytest.raises(BatchFileError, match="damaged at position 1"):
        JournalExport(to, store)
    assert path.read_bytes() == content


@pytest.mark.parametrize("other", [
    Made(FORMAT, "another", 1, 4, 77), Made(FORMAT, "folder", 2, 4, 77), Made(FORMAT, "folder", 1, 5, 77),
    Made(FORMAT, "folder", 1, 4, 0),
])  # fmt: skip
def test_another_folders_export(tmp_path, store, to, other):
    export(store, to)
    with pytest.raises(ExportError, match="of another data folder"):
        read(to, made=other)
    LmdbStore.create(tmp_path / "other", other)
    stranger = LmdbStore.open(tmp_path / "other")
    with pytest.raises(ExportError, match="of another data folder"):
        JournalExport(to, stranger)
    stranger.close()


def test_a_folder_that_is_an_older_copy_or_went_on_from_one(tmp_path, folder, store, to):
    older = tmp_path / "older"
    copytree(folder, older, ignore=lambda *_: ["writer.lock", "lock.mdb"])
    spend(store, 2)
    export(store, to)
    copy = LmdbStore.open(older)
    with pytest.raises(ExportError, match="the data folder is an older copy, or went on from one"):
        JournalExport(to, copy)
    spend(copy, 2)
    with pytest.raises(ExportError, match="the data folder is an older copy, or went on from one"):
        JournalExport(to, copy)
    with pytest.raises(ExportError, match="another history than the backup"):
        read(to, head_after(copy, 5))
    copy.close()


def test_a_damaged_journal_is_not_exported(store, to):
    exporting = JournalExport(to, store)
    store.append([StoredBatch(store.last_batch().last_position + 1, list(store.batches(1))[-1].value)])
    with pytest.raises(JournalBrokenError, match="does not follow"):
        exporting.advance()
    exporting.close()
    assert read(to) == []


def test_no_export(tmp_path):
    with pytest.raises(ExportError, match="no exported journal is here"):
        read(tmp_path)
