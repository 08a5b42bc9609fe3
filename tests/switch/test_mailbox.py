"""Parcels and the mailbox: order, bounds, deadlines."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from switch_in_process import purchase

from switch.mailbox import Mailbox, Parcel


class Nobody:
    def deliver(self, parcel: Parcel, answers: Any) -> None:
        raise AssertionError("a mailbox answers nothing")


def parcel(*waits_ms: int, received: float = 0.0) -> Parcel:
    requests = [purchase(stan, wait_ms=wait_ms) for stan, wait_ms in enumerate(waits_ms, start=1)]
    return Parcel(Nobody(), requests, received)


def stans(requests: list[Any]) -> list[int]:
    return [request.stan for request in requests]


def test_nothing_expires_before_the_shortest_wait_has_passed():
    waiting = parcel(500, 100, received=10.0)
    assert waiting.take_expired(10.1) == []
    assert stans(waiting.requests) == [1, 2]


def test_each_request_expires_by_its_own_wait():
    waiting = parcel(500, 100, 300, received=10.0)
    assert stans(waiting.take_expired(10.2)) == [2]
    assert stans(waiting.requests) == [1, 3]
    assert waiting.deadline == 10.3
    assert waiting.take_expired(10.2) == []
    assert stans(waiting.take_expired(11.0)) == [1, 3]
    assert waiting.requests == []
    assert waiting.take_expired(12.0) == []


def test_who_waits_for_nothing_expires_as_soon_as_time_has_passed():
    waiting = parcel(0, received=10.0)
    assert waiting.take_expired(10.0) == []
    assert stans(waiting.take_expired(10.000_1)) == [1]


def test_first_in_first_out_up_to_a_bound():
    mailbox = Mailbox(10)
    first, second, third = parcel(1, 1), parcel(1, 1), parcel(1)
    for waiting in (first, second, third):
        mailbox.put(waiting)
    assert (mailbox.depth, mailbox.room(), bool(mailbox)) == (5, 5, True)
    assert mailbox.take(3) == [first]
    assert mailbox.take(3) == [second, third]
    assert mailbox.take(3) == []
    assert (mailbox.depth, mailbox.room(), bool(mailbox)) == (0, 10, False)


def test_a_parcel_larger_than_a_turn_is_taken_alone():
    mailbox = Mailbox(10)
    large, small = parcel(1, 1, 1), parcel(1)
    mailbox.put(large)
    mailbox.put(small)
    assert mailbox.take(2) == [large]
    assert mailbox.take(2) == [small]


def test_expired_requests_leave_room():
    mailbox = Mailbox(10)
    all_late, partly_late, patient = parcel(100), parcel(100, 9_000), parcel(9_000)
    for waiting in (all_late, partly_late, patient):
        mailbox.put(waiting)
    expired = mailbox.take_expired(1.0)
    assert [(of, stans(requests)) for of, requests in expired] == [(all_late, [1]), (partly_late, [1])]
    assert mailbox.depth == 2
    assert mailbox.take_expired(1.0) == []
    assert mailbox.take(10) == [partly_late, patient]
    assert mailbox.depth == 0


WAITS = st.lists(st.integers(0, 600_000), min_size=1, max_size=5)


@given(st.lists(WAITS, max_size=8), st.lists(st.tuples(st.booleans(), st.integers(0, 700)), max_size=8))
def test_every_request_leaves_exactly_once_and_depth_counts_the_rest(parcels, steps):
    mailbox = Mailbox(1_000)
    for waits in parcels:
        mailbox.put(parcel(*waits))
    left = 0
    for takes, number in sorted(steps, key=lambda step: step[1]):
        if takes:
            left += sum(len(taken.requests) for taken in mailbox.take(number % 7))
        else:
            expired = mailbox.take_expired(float(number))
            assert all(request.wait_ms < number * 1_000 for _, requests in expired for request in requests)
            left += sum(len(requests) for _, requests in expired)
        assert mailbox.depth == sum(map(len, parcels)) - left
        assert bool(mailbox) == (mailbox.depth > 0)
