"""The options of `tapswitch peak`, and what is refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from simulators.peak_command import peak


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--speed", "10", "--minutes", "1"], "--speed and --minutes"),
        (["--minutes", "0.0001"], "too short"),
        (["--shape", "flat"], "--shape"),
        (["--cards", "0"], "--cards"),
        (["--campus", "campus.toml"], "--connect"),
        (["--connect", "127.0.0.1:7007"], "--campus"),
        (["--connect", "7007", "--campus", "c", "--accounts", "a"], "--connect"),
        (["--connect", "127.0.0.1:1", "--http", "x", "--campus", "c", "--accounts", "a"], "--http"),
        (["--connect", "127.0.0.1:1", "--campus", "missing.toml", "--accounts", "a"], "missing.toml"),
    ],
)
def test_bad_input(options, message):
    result = CliRunner().invoke(peak, options)
    assert result.exit_code == 2
    assert message in result.output


def test_help_explains_time():
    text = " ".join(CliRunner().invoke(peak, ["--help"]).output.split())
    assert "Only arrivals are compressed" in text
    assert "Exit status: 0 if the audit holds, 1 if not, 2 for bad input" in text
