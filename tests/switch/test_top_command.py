"""`tapswitch top`, once, and live on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from time import monotonic

import msgspec
import pytest
from example_status import STATUS
from msgspec.structs import replace
from one_page import page
from running_switch import command

SECONDS_MAX = 60
BODY = msgspec.json.encode(STATUS)


def test_one_frame_for_scripts():
    with page(BODY) as address:
        result = command("top", "--once", "--http", address)
    assert result.exit_code == 0, result.output
    assert "tapswitch Test campus ready" in result.output
    assert "\x1b" not in result.output


def test_a_switch_that_is_not_ready():
    with page(msgspec.json.encode(replace(STATUS, ready=False))) as address:
        result = command("top", "--once", "--http", address)
    assert result.exit_code == 1
    assert "NOT READY" in result.output


def test_nobody_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = command("top", "--once", "--http", address)
    assert result.exit_code == 2
    assert f"--http {address}: nobody answers: Connection refused" in result.output


@pytest.mark.parametrize(("body", "status"), [(b"{}", 200), (b"", 404), (b"SSH-2.0\r\n", 0)])
def test_somebody_else_answers(body, status):
    with page(body, status) as address:
        result = command("top", "--once", "--http", address)
    assert result.exit_code == 2
    assert f"--http {address}: whoever answers is no switch of this version" in result.output


def test_without_a_terminal_it_says_what_to_do():
    result = command("top")
    assert result.exit_code == 2
    assert "--once" in result.output


def _take_terminal() -> None:
    """So that Ctrl-C and another size of the window come as signals, as in a shell."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Console:
    """`tapswitch top` on a terminal of its own."""

    def __init__(self, address: str) -> None:
        self._terminal, inside = pty.openpty()
        self.resize(40, 120)
        self.mode = termios.tcgetattr(inside)
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "switch.command_line", "top", "--every", "0.2", "--http", address],
            stdin=inside, stdout=inside, stderr=inside, env=environment | {"TERM": "xterm"},
            start_new_session=True, preexec_fn=_take_terminal,  # noqa: PLW1509 - before any thread of the child
        )  # fmt: skip
        self.inside = inside
        self.shown = ""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def until(self, shows: Callable[[str], object]) -> None:
        """Read until what was shown since the last time is as wanted."""
        self.shown, ends = "", monotonic() + SECONDS_MAX
        while not shows(self.shown):
            readable, _, _ = select.select([self._terminal], [], [], max(0.0, ends - monotonic()))
            assert readable, f"it does not show what was expected, but {self.shown[-3_000:]}"
            self.shown += os.read(self._terminal, 65_536).decode(errors="replace")

    def ended(self) -> int:
        """Read until it has ended; returns its exit status."""
        self.shown, ends = "", monotonic() + SECONDS_MAX
        while self.process.poll() is None or select.select([self._terminal], [], [], 0)[0]:
            assert monotonic() < ends, "it does not end"
            if select.select([self._terminal], [], [], 0.05)[0]:
                self.shown += os.read(self._terminal, 65_536).decode(errors="replace")
        return self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.inside)
        os.close(self._terminal)


@contextlib.contextmanager
def console(address: str) -> Iterator[Console]:
    opened = Console(address)
    try:
        yield opened
    finally:
        opened.close()


def ready(text: str) -> bool:
    return "Test campus" in text and "12,345" in text


ENDS = {
    "q": lambda opened: opened.press(b"q"),
    "Ctrl-C": lambda opened: opened.press(b"\x03"),
    "SIGTERM": lambda opened: opened.process.send_signal(signal.SIGTERM),
    "SIGINT": lambda opened: opened.process.send_signal(signal.SIGINT),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_it_ends_cleanly(end):
    with page(BODY) as address, console(address) as opened:
        opened.until(ready)
        opened.press(b"x")  # a key that means nothing
        end(opened)
        assert opened.ended() == 0
        assert opened.shown.rindex("\x1b[?1049l") > opened.shown.rfind("\x1b[?1049h"), "the screen is as it was before"
        assert "\x1b[?25h" in opened.shown, "and the cursor is there again"
        assert "Traceback" not in opened.shown
        assert termios.tcgetattr(opened.inside) == opened.mode


def test_it_takes_another_size():
    with page(BODY) as address, console(address) as opened:
        opened.until(ready)
        opened.resize(30, 70)
        opened.until(lambda text: any(len(line) == 70 for line in plain(text)))
        opened.press(b"q")
        assert opened.ended() == 0


def plain(text: str) -> list[str]:
    """The lines of whatever frames, without control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "").split("\n")


def test_a_switch_that_goes_away_and_comes_back():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    def serve(port: int) -> tuple[http.server.HTTPServer, threading.Thread]:
        server = http.server.HTTPServer(("127.0.0.1", port), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        return server, thread

    def stop(server: http.server.HTTPServer, thread: threading.Thread) -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    server, thread = serve(0)
    with console(f"127.0.0.1:{server.server_port}") as opened:
        try:
            opened.until(ready)
        finally:
            stop(server, thread)
        opened.until(lambda text: "no answer from" in text and "12,345" in text)
        server, thread = serve(server.server_port)
        try:
            opened.until(lambda text: "Test campus ready" in "\n".join(plain(text)))
            opened.press(b"q")
            assert opened.ended() == 0
        finally:
            stop(server, thread)


def test_a_switch_that_was_never_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with console(f"127.0.0.1:{taken.getsockname()[1]}") as opened:
            opened.until(lambda text: "no answer from" in text)
            opened.press(b"q")
            assert opened.ended() == 0
