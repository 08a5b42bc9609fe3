"""`tapswitch operator grant-batch`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulators.bad_input import BadInputError
from simulators.batch_file import BatchRow, read_batch
from simulators.desk import Day, Desk, check_readable, desk_of, desk_options, terminals_of
from simulators.grant_batch import Batch, BatchStoppedError, grant_batch, grant_of
from simulators.money import format_yuan
from simulators.operator import OperatorError
from wire.codes import Code, Reason
from wire.messages import Answer

HEADER = ("line", "account", "amount", "result", "code", "reason")
GRANTED, GRANTED_BEFORE, REFUSED = "granted", "granted before", "refused"


def _grant(file: Path, batch: str, last_day: int, result: Path | None, **options: Any) -> None:
    result = result or file.with_name(f"{file.name}.result.csv")
    try:
        rows = read_batch(file)
        desk, common = desk_of(**options), Batch(batch, last_day)
        check_readable(grant_of(desk, desk.terminal, 1, common, rows[0]))
        terminals = [desk.terminal] if options["terminal"] else terminals_of(options["campus"], desk.station)
    except BadInputError as error:
        raise click.UsageError(str(error)) from error
    try:
        with result.open("w", encoding="utf-8", newline="") as lines:
            counted = _send(desk, terminals, common, rows, lines)
    except OSError as error:
        raise click.UsageError(f"--result {result}: cannot be written: {error.strerror}") from error
    click.echo(f"{', '.join(f'{counted[word]} {word}' for word in (GRANTED, GRANTED_BEFORE, REFUSED))}; see {result}")
    raise SystemExit(1 if counted[REFUSED] else 0)


def _send(desk: Desk, terminals: Sequence[int], batch: Batch, rows: Sequence[BatchRow], lines: TextIO) -> Counter[str]:
    """Grant all rows, and write what became of each as soon as that is known. Returns how many there are of each."""
    written = csv.writer(lines)
    written.writerow(HEADER)
    counted: Counter[str] = Counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        shown = progress.add_task(f"batch {batch.identifier}", total=len(rows))

        def decided(row: BatchRow, answer: Answer) -> None:
            word = _word(answer)
            counted[word] += 1
            code = f"{answer.code:02d}"
            written.writerow((row.line, row.account, format_yuan(row.amount), word, code, answer.reason.value))
            lines.flush()
            progress.advance(shown)

        try:
            uvloop.run(grant_batch(desk, terminals, batch, rows, decided))
        except OperatorError as error:
            raise click.ClickException(f"{error}; nothing was sent") from error
        except BatchStoppedError as error:
            left = len(rows) - counted.total()
            raise click.ClickException(f"{left} of {len(rows)} accounts are left: {error}") from error
    return counted


def _word(answer: Answer) -> str:
    if answer.code is Code.APPROVED:
        return GRANTED
    return GRANTED_BEFORE if answer.reason is Reason.GRANTED_BEFORE else REFUSED


GRANT_BATCH = click.Command(
    "grant-batch",
    callback=_grant,
    help=(
        "Grant a batch of subsidies: FILE is a CSV with the columns account and amount (yuan). Nothing is sent while a "
        "line of it is wrong. After an interruption, run the same command again: no account is granted a batch twice. "
        "A result file says for every account: granted, granted before, or refused with code and reason. Exit "
        "status: 0 if none was refused."
    ),
    params=[
        click.Argument(["file"], type=click.Path(dir_okay=False, path_type=Path)),
        click.Option(["--batch"], required=True, metavar="ID", help="What the batch is called, such as 2026-09."),
        click.Option(
            ["--last-day"], required=True, type=Day(), help="After this day nothing of it can be claimed or spent."
        ),
        click.Option(
            ["--result"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="Where the result file goes; one that is there is replaced.  [default: FILE.result.csv]",
        ),
        *(option for option in desk_options() if option.name != "stan"),
    ],
)
