"""Log lines: JSON on standard error, from a level on, in bounded number. Each in a process that logs nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from switch.logs import LINES_PER_SECOND_MAX, PROBLEMS_MAX, TEXT_MAX

PROGRAM = """
import structlog
from switch import logs
{before}
logs.configure("{level}")
log = structlog.get_logger()
{body}
"""


def lines_of(body: str, level: str = "info", before: str = "") -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body, level=level, before=before)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


FROZEN = "logs.time.monotonic = lambda: now\nnow = 5.0"


def test_a_line_is_an_object_with_level_time_and_values():
    (line,) = lines_of('log.debug("unseen"); log.info("signed on", station="north-1", session=3)')
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "signed on", "level": "info", "station": "north-1", "session": 3}


def test_the_level_chosen():
    body = 'log.debug("d"); log.info("i"); log.warning("w"); log.error("e")'
    assert [line["event"] for line in lines_of(body, "debug")] == ["d", "i", "w", "e"]
    assert [line["event"] for line in lines_of(body, "error")] == ["e"]


def test_what_peers_send_cannot_break_out_of_its_line():
    (line,) = lines_of(r'log.info("closed", explanation="a\nb\"}\u0000")')
    assert line["explanation"] == 'a\nb"}\0'


def test_a_flood_is_cut_off_and_counted_but_never_its_warnings():
    body = """
for number in range(1_000):
    log.info("flood")
log.warning("still heard")
log.info("another event")
now = 6.0
log.info("another event")
log.info("flood")
log.info("flood")
"""
    lines = lines_of(body, before=FROZEN)
    assert [line["event"] for line in lines] == [
        *["flood"] * LINES_PER_SECOND_MAX,
        "still heard",
        "another event",
        "another event",
        "flood",
        "flood",
    ]
    dropped = [(line["event"], line["lines_dropped_before"]) for line in lines if "lines_dropped_before" in line]
    assert dropped == [("flood", 1_000 - LINES_PER_SECOND_MAX)]


def test_the_newest_problems_are_remembered_short_and_in_bounded_number():
    body = """
log.info("all is well")
for number in range(logs.PROBLEMS_MAX):
    log.warning("look", number=number)
log.error("x" * 400, details="y" * 400)
kept = logs.problems()
log.info("kept", levels=[line.level for line in kept], events=[line.event for line in kept],
         details=[line.details for line in kept], times=[line.time for line in kept])
"""
    kept = lines_of(body)[-1]
    assert kept["levels"] == ["warning"] * (PROBLEMS_MAX - 1) + ["error"]
    assert kept["events"] == ["look"] * (PROBLEMS_MAX - 1) + ["x" * TEXT_MAX]
    assert kept["details"][0] == "number=1", "the oldest is forgotten"
    assert kept["details"][-1] == f"details={'y' * 400}"[:TEXT_MAX]
    assert all(time.endswith("Z") for time in kept["times"])
