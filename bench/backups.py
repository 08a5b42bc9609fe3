"""`python -m bench.backups --rounds 20`: backups of a switch under full load, with kills in between.

Each round puts a switch under the full load of concentrators, begins a backup at a random moment, and kills nobody, the
switch, the backup or the export at another. A backup that was completed is restored, alone and rolled forward with the
export; both folders are verified, and every approval that was received before the backup began (or, rolled forward, at
all) must be in them. A backup that was killed must not be there. Besides, each round looks at a random moment how much
of what was approved the export does not have yet: what would be lost with the disk.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import click
import msgspec
import uvloop
from msgspec import Struct
from rich.table import Table

from actors.account.kind import ACCOUNT
from actors.batch_file import BatchFile
from actors.exported_journal import exported_files
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from actors.placement import SLOTS
from bench.campus import BenchCampus, Station, write_campus
from bench.load import Client
from bench.processes import Measured, running
from switch.data_folder import close_all, open_all, shard_folder
from switch.new_folder import UNFINISHED
from switch.reports import report_console
from wire.codes import Code

VICTIMS: Final = ("nobody", "switch", "backup", "export")
KILL_AFTER_S: Final = (0.2, 0.9)
"""After the beginning of the backup, whose process takes about half a second to start; then the copy begins."""

PAUSE_S: Final = 0.5
COMMAND: Final = [sys.executable, "-m", "switch.command_line"]


class BackupsError(Exception):
    """A backup did not hold what it must."""


class Approvals:
    """Every approval that was received, and when, in order."""

    def __init__(self) -> None:
        self.received: list[tuple[float, list[int]]] = []

    def numbers(self, count: int | None = None) -> set[int]:
        """The authorization numbers of all, or of so many first records."""
        return {number for _, numbers in self.received[:count] for number in numbers}

    def rate(self, since: float, until: float) -> float:
        """How many came in a second between two moments."""
        return sum(len(numbers) for at, numbers in self.received if since <= at < until) / (until - since)


class Witness(Client):
    """A concentrator that remembers its approvals."""

    def __init__(self, station: Station, seed: int, approvals: Approvals) -> None:
        super().__init__(station, seed, Counter())
        self._approvals = approvals

    def _count(self, messages: list[Any]) -> None:
        approved = [message.authorization for message in messages if message.code is Code.APPROVED]
        self._approvals.received.append((monotonic(), approved))


class Round(Struct, frozen=True):
    """What was seen of one backup."""

    victim: str
    backup_s: float | None
    """From its beginning to the end of its process; None if it was killed."""

    mib: float
    per_s_before: float
    per_s_during: float
    """Approvals, before and during the backup."""

    lost_approvals: int
    lost_s: float
    """Of approvals received before a random moment, those that the export did not have then; and the oldest's age."""


class Exporting:
    """`tapswitch export --follow` in a process of its own."""

    def __init__(self, campus: BenchCampus) -> None:
        self._campus = campus
        self.folder = campus.folder / "export"
        self.process = self._start()

    def start_again(self) -> None:
        """After it was killed."""
        self.process.wait()
        self.process = self._start()

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def now(self) -> tuple[Path, int] | None:
        """Its newest file, and how long that is."""
        paths = exported_files(shard_folder(self.folder))
        return (paths[-1], paths[-1].stat().st_size) if paths else None

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._campus.folder / "export.log").open("ab") as log:
            return subprocess.Popen(
                [*COMMAND, "export", "--data", str(self._campus.data), "--to", str(self.folder), "--follow"],
                stdout=log, stderr=log,
            )  # fmt: skip


async def under_load(
    campus: BenchCampus, switch: Measured, approvals: Approvals, to: Path, victim: str, exporting: Exporting,
    random: Random,
) -> tuple[Round, int]:  # fmt: skip
    """One backup under load: what was seen, and how many of the approvals' records it must hold."""
    loop = asyncio.get_running_loop()
    clients = []
    for seed, station in enumerate(campus.concentrators):
        _, client = await loop.create_connection(partial(Witness, station, seed, approvals), *switch.terminals)
        await client.signed_on
        clients.append(client)
    loaded = monotonic()
    for client in clients:
        client.start()
    await asyncio.sleep(PAUSE_S + random.random())
    moment, exported = monotonic(), exporting.now()
    await asyncio.sleep(PAUSE_S)
    must_hold, began = len(approvals.received), monotonic()
    backup = await asyncio.create_subprocess_exec(
        *COMMAND, "backup", "--data", str(campus.data), "--to", str(to),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    if victim != "nobody":
        await asyncio.sleep(random.uniform(*KILL_AFTER_S))
        pids = {"switch": switch.pid, "backup": backup.pid, "export": exporting.process.pid}
        with suppress(ProcessLookupError):  # the backup may have ended before
            os.kill(pids[victim], signal.SIGKILL)
    _, said = await backup.communicate()
    ended = monotonic()
    for client in clients:
        client.stop()
    await asyncio.sleep(PAUSE_S)
    for client in clients:
        client.close()
    completed = backup.returncode == 0
    if not completed and (victim != "backup" or backup.returncode != -signal.SIGKILL):
        raise BackupsError(f"the backup failed: {said.decode()}")
    if ((mib := _size_mib(to)) > 0) != completed:
        raise BackupsError(f"the backup ended with status {backup.returncode}, and its folder has {mib} MiB")
    lost = _lost(approvals, moment, exported)
    return Round(
        victim,
        ended - began if completed else None,
        mib,
        approvals.rate(loaded, began),
        approvals.rate(began, ended),
        len(lost),
        max((moment - at for at in lost), default=0.0),
    ), must_hold  # fmt: skip


def _size_mib(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20


def _lost(approvals: Approvals, moment: float, exported: tuple[Path, int] | None) -> list[float]:
    """When those approvals were received that came before the moment, and that an export so long does not have."""
    position = 0
    if exported is not None:
        path, size = exported
        file = BatchFile(path)
        position = file.head.position
        for batch in file.batches():
            if file.end > size:
                break
            position = batch.last_position
    return [
        at for at, numbers in approvals.received if at < moment for number in numbers if position_of(number) > position
    ]


def position_of(authorization: int) -> int:
    """Of the event that has the authorization number, in a folder that was never resharded."""
    return authorization // SLOTS


def restores(backup: Path, data: Path, must_hold: set[int], *options: str) -> None:
    """Restore, verify, and look for every approval. Raises BackupsError."""
    _run("restore", "--from", str(backup), "--data", str(data), *options)
    _run("verify", "--data", str(data))
    stores = open_all(data, LmdbStore.open_read_only)
    try:
        found = {
            event.authorization
            for store in stores
            for _, event in Journal(store, ACCOUNT.event_type).events(1)
            if hasattr(event, "authorization")
        }
    finally:
        close_all(stores)
    if missing := must_hold - found:
        raise BackupsError(f"{data}: {len(missing)} approvals are missing: {sorted(missing)[:5]}")
    shutil.rmtree(data)


def _run(*arguments: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupsError(f"{arguments[0]} ended with status {done.returncode}:\n{done.stderr}")


def one_round(campus: BenchCampus, approvals: Approvals, exporting: Exporting, seed: int) -> Round:
    """Load, backup, kill, restore. Raises BackupsError."""
    random, victim, to = Random(seed), VICTIMS[seed % len(VICTIMS)], campus.folder / f"backup-{seed}"
    serve = [
        "-m", "switch.command_line", "serve", "--data", str(campus.data), "--campus", str(campus.campus_file),
        "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "warning",
    ]  # fmt: skip
    try:
        with running(serve, None, campus.folder / "switch.log") as switch:
            seen, must_hold = uvloop.run(under_load(campus, switch, approvals, to, victim, exporting, random))
    except RuntimeError as error:
        if victim != "switch" or f"ended with status {-signal.SIGKILL}" not in str(error):
            raise
    if victim == "export":
        exporting.start_again()
    if to.exists():
        restores(to, campus.folder / "restored", approvals.numbers(must_hold))
        exporting.end()
        _run("export", "--data", str(campus.data), "--to", str(exporting.folder))
        restores(to, campus.folder / "rolled", approvals.numbers(), "--export", str(exporting.folder))
        exporting.start_again()
        shutil.rmtree(to)
    else:
        shutil.rmtree(to.with_name(to.name + UNFINISHED), ignore_errors=True)
    return seen


def summarise(rounds: Sequence[Round]) -> dict[str, Any]:
    """The keys of the result file."""
    completed = [found for found in rounds if found.backup_s is not None]
    whole = [found for found in completed if found.victim == "nobody"]
    return {
        "rounds": len(rounds),
        "kills": dict(Counter(found.victim for found in rounds if found.victim != "nobody")),
        "completed": len(completed),
        "backup_s_median": round(statistics.median(found.backup_s or 0.0 for found in completed), 2),
        "backup_s_max": round(max(found.backup_s or 0.0 for found in completed), 2),
        "backup_mib_max": round(max(found.mib for found in completed), 1),
        "per_s_before_median": round(statistics.median(found.per_s_before for found in rounds)),
        "rate_during_over_before_median": round(
            statistics.median(found.per_s_during / found.per_s_before for found in whole), 2
        ) if whole else None,
        "lost_with_the_disk_s_median": round(statistics.median(found.lost_s for found in rounds), 3),
        "lost_with_the_disk_s_max": round(max(found.lost_s for found in rounds), 3),
        "lost_with_the_disk_approvals_max": max(found.lost_approvals for found in rounds),
    }  # fmt: skip


@click.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result here.")
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True, help="How many backups.")
@click.option("--seed", type=int, default=1, show_default=True, help="Chooses the moments, and whom to kill first.")
def main(json_file: Path | None, rounds: int, seed: int) -> None:
    """Take backups under full load, kill in between, and check what they restore to."""
    # Beside the repository and not in /tmp, which may be memory.
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd()))
    found: list[Round] = []
    try:
        campus, approvals = write_campus(folder), Approvals()
        exporting = Exporting(campus)
        try:
            for number in range(seed, seed + rounds):
                found.append(one_round(campus, approvals, exporting, number))
                click.echo(f"{found[-1]}; {len(approvals.numbers()):,} approvals so far", err=True)
        finally:
            exporting.end()
    except (BackupsError, RuntimeError, OSError) as error:
        raise click.ClickException(f"{error}\nData and logs are left in {folder}") from error
    shutil.rmtree(folder)
    summary = summarise(found) | {"seed": seed}
    table = Table(title="Backups under full load")
    table.add_column("what")
    table.add_column("found", justify="right")
    for what, value in summary.items():
        table.add_row(what, str(value))
    report_console().print(table)
    click.echo("Every completed backup restored to a folder that verifies and holds every approval that it must.")
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


if __name__ == "__main__":
    main()
