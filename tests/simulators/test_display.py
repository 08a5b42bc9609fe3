"""The live display draws what was counted."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from simulators.display import Display
from simulators.tally import Tally
from wire.codes import Code


@pytest.fixture
def tally():
    tally = Tally(10.0)
    for second in range(5):
        tally.offer(second)
    tally.answer(Code.APPROVED, 1.0, 0.020, 0.010)
    tally.answer(Code.LOST_CARD, 2.0, 0.020, 0.010)
    tally.retry()
    return tally


async def test_live(tally):
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    fleet = SimpleNamespace(queued=3, technical_by_code={"91": 4})
    async with Display(console, tally, 10, fleet).shown():
        pass
    drawn = output.getvalue()
    for text in ("50%", "00 approved", "41 lost card", "91 undecided", "queued now", "p99.9"):
        assert text in drawn


async def test_nothing_is_drawn_where_there_is_no_terminal(tally):
    output = io.StringIO()
    fleet = SimpleNamespace(queued=0, technical_by_code={})
    async with Display(Console(file=output), tally, 10, fleet).shown():
        pass
    assert output.getvalue() == ""
