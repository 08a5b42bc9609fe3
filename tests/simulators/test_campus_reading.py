"""The simulator's own reader of campus and accounts files: what it understands, and how it refuses the rest."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from simulators.accounts import CardState, read_accounts
from simulators.bad_input import BadInputError
from simulators.campus import Limits, PriceRule, read_campus

CAMPUS = """
[campus]
name = "Example"
time_zone = "Asia/Shanghai"
business_day_starts = "04:00"
[limits]
purchase_max = "200.00"
day_max = "0.00"
top_up_max = "1000"
balance_max = "5000.5"
[[merchants]]
number = 1
[[merchants]]
number = 2
open = ["lunch"]
[[terminals]]
numbers = "1001-1003"
station = "north"
merchant = 1
kind = "canteen"
[[terminals]]
numbers = "2001"
station = "south"
merchant = 2
kind = "top-up"
"""
SECRETS = f'[stations.north]\n1 = "{"11" * 32}"\n2 = "{"22" * 32}"\n[stations.south]\n7 = "{"77" * 32}"\n'
HEADER = "account,card,state,expires,class,balance\n"


@pytest.fixture
def campus_path(tmp_path):
    (tmp_path / "campus.toml").write_text(CAMPUS)
    (tmp_path / "secrets.toml").write_text(SECRETS)
    return tmp_path / "campus.toml"


def test_campus(campus_path):
    campus = read_campus(campus_path)
    assert sorted(campus.terminals) == [1001, 1002, 1003, 2001]
    assert campus.terminals[2001].keeps_hours
    assert "top-up" in campus.terminals[2001].services
    assert (campus.limits.purchase_max, campus.limits.day_max, campus.limits.balance_max) == (20_000, 0, 500_050)
    assert campus.keys["north"].number == 2
    assert campus.keys["south"].key == b"\x77" * 32


def test_limits_of_a_class_of_people(campus_path):
    own = '[limits.service-staff]\nday_max = "70.00"\nday_count_max = 3\n[[merchants]]\nnumber = 1\n'
    campus_path.write_text(CAMPUS.replace("[[merchants]]\nnumber = 1\n", own))
    campus = read_campus(campus_path)
    assert campus.limits == Limits(20_000, 0, 100_000, 500_050)
    assert campus.class_limits == {"service-staff": Limits(20_000, 7_000, 100_000, 500_050, 0, 3)}


@pytest.mark.parametrize("line", ['day_max = "much"', "dya_max = 3"])
def test_mistakes_in_the_limits_of_a_class_are_named(campus_path, line):
    campus_path.write_text(CAMPUS.replace("[[merchants]]", f"[limits.visitor]\n{line}\n[[merchants]]", 1))
    with pytest.raises(BadInputError, match=rf"limits\.visitor\.{line[:7]}"):
        read_campus(campus_path)


def test_prices(campus_path):
    assert read_campus(campus_path).prices == {}
    campus_path.write_text(
        CAMPUS
        + """
[[meal_periods]]
name = "breakfast"
until = "10:00"
[[meal_periods]]
name = "lunch"
until = "14:00"
[[prices]]
class = "staff"
merchant = 1
percent = -20
[[prices]]
class = "staff"
merchant = 1
period = "lunch"
fixed = "12.5"
[[prices]]
class = "visitor"
merchant = 2
period = "lunch"
percent = 10
"""
    )
    assert read_campus(campus_path).prices == {
        ("staff", 1): (PriceRule(percent=-20), PriceRule(fixed=1_250, period=1)),
        ("visitor", 2): (PriceRule(percent=10, period=1),),
    }


@pytest.mark.parametrize(
    ("rule", "asked", "price"),
    [
        (PriceRule(), 999, 999),
        (PriceRule(percent=-50), 1, 1),
        (PriceRule(percent=-51), 1, 0),
        (PriceRule(percent=-100), 999, 0),
        (PriceRule(percent=15), 10, 12),
        (PriceRule(percent=14), 10, 11),
        (PriceRule(percent=100), 100_000_000, 200_000_000),
        (PriceRule(fixed=450), 999, 450),
        (PriceRule(fixed=0), 999, 0),
    ],
)
def test_half_a_fen_is_rounded_up(rule, asked, price):
    assert rule.price(asked) == price


def test_business_day(campus_path):
    campus = read_campus(campus_path)
    zone = ZoneInfo("Asia/Shanghai")
    assert campus.business_day(datetime(2026, 9, 1, 3, 59, tzinfo=zone)) == 20260831
    assert campus.business_day(datetime(2026, 9, 1, 4, 0, tzinfo=zone)) == 20260901


@pytest.mark.parametrize(
    ("wrong", "right", "names"),
    [
        ('purchase_max = "2 yuan"', 'purchase_max = "200.00"', "purchase_max"),
        ('numbers = "many"', 'numbers = "2001"', "terminals.numbers"),
        ('kind = "oven"', 'kind = "top-up"', "terminals.kind"),
        ('time_zone = "Mars/Base"', 'time_zone = "Asia/Shanghai"', "time_zone"),
        ('business_day_starts = "noon"', 'business_day_starts = "04:00"', "business_day_starts"),
        ("merchant = true", "merchant = 2", "terminals[1].merchant: expected a whole number without quotes"),
        ("day_max = 500.0", 'day_max = "0.00"', 'limits.day_max: expected text in quotes, such as "200.00"'),
        ('[[prices]]\nclass = "staff"\nmerchant = 1\nfixed = "1.005"\n[[merchants]]', "[[merchants]]", "prices.fixed"),
        ('[[prices]]\nclass = "staff"\nmerchant = 1\nperiod = "tea"\n[[merchants]]', "[[merchants]]", "prices.period"),
    ],
)
def test_mistakes_are_named(campus_path, wrong, right, names):
    assert right in CAMPUS
    campus_path.write_text(CAMPUS.replace(right, wrong))
    with pytest.raises(BadInputError, match=re.escape(names)):
        read_campus(campus_path)


@pytest.mark.parametrize("key", ['1 = "abc"', '1 = "aabb"', f'one = "{"11" * 32}"'])
def test_a_bad_key_is_named(campus_path, key):
    campus_path.with_name("secrets.toml").write_text(f"[stations.north]\n{key}\n")
    with pytest.raises(BadInputError, match="north"):
        read_campus(campus_path)


def test_keys_for_pins(campus_path):
    secrets = campus_path.with_name("secrets.toml")
    secrets.write_text(f'{SECRETS}[pin]\nhash_key = "{"00" * 32}"\n[pin.terminals]\n1001 = "{"05" * 32}"\n')
    assert read_campus(campus_path).pin_keys == {1001: b"\x05" * 32}
    secrets.write_text(f'{SECRETS}[pin.terminals]\n1001 = "{"05" * 32}"\n')
    assert read_campus(campus_path).pin_keys == {}, "without the switch's own, none can be used"
    secrets.write_text(SECRETS)
    assert read_campus(campus_path).pin_keys == {}


@pytest.mark.parametrize("line", ['1001 = "05"', f'till = "{"05" * 32}"', f'1001 = "{"0g" * 32}"'])
def test_a_bad_key_for_pins_is_named(campus_path, line):
    campus_path.with_name("secrets.toml").write_text(f"{SECRETS}[pin.terminals]\n{line}\n")
    with pytest.raises(BadInputError, match=r"pin\.terminals"):
        read_campus(campus_path)


def test_missing_file(tmp_path):
    with pytest.raises(BadInputError, match="cannot be read"):
        read_campus(tmp_path / "campus.toml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_accounts_in_every_encoding(tmp_path, encoding):
    path = tmp_path / "accounts.csv"
    path.write_bytes(("name," + HEADER + "王小明,0007,C0000000007,active,2030-07-31,student,12.5\n").encode(encoding))
    (card,) = read_accounts(path)
    assert (card.account, card.serial, card.state, card.balance) == ("0007", "C0000000007", CardState.ACTIVE, 1_250)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("1,C1,asleep,2030-07-31,student,1.00", "line 2, state"),
        ("1,C1,active,soon,student,1.00", "line 2, expires"),
        ("1,C1,active,2030-07-31,student,1.005", "line 2, balance"),
        ("", "no accounts"),
    ],
)
def test_bad_accounts_are_named(tmp_path, row, names):
    path = tmp_path / "accounts.csv"
    path.write_text(HEADER + row)
    with pytest.raises(BadInputError, match=names):
        read_accounts(path)


def test_missing_column(tmp_path):
    path = tmp_path / "accounts.csv"
    path.write_text("account,card\n1,C1\n")
    with pytest.raises(BadInputError, match="state, expires, class, balance"):
        read_accounts(path)
