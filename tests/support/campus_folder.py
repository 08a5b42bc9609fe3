"""A small campus on disk: four stations with known keys, an operator's among them; always open, no limit for a day."""

from __future__ import annotations

from pathlib import Path

NORTH, SOUTH, OFFICE, DESK = "north-1", "south-1", "office-1", "desk-1"
KEYS = {name: bytes([place]) * 32 for place, name in enumerate((NORTH, SOUTH, OFFICE, DESK), start=1)}
KEY_NUMBER = 1

TILL, NORTH_TILLS = 1001, range(1001, 1017)
SOUTH_TILL, SOUTH_TILLS = 2001, range(2001, 2017)
TOP_UP_MACHINE, TOP_UP_MACHINES = 9001, range(9001, 9003)
OPERATOR = 9201
PURCHASE_MAX = 20_000

_CAMPUS = """\
[campus]
name = "Test campus"
time_zone = "Asia/Shanghai"

[limits]
purchase_max = "200.00"
day_max = "0.00"
top_up_max = "1000.00"
balance_max = "0.00"

[[roles]]
name = "clerk"
commands = ["open", "activate", "report-loss", "review-loss", "found", "grant-subsidy", "settle", "explain-gap"]

[[sites]]
name = "north"

[[merchants]]
number = 1
name = "North canteen"
site = "north"

[[stations]]
name = "north-1"
site = "north"

[[stations]]
name = "south-1"
site = "north"

[[stations]]
name = "office-1"
site = "north"

[[stations]]
name = "desk-1"
site = "north"
role = "clerk"

[[terminals]]
numbers = "1001-1016"
station = "north-1"
merchant = 1
kind = "canteen"

[[terminals]]
numbers = "2001-2016"
station = "south-1"
merchant = 1
kind = "canteen"

[[terminals]]
numbers = "9001-9002"
station = "office-1"
merchant = 1
kind = "top-up"

[[terminals]]
numbers = "9201"
station = "desk-1"
merchant = 1
kind = "operator"

[sessions]
"""


def write_campus(folder: Path, **sessions: int) -> Path:
    """Write campus.toml with these session limits, and secrets.toml beside it; returns the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    campus = folder / "campus.toml"
    limits = {"requests_per_second_per_terminal": 100_000, **sessions}
    campus.write_text(_CAMPUS + "".join(f"{key} = {value}\n" for key, value in limits.items()))
    write_secrets(folder, KEYS)
    return campus


def write_secrets(folder: Path, keys: dict[str, bytes]) -> Path:
    """Write secrets.toml, readable by its owner alone."""
    path = folder / "secrets.toml"
    path.write_text("".join(f'[stations.{name}]\n{KEY_NUMBER} = "{key.hex()}"\n' for name, key in keys.items()))
    path.chmod(0o600)
    return path


def account_number(place: int) -> str:
    """The account at `place`, from 1."""
    return f"2026{place:04}"


def card_of(account: str) -> str:
    """The serial of the account's card."""
    return f"C{account}"


def account_row(account: str, balance: str = "100.00", state: str = "active") -> str:
    """An account as a line of the accounts file."""
    return f"{account},{card_of(account)},{state},2099-12-31,student,{balance}\n"


def write_accounts(path: Path, count: int, balance: str = "100.00") -> Path:
    """Write an accounts file with the first `count` accounts."""
    rows = (account_row(account_number(place), balance) for place in range(1, count + 1))
    path.write_text("account,card,state,expires,class,balance\n" + "".join(rows))
    return path
