"""The campus of an embedded peak: five canteens, their terminals and stations, written as the switch reads them."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from simulators.accounts import Card, write_accounts
from simulators.campus import SECRETS_NAME
from simulators.plan import CANTEEN_SHARES
from wire.noise import KEY_BYTES

TAPS_PER_SECOND_AND_WINDOW = 15.0
"""Of compressed time. More would book people's wait for a window as the switch's latency."""

WINDOWS_MIN = 40
WINDOWS_MAX = 5_000
TERMINALS_PER_CONCENTRATOR = 32
LONE_SHARE = 0.25
"""Of a canteen's windows: those that hold a connection of their own."""

KIOSKS_PER_CANTEEN = 2
FIRST_TERMINAL = 1001
_CANTEENS = ("north", "south", "east", "west", "garden")

_HEAD = """\
# Written by `tapswitch peak` for its embedded switch.
[campus]
name = "Peak campus"
time_zone = "Asia/Shanghai"
business_day_starts = "00:00"

[limits]
purchase_max = "200.00"
day_max = "500.00"
top_up_max = "1000.00"
balance_max = "5000.00"

[sessions]
# Arrivals are compressed, and with them the pace of every terminal.
requests_per_second_per_terminal = 1000

[[meal_periods]]
name = "breakfast"
until = "10:00"

[[meal_periods]]
name = "lunch"
until = "14:00"

[[meal_periods]]
name = "dinner"
until = "20:00"

[[prices]]
class = "staff"
merchant = 2
percent = -15

[[prices]]
class = "visitor"
merchant = 1
percent = 20

[[prices]]
class = "visitor"
merchant = 2
period = "lunch"
fixed = "15.00"
"""


class CampusFiles(NamedTuple):
    """Where the files are; secrets.toml is beside `campus`."""

    campus: Path
    accounts: Path


class _Station(NamedTuple):
    name: str
    terminals: range
    kind: str


def write_campus(folder: Path, cards: list[Card], taps_per_second_max: float = 0.0) -> CampusFiles:
    """Write campus.toml, secrets.toml (mode 0600, fresh random keys) and accounts.csv into an existing folder.

    There are windows enough for `taps_per_second_max`, which is meant in real, compressed time.
    """
    files = CampusFiles(folder / "campus.toml", folder / "accounts.csv")
    numbers = iter(range(FIRST_TERMINAL, 10**8))
    windows = min(max(WINDOWS_MIN, math.ceil(taps_per_second_max / TAPS_PER_SECOND_AND_WINDOW)), WINDOWS_MAX)
    stations = {
        canteen: list(_stations(canteen, round(windows * share), numbers))
        for canteen, share in zip(_CANTEENS, CANTEEN_SHARES, strict=True)
    }
    files.campus.write_text(_HEAD + "".join(_sections(stations)), encoding="utf-8")
    _write_secrets(folder / SECRETS_NAME, [station for group in stations.values() for station in group])
    write_accounts(files.accounts, cards)
    return files


def _stations(canteen: str, windows: int, numbers: Iterator[int]) -> Iterator[_Station]:
    """Concentrators, then lone windows, then top-up kiosks, which are alone too."""
    lone = max(1, round(windows * LONE_SHARE))
    shared = windows - lone
    for index, first in enumerate(range(0, shared, TERMINALS_PER_CONCENTRATOR), 1):
        size = min(TERMINALS_PER_CONCENTRATOR, shared - first)
        yield _Station(f"{canteen}-{index}", _take(numbers, size), "canteen")
    for index in range(1, lone + 1):
        yield _Station(f"{canteen}-window-{index}", _take(numbers, 1), "canteen")
    for index in range(1, KIOSKS_PER_CANTEEN + 1):
        yield _Station(f"{canteen}-kiosk-{index}", _take(numbers, 1), "top-up")


def _take(numbers: Iterator[int], count: int) -> range:
    first = next(numbers)
    for _ in range(count - 1):
        next(numbers)
    return range(first, first + count)


def _sections(stations: dict[str, list[_Station]]) -> Iterator[str]:
    for merchant, (canteen, group) in enumerate(stations.items(), 1):
        yield f'\n[[sites]]\nname = "{canteen}"\n'
        yield f'\n[[merchants]]\nnumber = {merchant}\nname = "{canteen.title()} canteen"\nsite = "{canteen}"\n'
        for station in group:
            first, last = station.terminals[0], station.terminals[-1]
            run = str(first) if first == last else f"{first}-{last}"
            yield f'\n[[stations]]\nname = "{station.name}"\nsite = "{canteen}"\n'
            yield (
                f'\n[[terminals]]\nnumbers = "{run}"\nstation = "{station.name}"\n'
                f'merchant = {merchant}\nkind = "{station.kind}"\n'
            )


def _write_secrets(path: Path, stations: list[_Station]) -> None:
    text = "".join(f'[stations.{station.name}]\n1 = "{secrets.token_hex(KEY_BYTES)}"\n\n' for station in stations)
    text += f'[pin]\nhash_key = "{secrets.token_hex(KEY_BYTES)}"\n\n[pin.terminals]\n'
    sells = [number for station in stations if station.kind == "canteen" for number in station.terminals]
    text += "".join(f'{number} = "{secrets.token_hex(KEY_BYTES)}"\n' for number in sells)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
