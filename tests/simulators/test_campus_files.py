"""The embedded campus: what is written can be read, by the simulator and by the switch."""

from __future__ import annotations

from collections import Counter

import pytest

from simulators.accounts import read_accounts
from simulators.campus import read_campus
from simulators.campus_files import DESKS_MIN, KIOSKS, TOP_UP_MACHINES_PER_CANTEEN, Sizes, write_campus
from simulators.fleet import OFFICE_SERVICES
from simulators.population import make_population
from switch.campus import read_campus as read_as_the_switch_does
from switch.secrets_file import read_secrets

CARDS = 6_000


def sells_over_the_counter(terminal):
    return "purchase" in terminal.services and "hold" not in terminal.services


@pytest.fixture
def files(tmp_path):
    return write_campus(tmp_path, make_population(CARDS, 1), Sizes(3_000, 2_400, baths_per_second=20, bath_seconds=2.0))


def test_the_switch_reads_it(files):
    campus = read_as_the_switch_does(files.campus)
    assert campus.policy.terminals.keys() == read_campus(files.campus).terminals.keys()


def test_canteens_have_their_shares_of_windows(files):
    campus = read_campus(files.campus)
    windows = Counter(t.merchant for t in campus.terminals.values() if sells_over_the_counter(t))
    shares = [windows[merchant] / windows.total() for merchant in range(1, 6)]
    assert shares == pytest.approx([0.343, 0.266, 0.144, 0.139, 0.108], abs=0.03)


def test_windows_follow_the_pace(files, tmp_path):
    campus = read_campus(files.campus)
    assert sum(map(sells_over_the_counter, campus.terminals.values())) == pytest.approx(3_000 / 15, abs=3)
    slow = tmp_path / "slow"
    slow.mkdir()
    assert len(read_campus(write_campus(slow, make_population(10, 1)).campus).terminals) < 60 + KIOSKS + DESKS_MIN


def test_concentrators_lone_windows_and_kiosks(files):
    campus = read_campus(files.campus)
    terminals = Counter(terminal.station for terminal in campus.terminals.values())
    assert max(terminals.values()) > 1
    assert sum(count == 1 for count in terminals.values()) > 10
    machines = [terminal for terminal in campus.terminals.values() if "top-up" in terminal.services]
    assert len(machines) == 5 * TOP_UP_MACHINES_PER_CANTEEN


def test_baths_kiosks_and_desks(files, tmp_path):
    terminals = read_campus(files.campus).terminals.values()
    assert sum("hold" in terminal.services for terminal in terminals) == 54  # 20 a second, 2.05 s each, and a third
    assert sum("change-pin" in terminal.services for terminal in terminals) == KIOSKS
    assert sum(terminal.services >= OFFICE_SERVICES for terminal in terminals) == 160  # 2,400 a second
    dry = tmp_path / "dry"
    dry.mkdir()
    without = read_campus(write_campus(dry, make_population(10, 1)).campus).terminals.values()
    assert not any("hold" in terminal.services for terminal in without)


def test_whoever_takes_pins_has_a_key_of_its_own(files):
    campus = read_campus(files.campus)
    takes_pins = {"change-pin", "reset-pin"}
    assert set(campus.pin_keys) == {
        t.number for t in campus.terminals.values() if sells_over_the_counter(t) or takes_pins & t.services
    }
    assert len(set(campus.pin_keys.values())) == len(campus.pin_keys)
    stations = read_as_the_switch_does(files.campus)
    found = read_secrets(files.campus.with_name("secrets.toml"), stations.stations, stations.policy.terminals)
    assert found.pin_keys.terminals == campus.pin_keys


def test_keys_are_fresh_and_private(files, tmp_path):
    secrets = files.campus.with_name("secrets.toml")
    assert secrets.stat().st_mode & 0o777 == 0o600
    keys = [key.key for key in read_campus(files.campus).keys.values()]
    assert len(set(keys)) == len(keys)
    assert not any(key.startswith(b"INSECURE") for key in keys)
    again = tmp_path / "again"
    again.mkdir()
    others = [key.key for key in read_campus(write_campus(again, make_population(10, 1)).campus).keys.values()]
    assert set(keys).isdisjoint(others)


def test_accounts_come_back_as_they_were(files):
    assert read_accounts(files.accounts) == make_population(CARDS, 1)
