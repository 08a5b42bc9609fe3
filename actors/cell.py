"""What a shard holds in memory under one number, before and after the turn in progress."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

Number = TypeVar("Number")
Value = TypeVar("Value")


class Cell(Generic[Number, Value]):
    """One object for all of it, so that a turn looks its number up once."""

    __slots__ = ("dirty", "durable", "number", "pending")

    def __init__(self, number: Number, value: Value) -> None:
        self.number = number
        self.durable = value
        """As of the last adopted turn."""

        self.pending = value
        """What the turn in progress makes of it; the same object as `durable` while it makes nothing of it."""

        self.dirty = False
        """Whether its snapshot lacks an adopted event."""


def adopt(cells: Iterable[Cell[Any, Any]]) -> None:
    """The turn in progress is durable: what it made of these cells is what they hold."""
    for cell in cells:
        cell.durable = cell.pending


def undo(cells: Iterable[Cell[Any, Any]]) -> None:
    """The turn in progress never happened."""
    for cell in cells:
        cell.pending = cell.durable
