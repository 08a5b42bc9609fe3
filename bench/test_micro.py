"""Micro benchmarks of the hot path's parts; run by `make bench`. Read them as ratios on one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import time
from itertools import count
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from actors.account.card import CardState, PersonClass
from actors.account.events import Purchased
from actors.account.kind import ACCOUNT
from actors.calendar import Calendar, MealPeriod
from actors.lmdb_store import LmdbStore
from actors.memory_store import MemoryStore
from actors.opening import Opening, open_accounts
from actors.policy import Limits, Policy, Service, Terminal
from actors.recovery import recover
from actors.shard import Shard
from actors.store import Store
from wire import codec
from wire.codes import APPROVED, NO_REASON, Code
from wire.messages import Answer, Purchase
from wire.noise import CipherState

MESSAGES: Final = 64
"""In a record, and in a turn."""

ACCOUNTS: Final = [f"{20_260_000 + index}" for index in range(1_000)]
CALENDAR: Final = Calendar(ZoneInfo("Asia/Shanghai"), time(0), (MealPeriod("day", time(23, 59, 59)),))
MOMENT: Final = CALENDAR.moment(1_788_235_200_000_000)
TILLS: Final = {number: Terminal(number, 1, frozenset({Service.PURCHASE}), None) for number in range(1, MESSAGES + 1)}
POLICY: Final = Policy(Limits(20_000, 0, 0, 0), TILLS, CALENDAR)
PURCHASES: Final = [
    Purchase(terminal, 1_000_000 + terminal, 3_000, ACCOUNTS[terminal], f"C{ACCOUNTS[terminal]}", 1)
    for terminal in TILLS
]
ANSWERS: Final = [
    Answer(request.terminal, request.stan, APPROVED, NO_REASON, 1 << 40, (5_000,), (1_250,)) for request in PURCHASES
]


def test_encode_answers(benchmark: Callable[..., Any]) -> None:
    """64 answers to the plaintext of a record."""
    assert len(benchmark(codec.encode, ANSWERS)) == 1


def test_decode_purchases(benchmark: Callable[..., Any]) -> None:
    """The plaintext of a record to 64 purchases."""
    (plaintext,) = codec.encode(PURCHASES)
    assert benchmark(codec.request_decoder.decode, plaintext) == PURCHASES


@pytest.mark.parametrize("plaintext_bytes", [40, 2_600], ids=["one message", "64 messages"])
def test_seal_and_open(benchmark: Callable[..., Any], plaintext_bytes: int) -> None:
    """A record there and back."""
    sealing, opening = CipherState(bytes(32)), CipherState(bytes(32))
    plaintext = bytes(plaintext_bytes)
    assert benchmark(lambda: opening.open(sealing.seal(plaintext))) == plaintext


def test_decide_and_apply(benchmark: Callable[..., Any]) -> None:
    """One approved purchase through the rule book."""
    state = _shard(MemoryStore()).state(ACCOUNTS[1])
    decide, request = ACCOUNT.decide[Purchase], PURCHASES[0]

    def decide_and_apply() -> Any:
        event = decide(state, request, None, MOMENT, POLICY, 1)
        return ACCOUNT.apply[type(event)](state, event, 2)

    assert benchmark(decide_and_apply).purses == (99_999_999,)


def test_turn_in_memory(benchmark: Callable[..., Any]) -> None:
    """A turn of 64 purchases without a disk."""
    _time_turns(benchmark, MemoryStore())


def test_turn_with_durable_commit(benchmark: Callable[..., Any], folder: Path) -> None:
    """A turn of 64 purchases, with its commit on the disk."""
    LmdbStore.create(folder)
    store = LmdbStore.open(folder)
    _time_turns(benchmark, store)
    store.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder on the disk that the project is on; /tmp may be memory."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as path:
        yield Path(path)


def _shard(store: Store) -> Shard:
    shard = recover(store, ACCOUNT)
    openings = [
        Opening(account, f"C{account}", CardState.ACTIVE, 20991231, PersonClass.STUDENT, (100_000_000,))
        for account in ACCOUNTS
    ]
    open_accounts(shard, openings, MOMENT)
    return shard


def _time_turns(benchmark: Callable[..., Any], store: Store) -> None:
    shard, stans = _shard(store), count(1)

    def turn() -> int:
        stan = next(stans)
        requests = [
            Purchase(terminal, stan, 3_000, request.account, request.card, 1)
            for terminal, request in zip(TILLS, PURCHASES, strict=True)
        ]
        decided = shard.decide(requests, MOMENT, POLICY)
        shard.commit(decided)
        shard.adopt(decided)
        return decided.recorded[Purchased, Code.APPROVED]

    assert benchmark(turn) == MESSAGES
    assert shard.ledger.imbalance == 0
