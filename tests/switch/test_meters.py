"""Histograms and the counting of a turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.account.events import Purchased, PurchaseDeclined
from actors.account.kind import ACCOUNT
from switch.meters import BATCH_EDGES, LATENCY_EDGES_S, Histogram, Meters
from wire.messages import BalanceInquiry, Purchase


def test_an_edge_belongs_to_the_bucket_below_it():
    histogram = Histogram((1, 2, 4))
    for value in (0, 1, 1.5, 2, 4, 5):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1, 1]
    assert histogram.sum == 13.5


def test_observing_many_at_once():
    histogram = Histogram((1,))
    histogram.observe(0.5, 10)
    histogram.observe(3, 0)
    assert (histogram.counts, histogram.sum) == ([10, 0], 5.0)


def test_latency_edges_reach_from_a_quarter_of_a_millisecond_to_five_seconds():
    assert (LATENCY_EDGES_S[0], LATENCY_EDGES_S[-1]) == (0.000_25, 5.0)
    for edges in (LATENCY_EDGES_S, BATCH_EDGES):
        assert list(edges) == sorted(set(edges))


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5))))
def test_every_value_is_counted_in_the_bucket_that_holds_it(values):
    histogram = Histogram(LATENCY_EDGES_S)
    for value, times in values:
        histogram.observe(value, times)
    for place, edge in enumerate(LATENCY_EDGES_S, start=1):
        assert sum(histogram.counts[:place]) == sum(times for value, times in values if value <= edge)
    assert sum(histogram.counts) == sum(times for _, times in values)


def test_answers_are_counted_by_service_and_code_whatever_they_came_to():
    meters = Meters()
    meters.count_answers(ACCOUNT.service, {(Purchased, 0): 2, (PurchaseDeclined, 51): 2, (PurchaseDeclined, 41): 1})
    meters.count_answers(ACCOUNT.service, {(BalanceInquiry, 0): 2, (BalanceInquiry, 14): 1, (Purchase, 14): 5})
    meters.count_answers(ACCOUNT.service, {(Purchased, 0): 1})
    meters.count_answers(ACCOUNT.service, {})
    assert meters.answers == {
        ("purchase", 0): 3,
        ("purchase", 14): 5,
        ("purchase", 51): 2,
        ("purchase", 41): 1,
        ("balance-inquiry", 0): 2,
        ("balance-inquiry", 14): 1,
    }
