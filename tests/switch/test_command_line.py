"""The command itself: what it offers, and what it refuses."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from running_switch import command, python

COMMANDS = {
    "backup",
    "cluster",
    "compact",
    "doctor",
    "effects",
    "export",
    "gaps",
    "import",
    "init",
    "operator",
    "peak",
    "reshard",
    "restore",
    "serve",
    "statement",
    "suspicious",
    "tap",
    "top",
    "verify",
}


def test_help_lists_every_command():
    result = command("--help")
    assert result.exit_code == 0
    listed = {line.split()[0] for line in result.output.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed == COMMANDS


def test_every_command_of_the_project_is_installed():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["project"]["entry-points"]["tapswitch.commands"]) == COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name):
    result = command(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: tapswitch {name} ")


def test_an_unknown_command():
    result = command("serv")
    assert result.exit_code == 2
    assert "No such command 'serv'" in result.output


def test_the_version():
    result = command("--version")
    assert result.exit_code == 0
    assert "0.1.0" in result.output


def test_without_assertions_it_does_nothing(tmp_path):
    done = python("-O", "-m", "switch.command_line", "init", tmp_path / "campus")
    assert done.returncode != 0
    assert "without -O" in done.stderr
    assert not (tmp_path / "campus").exists()
