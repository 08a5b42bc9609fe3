"""What a simulator has to know of a campus: its terminals, which station speaks for them with which key, the limits.

Reads campus.toml and the secrets.toml beside it. Everything else in them is the switch's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from simulators.bad_input import BadInputError
from simulators.money import parse_yuan
from wire.noise import KEY_BYTES

SECRETS_NAME = "secrets.toml"

_ACCOUNT_SERVICES = frozenset({"reversal", "balance-inquiry", "mini-statement"})
_SELLS = _ACCOUNT_SERVICES | {"purchase", "refund"}
_METERS = frozenset({"hold", "capture", "release"})
SERVICES_BY_KIND: Mapping[str, frozenset[str]] = {
    "canteen": _SELLS | {"advice"},
    "shop": _SELLS | {"advice"},
    "bath": _SELLS | _METERS,
    "charger": _SELLS | _METERS,
    "printer": _SELLS | _METERS,
    "top-up": _ACCOUNT_SERVICES | {"top-up", "subsidy-claim"},
    "kiosk": frozenset({"balance-inquiry", "mini-statement", "subsidy-claim", "report-loss", "change-pin"}),
    "gate": frozenset({"balance-inquiry"}),
}

PURSES = ("main", "subsidy", "family")
"""In the order in which the switch lists balances."""

PERSON_CLASSES = ("student", "staff", "administrator", "service-staff", "visitor")

_KINDS = {
    "str": 'text in quotes, such as "200.00"',
    "int": "a whole number without quotes",
    "array": "a list in square brackets",
    "object": "a table of keys",
}
"""What a file's value may be, in words."""

T = TypeVar("T")


class Limits(Struct, frozen=True):
    """In minor units, and counts of purchases; 0 means no limit."""

    purchase_max: int = 0
    day_max: int = 0
    top_up_max: int = 0
    balance_max: int = 0
    period_max: int = 0
    day_count_max: int = 0
    period_count_max: int = 0
    balance_min: int = 0
    """What purchases leave in the main purse."""


class Terminal(Struct, frozen=True):
    """One terminal: who connects for it, whose it is, and what it may ask."""

    number: int
    station: str
    merchant: int
    services: frozenset[str]
    keeps_hours: bool = False
    """Whether its merchant sells in some meal periods only."""

    role: str | None = None
    """Of an operator's terminal: the role whose commands are its services."""


class PriceRule(Struct, frozen=True):
    """What people of one class pay at a merchant: a fixed price, or what is asked and so many percent more or less."""

    percent: int = 0
    fixed: int | None = None
    """Minor units."""

    period: int | None = None
    """In which meal period only, by its place; None: in all that have no rule of their own."""

    def price(self, asked: int) -> int:
        """Minor units; half a unit is rounded up."""
        if self.fixed is not None:
            return self.fixed
        return int((Decimal(asked) * (100 + self.percent) / 100).quantize(Decimal(1), ROUND_HALF_UP))


class StationKey(Struct, frozen=True):
    """The key with the highest number that a station holds."""

    number: int
    key: bytes


class Campus(Struct, frozen=True):
    """The parts of a campus that terminals see."""

    name: str
    time_zone: ZoneInfo
    day_starts: time
    """Local time at which a business day begins."""

    limits: Limits
    spending_order: tuple[int, ...]
    """Which purses a purchase draws on, by their places in a list of balances."""

    terminals: dict[int, Terminal]
    keys: dict[str, StationKey]
    class_limits: dict[str, Limits] = {}
    """Of the classes of people that have other limits."""

    replacement_fee: int = 0
    """Minor units."""

    prices: Mapping[tuple[str, int], tuple[PriceRule, ...]] = {}
    """By person class and merchant."""

    pin_keys: dict[int, bytes] = {}
    """Under which terminals seal PINs; of those where a PIN can be used."""

    def business_day(self, moment: datetime) -> int:
        """The business day at `moment` (which has a time zone), as a number such as 20260901."""
        local = moment.astimezone(self.time_zone)
        day = local.date() - timedelta(days=1) if local.time() < self.day_starts else local.date()
        return day.year * 10_000 + day.month * 100 + day.day


class _CampusSection(Struct):
    name: str
    time_zone: str
    business_day_starts: str = "00:00"


class _LimitsSection(Struct, rename={"service_staff": "service-staff"}):
    purchase_max: str = "0.00"
    day_max: str = "0.00"
    top_up_max: str = "0.00"
    balance_max: str = "0.00"
    period_max: str = "0.00"
    day_count_max: int = 0
    period_count_max: int = 0
    balance_min: str = "0.00"
    student: dict[str, str | int] = {}
    staff: dict[str, str | int] = {}
    administrator: dict[str, str | int] = {}
    service_staff: dict[str, str | int] = {}
    visitor: dict[str, str | int] = {}


class _PursesSection(Struct, frozen=True):
    spending_order: tuple[str, ...] = ("subsidy", "family", "main")


class _CardOfficeSection(Struct, frozen=True):
    replacement_fee: str = "0.00"


class _Role(Struct, frozen=True):
    name: str
    commands: frozenset[str]


class _Station(Struct, frozen=True):
    name: str
    role: str | None = None


class _Merchant(Struct):
    number: int
    open: list[str] | None = None


class _MealPeriod(Struct):
    name: str


class _Price(Struct, rename={"person_class": "class"}):
    person_class: str
    merchant: int
    period: str | None = None
    percent: int = 0
    fixed: str | None = None


class _TerminalRun(Struct):
    numbers: str
    station: str
    merchant: int
    kind: str


class _CampusFile(Struct):
    campus: _CampusSection
    limits: _LimitsSection
    merchants: list[_Merchant]
    terminals: list[_TerminalRun]
    purses: _PursesSection = _PursesSection()
    card_office: _CardOfficeSection = _CardOfficeSection()
    roles: list[_Role] = []
    stations: list[_Station] = []
    prices: list[_Price] = []
    meal_periods: list[_MealPeriod] = []


class _PinSection(Struct, frozen=True):
    hash_key: str = ""
    terminals: dict[str, str] = {}


class _SecretsFile(Struct):
    stations: dict[str, dict[str, str]]
    pin: _PinSection = _PinSection()


def read_campus(path: Path) -> Campus:
    """The campus of `path` with the keys beside it. Raises BadInputError."""
    file = _decode(path, _CampusFile)
    secrets = path.with_name(SECRETS_NAME)
    secrets_file = _decode(secrets, _SecretsFile)
    keys = {name: _newest_key(secrets, name, numbered) for name, numbered in secrets_file.stations.items()}
    keeps_hours = {merchant.number for merchant in file.merchants if merchant.open is not None}
    commands = {role.name: role.commands for role in file.roles}
    roles = _roles(path, file)
    terminals: dict[int, Terminal] = {}
    for run in file.terminals:
        role = roles.get(run.station)
        services = SERVICES_BY_KIND.get(run.kind) if role is None else commands[role]
        if services is None:
            raise BadInputError(f"{path}: terminals.kind {run.kind!r} is not one of {', '.join(SERVICES_BY_KIND)}")
        for number in _numbers(path, run.numbers):
            terminals[number] = Terminal(number, run.station, run.merchant, services, run.merchant in keeps_hours, role)
    zone, day_starts = _calendar(path, file.campus)
    limits, class_limits = _limits(path, file.limits)
    order, prices = _spending_order(path, file.purses), _prices(path, file)
    fee = _yuan(path, "card_office.replacement_fee", file.card_office.replacement_fee)
    pin_keys = _pin_keys(secrets, secrets_file.pin)
    return Campus(
        file.campus.name, zone, day_starts, limits, order, terminals, keys, class_limits, fee, prices, pin_keys
    )


def _decode(path: Path, shape: type[T]) -> T:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=shape)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise BadInputError(f"{path}: {_key_first(str(error))}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadInputError(f"{path}: {error}") from error


def _key_first(explanation: str) -> str:
    """What msgspec says of a wrong shape, in words, with the key before it."""
    reason, _, place = explanation.partition(" - at `$.")
    if (kind := re.fullmatch(r"Expected `(\w+)[^`]*`, got `\w+`", reason)) is not None:
        reason = f"expected {_KINDS.get(kind[1], kind[1])}"
    return f"{place.rstrip('`') or 'the file'}: {reason[:1].lower()}{reason[1:]}"


def _calendar(path: Path, section: _CampusSection) -> tuple[ZoneInfo, time]:
    try:
        zone = ZoneInfo(section.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInputError(
            f"{path}: campus.time_zone {section.time_zone!r} is not known, such as Asia/Shanghai"
        ) from error
    try:
        return zone, time.fromisoformat(section.business_day_starts)
    except ValueError as error:
        raise BadInputError(f"{path}: campus.business_day_starts: {error}; write it like 04:00") from error


def _limits(path: Path, section: _LimitsSection) -> tuple[Limits, dict[str, Limits]]:
    values = msgspec.to_builtins(section)
    by_class = {name: values.pop(name) for name in PERSON_CLASSES}
    everybody = _changed_limits(f"{path}: limits", Limits(), values)
    return everybody, {
        name: _changed_limits(f"{path}: limits.{name}", everybody, changes)
        for name, changes in by_class.items()
        if changes
    }


def _changed_limits(place: str, limits: Limits, values: dict[str, str | int]) -> Limits:
    for name, value in values.items():
        if name not in Limits.__struct_fields__:
            raise BadInputError(f"{place}.{name}: there is no such limit")
        try:
            limits = replace(limits, **{name: parse_yuan(value) if isinstance(value, str) else value})
        except ValueError as error:
            raise BadInputError(f"{place}.{name}: {error}") from error
    return limits


def _yuan(path: Path, key: str, text: str) -> int:
    try:
        return parse_yuan(text)
    except ValueError as error:
        raise BadInputError(f"{path}: {key}: {error}") from error


def _roles(path: Path, file: _CampusFile) -> dict[str, str]:
    """The role of each operator station."""
    known = {role.name for role in file.roles}
    roles = {station.name: station.role for station in file.stations if station.role is not None}
    for station, role in roles.items():
        if role not in known:
            raise BadInputError(f"{path}: stations, {station}: role {role!r} is not one of {', '.join(sorted(known))}")
    return roles


def _prices(path: Path, file: _CampusFile) -> dict[tuple[str, int], tuple[PriceRule, ...]]:
    periods = [period.name for period in file.meal_periods]
    prices: dict[tuple[str, int], tuple[PriceRule, ...]] = {}
    for row in file.prices:
        try:
            fixed = None if row.fixed is None else parse_yuan(row.fixed)
        except ValueError as error:
            raise BadInputError(f"{path}: prices.fixed: {error}") from error
        if row.period is not None and row.period not in periods:
            raise BadInputError(f"{path}: prices.period {row.period!r} is not one of {', '.join(periods)}")
        rule = PriceRule(row.percent, fixed, None if row.period is None else periods.index(row.period))
        key = row.person_class, row.merchant
        prices[key] = (*prices.get(key, ()), rule)
    return prices


def _spending_order(path: Path, section: _PursesSection) -> tuple[int, ...]:
    if sorted(section.spending_order) != sorted(PURSES):
        raise BadInputError(f"{path}: purses.spending_order: expected each of {', '.join(PURSES)} once")
    return tuple(PURSES.index(purse) for purse in section.spending_order)


def _numbers(path: Path, text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise BadInputError(f"{path}: terminals.numbers {text!r} is neither a number nor a run like 1001-1024")
    return range(int(first), int(last or first) + 1)


def _pin_keys(path: Path, section: _PinSection) -> dict[int, bytes]:
    try:
        keys = {int(number): bytes.fromhex(text) for number, text in section.terminals.items()}
    except ValueError as error:
        raise BadInputError(f'{path}: pin.terminals: expected lines like `1001 = "64 hex characters"`') from error
    if any(len(key) != KEY_BYTES for key in keys.values()):
        raise BadInputError(f"{path}: pin.terminals: expected keys of {KEY_BYTES} bytes")
    return keys if section.hash_key else {}


def _newest_key(path: Path, station: str, numbered: dict[str, Any]) -> StationKey:
    try:
        number = max(int(text) for text in numbered)
        key = bytes.fromhex(numbered[str(number)])
    except (ValueError, KeyError) as error:
        raise BadInputError(f'{path}: stations.{station}: expected `1 = "64 hex characters"`') from error
    if len(key) != KEY_BYTES:
        raise BadInputError(f"{path}: stations.{station}.{number}: a key of {len(key)} bytes, expected {KEY_BYTES}")
    return StationKey(number, key)
