"""The campus that is measured: stations, terminals, keys and accounts, in the files that an operator would write."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

from switch.data_folder import create

CONCENTRATORS: Final = 64
TERMINALS_PER_CONCENTRATOR: Final = 64
LONE_TERMINALS: Final = 1_000
ACCOUNTS: Final = 50_000
FIRST_ACCOUNT: Final = 20_260_000

_HEAD: Final = """
[campus]
name = "Benchmark"
time_zone = "Asia/Shanghai"
business_day_starts = "00:00"

[limits]
purchase_max = "200.00"
day_max = "1000000.00"
top_up_max = "1000.00"
balance_max = "1000000.00"

[sessions]
requests_per_second_per_terminal = 1000000

[[meal_periods]]
name = "day"
until = "23:59:59"

[[sites]]
name = "bench"
"""


class Station(Struct, frozen=True):
    """A station, its key, and the terminals it speaks for."""

    name: str
    key: bytes
    terminals: range


class BenchCampus(Struct, frozen=True):
    """Where everything is."""

    folder: Path
    concentrators: list[Station]
    lone: list[Station]

    @property
    def campus_file(self) -> Path:
        """The campus.toml."""
        return self.folder / "campus.toml"

    @property
    def data(self) -> Path:
        """The data folder with the accounts, made by `write_campus`."""
        return self.folder / "data"

    def cluster_data(self, shards: int) -> Path:
        """The data folder of a cluster with so many shards: a shard has one owner."""
        return self.folder / f"cluster-{shards}"


def account_number(index: int) -> str:
    """The account at `index`, from 0."""
    return str(FIRST_ACCOUNT + index)


def card_serial(account: str) -> str:
    """The card of an account."""
    return f"C{account}"


def write_campus(folder: Path, shards: int = 1) -> BenchCampus:
    """Write campus, keys and accounts into an empty folder, and import the accounts into so many shards."""
    concentrators = [
        _station(f"concentrator-{index}", 1 + index * TERMINALS_PER_CONCENTRATOR, TERMINALS_PER_CONCENTRATOR)
        for index in range(CONCENTRATORS)
    ]
    first_lone = 1 + CONCENTRATORS * TERMINALS_PER_CONCENTRATOR
    lone = [_station(f"lone-{index}", first_lone + index, 1) for index in range(LONE_TERMINALS)]
    campus = BenchCampus(folder, concentrators, lone)
    _write_toml(campus)
    _write_accounts(folder / "accounts.csv")
    import_accounts(campus, campus.data, shards)
    return campus


def import_accounts(campus: BenchCampus, data: Path, shards: int) -> None:
    """Make a data folder of so many shards with all accounts."""
    create(data, shards)
    subprocess.run(
        [sys.executable, "-m", "switch.command_line", "import", "--data", data, campus.folder / "accounts.csv"],
        check=True,
        capture_output=True,
    )


def _station(name: str, first: int, count: int) -> Station:
    return Station(name, secrets.token_bytes(32), range(first, first + count))


def _write_toml(campus: BenchCampus) -> None:
    stations = campus.concentrators + campus.lone
    merchants = [f'[[merchants]]\nnumber = {number}\nname = "M{number}"\nsite = "bench"\n' for number in range(1, 21)]
    sections = [
        f'[[stations]]\nname = "{station.name}"\nsite = "bench"\n'
        f'[[terminals]]\nnumbers = "{station.terminals[0]}-{station.terminals[-1]}"\n'
        f'station = "{station.name}"\nmerchant = {1 + index % 20}\nkind = "canteen"\n'
        for index, station in enumerate(stations)
    ]
    campus.campus_file.write_text(_HEAD + "".join(merchants + sections))
    keys = [f'[stations.{station.name}]\n1 = "{station.key.hex()}"\n' for station in stations]
    secrets_file = campus.folder / "secrets.toml"
    secrets_file.touch(mode=0o600)
    secrets_file.write_text("".join(keys))


def _write_accounts(path: Path) -> None:
    lines = ["account,card,state,expires,class,balance"]
    lines += [
        f"{account},{card_serial(account)},active,2099-12-31,student,1000000.00"
        for account in map(account_number, range(ACCOUNTS))
    ]
    path.write_text("\n".join(lines) + "\n")
