"""`tapswitch tap` shows a vendor every step, decoded."""

from __future__ import annotations

import asyncio
import threading

import pytest
from click.testing import CliRunner

from simulators import tap as tap_module
from simulators.accounts import Card
from simulators.campus import read_campus
from simulators.campus_files import write_campus
from simulators.population import make_population
from simulators.tap_command import tap
from wire.messages import Purchase


@pytest.fixture
def campus(tmp_path):
    return write_campus(tmp_path, make_population(10, 1)).campus


@pytest.fixture
def serving(make_fake_switch, rules, campus):
    """A fake switch that serves from a thread of its own, because the command runs its own event loop."""
    read = read_campus(campus)
    cards: list[Card] = make_population(10, 1)
    started, loop = threading.Event(), asyncio.new_event_loop()
    found: dict[str, object] = {}

    async def serve() -> None:
        keys = {name: key.key for name, key in read.keys.items()}
        served = type(rules)(read.limits, read.spending_order, read.terminals, rules.today)
        async with make_fake_switch(cards, served, keys) as switch:
            found["switch"], found["stop"] = switch, asyncio.Event()
            started.set()
            await found["stop"].wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    yield found["switch"]
    loop.call_soon_threadsafe(found["stop"].set)
    thread.join(10)
    loop.close()


def run_tap(serving, campus, *more, account="20260001"):
    return CliRunner().invoke(
        tap,
        [
            "--connect",
            str(serving.address),
            "--campus",
            str(campus),
            "--station",
            "north-1",
            "--account",
            account,
            *more,
        ],
    )


def test_transcript(serving, campus, switch_time_us):
    result = run_tap(serving, campus, "--amount", "12.50")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    steps = [line.rpartition(": ")[2] if "record" in line else line.split(",")[0] for line in lines if line[0] in "→←"]
    assert steps == [
        "→ greeting", "→ handshake", "← handshake",
        "SignOn", "SignedOn", "Purchase", "Answer", "SignOff", "SignedOff",
    ]  # fmt: skip
    (purchase,) = serving.received
    assert purchase == Purchase(1001, switch_time_us, 5_000, "20260001", "C0020260001", 1_250)
    assert any("code" in line and "00 approved" in line for line in lines)
    assert sum("plaintext 91" in line for line in lines) == 6, "one message each: a msgpack array of one"


def test_chosen_fields(serving, campus):
    result = run_tap(serving, campus, "--amount", "1", "--card", "C9", "--terminal", "1003", "--stan", "77")
    assert result.exit_code == 1
    assert serving.received == [Purchase(1003, 77, 5_000, "20260001", "C9", 100)]
    assert "no such account" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--amount", "12,50", "--station", "north-1"], "--amount"),
        (["--amount", "1", "--station", "nobody"], "--station nobody"),
        (["--amount", "1", "--station", "north-top-up-1"], "--terminal"),
        (["--amount", "1", "--station", "north-1", "--connect", "nowhere"], "--connect"),
    ],
)
def test_bad_input(campus, options, message):
    base = ["--connect", "127.0.0.1:1", "--campus", str(campus), "--account", "20260001"]
    result = CliRunner().invoke(tap, base + options)
    assert result.exit_code == 2
    assert message in result.output


def test_a_switch_that_says_nothing(campus, silent, monkeypatch):
    monkeypatch.setattr(tap_module, "STEP_SECONDS", 0.05)
    options = ["--connect", str(silent), "--campus", str(campus), "--account", "1", "--amount", "1"]
    result = CliRunner().invoke(tap, [*options, "--station", "north-1"])
    assert result.exit_code == 1
    said = f"{silent}: connected, but nothing came from the switch: no answer in 0.05 seconds"
    assert result.stderr == f"Error: {said}\n"


def test_nobody_listens(campus):
    options = ["--connect", "127.0.0.1:1", "--campus", str(campus), "--account", "1", "--amount", "1"]
    result = CliRunner().invoke(tap, [*options, "--station", "north-1"])
    assert result.exit_code == 1
    assert result.stderr == "Error: 127.0.0.1:1: Connection refused\n"
