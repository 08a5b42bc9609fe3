"""Whether a crowd and a data folder agree, after whatever was done to the switch between them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from crowd import Crowd
from running_switch import command

from actors.account.kind import ACCOUNT
from actors.journal import Journal
from actors.lmdb_store import LmdbStore
from switch.data_folder import close_all, open_all


def journaled(data: Path) -> list[Any]:
    """Every event of a terminal, of all shards."""
    stores = open_all(data, LmdbStore.open_read_only)
    try:
        events = [event for store in stores for _, event in Journal(store, ACCOUNT.event_type).events(1)]
    finally:
        close_all(stores)
    return [event for event in events if hasattr(event, "stan")]


def check(crowd: Crowd, data: Path, seed: int) -> None:
    """Nothing lost, nothing doubled, by three witnesses: the auditor, the journals, and their own check."""
    findings = crowd.auditor.findings
    assert not findings, f"seed {seed}: {findings[:5]}"
    events = journaled(data)
    decided = Counter((event.terminal, event.stan) for event in events)
    twice = [key for key, times in decided.items() if times > 1]
    assert not twice, f"seed {seed}: decided twice: {twice[:5]}"
    effects = {(event.terminal, event.stan): event.authorization for event in events if hasattr(event, "authorization")}
    acknowledged = {key: answer.authorization for key, answer in crowd.answered.items() if answer.authorization}
    missing = acknowledged.items() - effects.items()
    assert not missing, f"seed {seed}: acknowledged but not in the journal: {sorted(missing)[:5]}"
    verified = command("verify", "--data", data)
    assert verified.exit_code == 0, f"seed {seed}: {verified.output}"
