"""What is held under a number before and after the turn in progress."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cell import Cell, adopt, undo


def test_new_cell_holds_its_value_and_no_turn_makes_anything_of_it() -> None:
    cell = Cell("1", b"state")
    assert (cell.number, cell.durable, cell.dirty) == ("1", b"state", False)
    assert cell.pending is cell.durable


def test_adopted_value_is_durable() -> None:
    cell = Cell(1001, 0)
    cell.pending = 2**63 - 1
    assert cell.durable == 0
    adopt([cell])
    assert cell.durable == 2**63 - 1
    assert cell.pending is cell.durable


def test_undone_value_never_was() -> None:
    value = bytes([1, 2])
    cell = Cell("1", value)
    cell.pending = bytes([1, 2, 3])
    undo([cell])
    assert cell.pending is cell.durable is value


def test_equal_value_of_a_turn_becomes_the_same_object_again() -> None:
    """A turn tells by identity whether it has changed a cell already."""
    for end in (adopt, undo):
        cell = Cell("1", bytes([1, 2]))
        cell.pending = bytes(bytearray([1, 2]))
        assert cell.pending is not cell.durable
        end([cell])
        assert cell.pending is cell.durable


def test_cell_named_twice_and_cells_not_named() -> None:
    named, other = Cell(1, 5), Cell(2, 5)
    named.pending, other.pending = 6, 6
    adopt([named, named])
    assert (named.durable, named.pending) == (6, 6)
    assert (other.durable, other.pending) == (5, 6)
    named.pending = 7
    undo([named, named])
    assert (named.durable, named.pending) == (6, 6)


def test_neither_end_of_a_turn_says_anything_about_snapshots() -> None:
    clean, dirty = Cell(1, 5), Cell(2, 5)
    dirty.dirty = True
    for end in (adopt, undo):
        end([clean, dirty])
        assert (clean.dirty, dirty.dirty) == (False, True)


TURNS = st.lists(st.tuples(st.booleans(), st.lists(st.tuples(st.integers(0, 3), st.integers()), max_size=5)))


@settings(deadline=None)
@given(TURNS)
def test_durable_values_are_those_of_the_adopted_turns(turns: list[tuple[bool, list[tuple[int, int]]]]) -> None:
    cells = [Cell(number, 0) for number in range(4)]
    expected = dict.fromkeys(range(4), 0)
    for adopted, changes in turns:
        for number, value in changes:
            cells[number].pending = value
        assert {cell.number: cell.durable for cell in cells} == expected
        expected |= dict(changes) if adopted else {}
        (adopt if adopted else undo)([cells[number] for number, _ in changes])
        assert {cell.number: cell.durable for cell in cells} == expected
        assert all(cell.pending is cell.durable for cell in cells)
