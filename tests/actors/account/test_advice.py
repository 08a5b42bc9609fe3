"""An offline purchase is posted, whatever stands against it: what it takes, what it is marked with, when it counts."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    ALICE,
    BREAKFAST,
    BREAKFAST_TILL,
    DAY_US,
    HOUR_US,
    LIMITS,
    LUNCH,
    NOON,
    NOON_US,
    POLICY,
    TILL,
    TODAY,
    TOP_UP_MACHINE,
    account,
    advice,
    card_of,
    purchase,
    reversal,
)
from msgspec.structs import replace

from actors.account.card import CardState
from actors.account.checks.amounts import AMOUNT_MAX
from actors.account.events import AdviceDeclined, Advised, ReversalDeclined
from actors.account.services.advice import AGE_US_MAX, CLOCK_AHEAD_US_MAX
from actors.account.state import new_account
from actors.account.suspicion import Suspicion
from actors.account.tables import APPLY, DECIDE, EFFECT
from actors.effect import Effect, EffectName
from wire.codes import Code, Reason

YESTERDAY = 20260831


def decided(request: Any, holder: Any = None, original: Any = None) -> Any:
    return DECIDE[type(request)](holder or account(), request, original, NOON, POLICY, 99)


def test_event() -> None:
    assert decided(advice(3, 7, 1_250), account(position=7)) == Advised(
        ALICE, NOON_US, 7, TILL.number, 3, card_of(ALICE), 1_250, 7, NOON_US - HOUR_US, TILL.merchant, TODAY, LUNCH,
        (1_250,), 0, Suspicion.NONE, (8_750,), 99,
    )  # fmt: skip


def test_it_draws_on_the_purses_in_their_order() -> None:
    event = decided(advice(3, 7, 450), account(purses=(1_000, 300, 200)))
    assert (event.paid, event.balances, event.shortfall) == ((0, 300, 150), (1_000, 0, 50), 0)


@pytest.mark.parametrize(
    ("purses", "amount", "paid", "shortfall"),
    [
        ((999,), 1_000, (999,), 1),
        ((0,), 1_000, (0,), 1_000),
        ((300, 20, 1), 1_000, (300, 20, 1), 679),
        ((0, 0, 0), 1, (0, 0, 0), 1),
        ((500,), AMOUNT_MAX, (500,), AMOUNT_MAX - 500),
    ],
)
def test_what_the_purses_do_not_hold_is_short(
    purses: tuple[int, ...], amount: int, paid: tuple[int, ...], shortfall: int
) -> None:
    event = decided(advice(3, 7, amount), account(purses=purses))
    assert (event.paid, event.shortfall, event.suspicious) == (paid, shortfall, Suspicion.FUNDS)
    assert event.balances == (0,) * len(purses)


SUSPICIOUS: dict[str, tuple[Any, Any, Suspicion]] = {
    "unknown": (new_account(ALICE), {}, Suspicion.NO_ACCOUNT),
    "closed": (account(card_state=CardState.CLOSED), {}, Suspicion.ACCOUNT_CLOSED),
    "another card": (account(), {"card": "another"}, Suspicion.NO_CARD),
    "an earlier card": (account(dead_cards=("old",)), {"card": "old"}, Suspicion.CARD_REPLACED),
    "lost": (account(card_state=CardState.LOST), {}, Suspicion.CARD_LOST),
    "replaced": (account(card_state=CardState.REPLACED), {}, Suspicion.CARD_REPLACED),
    "frozen": (account(card_state=CardState.FROZEN), {}, Suspicion.CARD_FROZEN),
    "not active": (account(card_state=CardState.ISSUED), {}, Suspicion.CARD_NOT_ACTIVE),
    "expired": (account(card_state=CardState.EXPIRED), {}, Suspicion.CARD_EXPIRED),
    "last day over": (account(expires=YESTERDAY), {}, Suspicion.CARD_EXPIRED),
    "a clock ahead": (account(), {"taken_us": NOON_US + CLOCK_AHEAD_US_MAX + 1}, Suspicion.TIME),
    "a clock at zero": (account(), {"taken_us": 0}, Suspicion.TIME),
    "a clock at its end": (account(), {"taken_us": 2**63 - 1}, Suspicion.TIME),
    "too old": (account(), {"taken_us": NOON_US - AGE_US_MAX - 1}, Suspicion.TIME),
    "beyond the balance": (account(purses=(1,)), {}, Suspicion.FUNDS),
    "lost, with a wrong clock, and empty": (
        account(card_state=CardState.LOST, purses=(0,)), {"taken_us": 0}, Suspicion.CARD_LOST,
    ),
    "a wrong clock, and empty": (account(purses=(0,)), {"taken_us": 0}, Suspicion.TIME),
}  # fmt: skip


@pytest.mark.parametrize(("holder", "changes", "suspicion"), SUSPICIOUS.values(), ids=SUSPICIOUS)
def test_what_is_not_clean_is_posted_and_marked(holder: Any, changes: dict[str, Any], suspicion: Suspicion) -> None:
    event = decided(advice(3, 7, **changes), holder)
    assert isinstance(event, Advised)
    assert event.suspicious is suspicion
    assert sum(event.paid) + event.shortfall == 1_000
    assert sum(event.paid) == min(1_000, sum(holder.purses))
    told = {"reason": suspicion.value, "offline_number": 7, "amount": 1_000, "shortfall": event.shortfall}
    assert EFFECT[Advised](event) == Effect(EffectName.SUSPICIOUS, told)


def test_the_set_of_suspicions_is_covered() -> None:
    assert {row[2] for row in SUSPICIOUS.values()} == set(Suspicion) - {Suspicion.NONE}


CLEAN: dict[str, tuple[Any, Any]] = {
    "plain": (account(), {}),
    "all the money": (account(purses=(1_000,)), {}),
    "above the limit of a purchase": (account(purses=(50_000,)), {"amount": LIMITS.purchase_max + 1}),
    "above the limit of the day": (account(spending_day=TODAY, spent=LIMITS.day_max), {}),
    "outside hours": (account(), {"terminal": BREAKFAST_TILL.number}),
    "on the card's last day, uploaded after it": (account(expires=YESTERDAY), {"taken_us": NOON_US - DAY_US}),
    "a clock a little ahead": (account(), {"taken_us": NOON_US + CLOCK_AHEAD_US_MAX}),
    "old": (account(), {"taken_us": NOON_US - AGE_US_MAX}),
}


@pytest.mark.parametrize(("holder", "changes"), CLEAN.values(), ids=CLEAN)
def test_what_is_clean(holder: Any, changes: dict[str, Any]) -> None:
    event = decided(advice(3, 7, **changes), holder)
    assert isinstance(event, Advised)
    assert (event.suspicious, event.shortfall) == ("", 0)
    assert EFFECT[Advised](event) is None


def test_a_deposit_does_not_hold_it_back() -> None:
    policy = replace(POLICY, limits=replace(LIMITS, balance_min=600))
    for purses, paid in (((1_000,), (1_000,)), ((900, 100), (900, 100))):
        event = DECIDE[type(advice(1, 1))](account(purses=purses), advice(3, 7), None, NOON, policy, 99)
        assert (event.paid, event.suspicious) == (paid, Suspicion.NONE)


@pytest.mark.parametrize(
    ("taken_us", "day", "period"),
    [
        (NOON_US - 12 * HOUR_US, TODAY, BREAKFAST),
        (NOON_US - 12 * HOUR_US - 1, YESTERDAY, 3),
        (NOON_US - 24 * HOUR_US, YESTERDAY, LUNCH),
        (NOON_US - AGE_US_MAX, 20260603, LUNCH),
        (NOON_US - AGE_US_MAX - 1, TODAY, LUNCH),
        (NOON_US + CLOCK_AHEAD_US_MAX, TODAY, LUNCH),
        (2**63 - 1, TODAY, LUNCH),
    ],
)
def test_it_counts_when_it_was_taken_if_that_can_be(taken_us: int, day: int, period: int) -> None:
    event = decided(advice(3, 7, taken_us=taken_us))
    assert (event.taken_us, event.business_day, event.period) == (taken_us, day, period)


def test_a_clock_ahead_over_midnight_counts_no_day_in_advance() -> None:
    late = POLICY.calendar.moment(NOON_US + 12 * HOUR_US - 1)
    assert late.business_day == TODAY
    event = DECIDE[type(advice(1, 1))](account(), advice(3, 7, taken_us=late.time_us + 2), None, late, POLICY, 99)
    assert (event.business_day, event.suspicious) == (TODAY, "")


def test_declined_where_nothing_can_have_been_sold() -> None:
    kiosk = decided(advice(3, 7, terminal=TOP_UP_MACHINE.number))
    assert kiosk == AdviceDeclined(
        ALICE, NOON_US, 1, TOP_UP_MACHINE.number, 3, card_of(ALICE), 1_000, 7, NOON_US - HOUR_US,
        TOP_UP_MACHINE.merchant, TODAY, LUNCH, Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED, (10_000,),
    )  # fmt: skip
    for amount in (0, -1, AMOUNT_MAX + 1):
        event = decided(advice(3, 7, amount))
        assert (event.code, event.reason) == (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)


COUNTED = ("spending_day", "spent", "purchases", "spending_period", "period_spent", "period_purchases")
SPENDING = {
    "this meal period": (NOON_US, (TODAY, 300, 2, LUNCH, 200, 1), (TODAY, 1_300, 3, LUNCH, 1_200, 2)),
    "the first of this meal period": (NOON_US, (TODAY, 300, 2, BREAKFAST, 200, 1), (TODAY, 1_300, 3, LUNCH, 1_000, 1)),
    "an earlier meal period": (
        NOON_US - 4 * HOUR_US, (TODAY, 300, 2, LUNCH, 200, 1), (TODAY, 1_300, 3, LUNCH, 200, 1),
    ),
    "the first of its day": (NOON_US, (YESTERDAY, 300, 2, LUNCH, 200, 1), (TODAY, 1_000, 1, LUNCH, 1_000, 1)),
    "a day that is over": (NOON_US - DAY_US, (TODAY, 300, 2, LUNCH, 200, 1), (TODAY, 300, 2, LUNCH, 200, 1)),
    "yesterday, the last day known": (
        NOON_US - DAY_US, (YESTERDAY, 300, 2, LUNCH, 200, 1), (YESTERDAY, 1_300, 3, LUNCH, 1_200, 2),
    ),
    "a time that cannot be": (0, (TODAY, 300, 2, LUNCH, 200, 1), (TODAY, 1_300, 3, LUNCH, 1_200, 2)),
}  # fmt: skip


@pytest.mark.parametrize(("taken_us", "before", "after"), SPENDING.values(), ids=SPENDING)
def test_it_counts_in_the_purchases_of_its_day_and_meal_period(
    taken_us: int, before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    holder = account(**dict(zip(COUNTED, before, strict=True)))
    event = decided(advice(3, 7, taken_us=taken_us), holder)
    expected = replace(holder, position=8, purses=(9_000,), **dict(zip(COUNTED, after, strict=True)))
    assert APPLY[Advised](holder, event, 8) == expected


def test_an_account_that_was_never_opened_stays_so_and_pays_nothing() -> None:
    event = decided(advice(3, 7), new_account("404"))
    after = APPLY[Advised](new_account("404"), event, 8)
    assert after == replace(
        new_account("404"), position=8, **dict(zip(COUNTED, (TODAY, 1_000, 1, LUNCH, 1_000, 1), strict=True))
    )
    assert (after.opened_at, event.shortfall, event.paid) == (0, 1_000, (0,))
    refused = decided(purchase(4, number="404"), after)
    assert (refused.code, refused.reason) == (Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)


def test_it_is_not_reversed() -> None:
    posted, declined = decided(advice(3, 7)), decided(advice(3, 7, 0))
    for original in (posted, declined):
        event = decided(reversal(4, original), original=original)
        assert isinstance(event, ReversalDeclined)
        assert event.reason is Reason.NOT_REVERSIBLE
