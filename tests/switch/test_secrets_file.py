import os
import stat

import pytest

from actors.policy import PinKeys
from switch.campus import ConfigurationError
from switch.secrets_file import (
    Secrets,
    marked,
    read_secrets,
    refuse_marked_beyond_loopback,
    write_fresh_secrets,
)

MARKED = b"INSECURE" + bytes(range(24))
RANDOM = bytes.fromhex("d1" * 32)


@pytest.fixture
def secrets_file(tmp_path):
    path = tmp_path / "secrets.toml"
    path.touch(mode=0o600)
    return path


def mistakes(path, text, stations=None):
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_secrets(path, stations)
    assert str(path) in str(raised.value)
    return "\n".join(raised.value.mistakes)


def test_fresh_secrets_are_read_back_differ_and_belong_to_their_owner_alone(tmp_path):
    path = tmp_path / "secrets.toml"
    write_fresh_secrets(path, ["north-1", "south-1"], [1001, 9101])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secrets = read_secrets(path, {"north-1", "south-1"}, {1001, 1002, 9101})
    pin_keys = [secrets.pin_keys.hash_key, *secrets.pin_keys.terminals.values()]
    assert list(secrets.pin_keys.terminals) == [1001, 9101]
    assert {len(key) for key in pin_keys} == {32}
    assert len(set(pin_keys)) == 3
    found = secrets.stations
    assert {name: list(keys) for name, keys in found.items()} == {"north-1": [1], "south-1": [1]}
    assert len({key for keys in found.values() for key in keys.values()}) == 2
    assert {len(key) for keys in found.values() for key in keys.values()} == {32}
    assert marked(secrets) == []


def test_fresh_secrets_replace_nothing(secrets_file):
    secrets_file.write_text("mine")
    with pytest.raises(FileExistsError):
        write_fresh_secrets(secrets_file, ["north-1"])
    assert secrets_file.read_text() == "mine"


def test_a_station_may_hold_two_keys(secrets_file):
    secrets_file.write_text(f'[stations.north-1]\n0 = "{RANDOM.hex()}"\n255 = "{MARKED.hex().upper()}"\n')
    assert read_secrets(secrets_file) == Secrets({"north-1": {0: RANDOM, 255: MARKED}})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o700])
def test_a_mode_wider_than_0600_is_refused(secrets_file, mode):
    secrets_file.chmod(mode)
    assert f"{mode:04o} is wider than 0600; run: chmod 600 {secrets_file}" in mistakes(secrets_file, "")


def test_a_narrower_mode_is_fine(secrets_file):
    secrets_file.write_text(f'[stations.north-1]\n1 = "{RANDOM.hex()}"\n')
    secrets_file.chmod(0o400)
    assert read_secrets(secrets_file) == Secrets({"north-1": {1: RANDOM}})


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_secrets(tmp_path / "secrets.toml")


KEY = "c0ffee" + "ab" * 29
assert len(KEY) == 64
STATION = f'[stations.north-1]\n1 = "{RANDOM.hex()}"\n'
PIN = f'{STATION}[pin]\nhash_key = "{"07" * 32}"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected tables such as [stations.north-1]"),
        (f'key = "{KEY}"', "expected tables such as"),
        (f'{KEY} = "1"', "expected tables such as"),
        (f'stations = "{KEY}"', "expected tables such as"),
        (f'[stations]\nnorth-1 = "{KEY}"', "stations.north-1: expected a table"),
        (f"[stations]\n{KEY} = 1", "a name that no station can have"),
        ("[stations.north-1]", "stations.north-1: expected at least one key"),
        (f'[stations.north-1]\n1 = "{KEY[:-2]}"', "stations.north-1.1: 62 hex characters; expected 64"),
        (f'[stations.north-1]\n1 = "{KEY}00"', "stations.north-1.1: 66 hex characters; expected 64"),
        (f'[stations.north-1]\n1 = "{KEY[:-1]}g"', "stations.north-1.1: expected hex characters only"),
        (f'[stations.north-1]\n1 = "{KEY[:-1]} "', "stations.north-1.1: expected hex characters only"),
        ("[stations.north-1]\n1 = 5", "stations.north-1.1: expected a key in quotes"),
        (f'[stations.north-1]\n256 = "{KEY}"', "stations.north-1: entry 1: expected a key number from 0 to 255"),
        (f'[stations.north-1]\n01 = "{KEY}"', "stations.north-1: entry 1: expected a key number"),
        (f'[stations.north-1]\n{KEY} = "1"', "stations.north-1: entry 1: expected a key number"),
        (f"[stations.north-1]\n1 = {KEY}", "is not TOML: broken at line 2"),
        (f"[stations.{KEY}]\n[stations.{KEY}]", "is not TOML: broken at line 2"),
        (f'pin = "{KEY}"\n{STATION}', "pin: expected hash_key and a table [pin.terminals]"),
        (f'{STATION}[pin]\nhash_key = "{KEY}"\n{KEY} = 1', "pin: expected hash_key and a table"),
        (f'{STATION}[pin.terminals]\n1001 = "{KEY}"', "pin.hash_key: is missing"),
        (f"{STATION}[pin]\nhash_key = 1", "pin.hash_key: expected a key in quotes"),
        (f'{STATION}[pin]\nhash_key = "{KEY[:-2]}"', "pin.hash_key: 62 hex characters; expected 64"),
        (f'{STATION}[pin]\nhash_key = "{KEY[:-1]}g"', "pin.hash_key: expected hex characters only"),
        (f'{PIN}terminals = "{KEY}"', "pin.terminals: expected a table of terminal = key"),
        (f'{PIN}[pin.terminals]\n0 = "{KEY}"', "pin.terminals: entry 1: expected a terminal's number"),
        (f'{PIN}[pin.terminals]\n01 = "{KEY}"', "pin.terminals: entry 1: expected a terminal's number"),
        (f'{PIN}[pin.terminals]\n100000000 = "{KEY}"', "pin.terminals: entry 1: expected a terminal's number"),
        (f'{PIN}[pin.terminals]\n{KEY} = "1"', "pin.terminals: entry 1: expected a terminal's number"),
        (f"{PIN}[pin.terminals]\n1001 = 7", "pin.terminals.1001: expected a key in quotes"),
        (f'{PIN}[pin.terminals]\n1001 = "{KEY}00"', "pin.terminals.1001: 66 hex characters; expected 64"),
        (f'{PIN}[pin.terminals]\n1 = "{KEY}"\n2 = "{KEY}"', "pin.terminals.2: the same key as pin.terminals.1"),
        (f'{PIN}[pin.terminals]\n7 = "{"07" * 32}"', "pin.terminals.7: the same key as pin.hash_key"),
    ],
)
def test_a_mistake_is_named_and_no_key_is_shown(secrets_file, text, expected):
    found = mistakes(secrets_file, text)
    assert expected in found
    assert KEY[:6] not in found


def test_every_difference_from_the_campus_is_named(secrets_file):
    text = f'[stations.north-1]\n1 = "{RANDOM.hex()}"\n[stations.nroth-2]\n1 = "{RANDOM.hex()}"\n'
    found = mistakes(secrets_file, text, stations=["north-1", "north-2", "south-1"])
    assert found.splitlines() == [
        "stations.nroth-2: the campus has no such station",
        "stations.north-2: this station of the campus has no key",
        "stations.south-1: this station of the campus has no key",
    ]


def test_keys_for_pins_are_optional(secrets_file):
    secrets_file.write_text(STATION)
    assert read_secrets(secrets_file, {"north-1"}, {1001}).pin_keys == PinKeys()
    secrets_file.write_text(PIN)
    assert read_secrets(secrets_file, {"north-1"}, {1001}).pin_keys == PinKeys(bytes([7]) * 32)


def test_a_key_for_pins_of_a_terminal_that_the_campus_does_not_have_is_ignored(secrets_file):
    text = f'{PIN}[pin.terminals]\n1001 = "{KEY}"\n1003 = "{"ab" * 32}"\n'
    secrets_file.write_text(text)
    assert list(read_secrets(secrets_file).pin_keys.terminals) == [1001, 1003]
    secrets = read_secrets(secrets_file, {"north-1"}, {1001, 1002})
    assert secrets.pin_keys == PinKeys(bytes([7]) * 32, {1001: bytes.fromhex(KEY)})
    assert secrets.unused == ("pin.terminals.1003",)


def test_keys_of_stations_that_the_campus_does_not_have_are_ignored(secrets_file):
    """Also where a key stands in the place of a name: it is not shown."""
    others = "".join(f'[stations.{name}]\n1 = "{KEY}"\n' for name in ("gone-1", KEY))
    secrets_file.write_text(STATION + others)
    secrets = read_secrets(secrets_file, {"north-1"})
    assert list(secrets.stations) == ["north-1"]
    assert secrets.unused == ("stations.gone-1", "stations: a name that no station can have")


def test_marked_keys_are_found():
    stations = {"b": {1: RANDOM, 2: MARKED}, "a": {1: MARKED}, "c": {1: b"insecure" + bytes(24)}}
    pin_keys = PinKeys(MARKED, {1001: RANDOM, 1002: MARKED})
    assert marked(Secrets(stations)) == ["stations.a", "stations.b"]
    assert marked(Secrets(stations, pin_keys)) == ["stations.a", "stations.b", "pin.hash_key", "pin.terminals.1002"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_marked_keys_may_be_used_on_loopback(secrets_file, host):
    pin_keys = PinKeys(MARKED, {1001: MARKED})
    refuse_marked_beyond_loopback(secrets_file, Secrets({"north-1": {1: MARKED}}, pin_keys), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "campus.example"])
def test_marked_keys_are_refused_beyond_loopback(secrets_file, host):
    refuse_marked_beyond_loopback(secrets_file, Secrets({"north-1": {1: RANDOM}}, PinKeys(RANDOM)), host)
    found = Secrets({"north-1": {1: RANDOM, 2: MARKED}, "x": {1: RANDOM}}, PinKeys(MARKED, {7: RANDOM, 8: MARKED}))
    with pytest.raises(ConfigurationError) as raised:
        refuse_marked_beyond_loopback(secrets_file, found, host)
    places = [mistake.partition(": ")[0] for mistake in raised.value.mistakes]
    assert places == ["stations.north-1", "pin.hash_key", "pin.terminals.8"]
    assert MARKED.hex() not in str(raised.value)


def test_fresh_secrets_are_never_wider_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_fresh_secrets(tmp_path / "secrets.toml", ["north-1"])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secrets.toml").stat().st_mode) == 0o600
