"""`tapswitch cluster status`: what it shows, and of whom."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from running_switch import command

from switch.cluster_status import ClusterStatus
from switch.gateway_process import GatewayStatus
from switch.shard_process import ShardStatus

SERVING = ClusterStatus(
    [
        ShardStatus(0, 41, 0, 2047, None, 1234, 1_788_235_200_000_000, 3, 77),
        ShardStatus(1, 42, 2048, 4095, None),
    ],
    [GatewayStatus(0, 43, None, 12, 11, 2)],
    {"shard-0": 5},
    "/logs",
)
WAITING = msgspec.structs.replace(
    SERVING, shards=[SERVING.shards[0], ShardStatus(1, 42, 2048, 4095, "another process is writing")]
)


@contextmanager
def page(body: bytes, status: int = 200) -> Iterator[str]:
    """A server on loopback with one page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/status.json" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_everything_serves():
    with page(msgspec.json.encode(SERVING)) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line]
    assert rows == [
        ["0", "0-2047", "41", "5", "1,234", "2026-09-01 04:00:00", "3", "77", "serving"],
        ["1", "2048-4095", "42", "0", "0", "none", "0", "0", "serving"],
        ["0", "43", "0", "12", "11", "2", "serving"],
    ]
    assert "/logs" in result.output


def test_something_does_not():
    with page(msgspec.json.encode(WAITING)) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 1
    assert "another process is" in result.output


def test_json_is_what_the_switch_said():
    with page(msgspec.json.encode(SERVING)) as address:
        result = command("cluster", "status", "--json", "--http", address)
    assert msgspec.json.decode(result.output, type=ClusterStatus) == SERVING


@pytest.mark.parametrize(("body", "status"), [(b"{}", 200), (b"nothing", 200), (b"", 404)])
def test_somebody_else_answers(body, status):
    with page(body, status) as address:
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 2
    assert f"--http {address}: this is no switch on Ray" in result.output


def test_nobody_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = command("cluster", "status", "--http", address)
    assert result.exit_code == 2
    assert f"--http {address}: nobody answers: [Errno" in result.output
