"""What the console shows."""

from __future__ import annotations

import pytest
from example_status import ACTIVITY, STATUS
from msgspec.structs import replace
from rich.console import Console

from switch.activity import Activity, CodeRate
from switch.cluster_status import ShardStatus
from switch.logs import LogLine
from switch.readiness import Check
from switch.switch_status import SwitchStatus
from switch.top_frame import PROBLEMS_MAX, SHARDS_MAX, frame, waiting_frame


def drawn(status: SwitchStatus, trouble: str | None = None, width: int = 120) -> str:
    console = Console(width=width, height=40, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(frame(status, trouble))
    return capture.get()


def cells(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.strip("│╭╮╰╯─ ").split() for line in text.splitlines()]


def test_everything_at_a_glance():
    text = drawn(STATUS)
    assert "tapswitch Test campus ready" in text
    assert "2026-11-27 03:25:51 UTC, registry version 3, the last 10 s" in text
    rows = cells(text)
    assert ["all", "1,234", "commit", "(slowest)", "1.0", "2.0", "3.0", "4.0"] in rows
    assert ["00", "approved", "1,200", "97.2%", "total", "2.0", "3.0", "47.5", "99.0"] in rows
    assert ["shard-0", "12,345", "17", "0", "0.00", "serving"] in rows
    assert ["gateway-0", "0", "2", "serving"] in rows
    assert ["North", "<canteen>", "700", "north-1", "800"] in rows
    assert ["South", "[canteen]", "7.0"] in rows, "no name is markup"
    assert "03:05:51 warning" in text
    assert "emergency (terminal=1001, stan=7)" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_any_width_is_kept(width):
    assert {len(line) for line in drawn(STATUS, width=width).splitlines()} == {width}


def test_a_switch_without_traffic():
    idle = Activity(
        seconds=0, answered_per_s=0, repeats_per_s=0, codes=[], latency_ms={}, slowest_stage=None,
        merchants=[], stations=[],
    )  # fmt: skip
    text = drawn(replace(STATUS, activity=idle, problems=[], shards=[], gateways=[]))
    assert "nothing was asked" in text
    assert text.count("none") == 3


def test_a_rate_of_nothing_has_no_share():
    drawn(replace(STATUS, activity=replace(ACTIVITY, answered_per_s=0.0, codes=[CodeRate("00", "approved", 0.0)])))


def test_what_is_not_well_stands_out():
    failed = Check("disk", ok=False, explanation="1 MiB [free]")
    text = drawn(replace(STATUS, ready=False, simulated_clock=True, checks=[failed, *STATUS.checks]))
    assert "NOT READY" in text
    assert "UTC, simulated" in text
    assert ["disk", "1", "MiB", "[free]"] in cells(text)
    assert "2 connections" not in text


def test_trouble_takes_the_place_of_the_verdict_and_the_rest_stays():
    text = drawn(STATUS, "no answer for 3 s")
    assert "tapswitch Test campus no answer for 3 s" in text
    assert "12,345" in text


def test_many_shards_and_problems_take_only_so_many_lines():
    shards = [
        ShardStatus(name=f"shard-{number}", problem="broken" if number == 9 else None, first_slot=number,
                    last_slot=number, mailbox=number)
        for number in range(20)
    ]  # fmt: skip
    problems = [LogLine("2026-11-27T03:05:51Z", "error", f"problem {number}", "") for number in range(20)]
    text = drawn(replace(STATUS, shards=shards, problems=problems))
    shown = [row[0] for row in cells(text) if row and row[0].startswith("shard-")]
    assert shown == ["shard-9", "shard-19", "shard-18", "shard-17", "shard-16", "shard-15"]
    assert len(shown) == SHARDS_MAX
    assert "and 14 more" in text
    said = [line for line in text.splitlines() if " error " in line]
    assert len(said) == PROBLEMS_MAX
    assert "problem 19" in said[0]


def test_before_the_first_answer():
    console = Console(width=80, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(waiting_frame("asking [somebody]"))
    assert "asking [somebody]" in capture.get()
