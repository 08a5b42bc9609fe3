"""The watch over a node's raylet, with a shell as `ray start`, and `sleep` under another name as the raylet."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

WAIT_S_MAX = 60.0
NODE = """\
trap 'exit 7' TERM
"$1" 600 & echo $!
"$2" -m switch.raylet_watch $$ &
wait
"""


@pytest.fixture
def node(tmp_path) -> Iterator[subprocess.Popen[bytes]]:
    """It prints its raylet's number; on standard error, the watch says when it has found it."""
    raylet = tmp_path / "raylet"
    shutil.copy(shutil.which("sleep"), raylet)
    arguments = ["bash", "-c", NODE, "node", raylet, sys.executable]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def found_raylet(node: subprocess.Popen[bytes]) -> int:
    number = int(node.stdout.readline())
    assert f"Process {number} is this node's raylet" in node.stderr.readline().decode()
    return number


def test_a_node_ends_with_its_raylet_and_the_watch_with_the_node(node):
    os.kill(found_raylet(node), signal.SIGTERM)
    _, said = node.communicate(timeout=WAIT_S_MAX)  # the pipe ends when the watch has ended too
    assert node.returncode == 7
    assert b"The raylet has ended" in said


def test_the_watch_ends_with_a_node_that_was_killed(node):
    number = found_raylet(node)
    node.kill()
    os.kill(number, signal.SIGKILL)
    _, said = node.communicate(timeout=WAIT_S_MAX)
    assert said == b""
