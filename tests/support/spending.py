"""Requests straight into a data folder, without a switch."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from switch_in_process import purchase

from actors.account.kind import ACCOUNT
from actors.lmdb_store import LmdbStore
from actors.policy import Policy
from actors.recovery import recover
from switch.data_folder import shard_folder


def spend(data: Path, policy: Policy, stans: range, amount: int = 100, *, checkpoint: bool = False) -> None:
    """One purchase of Alice's in a commit of its own for each STAN."""
    perform(data, policy, [purchase(stan, amount) for stan in stans], checkpoint=checkpoint)


def perform(data: Path, policy: Policy, requests: Iterable[Any], *, checkpoint: bool = False) -> None:
    """Each request in a commit of its own."""
    store = LmdbStore.open(shard_folder(data))
    try:
        shard = recover(store, ACCOUNT)
        for request in requests:
            moment = policy.calendar.moment(max(time.time_ns() // 1_000, shard.time_us))
            turn = shard.decide([request], moment, policy)
            shard.commit(turn)
            shard.adopt(turn)
        if checkpoint:
            shard.checkpoint()
    finally:
        store.close()
