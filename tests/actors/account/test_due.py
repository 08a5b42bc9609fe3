"""When something happens to an account by itself, and what it is."""

from __future__ import annotations

import pytest
from example_campus import BATH, CALENDAR, NOON_US, account, holding, outstanding
from msgspec.structs import replace

from actors.account.due import with_due
from actors.account.events import HoldExpired, SubsidyExpired
from actors.account.expiry import fall_due
from actors.account.tables import APPLY

SOON, LATER = NOON_US + 1, NOON_US + 2
AFTERWARDS = CALENDAR.moment(LATER)


@pytest.mark.parametrize(
    ("purses", "subsidy_expires_us", "holds_expire_us", "due_us"),
    [
        ((100,), 0, (), 0),
        ((100,), SOON, (), 0),
        ((100, 5), SOON, (), SOON),
        ((100, 5), 0, (LATER,), LATER),
        ((100, 5), SOON, (LATER,), SOON),
        ((100, 5), LATER, (LATER + 1, SOON), SOON),
        ((100, 0), SOON, (LATER,), LATER),
    ],
)
def test_the_first_of_all(
    purses: tuple[int, ...], subsidy_expires_us: int, holds_expire_us: tuple[int, ...], due_us: int
) -> None:
    holds = tuple(outstanding(1, stan, expires_us) for stan, expires_us in enumerate(holds_expire_us, 1))
    holder = account(purses=purses, subsidy_expires_us=subsidy_expires_us, holds=holds)
    assert with_due(holder).due_us == due_us


def test_subsidy_and_hold_each_in_their_time() -> None:
    holder = holding(account(purses=(100, 50)), outstanding(120, 7, LATER))
    holder = with_due(replace(holder, subsidy_expires_us=SOON))
    first = fall_due(holder, AFTERWARDS)
    assert isinstance(first, SubsidyExpired)
    assert first.balances == (100, 0)
    holder = APPLY[SubsidyExpired](holder, first, 5)
    assert (holder.purses, [hold.amount for hold in holder.holds], holder.due_us) == ((100, 0), [120], LATER)
    second = fall_due(holder, AFTERWARDS)
    assert isinstance(second, HoldExpired)
    assert (second.original_terminal, second.original_stan, second.amount) == (BATH.number, 7, 120)
    holder = APPLY[HoldExpired](holder, second, 6)
    assert (holder.holds, holder.due_us) == ((), 0)
