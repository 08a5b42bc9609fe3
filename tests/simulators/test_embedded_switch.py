"""The embedded switch: a whole small peak against the real one, and what is told when it does not start."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from simulators.bad_input import BadInputError
from simulators.campus_files import write_campus
from simulators.embedded import EmbeddedError, embedded_switch, parse_address
from simulators.peak_command import peak
from simulators.population import make_population

CLOCK = "2099-01-01T10:20:00,1"


def test_a_small_peak(tmp_path):
    report = tmp_path / "report"
    result = CliRunner().invoke(peak, ["--cards", "300", "--minutes", "0.03", "--seed", "7", "--report", str(report)])
    assert result.exit_code == 0, result.output
    assert "The audit holds" in result.output
    written = json.loads((report / "report.json").read_text())
    assert written["offered"] - written["answered"] <= written["not_served"] + written["reversed"]
    assert written["answered"] > 300
    assert "Verifying the journal." in result.output
    assert written["switch_counts_agree"] is True
    assert (written["lost"], written["doubled"], written["imbalance_minor_units"]) == (0, 0, 0)


async def test_it_is_gone_afterwards(tmp_path):
    files = write_campus(tmp_path, make_population(5, 1))
    async with embedded_switch(tmp_path, files, CLOCK) as switch:
        os.kill(switch.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(switch.pid, 0)


async def test_a_switch_that_does_not_start_says_why(tmp_path):
    files = write_campus(tmp_path, make_population(5, 1))
    files.campus.write_text(files.campus.read_text().replace("[limits]", "[bounds]"))
    with pytest.raises(EmbeddedError, match="bounds"):
        async with embedded_switch(tmp_path, files, CLOCK):
            pytest.fail("it started")


async def test_an_import_that_fails_says_why(tmp_path):
    files = write_campus(tmp_path, make_population(5, 1))
    files.accounts.write_text(files.accounts.read_text().replace("active", "asleep"))
    with pytest.raises(EmbeddedError, match="asleep"):
        async with embedded_switch(tmp_path, files, CLOCK):
            pytest.fail("it started")


@pytest.mark.parametrize("text", ["7007", "host:", ":7007", "host:port", "host:0", "host:70000"])
def test_bad_addresses(text):
    with pytest.raises(BadInputError, match="--connect"):
        parse_address(text, "--connect")
