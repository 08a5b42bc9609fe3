"""The campus of an embedded peak: canteens, baths and card office, with their stations, as the switch reads them."""

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

TOP_UP_MACHINES_PER_CANTEEN = 2
KIOSKS = 8
"""Where cardholders report losses and choose PINs."""

DESKS_MIN = 32
BATHS_SPARE = 1.3
"""More than are taken at one time when people bathe."""

SECONDS_BETWEEN_BATHS = 0.05
"""Real time that a hold and its capture take, at most."""

FIRST_TERMINAL = 1001
_TAKES_PINS = frozenset({"canteen", "kiosk", "operator"})
_CANTEENS = ("north", "south", "east", "west", "garden")
_BATH_HOUSE = len(_CANTEENS) + 1
_CARD_OFFICE = len(_CANTEENS) + 2

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

[[roles]]
name = "officer"
commands = ["reset-pin", "bind-family", "set-family-policy", "credit-family", "grant-subsidy"]

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


class Sizes(NamedTuple):
    """How much is to happen in real, compressed time, and how many terminals there are for it."""

    taps_per_second_max: float = 0.0
    grants_per_second: float = 0.0
    baths_per_second: float = 0.0
    bath_seconds: float = 0.0
    """Real time that the water runs on average."""

    hold_minutes: int = 180
    """By the switch's clock: how long a hold stands."""

    @property
    def windows(self) -> int:
        """Of all canteens together."""
        return _enough(self.taps_per_second_max, WINDOWS_MIN)

    @property
    def desks(self) -> int:
        """Of the card office."""
        return _enough(self.grants_per_second, DESKS_MIN)

    @property
    def baths(self) -> int:
        """None where nobody bathes."""
        taken = self.baths_per_second * (self.bath_seconds + SECONDS_BETWEEN_BATHS)
        return min(math.ceil(taken * BATHS_SPARE), WINDOWS_MAX)


def _enough(per_second: float, least: int) -> int:
    return min(max(least, math.ceil(per_second / TAPS_PER_SECOND_AND_WINDOW)), WINDOWS_MAX)


class _Station(NamedTuple):
    name: str
    terminals: range
    kind: str
    role: str | None = None


class _Site(NamedTuple):
    name: str
    merchant: int
    title: str
    stations: list[_Station]


def write_campus(folder: Path, cards: list[Card], sizes: Sizes | None = None) -> CampusFiles:
    """Write campus.toml, secrets.toml (mode 0600, fresh random keys) and accounts.csv into an existing folder.

    Without `sizes` there are as few terminals as there may be.
    """
    sizes = sizes or Sizes()
    files = CampusFiles(folder / "campus.toml", folder / "accounts.csv")
    numbers = iter(range(FIRST_TERMINAL, 10**8))
    sites = [
        _Site(name, merchant, f"{name.title()} canteen", list(_canteen(name, round(sizes.windows * share), numbers)))
        for merchant, (name, share) in enumerate(zip(_CANTEENS, CANTEEN_SHARES, strict=True), 1)
    ]
    sites.append(_Site("baths", _BATH_HOUSE, "Bath house", list(_concentrators("baths", sizes.baths, numbers, "bath"))))
    sites.append(_Site("office", _CARD_OFFICE, "Card office", list(_card_office(sizes.desks, numbers))))
    holds = f"\n[holds]\nlifetime_minutes = {sizes.hold_minutes}\n"
    files.campus.write_text(_HEAD + holds + "".join(_sections(sites)), encoding="utf-8")
    _write_secrets(folder / SECRETS_NAME, [station for site in sites for station in site.stations])
    write_accounts(files.accounts, cards)
    return files


def _canteen(name: str, windows: int, numbers: Iterator[int]) -> Iterator[_Station]:
    """Concentrators, then lone windows, then top-up machines, which are alone too."""
    lone = max(1, round(windows * LONE_SHARE))
    yield from _concentrators(name, windows - lone, numbers, "canteen")
    for index in range(1, lone + 1):
        yield _Station(f"{name}-window-{index}", _take(numbers, 1), "canteen")
    for index in range(1, TOP_UP_MACHINES_PER_CANTEEN + 1):
        yield _Station(f"{name}-top-up-{index}", _take(numbers, 1), "top-up")


def _card_office(desks: int, numbers: Iterator[int]) -> Iterator[_Station]:
    yield from _concentrators("kiosks", KIOSKS, numbers, "kiosk")
    for station in _concentrators("desks", desks, numbers, "operator"):
        yield station._replace(role="officer")


def _concentrators(name: str, terminals: int, numbers: Iterator[int], kind: str) -> Iterator[_Station]:
    for index, first in enumerate(range(0, terminals, TERMINALS_PER_CONCENTRATOR), 1):
        size = min(TERMINALS_PER_CONCENTRATOR, terminals - first)
        yield _Station(f"{name}-{index}", _take(numbers, size), kind)


def _take(numbers: Iterator[int], count: int) -> range:
    first = next(numbers)
    for _ in range(count - 1):
        next(numbers)
    return range(first, first + count)


def _sections(sites: list[_Site]) -> Iterator[str]:
    for site in sites:
        yield f'\n[[sites]]\nname = "{site.name}"\n'
        yield f'\n[[merchants]]\nnumber = {site.merchant}\nname = "{site.title}"\nsite = "{site.name}"\n'
        for station in site.stations:
            first, last = station.terminals[0], station.terminals[-1]
            run = str(first) if first == last else f"{first}-{last}"
            role = f'role = "{station.role}"\n' if station.role else ""
            yield f'\n[[stations]]\nname = "{station.name}"\nsite = "{site.name}"\n{role}'
            yield (
                f'\n[[terminals]]\nnumbers = "{run}"\nstation = "{station.name}"\n'
                f'merchant = {site.merchant}\nkind = "{station.kind}"\n'
            )


def _write_secrets(path: Path, stations: list[_Station]) -> None:
    text = "".join(f'[stations.{station.name}]\n1 = "{secrets.token_hex(KEY_BYTES)}"\n\n' for station in stations)
    text += f'[pin]\nhash_key = "{secrets.token_hex(KEY_BYTES)}"\n\n[pin.terminals]\n'
    takes_pins = [number for station in stations if station.kind in _TAKES_PINS for number in station.terminals]
    text += "".join(f'{number} = "{secrets.token_hex(KEY_BYTES)}"\n' for number in takes_pins)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
