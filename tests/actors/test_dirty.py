"""The to-do list of the write-behind: oldest first, by group, nothing twice and nothing forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cell import Cell
from actors.dirty import DirtyGroups

Groups = list[tuple[int, list[int]]]


def tens(number: int) -> int:
    return number // 10


class Marked:
    """Dirty groups of cells that are known by their numbers."""

    def __init__(self, *marks: tuple[Iterable[int], int]) -> None:
        self.cells = {number: Cell(number, None) for number in range(61)}
        self.dirty: DirtyGroups[Cell[int, None]] = DirtyGroups(tens)
        for numbers, position in marks:
            self.mark(numbers, position)

    def mark(self, numbers: Iterable[int], position: int) -> None:
        self.dirty.mark([self.cells[number] for number in numbers], position)

    def first(self, count: int) -> Groups:
        return [(group, [cell.number for cell in cells]) for group, cells in self.dirty.first_groups(count)]

    def numbers(self) -> set[int]:
        """The cells that say of themselves that they are dirty."""
        return {number for number, cell in self.cells.items() if cell.dirty}


def test_nothing_is_dirty_at_first() -> None:
    marked = Marked()
    dirty = marked.dirty
    assert (len(dirty), dirty.first_groups(9), dirty.oldest_after(0), dirty.since(0)) == (0, [], None, None)
    assert not dirty
    assert marked.numbers() == set()


def test_groups_come_oldest_first_with_all_their_cells() -> None:
    marked = Marked(([25], 1), ([11, 12], 4), ([21, 13], 9))
    assert marked.first(1) == [(2, [25, 21])]
    assert marked.first(5) == [(2, [25, 21]), (1, [11, 12, 13])]
    assert len(marked.dirty) == 2
    assert marked.numbers() == {11, 12, 13, 21, 25}


def test_cell_marked_again_keeps_its_place() -> None:
    marked = Marked(([25], 1), ([11], 4), ([25], 9))
    assert marked.first(2) == [(2, [25]), (1, [11])]


def test_cell_that_a_turn_changed_more_than_once_is_written_once() -> None:
    assert Marked(([25, 25, 21, 25], 1)).first(1) == [(2, [25, 21])]


def test_since_when_a_group_lacks_events() -> None:
    dirty = Marked(([25], 1), ([11], 4), ([26], 9)).dirty
    assert [dirty.since(group) for group in range(4)] == [None, 4, 1, None]


def test_oldest_position_once_the_first_groups_are_clean() -> None:
    dirty = Marked(([25], 1), ([11], 4), ([31], 9), ([12, 26], 10)).dirty
    assert [dirty.oldest_after(count) for count in range(5)] == [1, 4, 9, None, None]


def test_cleaned_cells_can_be_dirty_again() -> None:
    marked = Marked(([25, 26], 1), ([11], 4))
    marked.dirty.clean(marked.dirty.first_groups(1))
    assert (marked.numbers(), len(marked.dirty), marked.dirty.since(2)) == ({11}, 1, None)
    marked.mark([25], 9)
    assert marked.first(2) == [(1, [11]), (2, [25])]
    assert marked.dirty.oldest_after(0) == 4


def test_first_groups_are_only_looked_at() -> None:
    marked = Marked(([25], 1), ([11], 4))
    assert marked.first(2) == marked.first(2)
    assert (marked.numbers(), len(marked.dirty)) == ({11, 25}, 2)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 60)), st.integers(0, 4)), max_size=40))
def test_agrees_with_a_plain_dictionary_of_changes(steps: list[tuple[list[int], int]]) -> None:
    marked = Marked()
    dirty = marked.dirty
    since: dict[int, int] = {}
    for position, (numbers, count) in enumerate(steps, 1):
        groups, rest = dirty.first_groups(count), dirty.oldest_after(count)
        dirty.clean(groups)
        cleaned = [cell.number for _, cells in groups for cell in cells]
        assert len(set(cleaned)) == len(cleaned)
        since = {number: at for number, at in since.items() if number not in cleaned}
        assert rest == min(since.values(), default=None)
        marked.mark(numbers, position)
        since = {**dict.fromkeys(numbers, position), **since}
        assert marked.numbers() == set(since)
        assert len(dirty) == len({tens(number) for number in since})
        for group in range(7):
            assert dirty.since(group) == min(
                (at for number, at in since.items() if tens(number) == group), default=None
            )
