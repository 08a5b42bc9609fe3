"""Where the shards of a data folder are."""

from __future__ import annotations

from pathlib import Path


def shard_folder(data: Path, shard: int = 0) -> Path:
    """The LMDB environment of one shard."""
    return data / f"shard-{shard:04}"
