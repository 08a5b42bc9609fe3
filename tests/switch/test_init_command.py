import stat

import pytest
from click.testing import CliRunner

from actors import lmdb_store
from actors.account.card import CardState
from actors.lmdb_store import LmdbStore
from actors.store import StoreFormatError
from switch.accounts_file import read_accounts
from switch.campus import read_campus
from switch.data_folder import SHARDS_MAX, close_all, open_all
from switch.init_command import init, write_example
from switch.secrets_file import marked, read_secrets

NAMES = ["accounts.csv", "campus.toml", "data", "secrets.toml"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_init_writes_can_be_used(tmp_path):
    folder = tmp_path / "new" / "campus"
    done = CliRunner().invoke(init, [str(folder)])
    assert done.exit_code == 0, done.output
    assert names(folder) == NAMES
    campus = read_campus(folder / "campus.toml")
    secrets = read_secrets(folder / "secrets.toml", campus.stations, campus.policy.terminals)
    assert marked(secrets) == []
    assert set(secrets.pin_keys.terminals) == {
        *range(1001, 1025),
        *range(2001, 2017),
        *range(3001, 3005),
        9101,
        9201,
        9202,
    }
    assert len(secrets.pin_keys.hash_key) == 32
    assert stat.S_IMODE((folder / "secrets.toml").stat().st_mode) == 0o600
    rows = read_accounts(folder / "accounts.csv")
    assert len(rows) == 20
    assert CardState.LOST in {row.state for row in rows}
    assert any(row.state is CardState.ACTIVE and row.expires < 20_210_101 for row in rows)
    assert any(row.state is CardState.ACTIVE and row.purses == (0,) for row in rows)


def test_init_says_what_to_run_next(tmp_path):
    folder = tmp_path / "my campus"
    output = CliRunner().invoke(init, [str(folder)]).output
    assert f"tapswitch import --data '{folder}/data' '{folder}/accounts.csv'" in output
    assert f"tapswitch serve --data '{folder}/data' --campus '{folder}/campus.toml'" in output
    assert "tapswitch tap --connect" in output
    campus, rows = read_campus(folder / "campus.toml"), read_accounts(folder / "accounts.csv")
    assert "--station north-1 --account 20260001" in output
    assert "north-1" in campus.stations
    assert "20260001" in {row.account for row in rows}


@pytest.mark.parametrize(("options", "shards"), [([], 1), (["--shards", "1"], 1), (["--shards", "5"], 5)], ids=str)
def test_the_data_folder_is_empty_and_has_its_shards(tmp_path, options, shards):
    done = CliRunner().invoke(init, [*options, str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert f"Made {tmp_path}/data, an empty data folder of {shards} shard" in done.output
    stores = open_all(tmp_path / "data")
    assert [store.made.shards for store in stores] == [shards] * shards
    assert [store.last_batch() for store in stores] == [None] * shards
    close_all(stores)


@pytest.mark.parametrize("shards", ["0", "-1", str(SHARDS_MAX + 1), "two"])
def test_a_number_of_shards_that_cannot_be(tmp_path, shards):
    refused = CliRunner().invoke(init, ["--shards", shards, str(tmp_path / "new")])
    assert refused.exit_code == 2
    assert "--shards" in refused.output
    assert not (tmp_path / "new").exists()


def test_each_campus_has_keys_of_its_own(tmp_path):
    found = []
    for name in ("a", "b"):
        assert CliRunner().invoke(init, [str(tmp_path / name)]).exit_code == 0
        found.append(read_secrets(tmp_path / name / "secrets.toml"))
    keys = [set(secrets.pin_keys.terminals.values()) | {secrets.pin_keys.hash_key} for secrets in found]
    assert keys[0].isdisjoint(keys[1])
    stations = [secrets.stations for secrets in found]
    assert stations[0].keys() == stations[1].keys()
    assert all(stations[0][station] != stations[1][station] for station in stations[0])


@pytest.mark.parametrize("name", NAMES)
def test_init_replaces_nothing_and_then_writes_nothing(tmp_path, name):
    (tmp_path / name).write_text("mine")
    refused = CliRunner().invoke(init, [str(tmp_path)])
    assert refused.exit_code == 2
    assert f"{name}: there already" in refused.output
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_appears_meanwhile_is_kept_and_the_others_are_taken_back(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(OSError, match=name):
        write_example(tmp_path, 2)
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_data_folder_that_appears_meanwhile_is_kept(tmp_path):
    (tmp_path / "other").mkdir()
    write_example(tmp_path / "other", 3)
    (tmp_path / "other" / "data").rename(tmp_path / "data")
    with pytest.raises(OSError, match="data"):
        write_example(tmp_path, 2)
    assert names(tmp_path) == ["data", "other"]
    assert len(list((tmp_path / "data").iterdir())) == 3


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), StoreFormatError("no"), KeyboardInterrupt()])
def test_interrupted_between_two_shards_nothing_is_left(tmp_path, monkeypatch, error):
    create = LmdbStore.create

    def failing(folder, made):
        if made.shard == 2:
            raise error
        create(folder, made)

    monkeypatch.setattr(lmdb_store.LmdbStore, "create", failing)
    refused = CliRunner().invoke(init, ["--shards", "4", str(tmp_path)])
    assert refused.exit_code != 0
    assert names(tmp_path) == []
    if not isinstance(error, KeyboardInterrupt):
        assert refused.exit_code == 2
        assert str(error.args[-1]) in refused.output


def test_init_refuses_a_dangling_link(tmp_path):
    (tmp_path / "secrets.toml").symlink_to(tmp_path / "elsewhere")
    assert CliRunner().invoke(init, [str(tmp_path)]).exit_code == 2
    assert names(tmp_path) == ["secrets.toml"]


@pytest.mark.parametrize("target", ["file", "file/below"])
def test_init_refuses_a_folder_that_cannot_be(tmp_path, target):
    (tmp_path / "file").touch()
    refused = CliRunner().invoke(init, [str(tmp_path / target)])
    assert refused.exit_code == 2
    assert "Error" in refused.output
