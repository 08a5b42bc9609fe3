"""What may be wrong with a data folder and the machine under it, each with what to do."""

from __future__ import annotations

import ctypes
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from actors.account.kind import ACCOUNT
from actors.batch_file import BatchFileError
from actors.exported_journal import ExportError, exported_files, open_exported
from actors.journal import GENESIS, Head, Journal, JournalBrokenError, count_events, follow, head_of
from actors.lmdb_store import DATA_FILE, FORMAT, LmdbStore
from actors.store import StoreFormatError, Usage
from switch.campus import Campus, ConfigurationError, read_campus
from switch.clock import Clock
from switch.data_folder import shard_folder, shards_found
from switch.growth import Growth, days_left, measure_growth, shown_days
from switch.readiness import (
    DISK_FREE_BYTES_MIN,
    Check,
    check_clock,
    check_disk,
    check_map,
    check_open_files,
    free_bytes,
)
from switch.secrets_file import read_secrets

DAYS_MIN: Final = 14
"""A map or disk that is full sooner is wrong: a larger one takes time to get."""

DAYS_WARNING: Final = 90
EXPORT_BEHIND_US_MAX: Final = 60_000_000
_CONNECTIONS_WITHOUT_CAMPUS: Final = 10_000
_NOT_SYNCHRONISED: Final = 5
"""What adjtimex(2) returns then: TIME_ERROR."""


class Asked(Struct, frozen=True):
    """What is to be looked at."""

    data: Path
    campus_file: Path | None
    export: Path | None
    map_bytes: int


class Seen(Struct, frozen=True):
    """What was seen of a shard that could be read."""

    shard: int
    usage: Usage
    newest_event_us: int
    growth: Growth | None


def examine(asked: Asked) -> list[Check]:
    """All checks, whatever is wrong."""
    now_us = time.time_ns() // 1_000
    checks: list[Check] = []
    seen: list[Seen] = []
    for shard in shards_found(asked.data):
        folder = shard_folder(asked.data, shard)
        try:
            store = LmdbStore.open_read_only(folder)
        except (StoreFormatError, OSError) as error:
            checks.append(Check(folder.name, ok=False, explanation=str(error)))
            continue
        try:
            checks += _of_shard(store, asked, now_us, seen)
        except (JournalBrokenError, OSError) as error:
            text = f"{error}; `tapswitch verify` says more of a journal"
            checks.append(Check(folder.name, ok=False, explanation=text))
        finally:
            store.close()
    campus, configuration = _configuration(asked.campus_file)
    return [
        *checks,
        *_forecasts(asked, seen, now_us),
        check_disk(asked.data),
        _permissions(asked.data),
        *configuration,
        check_open_files(
            campus.sessions.connections_max if campus else _CONNECTIONS_WITHOUT_CAMPUS, len(shards_found(asked.data))
        ),
        check_clock(Clock(), max((shard.newest_event_us for shard in seen), default=0)),
        _synchronised(),
    ]


def _of_shard(store: LmdbStore, asked: Asked, now_us: int, seen: list[Seen]) -> Iterator[Check]:
    """Can its journal's end be read, has its map room, is its export near?"""
    made = store.made
    head, newest_us = _read_end(store)
    text = f"format {made.format} of at most {FORMAT}, shard {made.shard} of {made.shards}, journal at {head.position}"
    yield Check(f"shard-{made.shard:04}", ok=True, explanation=text)
    usage = Usage(store.usage().used, asked.map_bytes)
    yield check_map(f"map-{made.shard}", usage)
    seen.append(Seen(made.shard, usage, newest_us, measure_growth(store, now_us)))
    if asked.export is not None:
        yield _export(store, head, shard_folder(asked.export, made.shard), now_us)


def _read_end(store: LmdbStore) -> tuple[Head, int]:
    """The head, and the time of the newest event; the last batch was checked. Raises JournalBrokenError."""
    last = store.last_batch()
    if last is None:
        return Head(0, GENESIS), 0
    ends_before = last.last_position - count_events(last.value, last.last_position)
    before = head_of(store.batch_holding(ends_before) if ends_before > 0 else None)
    return follow(before, last), int(Journal(store, ACCOUNT.event_type).event_at(last.last_position).time_us)


def _export(store: LmdbStore, head: Head, folder: Path, now_us: int) -> Check:
    """Is `tapswitch export --follow` near the end of the journal?"""
    name, paths = f"export-{store.made.shard}", exported_files(folder)
    if not paths:
        return Check(name, ok=False, explanation=f"{folder}: no export is here; run `tapswitch export`")
    try:
        file = open_exported(paths[-1], store.made)
        for _ in file.batches():
            pass
    except (BatchFileError, ExportError) as error:
        return Check(name, ok=False, explanation=str(error))
    behind = head.position - file.head.position
    if behind <= 0:
        return Check(name, ok=True, explanation=f"has everything, up to position {file.head.position}")
    behind_us = now_us - Journal(store, ACCOUNT.event_type).event_at(file.head.position + 1).time_us
    text = f"{behind:,} events and {behind_us / 1e6:,.0f} s behind the journal"
    ok = behind_us <= EXPORT_BEHIND_US_MAX
    return Check(name, ok, text if ok else f"{text}; is `tapswitch export --follow` running?")


def _forecasts(asked: Asked, seen: Sequence[Seen], now_us: int) -> Iterator[Check]:
    """When will the maps be full, and when the disk, if all goes on as in the last week?"""
    per_day = 0.0
    for shard in seen:
        name, growth = f"map-{shard.shard} full", shard.growth
        if growth is None:
            yield Check(name, ok=True, explanation="no forecast: the journal is younger than an hour")
            continue
        per_day += growth.bytes_per_day
        days = days_left(shard.usage.limit - shard.usage.used, growth.bytes_per_day)
        text = (
            f"{shown_days(days, now_us)}: {growth.events_per_day:,.0f} events a day, each of "
            f"{growth.bytes_per_event:,.0f} bytes"
        )
        yield _forecast(name, days, text, "serve with a larger --map-size")
    if per_day:
        days = days_left(free_bytes(asked.data) - DISK_FREE_BYTES_MIN, per_day)
        text = f"{shown_days(days, now_us)}: {per_day / 2**20:,.2f} MiB a day, if nothing else is written there"
        yield _forecast("disk full", days, text, "make room, or move the data folder to a larger disk")


def _forecast(name: str, days: float, text: str, advice: str) -> Check:
    soon = days < DAYS_WARNING
    return Check(name, days >= DAYS_MIN, f"{text}; {advice}" if soon else text, soon)


def _permissions(data: Path) -> Check:
    """May nobody else read or change the data, and may this user?"""
    wrong = []
    if stat.S_IMODE(data.stat().st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        wrong.append(f"others may write to {data}: chmod go-w {data}")
    for shard in shards_found(data):
        folder = shard_folder(data, shard)
        for path, mode in ((folder, "0700"), (folder / DATA_FILE, "0600")):
            found = path.stat()
            if stat.S_IMODE(found.st_mode) & 0o077:
                wrong.append(f"others may use {path}: chmod {mode} {path}")
            if not os.access(path, os.R_OK | os.W_OK):
                wrong.append(f"this user may not read and write {path}: run this as the user that serves, or chown it")
    return Check("permissions", not wrong, "; ".join(wrong) or "data are for their owner only")


def _configuration(campus_file: Path | None) -> tuple[Campus | None, list[Check]]:
    """The campus, if one was named, and whether it and its secrets are right."""
    if campus_file is None:
        return None, []
    secrets_file = campus_file.with_name("secrets.toml")
    try:
        campus = read_campus(campus_file)
    except ConfigurationError as error:
        return None, [Check("campus", ok=False, explanation=str(error))]
    campus_check = Check("campus", ok=True, explanation=f"{campus_file} can be read")
    try:
        read_secrets(secrets_file, campus.stations, campus.policy.terminals)
    except ConfigurationError as error:
        return campus, [campus_check, Check("secrets", ok=False, explanation=str(error))]
    return campus, [campus_check, Check("secrets", ok=True, explanation=f"{secrets_file} is for its owner only")]


def _synchronised() -> Check:
    """Does the kernel say that something keeps the clock right?"""
    if kernel_clock() == _NOT_SYNCHRONISED:
        text = "nothing keeps the clock right: start chrony, systemd-timesyncd, or the like"
        return Check("time-synchronised", ok=True, explanation=text, warning=True)
    return Check("time-synchronised", ok=True, explanation="the kernel's clock is kept right")


def kernel_clock() -> int:
    """What adjtimex(2) returns when asked without changing anything; -1 where it may not be asked."""
    nothing_to_change = ctypes.create_string_buffer(512)  # a struct timex of zeros, which is smaller
    return int(ctypes.CDLL(None).adjtimex(nothing_to_change))
