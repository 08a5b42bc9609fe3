"""An embedded switch: a `tapswitch serve` of its own process on a data folder that lives as long as it does."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from simulators.bad_input import BadInputError
from simulators.campus_files import CampusFiles
from simulators.station import Address

READY_SECONDS = 30.0
STOP_SECONDS = 20.0
IMPORT_SECONDS = 300.0
VERIFY_SECONDS = 300.0
LOG_LINES_SHOWN = 20
_READY = re.compile(r"ready terminals=(?P<host>\S+):(?P<port>\d+) http=(?P<http>\S+)")


class EmbeddedError(Exception):
    """The switch did not start, or did not stop cleanly; the text ends with its last log lines."""


class Embedded(NamedTuple):
    """A running switch."""

    address: Address
    http: str
    pid: int


def parse_address(text: str, option: str) -> Address:
    """HOST:PORT. Raises BadInputError naming `option`."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65_536):
        raise BadInputError(f"{option}: {text!r} is not HOST:PORT, such as 127.0.0.1:7007")
    return Address(host.strip("[]"), int(port))


@asynccontextmanager
async def embedded_switch(folder: Path, files: CampusFiles, clock: str) -> AsyncIterator[Embedded]:
    """Import the accounts, serve on loopback under the simulated clock, stop at the end. Raises EmbeddedError."""
    log = folder / "switch.log"
    data = folder / "data"
    await _import(data, files, log)
    process = await _spawn(
        log, "serve", "--data", str(data), "--campus", str(files.campus), "--listen", "127.0.0.1:0",
        "--http", "127.0.0.1:0", "--simulated-clock", clock,
    )  # fmt: skip
    try:
        yield await _ready(process, log)
    finally:
        await _stop(process, log)


async def verify_embedded(folder: Path) -> None:
    """Replay the journal of the switch that was in this folder. Raises EmbeddedError if anything does not fit."""
    await _run(folder / "switch.log", VERIFY_SECONDS, "verify", "--data", str(folder / "data"))


async def _spawn(log: Path, *arguments: str) -> asyncio.subprocess.Process:
    with log.open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "switch.command_line", *arguments, stdout=asyncio.subprocess.PIPE, stderr=errors
        )


async def _import(data: Path, files: CampusFiles, log: Path) -> None:
    await _run(log, IMPORT_SECONDS, "import", "--data", str(data), str(files.accounts))


async def _run(log: Path, seconds: float, command: str, *arguments: str) -> None:
    """Run a command to its end. Raises EmbeddedError if that is not a good one."""
    process = await _spawn(log, command, *arguments)
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        raise EmbeddedError(f"`tapswitch {command}` did not end within {seconds:.0f} s\n{_tail(log)}") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode:
        raise EmbeddedError(
            f"`tapswitch {command}` ended with status {process.returncode}\n{output.decode()}{_tail(log)}"
        )  # fmt: skip


async def _ready(process: asyncio.subprocess.Process, log: Path) -> Embedded:
    assert process.stdout is not None, "asked for as a pipe"
    try:
        async with asyncio.timeout(READY_SECONDS):
            async for line in process.stdout:
                match = _READY.match(line.decode())
                if match is not None:
                    return Embedded(Address(match["host"], int(match["port"])), match["http"], process.pid)
    except TimeoutError:
        raise EmbeddedError(f"the switch was not ready within {READY_SECONDS:.0f} s\n{_tail(log)}") from None
    raise EmbeddedError(f"the switch ended before it was ready\n{_tail(log)}")


async def _stop(process: asyncio.subprocess.Process, log: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise EmbeddedError(f"the switch did not stop within {STOP_SECONDS:.0f} s\n{_tail(log)}") from None
    if process.returncode:
        raise EmbeddedError(f"the switch ended with status {process.returncode}\n{_tail(log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_SHOWN:])
