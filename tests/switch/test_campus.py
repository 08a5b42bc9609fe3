import re
import tomllib
from datetime import date, time
from importlib.resources import files

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.account.card import PersonClass
from actors.calendar import WORKING_WEEKDAYS
from actors.policy import (
    HOLD_LIFETIME_US,
    OPERATOR_COMMANDS,
    REVIEW_WORKING_DAYS,
    Limits,
    OfflineLimits,
    Price,
    Service,
)
from switch.campus import (
    AMOUNT_MINOR_MAX,
    PROMPTS,
    SERVICES_BY_KIND,
    TERMINALS_MAX,
    ConfigurationError,
    SessionLimits,
    minor_units,
    read_campus,
)
from wire.messages import TerminalNumber

EXAMPLE = files("switch").joinpath("example", "campus.toml").read_text("utf-8")


@pytest.fixture
def campus_file(tmp_path):
    return tmp_path / "campus.toml"


def mistakes(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as raised:
        read_campus(path)
    assert all(line.startswith(str(path)) for line in str(raised.value).splitlines())
    assert raised.value.path == path
    return list(raised.value.mistakes)


def changed(old, new):
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new, 1)


def test_the_example_is_a_campus(campus_file):
    campus_file.write_text(EXAMPLE)
    campus = read_campus(campus_file)
    assert campus.name == "Example University"
    assert campus.policy.limits == Limits(20_000, 50_000, 100_000, 500_000)
    assert campus.policy.class_limits == {PersonClass.VISITOR: Limits(20_000, 15_000, 100_000, 500_000)}
    assert campus.policy.calendar.zone.key == "Asia/Shanghai"
    assert campus.policy.calendar.cut_over == time(0, 0)
    assert [period.until for period in campus.policy.calendar.periods] == [
        time(10),
        time(14),
        time(20),
        time(23, 59, 59),
    ]
    assert campus.stations["office-1"] == {9001, 9002, 9101}
    assert campus.stations["south-1"] == {*range(2001, 2017), *range(3001, 3005)}
    assert set(campus.policy.terminals) == set().union(*campus.stations.values())
    assert campus.policy.terminals[1024].merchant == 1
    assert campus.policy.terminals[1024].open_periods == {0, 1, 2, 3}
    assert campus.policy.terminals[3001].open_periods is None
    assert campus.policy.terminals[9001].services == SERVICES_BY_KIND["top-up"]
    assert campus.merchants[9].name == "Card office"
    assert campus.policy.replacement_fee == 1_500
    assert campus.policy.review_working_days == REVIEW_WORKING_DAYS
    assert campus.policy.calendar.working_weekdays == WORKING_WEEKDAYS
    assert campus.policy.calendar.holidays == campus.policy.calendar.extra_working_days == frozenset()
    clerk, manager = campus.policy.terminals[9201], campus.policy.terminals[9202]
    assert (clerk.role, manager.role) == ("clerk", "manager")
    assert manager.services == {*OPERATOR_COMMANDS}
    assert manager.services - clerk.services == {
        Service.FREEZE_CARD, Service.UNFREEZE_CARD, Service.CLOSE_ACCOUNT, Service.CORRECT_ENTRY,
        Service.GRANT_SUBSIDY, Service.BIND_FAMILY, Service.UNBIND_FAMILY, Service.SET_FAMILY_POLICY,
        Service.CREDIT_FAMILY, Service.SETTLE, Service.EXPLAIN_GAP,
    }  # fmt: skip
    assert campus.policy.prices == {
        **{("staff", 3, period): Price(90, 0) for period in range(5)},
        ("service-staff", 1, 1): Price(0, 800),
    }
    assert campus.sessions == SessionLimits()


def test_the_example_shows_every_session_limit_with_its_default():
    assert tomllib.loads(EXAMPLE)["sessions"] == msgspec.to_builtins(SessionLimits())


def test_the_example_shows_what_may_be_accepted_offline_by_default():
    shown = {key: minor_units(text) for key, text in tomllib.loads(EXAMPLE)["offline"].items()}
    assert shown == msgspec.to_builtins(OfflineLimits())


def test_when_the_card_office_works(campus_file):
    text = changed("review_working_days = 3", "review_working_days = 5")
    for old, new in (
        ('["mon", "tue", "wed", "thu", "fri"]', '["sun", "mon"]'),
        ("\nholidays = []", '\nholidays = [2026-10-01, "2026-10-02"]'),
        ("extra_working_days = []", "extra_working_days = [2026-10-10]"),
    ):
        text = text.replace(old, new)
    campus_file.write_text(text)
    policy = read_campus(campus_file).policy
    assert policy.review_working_days == 5
    assert policy.calendar.working_weekdays == {0, 6}
    assert policy.calendar.holidays == {date(2026, 10, 1), date(2026, 10, 2)}
    assert policy.calendar.extra_working_days == {date(2026, 10, 10)}


def test_day_that_is_a_holiday_and_is_worked(campus_file):
    text = changed("\nholidays = []", "\nholidays = [2026-10-01]")
    text = text.replace("extra_working_days = []", "extra_working_days = [2026-10-10, 2026-10-01]")
    assert mistakes(campus_file, text) == ["card_office.extra_working_days[1]: 2026-10-01 already stands in holidays"]


def with_offline(section):
    """The example with this instead of its section [offline]."""
    before, _, rest = EXAMPLE.partition("\n[offline]")
    return before + "\n" + section + rest[rest.index("\n[card_office]") :]


def test_what_may_be_accepted_offline(campus_file):
    for section, expected in (
        ("", OfflineLimits()),
        ('[offline]\nfloor = "20.00"\n', OfflineLimits(2_000, 200_000)),
        ('[offline]\nfloor = "0.00"\ntotal = "0.00"\n', OfflineLimits(0, 0)),
    ):
        campus_file.write_text(with_offline(section))
        assert read_campus(campus_file).policy.offline == expected


@pytest.mark.parametrize(
    ("section", "mistake"),
    [
        ('floor = "2000.01"', "offline.floor: expected no more than total, or no card could ever reach it"),
        ('total = "-1.00"', "offline.total: '-1.00' is negative; expected 0.00 or more"),
        ('floor = "a lot"', "offline.floor: 'a lot' is not an amount"),
        ("floor = 50", 'offline.floor: 50 is a number; expected text: write "50" in quotes'),
        ('ceiling = "1.00"', "offline.ceiling: this key is unknown"),
    ],
)
def test_mistakes_in_what_may_be_accepted_offline(campus_file, section, mistake):
    found = mistakes(campus_file, with_offline(f"[offline]\n{section}\n"))
    assert found[0].startswith(mistake)


def test_tills_of_canteens_and_shops_may_upload():
    assert {kind for kind, services in SERVICES_BY_KIND.items() if Service.ADVICE in services} == {"canteen", "shop"}


def test_whoever_sells_gives_refunds():
    assert {kind for kind, services in SERVICES_BY_KIND.items() if Service.REFUND in services} == {
        kind for kind, services in SERVICES_BY_KIND.items() if Service.PURCHASE in services
    }


def test_sessions_are_optional_and_each_key_of_them(campus_file):
    before, _, rest = EXAMPLE.partition("\n[sessions]")
    after = rest[rest.index("\n# Meal periods") :]
    campus_file.write_text(before + after)
    assert read_campus(campus_file).sessions == SessionLimits()
    campus_file.write_text(f"{before}\n[sessions]\nin_flight_max = 7\n{after}")
    assert read_campus(campus_file).sessions == SessionLimits(in_flight_max=7)


def test_every_limit_can_be_set_for_everybody_and_for_a_class(campus_file):
    everybody = 'period_max = "60.00"\nday_count_max = 9\nperiod_count_max = 3\nbalance_min = "20.00"\n'
    service_staff = '[limits.service-staff]\npurchase_max = "0"\nday_count_max = 0\nbalance_min = "1.00"\n'
    before, _, rest = EXAMPLE.partition("# Optional, with their defaults: no limit")
    campus_file.write_text(before + everybody + service_staff + rest[rest.index("\n[purses]") :])
    policy = read_campus(campus_file).policy
    assert policy.limits == Limits(20_000, 50_000, 100_000, 500_000, 6_000, 9, 3, 2_000)
    assert policy.class_limits == {PersonClass.SERVICE_STAFF: Limits(0, 50_000, 100_000, 500_000, 6_000, 0, 3, 100)}


def test_a_campus_without_the_later_limits_has_none(campus_file):
    before, _, rest = EXAMPLE.partition("# Optional, with their defaults: no limit")
    campus_file.write_text(before + rest[rest.index("\n[purses]") :])
    policy = read_campus(campus_file).policy
    assert (policy.limits, policy.class_limits) == (Limits(20_000, 50_000, 100_000, 500_000), {})


def with_prices(*rows):
    return EXAMPLE[: EXAMPLE.index("[[prices]]")] + "".join(f"[[prices]]\n{row}\n" for row in rows)


def test_a_campus_without_prices_has_none(campus_file):
    campus_file.write_text(with_prices())
    assert read_campus(campus_file).policy.prices == {}


@pytest.mark.parametrize("turned", [False, True])
def test_a_price_of_a_meal_period_comes_before_that_of_all(campus_file, turned):
    rows = [
        'class = "visitor"\nmerchant = 2\npercent = 15',
        'class = "visitor"\nmerchant = 2\nperiod = "dinner"\nfixed = "18.50"',
        'class = "visitor"\nmerchant = 2\nperiod = "night"\npercent = 0',
    ]
    campus_file.write_text(with_prices(*(reversed(rows) if turned else rows)))
    assert read_campus(campus_file).policy.prices == {
        ("visitor", 2, 0): Price(115, 0),
        ("visitor", 2, 1): Price(115, 0),
        ("visitor", 2, 2): Price(0, 1_850),
        ("visitor", 2, 3): Price(100, 0),
        ("visitor", 2, 4): Price(115, 0),
    }


@pytest.mark.parametrize(("percent", "price"), [(-100, Price(0, 0)), (100, Price(200, 0))])
def test_a_price_may_fall_to_nothing_and_double(campus_file, percent, price):
    campus_file.write_text(with_prices(f'class = "staff"\nmerchant = 1\npercent = {percent}'))
    assert set(read_campus(campus_file).policy.prices.values()) == {price}


@pytest.mark.parametrize(
    ("row", "key", "expected"),
    [
        ("merchant = 1\npercent = 5", "prices[0].class", "missing"),
        ('class = "staff"\npercent = 5', "prices[0].merchant", "missing"),
        ('class = "staff"\nmerchant = 1\nperson = 5', "prices[0].person", "unknown"),
        (
            'class = "staff"\nmerchant = 1\npercent = 10.5',
            "prices[0].percent",
            "expected a whole number without quotes",
        ),
        (
            'class = "staff"\nmerchant = 1\npercent = "10"',
            "prices[0].percent",
            "found text in quotes; expected a whole number",
        ),
        (
            'class = "staff"\nmerchant = 1\npercent = 101',
            "prices[0].percent",
            "101: expected a whole number of at most 100",
        ),
        (
            'class = "staff"\nmerchant = 1\npercent = -101',
            "prices[0].percent",
            "-101: expected a whole number of at least -100",
        ),
        (
            'class = "staff"\nmerchant = 1\nfixed = 5.0',
            "prices[0].fixed",
            '5.00 is a number; expected text: write "5.00"',
        ),
        ('class = "staff"\nmerchant = 1\nfixed = "-5.00"', "prices[0].fixed", "expected 0.00 or more"),
        ('class = "staff"\nmerchant = 1\nfixed = "5.005"', "prices[0].fixed", "at most two decimals"),
        ('class = "staff"\nmerchant = 1\nfixed = "1000000.01"', "prices[0].fixed", "at most 1000000.00"),
        ('class = "staff"\nmerchant = 1', "prices[0]", "neither of percent and fixed are there; expected one"),
        ('class = "staff"\nmerchant = 1\npercent = 5\nfixed = "5.00"', "prices[0]", "both of percent and fixed"),
        ('class = "teacher"\nmerchant = 1\npercent = 5', "prices[0].class", "one of student, staff, administrator"),
        ('class = "STAFF"\nmerchant = 1\npercent = 5', "prices[0].class", "one of student, staff, administrator"),
        ('class = "staff"\nmerchant = 4\npercent = 5', "prices[0].merchant", "[[merchants]]"),
        ('class = "staff"\nmerchant = 1\nperiod = "brunch"\npercent = 5', "prices[0].period", "[[meal_periods]]"),
    ],
)
def test_a_mistake_in_a_price_names_its_key_and_what_was_expected(campus_file, row, key, expected):
    [mistake] = mistakes(campus_file, with_prices(row))
    assert mistake.startswith(f"{key}: ")
    assert expected in mistake


@pytest.mark.parametrize("period", ["", '\nperiod = "lunch"'])
def test_two_prices_for_the_same_are_refused(campus_file, period):
    row = f'class = "staff"\nmerchant = 1{period}'
    [mistake] = mistakes(campus_file, with_prices(f"{row}\npercent = 5", f'{row}\nfixed = "5.00"'))
    assert mistake.startswith("prices[1]: prices[0] has the same class, merchant and period; expected one")


def test_merchants_have_kinds_and_stations_sites(campus_file):
    campus_file.write_text(EXAMPLE)
    campus = read_campus(campus_file)
    assert campus.merchant_kinds == {1: "canteen", 2: "canteen", 3: "shop", 9: "top-up"}
    assert campus.station_sites == {"north-1": "north", "south-1": "south", "office-1": "north"}


def test_prompts_are_optional_and_each_kind_of_them(campus_file):
    campus_file.write_text(changed("[prompts] ", "#").replace('canteen = "P', '# canteen = "P'))
    prompts = read_campus(campus_file).prompts
    assert set(prompts) == set(read_campus(campus_file).policy.terminals)
    assert (prompts[1001], prompts[9001], prompts[9101]) == (PROMPTS["canteen"], PROMPTS["top-up"], PROMPTS["kiosk"])
    campus_file.write_text(
        changed('"Please tap your card"', '"Tap, please"').replace("[prompts]", '[prompts]\ntop-up = "Coins"')
    )
    prompts = read_campus(campus_file).prompts
    assert (prompts[1001], prompts[3001], prompts[9001]) == ("Tap, please", PROMPTS["shop"], "Coins")
    assert set(PROMPTS) == {*SERVICES_BY_KIND, "operator"}


def test_meal_periods_fit_into_a_terminals_parameters(campus_file):
    period = '\n[[meal_periods]]\nname = "{0}"\nuntil = "23:59:{0}"\n'
    [mistake] = mistakes(
        campus_file,
        EXAMPLE.replace('until = "23:59:59"', 'until = "23:00"')
        + "".join(period.format(place) for place in range(10, 31)),
    )
    assert mistake.startswith("meal_periods: ")
    assert "a list with a length of at most 24" in mistake


OWN = """\
meal_periods = [
    { name = "breakfast", until = "10:00" },
    { name = "lunch", until = "13:30" },
    { name = "dinner", until = "20:00" },
    { name = "night", until = "23:59:59" },
]
"""


def test_a_merchant_may_have_meal_periods_of_its_own(campus_file):
    campus_file.write_text(EXAMPLE)
    policy = read_campus(campus_file).policy
    assert set(policy.own_calendars) == set(range(2001, 2017)), "those of the merchant that has some"
    own = policy.calendar_at(2001)
    assert [period.until for period in own.periods] == [time(10), time(13, 30), time(20), time(23, 59, 59)]
    assert replace(own, periods=policy.calendar.periods) == policy.calendar == policy.calendar_at(1001)
    campus_file.write_text(changed(OWN, OWN.replace("13:30", "14:00")))
    assert read_campus(campus_file).policy.own_calendars == {}, "they are those of the campus"


@pytest.mark.parametrize(
    ("right", "wrong", "key", "expected"),
    [
        ('"13:30"', '"lunch"', ".meal_periods[1].until", "'lunch' is not a local time; expected HH:MM or HH:MM:SS"),
        ('"13:30"', '"10:00"', ".meal_periods[1].until", "expected a time later than 10:00:00: periods are in order"),
        ('"13:30"', "13", ".meal_periods[1].until", "13 is a number; expected text"),
        ('"lunch", until', '"lunch", to', ".meal_periods[1].to", "unknown"),
        ('    { name = "lunch", until = "13:30" },\n', "", ".meal_periods", "breakfast, dinner, night; expected"),
        ('"lunch"', '"supper"', ".meal_periods", "expected breakfast, lunch, dinner, night, as in [[meal_periods]]"),
        ('"lunch"', '"dinner"', ".meal_periods", "breakfast, dinner, dinner, night; expected breakfast, lunch"),
        (OWN, "meal_periods = []\n", ".meal_periods", "none; expected breakfast, lunch, dinner, night"),
    ],
)
def test_a_mistake_in_a_merchants_meal_periods(campus_file, right, wrong, key, expected):
    assert OWN in EXAMPLE
    [mistake] = mistakes(campus_file, EXAMPLE.replace(OWN, OWN.replace(right, wrong)))
    where, _, explanation = mistake.partition(": ")
    assert where.removeprefix("merchants[1]").removeprefix("merchants[...]") in {key, key.replace("[1]", "[...]")}
    assert expected in explanation


def test_a_byte_order_mark_is_no_mistake(campus_file):
    campus_file.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.encode())
    assert read_campus(campus_file).name == "Example University"


METER = {Service.HOLD, Service.CAPTURE, Service.RELEASE}


def test_holds_stand_for_as_long_as_the_campus_says(campus_file):
    campus_file.write_text(EXAMPLE)
    assert read_campus(campus_file).policy.hold_lifetime_us == HOLD_LIFETIME_US
    assert tomllib.loads(EXAMPLE)["holds"] == {"lifetime_minutes": HOLD_LIFETIME_US // 60_000_000}
    campus_file.write_text(EXAMPLE.replace("lifetime_minutes = 180", "lifetime_minutes = 7"))
    assert read_campus(campus_file).policy.hold_lifetime_us == 7 * 60_000_000
    campus_file.write_text(re.sub(r"\[holds\].*\n.*\n", "", EXAMPLE))
    assert read_campus(campus_file).policy.hold_lifetime_us == HOLD_LIFETIME_US


def test_what_a_kind_of_terminal_may_ask_for():
    assert {kind for kind, services in SERVICES_BY_KIND.items() if Service.PURCHASE in services} == {
        "canteen",
        "shop",
        "bath",
        "charger",
        "printer",
    }
    assert {kind for kind, services in SERVICES_BY_KIND.items() if METER & services} == {"bath", "charger", "printer"}
    assert all(services >= METER for services in SERVICES_BY_KIND.values() if METER & services)
    assert {kind for kind, services in SERVICES_BY_KIND.items() if Service.TOP_UP in services} == {"top-up"}
    assert SERVICES_BY_KIND["kiosk"] == {
        Service.BALANCE_INQUIRY,
        Service.MINI_STATEMENT,
        Service.SUBSIDY_CLAIM,
        Service.REPORT_LOSS,
        Service.CHANGE_PIN,
    }
    assert SERVICES_BY_KIND["gate"] == {Service.BALANCE_INQUIRY}


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ('numbers = "9101"', 'number = "9101"', "terminals[4].number", "unknown"),
        ('time_zone = "Asia/Shanghai"', "", "campus.time_zone", "missing"),
        ("[limits]", "[limit]", "limit", "unknown"),
        ('"200.00"', "200.00", "limits.purchase_max", '200.00 is a number; expected text: write "200.00" in quotes'),
        (
            "day_count_max = 0",
            "day_count_max = -1",
            "limits.day_count_max",
            "-1: expected a whole number of at least 0",
        ),
        (
            "period_count_max = 0",
            'period_count_max = "3"',
            "limits.period_count_max",
            "found text in quotes; expected a whole number",
        ),
        ("[limits.visitor]", "[limits.visitors]", "limits.visitors", "unknown"),
        ("[limits.visitor]", "[limits.service_staff]", "limits.service_staff", "unknown"),
        ('day_max = "150.00"', 'dya_max = "200.00"', "limits.visitor.dya_max", "unknown"),
        ('"Please tap your card"', '""', "prompts[...]", "expected text with a length of at least 1"),
        ('"Please tap your card"', f'"{65 * "x"}"', "prompts[...]", "expected text with a length of at most 64"),
        ("in_flight_max = 256", "in_flight_max = 0", "sessions.in_flight_max", "expected a whole number of at least 1"),
        (
            "record_bytes_max = 65535",
            "record_bytes_max = 65536",
            "sessions.record_bytes_max",
            "65536: expected a whole number of at most 65535",
        ),
        ('"clerk"\ncommands', '"clerk"\ncommand', "roles[0].command", "unknown"),
        ('"15.00"', "15", "card_office.replacement_fee", 'write "15" in quotes'),
        ("review_working_days = 3", "review_working_days = 0", "card_office.review_working_days", "at least 1"),
        ("review_working_days = 3", "review_working_days = 31", "card_office.review_working_days", "at most 30"),
        ("review_working_days = 3", "review_working_days = 2.5", "card_office.review_working_days", "whole number"),
        ('["mon", "tue", "wed", "thu", "fri"]', "[]", "card_office.working_days", "a list with a length of at least 1"),
        ('["mon", "tue", "wed", "thu", "fri"]', "[1]", "card_office.working_days[0]", 'write "1" in quotes'),
        ("\nholidays = []", "\nholidays = 2026-10-01", "card_office.holidays", "expected a list in square brackets"),
        ("\nholidays = []", '\nholidays = ["1 October"]', "card_office.holidays[0]", "date"),
        ("\nholidays = []", "\nholiday = []", "card_office.holiday", "unknown"),
        ("number = 9\n", "number = 0\n", "merchants[3].number", "0: expected a whole number of at least 1"),
        (
            'open = ["breakfast", "lunch", "dinner"]',
            "open = []",
            "merchants[1].open",
            "a list with a length of at least 1",
        ),
    ],
)
def test_a_mistake_of_shape_names_its_key_and_what_was_expected(campus_file, old, new, key, expected):
    [mistake] = mistakes(campus_file, changed(old, new))
    assert mistake.startswith(f"{key}: ")
    assert expected in mistake


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ('"Asia/Shanghai"', '"Asia/Nowhere"', "campus.time_zone", "such as Asia/Shanghai"),
        ('"Asia/Shanghai"', '"Asia"', "campus.time_zone", "such as Asia/Shanghai"),
        ('"Asia/Shanghai"', '"../etc/passwd"', "campus.time_zone", "such as Asia/Shanghai"),
        ('"00:00"', '"24:00"', "campus.business_day_starts", "expected HH:MM"),
        ('"00:00"', '"4:00"', "campus.business_day_starts", "expected HH:MM"),
        ('"200.00"', '"200.001"', "limits.purchase_max", "at most two decimals"),
        ('"500.00"', '"-1.00"', "limits.day_max", "expected 0.00 or more"),
        ('period_max = "0.00"', 'period_max = "6,00"', "limits.period_max", "at most two decimals"),
        ('day_max = "150.00"', 'day_max = "-2"', "limits.visitor.day_max", "expected 0.00 or more"),
        ('balance_min = "0.00"', 'balance_min = "5000.00"', "limits.balance_min", "expected less than balance_max"),
        ('day_max = "150.00"', 'balance_min = "5000.00"', "limits.visitor.balance_min", "less than balance_max"),
        ('"1000.00"', '"1000000.01"', "limits.top_up_max", "expected at most 1000000.00"),
        ('"5000.00"', '"５000"', "limits.balance_max", "at most two decimals"),  # noqa: RUF001 - a full-width digit
        ('"15.00"', '"-15.00"', "card_office.replacement_fee", "expected 0.00 or more"),
        ('"thu", "fri"]', '"thu", "friday"]', "card_office.working_days[4]", "expected one of mon, tue, wed"),
        ('role = "clerk"', 'role = "boss"', "stations[3].role", "one of those in [[roles]]"),
        ('"review-loss", "found", "replace"', '"lose"', "roles[0].commands[4]", "expected one of open"),
        ('kind = "operator"', 'kind = "kiosk"', "terminals[5].kind", "expected operator"),
        ('kind = "kiosk"', 'kind = "operator"', "terminals[4].kind", "expected a role in its [[stations]] entry"),
        (
            '["subsidy", "family", "main"]',
            '["subsidy", "main"]',
            "purses.spending_order",
            "each of main, subsidy, family",
        ),
        ('["subsidy", "family", "main"]', '["meals", "family", "main"]', "purses.spending_order", "each of main"),
        ('"subsidy", "family"', '"main", "main"', "purses.spending_order", "each of main, subsidy, family once"),
        ('canteen = "P', 'cantine = "P', "prompts.cantine", "expected one of canteen, shop, bath"),
        ("echo_seconds = 60", "echo_seconds = 300", "sessions.echo_seconds", "less than idle_seconds"),
        ('until = "14:00"', 'until = "10:00"', "meal_periods[1].until", "later than 10:00:00"),
        ('until = "10:00"', 'until = "00:00"', "meal_periods[0].until", "later than 00:00:00"),
        ('until = "20:00"', 'until = "8 pm"', "meal_periods[2].until", "expected HH:MM"),
        ('site = "north"\nopen', 'site = "nroth"\nopen', "merchants[0].site", "[[sites]]"),
        ('["breakfast", "lunch", "dinner"]', '["brunch"]', "merchants[1].open[0]", "[[meal_periods]]"),
        ('name = "office-1"\nsite = "north"', 'name = "office-1"\nsite = "x"', "stations[2].site", "[[sites]]"),
        ('station = "office-1"', 'station = "office-2"', "terminals[3].station", "[[stations]]"),
        ("merchant = 3", "merchant = 4", "terminals[2].merchant", "[[merchants]]"),
        ('kind = "kiosk"', 'kind = "kiosks"', "terminals[4].kind", "top-up, kiosk, gate"),
        ('"9101"', '"9101-"', "terminals[4].numbers", "such as 1001-1024"),
        ('"9101"', '"9101-9100"', "terminals[4].numbers", "such as 1001-1024"),
        ('"9101"', '"0"', "terminals[4].numbers", "from 1 to 99999999"),
        ('"9101"', '"100000000"', "terminals[4].numbers", "from 1 to 99999999"),
        ('"9101"', '"1-99999999"', "terminals[4].numbers", f"expected at most {TERMINALS_MAX}"),
        ('"9101"', '"9002-9003"', "terminals[4].numbers", "terminal 9002 stands in an earlier run"),
    ],
)
def test_a_mistake_of_meaning_names_its_key_and_what_was_expected(campus_file, old, new, key, expected):
    [mistake] = mistakes(campus_file, changed(old, new))
    assert mistake.startswith(f"{key}: ")
    assert expected in mistake


@pytest.mark.parametrize(
    ("section", "entry", "key"),
    [
        ("sites", 'name = "south"', "sites[2].name"),
        ("merchants", 'number = 3\nname = "Kiosk"\nsite = "south"', "merchants[4].number"),
        ("stations", 'name = "south-1"\nsite = "north"', "stations[5].name"),
        ("roles", 'name = "clerk"\ncommands = ["found"]', "roles[2].name"),
        ("meal_periods", 'name = "lunch"\nuntil = "23:59:59"', "meal_periods[4].name"),
    ],
)
def test_what_is_declared_twice_is_refused(campus_file, section, entry, key):
    found = mistakes(campus_file, f"{EXAMPLE}\n[[{section}]]\n{entry}\n")
    assert found[0].startswith(f"{key}: ")
    assert "already stands in" in found[0]


@pytest.mark.parametrize("name", ["North", "n_1", "北", "n" * 33, "", "north 1", "north-1\\n"])
def test_the_name_of_a_station_fits_the_wire(campus_file, name):
    found = mistakes(campus_file, EXAMPLE.replace('"office-1"', f'"{name}"'))
    assert [mistake.partition(":")[0] for mistake in found] == ["stations[2].name"]


def test_every_mistake_of_meaning_is_reported_at_once(campus_file):
    text = (
        changed('"Asia/Shanghai"', '"Mars"')
        .replace('"200.00"', '"many"')
        .replace('merchant = 9\nkind = "kiosk"', 'merchant = 8\nkind = "kisk"')
    )
    found = [mistake.partition(":")[0] for mistake in mistakes(campus_file, text)]
    assert sorted(found) == ["campus.time_zone", "limits.purchase_max", "terminals[4].kind", "terminals[4].merchant"]


def test_broken_syntax_names_line_and_column(campus_file):
    [mistake] = mistakes(campus_file, '[campus]\nname = "x"\ntime_zone = oops\n')
    assert "line 3, column 13" in mistake


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 5_000, b"\xff\xfe", b"name = '\x00'"])
def test_what_is_no_toml_at_all_is_refused(campus_file, text):
    [mistake] = mistakes(campus_file, text)
    assert "is not" in mistake


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read: No such file"):
        read_campus(tmp_path / "nowhere.toml")


def test_the_highest_terminal_number_is_the_highest_of_the_wire(campus_file):
    campus_file.write_text(changed('"9101"', '"99999999"'))
    assert 99_999_999 in read_campus(campus_file).stations["office-1"]
    assert msgspec.convert(99_999_999, TerminalNumber) == 99_999_999
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(100_000_000, TerminalNumber)


@given(st.integers(0, AMOUNT_MINOR_MAX))
def test_every_amount_in_range_is_read_exactly(amount):
    assert minor_units(f"{amount // 100}.{amount % 100:02}") == amount


@pytest.mark.parametrize(
    ("text", "amount"), [("0", 0), ("5", 500), ("5.5", 550), ("005.05", 505), ("1000000", 100_000_000)]
)
def test_amounts_may_have_fewer_decimals(text, amount):
    assert minor_units(text) == amount


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "1e3", "+1", "1,000.00", " 1", "1\n", "NaN", "Infinity", "0x10", "9" * 5_000]
)
def test_other_forms_are_no_amounts(text):
    with pytest.raises(ValueError, match="expected"):
        minor_units(text)
