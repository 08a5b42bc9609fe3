"""The file that keeps how far a follower has read."""

from __future__ import annotations

from pathlib import Path

import pytest

from switch.effects_cursor import Cursor, CursorError


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    cursor = Cursor(path, "a")
    assert cursor.positions == {}
    cursor.advance({0: 7})
    cursor.advance({1: 5})
    assert Cursor(path, "a").positions == cursor.positions == {0: 7, 1: 5}
    assert [found.name for found in tmp_path.iterdir()] == ["cursor"]


def test_cursor_of_another_folder(tmp_path: Path) -> None:
    Cursor(tmp_path / "cursor", "a").advance({0: 7})
    with pytest.raises(CursorError, match="another data folder"):
        Cursor(tmp_path / "cursor", "b")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"data_folder":"a","positions":{"0":"x"}}'])
def test_file_that_is_no_cursor(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cursor").write_bytes(content)
    with pytest.raises(CursorError, match="is no cursor"):
        Cursor(tmp_path / "cursor", "a")


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(CursorError, match="cannot be read"):
        Cursor(tmp_path, "a")


def test_folder_that_is_missing(tmp_path: Path) -> None:
    cursor = Cursor(tmp_path / "missing" / "cursor", "a")
    with pytest.raises(FileNotFoundError):
        cursor.advance({0: 1})
