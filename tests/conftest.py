"""What all tests share: options of the suite, and where its own modules are found."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from crowd import Crowd

_HERE = Path(__file__).parent
# pytest has just put this folder on the import path, where its sub-folders would hide the packages that they test.
sys.path = [str(_HERE / "support"), *(entry for entry in sys.path if entry != str(_HERE))]


@pytest.fixture(autouse=True)
def no_ray_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that needs Ray starts a process that has it; it would outlive the test here."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a test's own process must not start Ray")

    if "ray" in sys.modules:
        monkeypatch.setattr("ray.init", refuse)


@pytest.fixture
async def crowd(campus: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    """Terminals at work on the accounts of the test's own `data`, which come back soon after a lost connection."""
    from crowd import Crowd  # most tests need none

    from simulators import station

    monkeypatch.setattr(station, "BACK_OFF_SECONDS_MAX", 0.2)
    made = Crowd(campus, tmp_path / "accounts.csv", Random(1))
    made.connect()
    yield made
    await made.disconnect()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for longer runs than everyday ones."""
    parser.addoption("--crash-rounds", type=int, default=10, help="How often the crash test kills the switch.")
    parser.addoption("--backup-rounds", type=int, default=4, help="How often the backup test takes a backup.")
    parser.addoption("--cluster-rounds", type=int, default=4, help="How often the cluster test kills a process.")
    parser.addoption(
        "--node-rounds", type=int, default=2, help="How often the nodes test kills a machine or a process."
    )
