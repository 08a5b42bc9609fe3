"""Files of batches: what was written comes back, what a crash leaves is torn, and everything else is damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_campus import events_of, opened_shard, perform, purchase
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.batch_file import FORMAT, BatchFile, BatchFileError, BatchWriter, Origin
from actors.journal import GENESIS, HASH_BYTES, Head
from actors.memory_store import MemoryStore
from actors.store import StoredBatch

STORE = MemoryStore()
SHARD = opened_shard(STORE)
for stan in range(1, 6):
    perform(SHARD, purchase(stan))
BATCHES = list(STORE.batches(1))
ORIGIN = Origin("folder", 1, 4, 77, 0, GENESIS)
LENGTH_BYTES = 8


def write(folder: Path, batches: list[StoredBatch] = BATCHES, origin: Origin = ORIGIN) -> Path:
    path = folder / "a.batches"
    writer = BatchWriter.create(path, origin)
    writer.append(batches)
    writer.sync()
    writer.close()
    return path


def read(path: Path) -> tuple[list[StoredBatch], BatchFile]:
    file = BatchFile(path)
    return list(file.batches()), file


def ends(path: Path) -> list[int]:
    """Where the origin ends, and each record."""
    file = BatchFile(path)
    return [file.end, *(file.end for _ in file.batches())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path)


def test_what_was_written_comes_back(path):
    batches, file = read(path)
    assert batches == BATCHES
    assert (file.origin, file.head, file.torn_bytes) == (ORIGIN, SHARD.head, 0)
    assert file.end == path.stat().st_size
    assert len(events_of(STORE)) == file.head.position
    assert path.stat().st_mode & 0o777 == 0o600
    assert [left.name for left in path.parent.iterdir()] == [path.name]


def test_the_layout_is_what_the_page_says(path):
    content = path.read_bytes()
    assert content.startswith(b"tapbatch")
    lengths = [int.from_bytes(content[at : at + 4], "big") for at in (8, *ends(path)[:-1])]
    complements = [int.from_bytes(content[at : at + 4], "big") for at in (12, *(end + 4 for end in ends(path)[:-1]))]
    assert lengths[1:] == [len(batch.value) for batch in BATCHES]
    assert [length + complement for length, complement in zip(lengths, complements, strict=True)] == [2**32 - 1] * 7
    assert content.endswith(BATCHES[-1].value)


def test_a_file_that_begins_in_the_middle(tmp_path):
    head = Head(BATCHES[1].last_position, BATCHES[1].value[:HASH_BYTES])
    path = write(tmp_path, BATCHES[2:], Origin("folder", 0, 1, 0, *head))
    batches, file = read(path)
    assert batches == BATCHES[2:]
    assert file.origin.head == head


def test_going_on(tmp_path):
    path = write(tmp_path, BATCHES[:2])
    file = BatchFile(path)
    list(file.batches())
    writer = BatchWriter(path, file.end)
    writer.append(BATCHES[2:4])
    writer.append(BATCHES[4:])
    assert writer.size == path.stat().st_size
    writer.close()
    assert read(path)[0] == BATCHES


@settings(max_examples=60)
@given(st.data())
def test_cut_anywhere_it_is_torn_and_gives_what_is_whole(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("cut"))
    whole = ends(path)
    cut = data.draw(st.integers(whole[0], whole[-1]))
    with path.open("r+b") as file:
        file.truncate(cut)
    batches, found = read(path)
    kept = sum(end <= cut for end in whole[1:])
    assert batches == BATCHES[:kept]
    assert (found.end, found.torn_bytes) == (whole[kept], cut - whole[kept])


@pytest.mark.parametrize("zeros", [1, LENGTH_BYTES, 5_000_000])
def test_zeros_at_the_end_are_torn(path, zeros):
    with path.open("ab") as file:
        file.write(bytes(zeros))
    batches, found = read(path)
    assert (batches, found.torn_bytes) == (BATCHES, zeros)


def test_a_last_record_that_does_not_hold_what_it_should_is_torn(path):
    content = bytearray(path.read_bytes())
    content[-20:] = bytes(20)
    path.write_bytes(content)
    batches, found = read(path)
    assert batches == BATCHES[:-1]
    assert found.torn_bytes == len(BATCHES[-1].value) + LENGTH_BYTES


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_before_the_last_record_is_damage(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("damage"))
    whole = ends(path)
    at = data.draw(st.integers(whole[0], whole[-2] - 1))
    content = bytearray(path.read_bytes())
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    file = BatchFile(path)
    found: list[StoredBatch] = []
    with pytest.raises(BatchFileError, match=r"a\.batches: damaged"):
        found.extend(file.batches())
    damaged = next(number for number, end in enumerate(whole[1:]) if at < end)
    assert file.head.position == ([0] + [batch.last_position for batch in BATCHES])[damaged]


def test_a_missing_batch_is_damage(tmp_path):
    path = write(tmp_path, [BATCHES[0], *BATCHES[2:]])
    with pytest.raises(BatchFileError, match=f"damaged at position {BATCHES[0].last_position + 1}"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"tapbatch", b"tapbatch\0\0\0\5", b"something else" * 100])
def test_another_file(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(BatchFileError, match="this is not a file of batches"):
        BatchFile(path)


def test_a_newer_format_is_refused(tmp_path):
    path = write(tmp_path, origin=Origin("folder", 0, 1, 0, 0, GENESIS, format=FORMAT + 1))
    with pytest.raises(BatchFileError, match=f"format {FORMAT + 1} is newer than this software's {FORMAT}"):
        BatchFile(path)
