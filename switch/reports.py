"""How commands print their tables, and where: wide enough that no column is cut, also when the output is a file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.console import Console

COLUMNS_MIN: Final = 128


def when(time_us: int) -> str:
    """A moment as tables show it, in UTC."""
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def report_console() -> Console:
    """Standard output, as wide as the terminal and at least COLUMNS_MIN."""
    return Console(width=max(COLUMNS_MIN, Console().width))
