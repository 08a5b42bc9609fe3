"""Authorization numbers: what shards give differs by itself; what a reshard carried over is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.authorizations import PAGE_BITS, Authorizations
from actors.journal import JournalBrokenError
from actors.placement import SLOTS

AFTER = 3 * PAGE_BITS


def number(given_at: int, shard: int) -> int:
    return given_at * SLOTS + shard


def fault(authorizations: Authorizations, authorization: int, shard: int, position: int) -> JournalBrokenError:
    with pytest.raises(JournalBrokenError) as raised:
        authorizations.see(authorization, shard, position)
    return raised.value


@pytest.mark.parametrize("after", [0, 1, AFTER])
def test_what_shards_give(after: int) -> None:
    authorizations = Authorizations(after)
    for shard in (0, 1, 255):
        for position in (1, 2, PAGE_BITS):
            authorizations.see(number(position + after, shard), shard, position)


@pytest.mark.parametrize(
    "authorization",
    [0, -1, 7, number(AFTER + 8, 2), number(AFTER + 7, 1), number(AFTER + 6, 2), number(AFTER + 1, 0), number(0, 2)],
)
def test_a_number_that_is_not_the_events_own(authorization: int) -> None:
    found = fault(Authorizations(AFTER), authorization, shard=2, position=7)
    assert found.position == 7
    assert str(number(AFTER + 7, 2)) in found.explanation


@pytest.mark.parametrize("given_at", [1, 2, PAGE_BITS - 1, PAGE_BITS, PAGE_BITS + 1, AFTER - 1, AFTER])
def test_carried_over_it_may_be_there_once(given_at: int) -> None:
    authorizations = Authorizations(AFTER)
    for other in (given_at + distance for bit in range(18) for distance in (1 << bit, -(1 << bit))):
        if 1 <= other <= AFTER:
            authorizations.see(number(other, 5), 0, 1)
    authorizations.see(number(given_at, 6), 0, 2)
    authorizations.see(number(given_at, 5), 0, 3)
    assert "two events" in fault(authorizations, number(given_at, 5), shard=1, position=4).explanation


EVENT = st.tuples(st.integers(0, 2), st.integers(1, 40))
"""Shard and position."""

CARRIED_OVER = st.tuples(st.integers(0, 45), st.integers(0, 3))
"""Position and shard that gave the number."""


@given(st.integers(0, 40), st.dictionaries(EVENT, CARRIED_OVER | st.none(), max_size=60))
def test_it_finds_what_a_set_would_find(after: int, events: dict[tuple[int, int], tuple[int, int] | None]) -> None:
    """`None`: a number of the event's own."""
    authorizations, known = Authorizations(after), set()
    for (shard, position), carried_over in events.items():
        authorization = number(position + after, shard) if carried_over is None else number(*carried_over)
        own = authorization == number(position + after, shard)
        if authorization not in known and (own or 1 <= authorization // SLOTS <= after):
            known.add(authorization)
            authorizations.see(authorization, shard, position)
        else:
            assert fault(authorizations, authorization, shard, position).position == position
