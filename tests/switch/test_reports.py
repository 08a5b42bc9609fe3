"""Tables in a file are as wide as need be; on a terminal as wide as that, and never narrower than a minimum."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rich.table import Table

from switch.reports import COLUMNS_MIN, report_console, when


def table() -> Table:
    made = Table()
    for column in ("time (UTC)", "reason", "note"):
        made.add_column(column)
    made.add_row(when(int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()) * 1_000_000), "beyond-role", "x" * 150)
    return made


def test_nothing_is_wrapped_or_cut_in_a_file(capsys):
    report_console().print(table())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[3] == f"│ 2026-09-01 00:00:00 │ beyond-role │ {'x' * 150} │"
    assert {len(line) for line in lines} == {len(lines[0])}


@pytest.mark.parametrize(("columns", "width"), [("200", 200), ("40", COLUMNS_MIN)])
def test_as_wide_as_the_terminal(monkeypatch, columns, width):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes it one
    monkeypatch.setenv("COLUMNS", columns)
    assert report_console().width == width
