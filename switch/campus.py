"""The campus file: who sells where, who connects, and within which limits.

Reading goes in two steps. msgspec checks the shape (keys and types) and stops at its first mistake; then the meaning
(references, ranges, order) is checked as a whole, so that one attempt shows every mistake that is left.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Iterable, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from actors.account.card import PersonClass
from actors.calendar import WORKING_WEEKDAYS, Calendar, MealPeriod
from actors.policy import (
    HOLD_LIFETIME_US,
    OPERATOR_COMMANDS,
    REVIEW_WORKING_DAYS,
    SPENDING_ORDER,
    Limits,
    OfflineLimits,
    Policy,
    Price,
    Purse,
    Service,
    Terminal,
)
from switch.shape import shape_in_words
from wire.channel import RECORD_BYTES_MAX

AMOUNT_MINOR_MAX = 100_000_000
"""The largest amount of money that a file may hold: 1,000,000.00 yuan."""
TERMINALS_MAX = 100_000
STATION_NAME = re.compile(r"[a-z0-9-]{1,32}")
_YUAN = re.compile(r"[0-9]+(\.[0-9]{1,2})?")

_INQUIRIES = (Service.BALANCE_INQUIRY, Service.MINI_STATEMENT)
_SELLS = frozenset({Service.PURCHASE, Service.REVERSAL, Service.REFUND, *_INQUIRIES})

_MINUTE_US = 60_000_000

SERVICES_BY_KIND = {
    **dict.fromkeys(("canteen", "shop"), _SELLS | {Service.ADVICE}),
    **dict.fromkeys(("bath", "charger", "printer"), _SELLS | {Service.HOLD, Service.CAPTURE, Service.RELEASE}),
    "top-up": frozenset(
        {Service.TOP_UP, Service.SUBSIDY_CLAIM, Service.REVERSAL, Service.BALANCE_INQUIRY, Service.MINI_STATEMENT}
    ),
    "kiosk": frozenset({*_INQUIRIES, Service.SUBSIDY_CLAIM, Service.REPORT_LOSS, Service.CHANGE_PIN}),
    "gate": frozenset({Service.BALANCE_INQUIRY}),
}
"""What a terminal may ask for follows from its kind; of an operator's terminal, from the role of its station."""

OPERATOR = "operator"
_KINDS = (*SERVICES_BY_KIND, OPERATOR)
_COMMANDS = {command.value: command for command in OPERATOR_COMMANDS}

PROMPTS = {
    "canteen": "Please tap your card",
    "shop": "Please tap your card",
    "bath": "Tap your card to open the water",
    "charger": "Tap your card to start charging",
    "printer": "Tap your card to print",
    "top-up": "Tap your card to add money",
    "kiosk": "Tap your card to see your account",
    "gate": "Please tap your card",
    OPERATOR: "Card office",
}
"""What a terminal of a kind shows while it waits, unless the campus chooses its own words."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class ConfigurationError(Exception):
    """A configuration file cannot be used. The text has a line for each of `mistakes`, led by the file's name."""

    def __init__(self, path: Path, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(f"{path}: {mistake}" for mistake in mistakes))
        self.path = path
        self.mistakes = tuple(mistakes)


class SessionLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """What one station, one terminal, and all of them together may take of the switch."""

    connections_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    in_flight_max: Annotated[int, Meta(ge=1, le=65_535)] = 256
    """Requests in flight per session."""
    record_bytes_max: Annotated[int, Meta(ge=1_024, le=RECORD_BYTES_MAX)] = RECORD_BYTES_MAX
    sign_on_seconds: Seconds = 10
    """Time limit from connect to sign-on."""
    idle_seconds: Seconds = 300
    echo_seconds: Seconds = 60
    requests_per_second_per_terminal: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    mailbox_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 16_384


class MealPeriodEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A meal period as it is written: its name, and the local time before which it ends."""

    name: Name
    until: str


_MealPeriods = Annotated[tuple[MealPeriodEntry, ...], Meta(max_length=24)]


class Merchant(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody whose sales are totalled. `open` names the meal periods in which it sells; None: always."""

    number: Annotated[int, Meta(ge=1, le=99_999_999)]
    name: Name
    site: str
    open: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    meal_periods: _MealPeriods | None = None
    """The campus's, by name and in order, where they end at other times for its customers."""


class Campus(Struct, frozen=True):
    """A campus file that was found to be right."""

    name: str
    policy: Policy
    stations: dict[str, frozenset[int]]
    """The numbers of the terminals that each station speaks for."""
    merchants: dict[int, Merchant]
    sessions: SessionLimits
    prompts: dict[int, str]
    """What each terminal shows while it waits for a card."""
    merchant_kinds: dict[int, str] = {}
    """Of each merchant with terminals, the first of their kinds, in the order of `SERVICES_BY_KIND`."""
    station_sites: dict[str, str] = {}
    """Where each station is, but for operator stations."""


class _General(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    time_zone: str
    business_day_starts: str = "00:00"


class _ClassLimits(Struct, frozen=True, forbid_unknown_fields=True):
    purchase_max: str | None = None
    day_max: str | None = None
    top_up_max: str | None = None
    balance_max: str | None = None
    period_max: str | None = None
    day_count_max: Count | None = None
    period_count_max: Count | None = None
    balance_min: str | None = None


class _Limits(Struct, frozen=True, forbid_unknown_fields=True, rename={"service_staff": "service-staff"}):
    purchase_max: str
    day_max: str
    top_up_max: str
    balance_max: str
    period_max: str = "0.00"
    day_count_max: Count = 0
    period_count_max: Count = 0
    balance_min: str = "0.00"
    student: _ClassLimits | None = None
    staff: _ClassLimits | None = None
    administrator: _ClassLimits | None = None
    service_staff: _ClassLimits | None = None
    visitor: _ClassLimits | None = None


_PURSES = tuple(purse.value for purse in Purse)


class _Purses(Struct, frozen=True, forbid_unknown_fields=True):
    spending_order: tuple[str, ...] = tuple(_PURSES[place] for place in SPENDING_ORDER)


class _Offline(Struct, frozen=True, forbid_unknown_fields=True):
    floor: str = "50.00"
    total: str = "2000.00"


class _Site(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_Dates = Annotated[tuple[date, ...], Meta(max_length=1_000)]


class _CardOffice(Struct, frozen=True, forbid_unknown_fields=True):
    replacement_fee: str = "0.00"
    review_working_days: Annotated[int, Meta(ge=1, le=30)] = REVIEW_WORKING_DAYS
    working_days: Annotated[tuple[str, ...], Meta(min_length=1)] = tuple(
        name for place, name in enumerate(_WEEKDAYS) if place in WORKING_WEEKDAYS
    )
    holidays: _Dates = ()
    extra_working_days: _Dates = ()


class _Role(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    commands: Annotated[tuple[str, ...], Meta(min_length=1)]


class _Station(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    site: str
    role: str | None = None


class _TerminalRun(Struct, frozen=True, forbid_unknown_fields=True):
    numbers: str
    station: str
    merchant: int
    kind: str


class _Price(Struct, frozen=True, forbid_unknown_fields=True, rename={"person_class": "class"}):
    person_class: str
    merchant: int
    period: str | None = None
    percent: Annotated[int, Meta(ge=-100, le=100)] | None = None
    fixed: str | None = None


class _Holds(Struct, frozen=True, forbid_unknown_fields=True):
    lifetime_minutes: Annotated[int, Meta(ge=1, le=10_080)] = HOLD_LIFETIME_US // _MINUTE_US


class _CampusFile(Struct, frozen=True, forbid_unknown_fields=True):
    campus: _General
    limits: _Limits
    sites: Annotated[tuple[_Site, ...], Meta(min_length=1)]
    merchants: Annotated[tuple[Merchant, ...], Meta(min_length=1)]
    stations: Annotated[tuple[_Station, ...], Meta(min_length=1)]
    terminals: Annotated[tuple[_TerminalRun, ...], Meta(min_length=1)]
    meal_periods: _MealPeriods = ()
    prompts: dict[str, Name] = {}
    purses: _Purses = _Purses()
    offline: _Offline = _Offline()
    card_office: _CardOffice = _CardOffice()
    roles: tuple[_Role, ...] = ()
    prices: tuple[_Price, ...] = ()
    holds: _Holds = _Holds()
    sessions: SessionLimits = SessionLimits()


def read_campus(path: Path) -> Campus:
    """The campus that the file at `path` describes. Raises ConfigurationError."""
    document = read_toml(path)
    try:
        file = msgspec.convert(document, _CampusFile)
    except msgspec.ValidationError as error:
        raise ConfigurationError(path, [_key_first(str(error), document)]) from None
    check = _Check(file)
    campus = check.campus()
    if check.mistakes:
        raise ConfigurationError(path, check.mistakes)
    return campus


def read_toml(path: Path, *, secret: bool = False) -> dict[str, Any]:
    """The document at `path` (UTF-8, a byte order mark is allowed). Raises ConfigurationError.

    The error says where the syntax is broken; of a `secret` file it never quotes anything.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(path, [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(path, [f"is not UTF-8 at byte {error.start}; save it as UTF-8"]) from None
    except (ValueError, RecursionError) as error:
        place = re.search(r"at (line \d+, column \d+|end of document)", str(error))
        reason = f"broken {place[0] if place else 'somewhere'}" if secret else str(error)
        raise ConfigurationError(path, [f"is not TOML: {reason}"]) from None


def minor_units(yuan: str) -> int:
    """Minor units of an amount such as "120.00", from 0 to AMOUNT_MINOR_MAX. Raises ValueError."""
    if yuan.startswith("-"):
        raise ValueError(f"{yuan[:40]!r} is negative; expected 0.00 or more")
    if not _YUAN.fullmatch(yuan):
        raise ValueError(f"{yuan[:40]!r} is not an amount; expected yuan with at most two decimals, such as 120.00")
    amount = Decimal(yuan) * 100
    if amount > AMOUNT_MINOR_MAX:
        raise ValueError(f"{yuan[:40]!r} is too large; expected at most {AMOUNT_MINOR_MAX // 100}.00")
    return int(amount)


def _key_first(explanation: str, document: dict[str, Any]) -> str:
    """What msgspec says of a wrong shape, in the words of the file's writer, with the key path before it."""
    reason, _, place = explanation.partition(" - at `$.")
    place = place.rstrip("`")
    field = re.fullmatch(r"Object (missing required|contains unknown) field `(.*)`", reason, re.DOTALL)
    if field is None:
        return f"{place}: {shape_in_words(reason, _value_at(document, place))}"
    key = f"{place}.{field[2]}" if place else field[2]
    mistake = "is missing" if field[1] == "missing required" else "is unknown"
    return f"{key}: this key {mistake}; the file that `tapswitch init` writes explains every key"


def _value_at(document: Any, place: str) -> Any:
    """What stands at a key path such as `merchants[0].number`; None where that cannot be told."""
    for key, index in re.findall(r"([^.\[\]]+)|\[([0-9]+)\]", place):
        try:
            document = document[int(index) if index else key]
        except (LookupError, TypeError):  # under a key of any name, msgspec writes [...]
            return None
    return document


def _local_time(text: str) -> time:
    if re.fullmatch(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", text):
        return time.fromisoformat(text)
    raise ValueError("not a local time")


class _Check:
    """Turns the sections into values; a mistake is noted under its key path and the work goes on."""

    def __init__(self, file: _CampusFile) -> None:
        self.file = file
        self.mistakes: list[str] = []
        self._kinds: dict[int, str] = {}
        """Of the terminals that were read so far."""

    def campus(self) -> Campus:
        file = self.file
        if file.sessions.echo_seconds >= file.sessions.idle_seconds:
            self._note("sessions.echo_seconds", "expected less than idle_seconds, or every quiet session is closed")
        self._names("sites", [site.name for site in file.sites])
        calendar = self._calendar()
        merchants = self._merchants()
        terminals, stations = self._terminals(merchants, self._stations(), self._roles())
        limits, class_limits = self._limits()
        fee = self._amount("card_office.replacement_fee", file.card_office.replacement_fee)
        order, prices = self._spending_order(), self._prices(merchants)
        lifetime_us = file.holds.lifetime_minutes * _MINUTE_US
        policy = Policy(
            limits, terminals, calendar, order, class_limits, fee, self._offline(), prices,
            hold_lifetime_us=lifetime_us, review_working_days=file.card_office.review_working_days,
            own_calendars=self._own_calendars(calendar, terminals),
        )  # fmt: skip
        return Campus(
            file.campus.name, policy, stations, merchants, file.sessions, self._prompts(), self._merchant_kinds(),
            {station.name: station.site for station in file.stations if station.role is None},
        )  # fmt: skip

    def _note(self, key: str, explanation: str) -> None:
        self.mistakes.append(f"{key}: {explanation}")

    def _names(self, section: str, names: Iterable[object], field: str = "name") -> None:
        first: dict[object, int] = {}
        for place, name in enumerate(names):
            if first.setdefault(name, place) != place:
                earlier = f"{section}[{first[name]}]"
                self._note(f"{section}[{place}].{field}", f"{name!r} already stands in {earlier}; expected another")

    def _reference(self, key: str, value: object, known: Container[object], section: str) -> None:
        if value not in known:
            self._note(key, f"{value!r} is not declared; expected one of those in [[{section}]]")

    def _limits(self) -> tuple[Limits, dict[PersonClass, Limits]]:
        """Those of everybody, and those of each class that has values of its own."""
        everybody = self._changed_limits("limits", Limits(0, 0, 0, 0), self.file.limits)
        changes = {person: getattr(self.file.limits, person.name.lower()) for person in PersonClass}
        return everybody, {
            person: self._changed_limits(f"limits.{person}", everybody, section)
            for person, section in changes.items()
            if section is not None
        }

    def _changed_limits(self, key: str, limits: Limits, section: _Limits | _ClassLimits) -> Limits:
        given = {name: value for name in Limits.__struct_fields__ if (value := getattr(section, name)) is not None}
        limits = replace(
            limits,
            **{
                name: self._amount(f"{key}.{name}", value) if isinstance(value, str) else value
                for name, value in given.items()
            },
        )
        own_balances = "balance_max" in given or "balance_min" in given
        if own_balances and limits.balance_max and limits.balance_min >= limits.balance_max:
            self._note(f"{key}.balance_min", "expected less than balance_max, or nobody could spend anything")
        return limits

    def _offline(self) -> OfflineLimits:
        offline = OfflineLimits(
            floor=self._amount("offline.floor", self.file.offline.floor),
            total=self._amount("offline.total", self.file.offline.total),
        )
        if offline.floor > offline.total:
            self._note("offline.floor", "expected no more than total, or no card could ever reach it")
        return offline

    def _spending_order(self) -> tuple[int, ...]:
        order = self.file.purses.spending_order
        if sorted(order) != sorted(_PURSES):
            expected = f"expected each of {', '.join(_PURSES)} once, in the order in which a purchase draws on them"
            self._note("purses.spending_order", f"{list(order)}: {expected}")
            return SPENDING_ORDER
        return tuple(map(_PURSES.index, order))

    def _roles(self) -> dict[str, frozenset[Service]]:
        """What each role permits."""
        self._names("roles", [role.name for role in self.file.roles])
        for place, role in enumerate(self.file.roles):
            for index, command in enumerate(role.commands):
                if command not in _COMMANDS:
                    expected = f"expected one of {', '.join(_COMMANDS)}"
                    self._note(f"roles[{place}].commands[{index}]", f"{command!r} is no operator command; {expected}")
        return {
            role.name: frozenset(_COMMANDS[command] for command in role.commands if command in _COMMANDS)
            for role in self.file.roles
        }

    def _prices(self, merchants: Container[int]) -> dict[tuple[PersonClass, int, int], Price]:
        """By meal period, and after the last one. A rule that names its period takes the place of one that does not."""
        periods = [period.name for period in self.file.meal_periods]
        first: dict[tuple[str, int, str | None], int] = {}
        general: dict[tuple[PersonClass, int, int], Price] = {}
        special: dict[tuple[PersonClass, int, int], Price] = {}
        for place, row in enumerate(self.file.prices):
            key = f"prices[{place}]"
            earlier = first.setdefault((row.person_class, row.merchant, row.period), place)
            if earlier != place:
                self._note(
                    key, f"prices[{earlier}] has the same class, merchant and period; expected one rule for them"
                )
            self._reference(f"{key}.merchant", row.merchant, merchants, "merchants")
            person_class, price = self._person_class(f"{key}.class", row.person_class), self._price(key, row)
            if row.period is None:
                general |= {(person_class, row.merchant, index): price for index in range(len(periods) + 1)}
            elif row.period in periods:
                special[person_class, row.merchant, periods.index(row.period)] = price
            else:
                self._reference(f"{key}.period", row.period, periods, "meal_periods")
        return general | special

    def _person_class(self, key: str, name: str) -> PersonClass:
        try:
            return PersonClass(name)
        except ValueError:
            self._note(key, f"{name!r} is unknown; expected one of {', '.join(PersonClass)}")
            return PersonClass.VISITOR

    def _price(self, key: str, row: _Price) -> Price:
        if (row.percent is None) == (row.fixed is None):
            found = "neither" if row.fixed is None else "both"
            self._note(key, f"{found} of percent and fixed are there; expected one of them")
        if row.fixed is not None:
            return Price(0, self._amount(f"{key}.fixed", row.fixed))
        return Price(100 + (row.percent or 0), 0)

    def _prompts(self) -> dict[int, str]:
        """What each terminal that was read shows."""
        chosen = self.file.prompts
        for kind in chosen:
            if kind not in PROMPTS:
                self._note(f"prompts.{kind}", f"{kind!r} is no kind; expected one of {', '.join(PROMPTS)}")
        by_kind = {**PROMPTS, **chosen}
        return {number: by_kind[kind] for number, kind in self._kinds.items() if kind in by_kind}

    def _merchant_kinds(self) -> dict[int, str]:
        known = [run for run in self.file.terminals if run.kind in _KINDS]
        known.sort(key=lambda run: _KINDS.index(run.kind), reverse=True)
        return {run.merchant: run.kind for run in known}

    def _amount(self, key: str, text: str) -> int:
        try:
            return minor_units(text)
        except ValueError as error:
            self._note(key, str(error))
            return 0

    def _time(self, key: str, text: str) -> time:
        try:
            return _local_time(text)
        except ValueError:
            self._note(key, f"{text!r} is not a local time; expected HH:MM or HH:MM:SS")
            return time.max

    def _calendar(self) -> Calendar:
        general, periods = self.file.campus, self.file.meal_periods
        self._names("meal_periods", [period.name for period in periods])
        cut_over = self._time("campus.business_day_starts", general.business_day_starts)
        return Calendar(
            self._zone(general.time_zone),
            cut_over,
            self._meal_periods("meal_periods", periods),
            self._working_weekdays(),
            frozenset(self.file.card_office.holidays),
            self._extra_working_days(),
        )

    def _meal_periods(self, section: str, periods: Sequence[MealPeriodEntry]) -> tuple[MealPeriod, ...]:
        untils = [self._time(f"{section}[{place}].until", period.until) for place, period in enumerate(periods)]
        for place, (earlier, later) in enumerate(zip([time.min, *untils], untils, strict=False)):
            if later <= earlier and time.max not in {earlier, later}:
                self._note(f"{section}[{place}].until", f"expected a time later than {earlier}: periods are in order")
        return tuple(MealPeriod(period.name, until) for period, until in zip(periods, untils, strict=True))

    def _own_calendars(self, calendar: Calendar, terminals: dict[int, Terminal]) -> dict[int, Calendar]:
        """By terminal; none where its merchant's meal periods are those of the campus."""
        names = [period.name for period in calendar.periods]
        by_merchant: dict[int, Calendar] = {}
        for place, merchant in enumerate(self.file.merchants):
            if merchant.meal_periods is None:
                continue
            key = f"merchants[{place}].meal_periods"
            periods = self._meal_periods(key, merchant.meal_periods)
            own_names = [period.name for period in periods]
            if own_names != names:
                # Limits of a period hold at all merchants together, so they must speak of the same periods.
                expected = f"{', '.join(names)}, as in [[meal_periods]]" if names else "none, as in [[meal_periods]]"
                self._note(key, f"{', '.join(own_names) or 'none'}; expected {expected}; only `until` may differ")
            elif periods != calendar.periods:
                by_merchant[merchant.number] = replace(calendar, periods=periods)
        return {
            terminal.number: by_merchant[terminal.merchant]
            for terminal in terminals.values()
            if terminal.merchant in by_merchant
        }

    def _working_weekdays(self) -> frozenset[int]:
        names = self.file.card_office.working_days
        for place, name in enumerate(names):
            if name not in _WEEKDAYS:
                expected = f"expected one of {', '.join(_WEEKDAYS)}"
                self._note(f"card_office.working_days[{place}]", f"{name!r} is no weekday; {expected}")
        return frozenset(place for place, name in enumerate(_WEEKDAYS) if name in names)

    def _extra_working_days(self) -> frozenset[date]:
        office = self.file.card_office
        for place, day in enumerate(office.extra_working_days):
            if day in office.holidays:
                self._note(f"card_office.extra_working_days[{place}]", f"{day} already stands in holidays")
        return frozenset(office.extra_working_days)

    def _zone(self, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            self._note("campus.time_zone", f"{name!r} is unknown; expected a name such as Asia/Shanghai")
            return ZoneInfo("UTC")

    def _merchants(self) -> dict[int, Merchant]:
        sites = {site.name for site in self.file.sites}
        periods = {period.name for period in self.file.meal_periods}
        merchants = self.file.merchants
        self._names("merchants", [merchant.number for merchant in merchants], "number")
        for place, merchant in enumerate(merchants):
            self._reference(f"merchants[{place}].site", merchant.site, sites, "sites")
            for index, period in enumerate(merchant.open or ()):
                self._reference(f"merchants[{place}].open[{index}]", period, periods, "meal_periods")
        return {merchant.number: merchant for merchant in merchants}

    def _stations(self) -> list[str]:
        roles = {role.name for role in self.file.roles}
        sites = {site.name for site in self.file.sites}
        self._names("stations", [station.name for station in self.file.stations])
        for place, station in enumerate(self.file.stations):
            if not STATION_NAME.fullmatch(station.name):
                explanation = f"{station.name!r}: expected 1 to 32 of the characters a-z, 0-9 and -"
                self._note(f"stations[{place}].name", explanation)
            self._reference(f"stations[{place}].site", station.site, sites, "sites")
            if station.role is not None:
                self._reference(f"stations[{place}].role", station.role, roles, "roles")
        return [station.name for station in self.file.stations]

    def _terminals(
        self, merchants: dict[int, Merchant], stations: list[str], roles: dict[str, frozenset[Service]]
    ) -> tuple[dict[int, Terminal], dict[str, frozenset[int]]]:
        order = {period.name: index for index, period in enumerate(self.file.meal_periods)}
        open_periods = {
            number: None if merchant.open is None else frozenset(order[name] for name in merchant.open if name in order)
            for number, merchant in merchants.items()
        }
        terminals: dict[int, Terminal] = {}
        spoken_for: dict[str, set[int]] = {station: set() for station in stations}
        role_of = {station.name: station.role for station in self.file.stations}
        for place, run in enumerate(self.file.terminals):
            key = f"terminals[{place}]"
            self._reference(f"{key}.station", run.station, spoken_for, "stations")
            self._reference(f"{key}.merchant", run.merchant, merchants, "merchants")
            role = role_of.get(run.station)
            self._kind(f"{key}.kind", run, role)
            services = SERVICES_BY_KIND.get(run.kind, frozenset()) if role is None else roles.get(role, frozenset())
            numbers = self._run(f"{key}.numbers", run.numbers, terminals)
            self._kinds |= dict.fromkeys(numbers, run.kind)
            terminals |= {
                number: Terminal(number, run.merchant, services, open_periods.get(run.merchant), role)
                for number in numbers
            }
            if run.station in spoken_for:
                spoken_for[run.station].update(numbers)
        return terminals, {station: frozenset(numbers) for station, numbers in spoken_for.items()}

    def _kind(self, key: str, run: _TerminalRun, role: str | None) -> None:
        """A kind that there is, and an operator's terminals at a station with a role and nowhere else."""
        if run.kind not in _KINDS:
            self._note(key, f"{run.kind!r} is unknown; expected one of {', '.join(_KINDS)}")
        elif run.kind == OPERATOR and role is None:
            self._note(key, f"{run.station!r} is no operator station; expected a role in its [[stations]] entry")
        elif run.kind != OPERATOR and role is not None:
            self._note(key, f"{run.kind!r} at an operator station; expected {OPERATOR}, or a station without a role")

    def _run(self, key: str, text: str, taken: dict[int, Terminal]) -> range:
        """The numbers of a run such as "1001-1024" or "1001"; empty when it has a mistake."""
        match = re.fullmatch(r"([0-9]{1,8})(?:-([0-9]{1,8}))?", text)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            self._note(key, f"{text!r} is no run; expected numbers from 1 to 99999999 such as 1001-1024, or just 1001")
            return range(0)
        numbers = range(first, last + 1)
        if len(taken) + len(numbers) > TERMINALS_MAX:
            self._note(
                key, f"{len(taken) + len(numbers)} terminals so far; expected at most {TERMINALS_MAX} at a campus"
            )
            return range(0)
        twice = next((number for number in numbers if number in taken), None)
        if twice is not None:
            self._note(key, f"terminal {twice} stands in an earlier run too; expected each number once")
            return range(0)
        return numbers
