"""The to-do list of the write-behind: oldest first, by group, nothing twice and nothing forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.dirty import DirtyGroups


def tens(member: int) -> int:
    return member // 10


def marked(*marks: tuple[Iterable[int], int]) -> DirtyGroups[int, int]:
    dirty: DirtyGroups[int, int] = DirtyGroups(tens)
    for members, position in marks:
        dirty.mark(members, position)
    return dirty


def test_nothing_is_dirty_at_first() -> None:
    dirty = marked()
    assert (len(dirty), dirty.groups(), dirty.first_groups(9), dirty.oldest_after(0)) == (0, 0, [], None)
    assert 1 not in dirty


def test_groups_come_oldest_first_with_all_their_members() -> None:
    dirty = marked(([25], 1), ([11, 12], 4), ([21, 13], 9))
    assert dirty.first_groups(1) == [(2, [25, 21])]
    assert dirty.first_groups(5) == [(2, [25, 21]), (1, [11, 12, 13])]
    assert (len(dirty), dirty.groups()) == (5, 2)


def test_member_marked_again_keeps_its_place() -> None:
    dirty = marked(([25], 1), ([11], 4), ([25], 9))
    assert dirty.first_groups(2) == [(2, [25]), (1, [11])]
    assert len(dirty) == 2


def test_oldest_position_once_the_first_groups_are_clean() -> None:
    dirty = marked(([25], 1), ([11], 4), ([31], 9), ([12, 26], 10))
    assert [dirty.oldest_after(count) for count in range(5)] == [1, 4, 9, None, None]


def test_cleaned_members_can_be_dirty_again() -> None:
    dirty = marked(([25, 26], 1), ([11], 4))
    dirty.clean(dirty.first_groups(1))
    assert (25 in dirty, 11 in dirty, len(dirty)) == (False, True, 1)
    dirty.mark([25], 9)
    assert dirty.first_groups(2) == [(1, [11]), (2, [25])]
    assert dirty.oldest_after(0) == 4


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, 60)), st.integers(0, 4)), max_size=40))
def test_agrees_with_a_plain_dictionary_of_changes(steps: list[tuple[set[int], int]]) -> None:
    dirty: DirtyGroups[int, int] = DirtyGroups(tens)
    since: dict[int, int] = {}
    for position, (members, count) in enumerate(steps, 1):
        groups, rest = dirty.first_groups(count), dirty.oldest_after(count)
        dirty.clean(groups)
        cleaned = {member for _, some in groups for member in some}
        since = {member: at for member, at in since.items() if member not in cleaned}
        assert rest == min(since.values(), default=None)
        dirty.mark(members, position)
        since = {**dict.fromkeys(members, position), **since}
        assert {member for member in range(61) if member in dirty} == set(since)
        assert dirty.groups() == len({tens(member) for member in since})
