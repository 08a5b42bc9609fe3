"""`tapswitch top`: a running switch at a glance, live in the terminal."""

from __future__ import annotations

from time import monotonic
from typing import Final

import click
from rich.console import Console, RenderableType
from rich.live import Live

from switch.addresses import Address
from switch.status_client import NobodyAnswersError, NotThisSwitchError, http_option, read_status
from switch.switch_status import SwitchStatus
from switch.terminal_events import TerminalEvents
from switch.top_frame import frame, waiting_frame

SECONDS_MAX: Final = 2.0
"""How long the switch may take to say how it is."""

COLUMNS_OF_A_FILE: Final = 120
"""How wide a frame is that goes to no terminal."""


@click.command()
@http_option
@click.option(
    "--every", type=click.FloatRange(0.2, 3_600), default=1.0, show_default=True, help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Print one frame and end: for scripts. Exit status 1 if it is not ready.")
def top(http: Address, every: float, *, once: bool) -> None:
    """Show rate, codes, latency, shards, and who asks most, until q is pressed.

    While the switch does not answer, what it said last stays, with a word on it.
    """
    if once:
        _print_once(http)
        return
    console = Console()
    if not console.is_terminal:
        raise click.UsageError("standard output is no terminal; --once prints one frame")
    _watch(http, every, console)


def _print_once(http: Address) -> None:
    try:
        status, _ = read_status(http, SwitchStatus, SECONDS_MAX)
    except NobodyAnswersError as error:
        raise click.UsageError(f"--http {http}: nobody answers: {error}") from error
    except NotThisSwitchError as error:
        raise click.UsageError(f"--http {http}: whoever answers is no switch of this version: {error}") from error
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=COLUMNS_OF_A_FILE)
    console.print(frame(status))
    raise SystemExit(0 if status.ready else 1)


def _watch(http: Address, every: float, console: Console) -> None:
    view, due = _View(http), monotonic()
    with TerminalEvents() as events, Live(console=console, screen=True, auto_refresh=False) as live:
        while not events.ended:
            if monotonic() >= due:
                view.look()
                due = monotonic() + every
            live.update(view.now(), refresh=True)
            events.wait(due - monotonic())


class _View:
    """What is known of the switch."""

    def __init__(self, http: Address) -> None:
        self._http = http
        self._status: SwitchStatus | None = None
        self._trouble: str | None = None
        self._answered = monotonic()

    def look(self) -> None:
        """Ask it."""
        try:
            self._status, _ = read_status(self._http, SwitchStatus, SECONDS_MAX)
            self._trouble, self._answered = None, monotonic()
        except NobodyAnswersError as error:
            silent = f"{monotonic() - self._answered:.0f} s"
            self._trouble = f"no answer from {self._http} for {silent} ({error}); asking again, q ends"
        except NotThisSwitchError as error:
            self._trouble = f"whoever answers at {self._http} is no switch of this version ({error}); q ends"

    def now(self) -> RenderableType:
        """To show."""
        if self._status is None:
            return waiting_frame(self._trouble or f"asking {self._http}")
        return frame(self._status, self._trouble)
