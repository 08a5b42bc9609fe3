"""Up to where a follower has read each shard's journal: a small file, replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct


class CursorError(Exception):
    """The file is no cursor for this data folder; the text says why and what to do."""


class _CursorFile(Struct, forbid_unknown_fields=True):
    data_folder: str
    positions: dict[int, int]


class Cursor:
    """By shard, the position of the last event that was passed on; 0 before the first."""

    def __init__(self, path: Path, data_folder: str) -> None:
        """`data_folder` is the name that the folder's shards were made with. Raises CursorError."""
        self._path = path
        self._data_folder = data_folder
        self.positions = self._read()

    def advance(self, positions: Mapping[int, int]) -> None:
        """Durable when it returns: the old file or the new one is there, whatever happens. Raises OSError."""
        self.positions = {**self.positions, **positions}
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(_CursorFile(self._data_folder, self.positions)))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self) -> dict[int, int]:
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_CursorFile)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CursorError(f"{self._path}: cannot be read: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CursorError(f"{self._path}: is no cursor ({error}); move it away to begin from the first") from error
        if found.data_folder != self._data_folder:
            raise CursorError(f"{self._path}: is the cursor of another data folder; give each its own --cursor")
        return found.positions
