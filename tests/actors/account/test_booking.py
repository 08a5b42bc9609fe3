"""Where the money of each event went, and in which total it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from example_campus import (
    BATH,
    CALENDAR,
    DAY_US,
    DESK,
    LUNCH,
    NOON,
    NOON_US,
    OTHER_TILL,
    POLICY,
    TILL,
    TODAY,
    TOP_UP_MACHINE,
    account,
    advice,
    capture,
    command,
    hold,
    holding,
    outstanding,
    purchase,
    refund,
    release,
    reversal,
    top_up,
)
from msgspec.structs import replace

from actors.account.booking import book, holdings, postings
from actors.account.card import CardState, PersonClass
from actors.account.events import Opened
from actors.account.expiry import fall_due
from actors.account.postings import Posting
from actors.account.state import new_account
from actors.account.tables import BOOK, DECIDE
from actors.ledger import LedgerAccount
from actors.policy import HOLD_LIFETIME_US, Price
from wire.messages import CorrectEntry, CorrectionReason, Purchase


def decided(request: Any, original: Any = None, holder: Any = None) -> Any:
    return DECIDE[type(request)](holder or account(), request, original, NOON, POLICY, 99)


PURCHASED = decided(purchase(1, 700, terminal=OTHER_TILL.number))
TOPPED_UP = decided(top_up(2, 5_000, channel=2))
RICH = account(purses=(1_000, 300, 200))
FROM_ALL_PURSES = decided(purchase(4, 600), holder=RICH)
DISCOUNTED = DECIDE[Purchase](
    account(), purchase(6, 700), None, NOON, replace(POLICY, prices={("student", 1, LUNCH): Price(90, 0)}), 99
)
OPENED = Opened("7", 1, 0, "C7", CardState.ACTIVE, 20300731, PersonClass.STAFF, (500,))
MAIN = ("purse", 0)
HOLD = hold(1, 600)
HELD = decided(HOLD)
EXPIRED = fall_due(holding(account(), outstanding(600)), CALENDAR.moment(NOON_US + HOLD_LIFETIME_US))
CAPTURED = decided(capture(2, HOLD, 450), HELD)
LATE = decided(capture(2, HOLD, 450), EXPIRED, account(purses=(100, 70)))

POSTINGS = {
    "opening": (OPENED, {MAIN: 500, ("opening", 0): -500}),
    "purchase": (PURCHASED, {MAIN: -700, ("merchant", 2): 700}),
    "opening with every purse": (
        replace(OPENED, balances=(500, 20, 3)),
        {MAIN: 500, ("purse", 1): 20, ("purse", 2): 3, ("opening", 0): -523},
    ),
    "purchase from every purse": (
        FROM_ALL_PURSES,
        {MAIN: -100, ("purse", 1): -300, ("purse", 2): -200, ("merchant", 1): 600},
    ),
    "reversal of a purchase from every purse": (
        decided(reversal(3, FROM_ALL_PURSES), FROM_ALL_PURSES, RICH),
        {MAIN: 100, ("purse", 1): 300, ("purse", 2): 200, ("merchant", 1): -600},
    ),
    "top-up beside a subsidy": (
        decided(top_up(2, 5_000), holder=RICH),
        {MAIN: 5_000, ("channel", 1): -5_000},
    ),
    "declined purchase": (decided(purchase(1, 0)), {}),
    "top-up": (TOPPED_UP, {MAIN: 5_000, ("channel", 2): -5_000}),
    "declined top-up": (decided(top_up(1, 0)), {}),
    "purchase with a discount": (DISCOUNTED, {MAIN: -630, ("merchant", 1): 630}),
    "reversal of a purchase with a discount": (
        decided(reversal(3, DISCOUNTED, OTHER_TILL.number), DISCOUNTED),
        {MAIN: 630, ("merchant", 1): -630},
    ),
    "refund of a purchase with a discount": (
        decided(refund(3, DISCOUNTED, 30), DISCOUNTED),
        {MAIN: 30, ("merchant", 1): -30},
    ),
    "purchase for nothing": (replace(DISCOUNTED, adjustment=-700, paid=(0,)), {("merchant", 1): 0}),
    "reversal of a purchase": (
        decided(reversal(3, PURCHASED), PURCHASED),
        {MAIN: 700, ("merchant", 2): -700},
    ),
    "reversal of a top-up": (
        decided(reversal(3, TOPPED_UP, TOP_UP_MACHINE.number), TOPPED_UP),
        {MAIN: -5_000, ("channel", 2): 5_000},
    ),
    "reversal of a spent top-up": (
        decided(reversal(3, TOPPED_UP, TOP_UP_MACHINE.number), TOPPED_UP, account(purses=(1_200,))),
        {MAIN: -1_200, ("channel", 2): 5_000, ("suspense", 0): -3_800},
    ),
    "reversal of nothing": (decided(reversal(3, purchase(9))), {}),
    "advice": (decided(advice(1, 1, 700, terminal=OTHER_TILL.number)), {MAIN: -700, ("merchant", 2): 700}),
    "advice beyond the balance": (
        decided(advice(1, 1, 2_000), holder=RICH),
        {MAIN: -1_000, ("purse", 1): -300, ("purse", 2): -200, ("merchant", 1): 2_000, ("suspense", 0): -500},
    ),
    "advice for nobody": (
        decided(advice(1, 1, 700), holder=new_account("404")),
        {("merchant", 1): 700, ("suspense", 0): -700},
    ),
    "declined advice": (decided(advice(1, 1, 0)), {}),
    "hold": (HELD, {}),
    "declined hold": (decided(hold(1, 0)), {}),
    "release": (decided(release(2, HOLD), HELD), {}),
    "expiry": (EXPIRED, {}),
    "reversal of a hold": (decided(reversal(2, HOLD), HELD), {}),
    "capture": (CAPTURED, {MAIN: -450, ("merchant", 4): 450}),
    "capture from every purse": (
        decided(capture(2, HOLD), HELD, RICH),
        {MAIN: -100, ("purse", 1): -300, ("purse", 2): -200, ("merchant", 4): 600},
    ),
    "late capture beyond the balance": (
        LATE,
        {MAIN: -100, ("purse", 1): -70, ("merchant", 4): 450, ("suspense", 0): -280},
    ),
    "late capture that finds nothing": (
        decided(capture(2, HOLD, 450), EXPIRED, account(purses=(0,))),
        {("merchant", 4): 450, ("suspense", 0): -450},
    ),
    "declined capture": (decided(capture(2, HOLD, 601), HELD), {}),
    "reversal of a capture": (decided(reversal(3, CAPTURED), CAPTURED), {MAIN: 450, ("merchant", 4): -450}),
    "reversal of a late capture beyond the balance": (
        decided(reversal(3, LATE), LATE, account(purses=(0, 0))),
        {MAIN: 100, ("purse", 1): 70, ("merchant", 4): -450, ("suspense", 0): 280},
    ),
    "declined reversal": (decided(reversal(3, PURCHASED, amount=1), PURCHASED), {}),
    "refund of a part": (
        decided(refund(3, PURCHASED, 450, OTHER_TILL.number), PURCHASED),
        {MAIN: 450, ("merchant", 2): -450},
    ),
    "refund of a purchase from every purse": (
        decided(refund(3, FROM_ALL_PURSES, 350), FROM_ALL_PURSES, RICH),
        {MAIN: 100, ("purse", 2): 200, ("purse", 1): 50, ("merchant", 1): -350},
    ),
    "declined refund": (decided(refund(3, PURCHASED), PURCHASED), {}),
}


@pytest.mark.parametrize(("event", "expected"), POSTINGS.values(), ids=POSTINGS)
def test_postings(event: Any, expected: dict[Any, int]) -> None:
    assert dict(postings(event)) == expected
    assert len(postings(event)) == len(expected)


TOTALS = {
    "purchase": (PURCHASED, (TODAY, OTHER_TILL.merchant, OTHER_TILL.number, "purchase", LUNCH), 700),
    "purchase counts with what was paid": (DISCOUNTED, (TODAY, TILL.merchant, TILL.number, "purchase", LUNCH), 630),
    "reversal counts with what was paid": (
        decided(reversal(3, DISCOUNTED), DISCOUNTED),
        (TODAY, TILL.merchant, TILL.number, "reversal-of-purchase", LUNCH),
        630,
    ),
    "top-up": (TOPPED_UP, (TODAY, TOP_UP_MACHINE.merchant, TOP_UP_MACHINE.number, "top-up", LUNCH), 5_000),
    "reversal counts where and when it was sent": (
        decided(reversal(3, PURCHASED), replace(PURCHASED, business_day=TODAY - 1)),
        (TODAY, TILL.merchant, TILL.number, "reversal-of-purchase", LUNCH),
        700,
    ),
    "reversal of a spent top-up counts in full": (
        decided(reversal(3, TOPPED_UP, TOP_UP_MACHINE.number), TOPPED_UP, account(purses=(0,))),
        (TODAY, TOP_UP_MACHINE.merchant, TOP_UP_MACHINE.number, "reversal-of-top-up", LUNCH),
        5_000,
    ),
    "advice counts on the day that it names": (
        decided(advice(1, 1, 700, taken_us=NOON_US - DAY_US)),
        (20260831, TILL.merchant, TILL.number, "advice", LUNCH),
        700,
    ),
    "advice beyond the balance counts in full": (
        decided(advice(1, 1, 20_000)),
        (TODAY, TILL.merchant, TILL.number, "advice", LUNCH),
        20_000,
    ),
    "refund counts where and when it was given": (
        decided(refund(3, PURCHASED, 450, OTHER_TILL.number), replace(PURCHASED, business_day=TODAY - 1)),
        (TODAY, OTHER_TILL.merchant, OTHER_TILL.number, "refund", LUNCH),
        450,
    ),
    "opening counts in no terminal's": (OPENED, None, 0),
    "capture counts when it was sent, for the merchant of its hold": (
        decided(capture(2, HOLD, 450), replace(HELD, merchant=8, business_day=TODAY - 1)),
        (TODAY, 8, BATH.number, "capture", LUNCH),
        450,
    ),
    "late capture counts in full": (LATE, (TODAY, BATH.merchant, BATH.number, "capture", LUNCH), 450),
    "reversal of a capture": (
        decided(reversal(3, CAPTURED), CAPTURED),
        (TODAY, TILL.merchant, TILL.number, "reversal-of-capture", LUNCH),
        450,
    ),
}


@pytest.mark.parametrize(("event", "key", "amount"), TOTALS.values(), ids=TOTALS)
def test_totals(event: Any, key: Any, amount: int) -> None:
    assert BOOK[type(event)](event)[:2] == (key, amount)


def test_holdings_are_all_purses_of_all_accounts() -> None:
    assert holdings([account(purses=(100, 20)), account(purses=(70, 60))]) == 250
    assert holdings([]) == 0


def test_a_turn_is_booked_as_its_events_are() -> None:
    declined = decided(purchase(5, 10**9))
    events = [
        PURCHASED, declined, TOPPED_UP, DISCOUNTED, HELD, CAPTURED, LATE, EXPIRED, PURCHASED,
        decided(purchase(9, 1, terminal=TILL.number)),
    ]  # fmt: skip
    counted, posted, volume = book(events, 7)
    booked = [(BOOK[type(event)](event), position) for position, event in enumerate(events, 7) if type(event) in BOOK]
    assert counted == [(key, amount, position) for (key, amount, _), position in booked]
    assert _sums(posted) == _sums(posting for event in events for posting in postings(event))
    expected: Counter[tuple[int, str]] = Counter()
    for (_, merchant, _, service, _), amount, _ in counted:
        expected[merchant, service] += amount
    found: Counter[tuple[int, str]] = Counter()
    for of, amount in volume:
        found[of] += amount
    assert found == expected


def test_the_volume_of_a_correction_is_its_amount_in_either_direction() -> None:
    given = decided(command(1, CorrectEntry, 0, 700, CorrectionReason.GOODWILL))
    taken = decided(command(2, CorrectEntry, 0, -300, CorrectionReason.GOODWILL))
    assert dict(book([given, taken], 1).volume) == {(DESK.merchant, "correct"): 1_000}


def _sums(posted: Iterable[Posting]) -> dict[LedgerAccount, int]:
    sums: Counter[LedgerAccount] = Counter()
    for ledger_account, change in posted:
        sums[ledger_account] += change
    return sums
