"""Where commands print their tables: wide enough that no column is cut, also when the output is a file."""

from __future__ import annotations

from typing import Final

from rich.console import Console

COLUMNS_MIN: Final = 128


def report_console() -> Console:
    """Standard output, as wide as the terminal and at least COLUMNS_MIN."""
    return Console(width=max(COLUMNS_MIN, Console().width))
