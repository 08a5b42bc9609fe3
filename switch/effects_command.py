"""`tapswitch effects`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from actors.account.kind import ACCOUNT
from actors.effect import Effect
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from switch.effects_cursor import Cursor, CursorError
from switch.read_only import data_option, read_only
from switch.until_stopped import until_stopped

POLL_SECONDS: Final = 0.2
"""How often a follower looks whether the journal has grown."""

BATCHES_AT_ONCE: Final = 64
"""Batches that are read before their effects are printed and the cursor moves: what may be printed twice."""


@click.command()
@data_option
@click.option("--follow", is_flag=True, help="Wait for more, until SIGTERM or Ctrl-C.")
@click.option(
    "--cursor",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps how far was read, so that the next run goes on from there.  [default: begin with the first]",
)
def effects(data: Path, cursor: Path | None, *, follow: bool) -> None:
    """Print what the world outside should learn, as JSON lines, oldest first in each shard.

    Each line is printed at least once: after a crash the newest may come again. Shard and position name an effect, so
    that a reader can drop what it has had.
    """
    with read_only(data) as stores:
        try:
            kept = Cursor(cursor, stores[0].made.data_folder) if cursor is not None else None
            follower = _Follower(stores, kept)
            follower.pass_on()
            if follow:
                until_stopped(follower.pass_on, POLL_SECONDS)
        except CursorError as error:
            raise click.UsageError(str(error)) from error
        except BrokenPipeError:
            # Whoever read is gone; the cursor stands before what was not passed on.
            sys.stdout = None  # nothing more can be flushed at exit
        except OSError as error:
            raise click.ClickException(f"{cursor}: cannot be written: {error.strerror}") from error


class _Follower:
    def __init__(self, stores: list[LmdbStore], cursor: Cursor | None) -> None:
        """Raises CursorError if a journal ends before the cursor."""
        self._cursor = cursor
        self._journals = {store.made.shard: Journal(store, ACCOUNT.event_type) for store in stores}
        self._read_to = dict.fromkeys(self._journals, 0)
        if cursor is not None:
            self._read_to |= {shard: at for shard, at in cursor.positions.items() if shard in self._read_to}
        for shard, journal in self._journals.items():
            if self._read_to[shard] > (end := journal.head().position):
                raise CursorError(
                    f"shard {shard}: its journal ends at {end}, and the cursor stands at {self._read_to[shard]}: this "
                    "is an older copy of the data folder; move the cursor away to begin from the first"
                )

    def pass_on(self) -> None:
        """Print the effects of all events that are in the journals by now."""
        for shard, journal in self._journals.items():
            while (lines := self._read(shard, journal)) is not None:
                # Printed only now: a reader that does not read must not hold a transaction of the store open.
                sys.stdout.writelines(lines)
                sys.stdout.flush()
                if self._cursor is not None:
                    self._cursor.advance(self._read_to)

    def _read(self, shard: int, journal: Journal) -> list[str] | None:
        """The lines of the next batches; None if there are no more."""
        batches = list(islice(journal.batches(self._read_to[shard] + 1), BATCHES_AT_ONCE))
        if not batches:
            return None
        first, events = batches[-1]
        self._read_to[shard] = first + len(events) - 1
        return [
            _line(shard, position, event, effect)
            for first, events in batches
            for position, event in enumerate(events, first)
            if (effect := _effect_of(event)) is not None
        ]


def _effect_of(event: Any) -> Effect | None:
    effect = ACCOUNT.effect.get(type(event))
    return effect(event) if effect else None


def _line(shard: int, position: int, event: Any, effect: Effect) -> str:
    told = {
        "effect": effect.name.value,
        "shard": shard,
        "position": position,
        "time": datetime.fromtimestamp(event.time_us / 1e6, UTC).isoformat(timespec="milliseconds"),
        "account": event.account,
        # What happens by itself has neither.
        **{field: getattr(event, field) for field in ("terminal", "stan") if hasattr(event, field)},
        **effect.details,
    }
    return f"{msgspec.json.encode(told).decode()}\n"
