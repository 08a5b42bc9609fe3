"""Explained gaps: an operator's word on offline numbers that never came, recorded once, beside the accounts."""

from __future__ import annotations

from typing import Any

import pytest
from example_campus import (
    ALICE,
    BOB,
    DESK,
    NOON,
    NOON_US,
    POLICY,
    SMALL_DESK,
    TILL,
    TODAY,
    advice,
    answer_of,
    events_of,
    image,
    opened_shard,
    perform,
    purchase,
    restarted,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.account.kind import ACCOUNT
from actors.gaps import ExplainedGap, Gap, find_explanations, find_gaps, split_gap
from actors.memory_store import MemoryStore
from actors.resharding import rewrite
from actors.shard import Shard
from actors.terminal.events import Alarm, GapExplained, GapExplanationDeclined
from actors.verification import verify
from wire.codes import Code, Reason
from wire.messages import Answer, Emergency, ExplainGap


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def shard(store) -> Shard:
    return opened_shard(store)


def explain(stan: int, first: int = 4, last: int = 6, *, terminal: int = DESK.number, **changes: Any) -> ExplainGap:
    of_terminal, note = changes.get("of_terminal", TILL.number), changes.get("note", "till was replaced")
    return ExplainGap(terminal, stan, 1_000, changes.get("clerk", "wu"), of_terminal, first, last, note)


def told(stan: int, code: Code = Code.APPROVED, reason: Reason = Reason.NONE, terminal: int = DESK.number) -> Answer:
    return Answer(terminal, stan, code, reason, 0, (), ())


def alarms(store: MemoryStore) -> list[Any]:
    return [event for event in events_of(store) if isinstance(event, Alarm)]


def test_it_is_recorded_with_who_did_it(shard, store):
    assert perform(shard, explain(7)) == [told(7)]
    assert alarms(store) == [
        GapExplained("", NOON_US, 0, DESK.number, 7, "wu", TILL.number, 4, 6, "till was replaced", TODAY)
    ]


RANGE = Code.INVALID_TRANSACTION, Reason.RANGE_NOT_POSSIBLE


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (explain(7, 4, 4), Code.APPROVED, Reason.NONE),
        (explain(7, 1, 2**63 - 1), Code.APPROVED, Reason.NONE),
        (explain(7, 2**63 - 1, 2**63 - 1), Code.APPROVED, Reason.NONE),
        (explain(7, of_terminal=77), Code.APPROVED, Reason.NONE),
        (explain(7, 4, 3), *RANGE),
        (explain(7, 2**63 - 1, 1), *RANGE),
        (explain(7, terminal=SMALL_DESK.number), Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE),
        (explain(7, 4, 3, terminal=SMALL_DESK.number), Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE),
        (explain(7, terminal=TILL.number), Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED),
        (explain(7, 4, 3, terminal=77), Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED),
    ],
)
def test_what_is_refused_and_in_which_order(shard, store, request_, code, reason):
    answer = told(7, code, reason, request_.terminal)
    assert perform(shard, request_) == [answer]
    assert perform(shard, replace(request_, wait_ms=1)) == [answer]
    (event,) = alarms(store)
    assert isinstance(event, GapExplained) is (code is Code.APPROVED)
    if isinstance(event, GapExplanationDeclined):
        assert event.asked == request_
    assert find_explanations(store, ACCOUNT) == ([event] if code is Code.APPROVED else [])


OTHERS: list[dict[str, Any]] = [
    {"of_terminal": 1002}, {"first": 3}, {"last": 7}, {"note": "another"}, {"clerk": "li-2"},
]  # fmt: skip


@pytest.mark.parametrize("changes", OTHERS)
@pytest.mark.parametrize("good", [True, False])
def test_the_same_stan_with_other_content_is_a_duplicate(shard, store, changes, good):
    first = explain(7) if good else explain(7, terminal=SMALL_DESK.number)
    perform(shard, first, explain(8))
    different = told(7, Code.DUPLICATE, Reason.CONTENT_DIFFERS, first.terminal)
    assert perform(shard, replace(first, **changes)) == [different]
    assert len(alarms(store)) == 2


def test_an_emergency_and_an_explanation_share_a_chain_and_no_stan(shard, store):
    help_, said = Emergency(DESK.number, 1, 1_000), explain(2)
    assert perform(shard, help_, said) == [told(1), told(2)]
    assert perform(shard, replace(help_, stan=2)) == [told(2, Code.DUPLICATE, Reason.CONTENT_DIFFERS)]
    assert perform(shard, explain(1)) == [told(1, Code.DUPLICATE, Reason.CONTENT_DIFFERS)]
    assert perform(shard, replace(help_, card="another"), said) == [told(1), told(2)]
    first, second = alarms(store)
    assert (first.previous, second.previous) == (0, len(events_of(store)) - 1)


def test_it_survives_restarts_with_and_without_its_snapshot(shard, store):
    perform(shard, explain(7), explain(8, 10, 12), explain(9, 3, 1))
    expected = find_explanations(store, ACCOUNT)
    assert [event.stan for event in expected] == [8, 7]
    before = image(shard, [ALICE, BOB])
    again = restarted(store)
    assert image(again, [ALICE, BOB]) == before
    again.checkpoint()
    assert find_explanations(store, ACCOUNT) == expected
    assert answer_of(restarted(store), explain(7)) == told(7)
    assert answer_of(restarted(store), explain(9, 3, 1)) == told(9, *RANGE)
    verify(store, ACCOUNT)


def test_a_refused_commit_undoes_it(shard, store):
    turn = shard.decide([explain(7), purchase(1)], NOON, POLICY)
    shard.drop(turn)
    assert alarms(store) == []
    assert perform(shard, explain(7, note="another")) == [told(7)]
    verify(store, ACCOUNT)


def test_what_is_explained_is_posted_if_it_comes(shard, store):
    perform(shard, advice(20, 5), explain(7, 1, 4))
    (gap,) = find_gaps([store])
    (explained,) = split_gap(gap, find_explanations(store, ACCOUNT))
    assert explained[:3] == (TILL.number, 1, 4)
    assert answer_of(shard, advice(21, 3)).code is Code.APPROVED
    assert [(gap.first, gap.last) for gap in find_gaps([store])] == [(1, 2), (4, 4)]


def test_a_counter_that_was_lost_is_explained_at_once(shard, store):
    """The terminal goes on from the switch's time in microseconds."""
    perform(shard, advice(20, 1), advice(21, 2), advice(22, NOON_US), explain(7, 3, NOON_US - 1))
    (gap,) = find_gaps([store])
    (explained,) = split_gap(gap, find_explanations(store, ACCOUNT))
    assert isinstance(explained, ExplainedGap)
    assert explained[:3] == (TILL.number, 3, NOON_US - 1)


def test_a_reshard_keeps_it(shard, store):
    perform(shard, advice(20, 5), explain(7, 1, 4))
    shard.checkpoint()
    targets = [MemoryStore(), MemoryStore()]
    rewrite([store], targets, ACCOUNT)
    (kept,) = [said for target in targets for said in find_explanations(target, ACCOUNT)]
    assert (kept.first, kept.last, kept.note) == (1, 4, "till was replaced")


def said(first: int, last: int, time_us: int = 1, terminal: int = 7) -> GapExplained:
    return GapExplained("", time_us, 0, DESK.number, time_us, "wu", terminal, first, last, str(time_us), TODAY)


def test_a_gap_is_cut_where_explanations_begin_and_end() -> None:
    one, other = said(1, 5), said(8, 8, 2)
    assert list(split_gap(Gap(7, 3, 10), [one, other])) == [
        ExplainedGap(7, 3, 5, one), Gap(7, 6, 7), ExplainedGap(7, 8, 8, other), Gap(7, 9, 10),
    ]  # fmt: skip


def test_of_two_explanations_the_later_one_holds() -> None:
    early, late = said(1, 9, 1), said(4, 6, 2)
    for both in ([early, late], [late, early]):
        assert list(split_gap(Gap(7, 2, 8), both)) == [
            ExplainedGap(7, 2, 3, early), ExplainedGap(7, 4, 6, late), ExplainedGap(7, 7, 8, early),
        ]  # fmt: skip
    assert list(split_gap(Gap(7, 2, 8), [late, said(1, 9, 3)])) == [ExplainedGap(7, 2, 8, said(1, 9, 3))]


def test_explanations_of_other_terminals_and_numbers_change_nothing() -> None:
    gap = Gap(7, 3, 5)
    assert list(split_gap(gap, [said(3, 5, terminal=8), said(1, 2), said(6, 9)])) == [gap]


@given(
    st.tuples(st.integers(1, 12), st.integers(0, 8)),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 8)), max_size=5),
)
def test_every_number_has_the_latest_word_on_it(gap: tuple[int, int], ranges: list[tuple[int, int]]) -> None:
    whole = Gap(7, gap[0], gap[0] + gap[1])
    words = [said(first, first + width, time_us) for time_us, (first, width) in enumerate(ranges, 1)]
    pieces = list(split_gap(whole, words))
    found = {
        number: piece.explanation.note if isinstance(piece, ExplainedGap) else None
        for piece in pieces
        for number in range(piece.first, piece.last + 1)
    }
    expected: dict[int, str | None] = dict.fromkeys(range(whole.first, whole.last + 1))
    for word in words:  # a later one takes the place of an earlier one
        expected |= dict.fromkeys(expected.keys() & range(word.first, word.last + 1), word.note)
    assert found == expected
    assert sum(piece.last - piece.first + 1 for piece in pieces) == gap[1] + 1
