"""The registry's versions: what changes it, and what does not."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from campus_folder import KEYS, NORTH, write_campus, write_secrets
from structlog.testing import capture_logs

from actors.policy import PinKeys
from switch.addresses import Address
from switch.campus import ConfigurationError
from switch.registry import RegistryFiles
from switch.secrets_file import MARKER

LOOPBACK = Address("127.0.0.1", 0)


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


def test_the_first_version(campus):
    registry = RegistryFiles(campus, LOOPBACK).newest
    assert registry.version == 1
    assert registry.secrets == {name: {1: key} for name, key in KEYS.items()}
    assert set(registry.campus.stations) == set(KEYS)


def test_each_reading_is_another_version(campus):
    files = RegistryFiles(campus, LOOPBACK)
    first = files.newest
    fresh = KEYS | {NORTH: bytes(range(32))}
    write_secrets(campus.parent, fresh)
    second = files.read_again()
    assert files.newest is second
    assert (first.version, second.version) == (1, 2)
    assert (first.secrets[NORTH][1], second.secrets[NORTH][1]) == (KEYS[NORTH], fresh[NORTH])


@pytest.mark.parametrize("mistake", ["[campus", "campus = 1"])
def test_a_mistake_changes_nothing_and_is_logged(campus, mistake):
    files = RegistryFiles(campus, LOOPBACK)
    first = files.newest
    right = campus.read_text()
    campus.write_text(mistake)
    with capture_logs() as logged:
        assert files.read_again() is files.newest is first
    (line,) = logged
    assert (line["event"], line["log_level"], line["version"]) == ("registry not changed", "error", 1)
    assert line["mistakes"]
    campus.write_text(right)
    assert files.read_again().version == 2


def test_keys_for_pins_come_into_the_policy_and_go_wherever_it_goes(campus):
    files = RegistryFiles(campus, LOOPBACK)
    assert files.newest.campus.policy.pin_keys == PinKeys()
    secrets = campus.parent / "secrets.toml"
    keys = PinKeys(bytes([7]) * 32, {1001: bytes([8]) * 32})
    table = f'[pin]\nhash_key = "{"07" * 32}"\n[pin.terminals]\n1001 = "{"08" * 32}"\n'
    secrets.write_text(secrets.read_text() + table)
    newest = files.read_again()
    assert newest.campus.policy.pin_keys == keys
    assert pickle.loads(pickle.dumps(newest)) == newest, "a cluster's processes get it so"
    secrets.write_text(secrets.read_text().replace("1001 =", "7777 ="))
    with capture_logs() as logged:
        assert files.read_again().campus.policy.pin_keys == PinKeys(keys.hash_key)
    assert logged[0]["keys"] == ("pin.terminals.7777",)


def test_keys_without_a_station_are_ignored_and_named_in_the_log(campus):
    gone = {"gone-1": MARKER + bytes(32 - len(MARKER))}
    write_secrets(campus.parent, KEYS | gone)
    with capture_logs() as logged:
        files = RegistryFiles(campus, Address("0.0.0.0", 0))  # nobody can use it, so it may be a public one
    assert set(files.newest.secrets) == set(KEYS)
    warning = {
        "event": "keys without a station or terminal are ignored",
        "log_level": "warning",
        "file": str(campus.parent / "secrets.toml"),
        "keys": ("stations.gone-1",),
    }
    assert logged == [warning]
    with capture_logs() as logged:
        assert files.read_again().version == 2
    assert logged[0] == warning


def test_a_public_key_beyond_loopback(campus):
    marked = KEYS | {NORTH: MARKER + bytes(32 - len(MARKER))}
    files = RegistryFiles(campus, Address("0.0.0.0", 0))
    write_secrets(campus.parent, marked)
    assert files.read_again().version == 1
    with pytest.raises(ConfigurationError, match="its key is public"):
        RegistryFiles(campus, Address("0.0.0.0", 0))
    assert RegistryFiles(campus, LOOPBACK).newest.version == 1
