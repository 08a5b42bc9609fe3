"""What all tests share: options of the suite, and where its own modules are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
# pytest has just put this folder on the import path, where its sub-folders would hide the packages that they test.
sys.path = [str(_HERE / "support"), *(entry for entry in sys.path if entry != str(_HERE))]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for longer runs than everyday ones."""
    parser.addoption("--crash-rounds", type=int, default=10, help="How often the crash test kills the switch.")
    parser.addoption("--cluster-rounds", type=int, default=4, help="How often the cluster test kills a process.")
