"""The to-do list of the write-behind: oldest change first, nothing twice and nothing forgotten."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.dirty import DirtyGroups


def marked(*marks: tuple[list[int], int]) -> DirtyGroups:
    dirty = DirtyGroups()
    for groups, position in marks:
        dirty.mark(groups, position)
    return dirty


def test_nothing_is_dirty_at_first() -> None:
    dirty = marked()
    assert (len(dirty), dirty.first(9), dirty.oldest_after(0)) == (0, [], None)
    assert 1 not in dirty


def test_oldest_change_comes_first() -> None:
    dirty = marked(([25], 1), ([11, 12], 4), ([3], 9))
    assert (dirty.first(0), dirty.first(2), dirty.first(9)) == ([], [25, 11], [25, 11, 12, 3])
    assert len(dirty) == 4


def test_group_marked_again_keeps_its_place() -> None:
    dirty = marked(([25], 1), ([11], 4), ([25, 11], 9))
    assert dirty.first(9) == [25, 11]
    assert [dirty.oldest_after(count) for count in range(3)] == [1, 4, None]


def test_oldest_position_once_the_first_groups_are_clean() -> None:
    dirty = marked(([25], 1), ([11, 12], 4), ([31], 9))
    assert [dirty.oldest_after(count) for count in range(6)] == [1, 4, 4, 9, None, None]


def test_cleaned_group_can_be_dirty_again() -> None:
    dirty = marked(([25], 1), ([11], 4))
    dirty.clean([25])
    assert (25 in dirty, 11 in dirty, len(dirty)) == (False, True, 1)
    dirty.mark([25], 9)
    assert (dirty.first(2), dirty.oldest_after(0), dirty.oldest_after(1)) == ([11, 25], 4, 9)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, 12)), st.integers(0, 4)), max_size=40))
def test_agrees_with_a_plain_dictionary_of_changes(steps: list[tuple[set[int], int]]) -> None:
    dirty = DirtyGroups()
    since: dict[int, int] = {}
    for position, (groups, count) in enumerate(steps, 1):
        first, rest = dirty.first(count), dirty.oldest_after(count)
        assert sorted(since[group] for group in first) == sorted(since.values())[:count]
        dirty.clean(first)
        since = {group: at for group, at in since.items() if group not in first}
        assert rest == min(since.values(), default=None)
        dirty.mark(groups, position)
        since = {**dict.fromkeys(groups, position), **since}
        assert {group for group in range(13) if group in dirty} == set(since)
        assert len(dirty) == len(since)
