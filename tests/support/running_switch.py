"""`tapswitch serve` in a process of its own, and the other commands in this one."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from campus_folder import write_accounts
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from switch.command_line import tapswitch
from switch.data_folder import create, shards_found

READY = re.compile(r"ready terminals=127\.0\.0\.1:(\d+) http=127\.0\.0\.1:(\d+)\n")
SECONDS_MAX = 60.0
"""Far more than starting or stopping takes."""

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def command(*arguments: object) -> Result:
    """Run a command of `tapswitch` to its end, within this process."""
    return CliRunner().invoke(tapswitch, [str(argument) for argument in arguments])


def python(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python to its end in a process of its own."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=SECONDS_MAX, env=os.environ | (environment or {}),
    )  # fmt: skip


def make_data(folder: Path, accounts: int = 20, balance: str = "100.00", shards: int = 1) -> Path:
    """A data folder with accounts in it; one that is there already keeps its shards."""
    data = folder / "data"
    if not shards_found(data):
        create(data, shards)
    result = command("import", "--data", data, write_accounts(folder / "accounts.csv", accounts, balance))
    assert result.exit_code == 0, result.output
    return data


def samples(page: str) -> Samples:
    """Every sample of a metrics page by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


class RunningSwitch:
    """Serving on loopback from the moment it is made; killed at the end of its `with` if it still runs."""

    def __init__(
        self, data: Path | None, campus: Path, *options: object, environment: dict[str, str] | None = None
    ) -> None:
        """Without `data` where machines of a cluster have them."""
        self.log = campus.parent / "switch.log"
        arguments = ["--campus", campus, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
        if data is not None:
            arguments += ["--data", data]
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "switch.command_line", "serve", *map(str, arguments)],
                stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | (environment or {}),
            )  # fmt: skip
        assert self.process.stdout is not None, "asked for as a pipe"
        readable, _, _ = select.select([self.process.stdout], [], [], SECONDS_MAX)
        ready = READY.fullmatch(self.process.stdout.readline() if readable else "")
        if ready is None:
            self.kill()
            raise AssertionError(f"the switch did not become ready:\n{self.log.read_text()}")
        self.address = "127.0.0.1", int(ready[1])
        self.http = f"127.0.0.1:{ready[2]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; returns the exit status."""
        status = self.process.wait(SECONDS_MAX)
        assert self.process.stdout is not None, "asked for as a pipe"
        self.process.stdout.close()
        return status

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        connection = http.client.HTTPConnection(self.http, timeout=SECONDS_MAX)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def samples(self) -> Samples:
        """The metrics now."""
        return samples(self.get("/metrics")[1])

    def logged(self, event: str) -> list[dict[str, Any]]:
        """All log lines with this event, also those of earlier switches on the same folder."""
        # Ray prints plain lines between them.
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]
