"""A real Prometheus on loopback, with the rules of deploy/prometheus, and what its HTTP API answers."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from prometheus_tools import PROMETHEUS

SECONDS_MAX = 60.0
SCRAPE_S = 1


class RunningPrometheus:
    """Scraping every second from the moment it is entered; killed at the end of its `with`."""

    def __init__(self, folder: Path, configuration: str, names: dict[str, str]) -> None:
        """`names` has the address for each name of a configuration, which is otherwise taken as it is."""
        text = (PROMETHEUS / configuration).read_text("utf-8")
        for name, address in names.items():
            text = text.replace(name, address)
        text = re.sub(r"_interval: \d+s", f"_interval: {SCRAPE_S}s", text)
        text = text.replace("rules/*.yml", f"{PROMETHEUS}/rules/*.yml")
        self.configuration = folder / "prometheus.yml"
        self.configuration.write_text(text, "utf-8")
        self.data = folder / "prometheus-data"
        self.log = folder / "prometheus.log"
        self.address = f"127.0.0.1:{_free_port()}"

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.configuration}",
                    f"--storage.tsdb.path={self.data}",
                    "--storage.tsdb.retention.time=40d",
                    f"--web.listen-address={self.address}",
                ],
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(SECONDS_MAX)

    def is_ready(self) -> bool:
        """Whether it answers questions; raises if it has ended."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self._get("/-/ready")[0] == 200
        except OSError:
            return False

    def ask(self, path: str, **arguments: object) -> Any:
        """The data of an answer of its API."""
        status, text = self._get(f"/api/v1/{path}?{urlencode(arguments)}")
        assert status == 200, text
        answer = json.loads(text)
        assert answer["status"] == "success", text
        assert not answer.get("warnings"), text
        return answer["data"]

    def now(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression as it is now."""
        return self.ask("query", query=expression)["result"]

    def over(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """The series of an expression over time, those with a number in them."""
        found = self.ask("query_range", query=expression, start=start, end=end, step=2)["result"]
        return [series for series in found if any(value != "NaN" for _, value in series["values"])]

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS_MAX)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


def _free_port() -> int:
    """Free a moment ago: Prometheus cannot say which one it chose."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
