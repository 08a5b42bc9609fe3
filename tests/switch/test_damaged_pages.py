"""A page of the store that is no page any more ends a command with a message, and never with a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from campus_folder import write_campus
from running_switch import command, make_data, python
from spending import spend
from switch_in_process import ALICE

from actors.journal import HASH_BYTES
from actors.lmdb_store import LmdbStore
from switch.campus import read_campus
from switch.data_folder import shard_folder

PAGE_BYTES = 4_096
LEAF_AT, LEAF = 10, 0x02
"""Where the header of a page says what it is, and that it is a leaf."""


def flip(file: Path, content: bytes) -> None:
    """Change one bit in the header of each leaf that holds `content`, old copies of the page among them."""
    pages = bytearray(file.read_bytes())
    at, found = -1, set()
    while (at := pages.find(content, at + 1)) >= 0:
        found.add(at // PAGE_BYTES * PAGE_BYTES)
    leaves = [page for page in found if pages[page + LEAF_AT] == LEAF]
    assert leaves, "it lies in a leaf"
    for page in leaves:
        pages[page + LEAF_AT] ^= LEAF
    file.write_bytes(pages)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of a folder, the journal's last page of which is damaged."""
    made, copy = make_data(tmp_path), tmp_path / "copy"
    spend(made, read_campus(write_campus(tmp_path)).policy, range(1, 5), checkpoint=True)
    store = LmdbStore.open_read_only(shard_folder(made))
    last = store.last_batch()
    store.close()
    assert last is not None
    shutil.copytree(made, copy)
    flip(shard_folder(copy) / "data.mdb", last.value[:HASH_BYTES])
    return copy


def assert_told(status: int, output: str, data: Path) -> None:
    assert status == 1, output
    assert f"{shard_folder(data)}: data.mdb is damaged on the disk (" in output
    assert "put a whole backup back" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("arguments", [["statement", ALICE], ["gaps"], ["suspicious"], ["effects"], ["verify"]])
def test_commands_that_read(data: Path, arguments: list[str]) -> None:
    result = command(*arguments, "--data", data)
    assert isinstance(result.exception, SystemExit)
    assert_told(result.exit_code, result.output, data)


def test_verify_names_the_shard(data: Path) -> None:
    assert "BROKEN in shard 0 beneath the journal: " in command("verify", "--data", data).output


def test_serve_does_not_start(tmp_path: Path, data: Path) -> None:
    done = python(
        "-m", "switch.command_line", "serve", "--data", data, "--campus", tmp_path / "campus.toml",
        "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
    )  # fmt: skip
    assert_told(done.returncode, done.stderr, data)
    assert done.stdout == ""
