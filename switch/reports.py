"""How commands print their tables, and where: wide enough that nothing is cut or wrapped when the output is a file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.console import Console

COLUMNS_MIN: Final = 128

_COLUMNS_OF_A_FILE: Final = 10_000
"""More than any table has. A table is no wider than what is in it."""


def when(time_us: int) -> str:
    """A moment as tables show it, in UTC."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def report_console() -> Console:
    """Standard output: as wide as the terminal and at least COLUMNS_MIN, or as wide as need be where it is none."""
    terminal = Console()
    return Console(width=max(COLUMNS_MIN, terminal.width) if terminal.is_terminal else _COLUMNS_OF_A_FILE)
