"""The benchmark's campus is one that the switch accepts, with the shape that the figures are named after."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench.campus
from bench.campus import CONCENTRATORS, LONE_TERMINALS, TERMINALS_PER_CONCENTRATOR, import_accounts, write_campus
from switch.campus import read_campus
from switch.data_folder import shards_found
from switch.secrets_file import read_secrets


def test_campus_is_as_large_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.campus, "ACCOUNTS", 10)
    written = write_campus(tmp_path)
    campus = read_campus(written.campus_file)
    secrets = read_secrets(tmp_path / "secrets.toml", campus.stations).stations
    assert len(written.concentrators) == CONCENTRATORS
    assert len(written.lone) == LONE_TERMINALS
    assert sum(map(len, campus.stations.values())) == CONCENTRATORS * TERMINALS_PER_CONCENTRATOR + LONE_TERMINALS
    for station in written.concentrators + written.lone:
        assert secrets[station.name] == {1: station.key}
        assert campus.stations[station.name] == frozenset(station.terminals)
    assert (written.data / "shard-0000" / "data.mdb").exists()
    import_accounts(written, written.cluster_data(3), 3)
    assert len(shards_found(written.cluster_data(3))) == 3
