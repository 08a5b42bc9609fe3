"""Both stores: what a shard does must not depend on which one it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.lmdb_store import LmdbStore
from actors.memory_store import MemoryStore
from actors.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty data folder."""
    LmdbStore.create(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(params=[MemoryStore, LmdbStore])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store of each kind."""
    opened = MemoryStore() if request.param is MemoryStore else LmdbStore.open(request.getfixturevalue("folder"))
    yield opened
    opened.close()
