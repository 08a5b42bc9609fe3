"""The programs of Debian's packages prometheus and prometheus-alertmanager, which a machine may lack."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
SECONDS_MAX = 120.0


def needs(program: str) -> pytest.MarkDecorator:
    """Skip without this program, and say how to get it."""
    packages = "prometheus prometheus-alertmanager"
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"{program} is missing: apt-get install {packages} (Debian), then again"
    )


def run(*arguments: object) -> str:
    """Run one of the programs to its end; returns what it printed. Its failure is the test's."""
    ended = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr
