"""Data folders that earlier software wrote: they open, verify, answer as they did, and go on.

Each archive holds a folder of two shards with every event of its time, half of it in snapshots, and what its software
said about it: the answer to a copy of each request, the heads, the accounts and the ledgers.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from example_campus import CALENDAR, DAY_US, NOON_US, POLICY, TILL, answers_of, card_of
from running_switch import command

from actors.account.kind import ACCOUNT
from actors.lmdb_store import LmdbStore
from actors.placement import shard_of, slot_of
from actors.shard import Shard
from actors.store import StoredBatch
from actors.verification import verify
from switch.data_folder import close_all, open_all, recover_shard
from wire import messages
from wire.codec import reply_decoder
from wire.codes import Code
from wire.messages import Purchase

ARCHIVES = sorted(Path(__file__).with_name("old_folders").glob("*.tar.xz"))
MOMENT = CALENDAR.moment(NOON_US + DAY_US)


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an old folder, and beside it what was said about it."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def expected(old: Path) -> dict[str, Any]:
    """What its software said."""
    said: dict[str, Any] = json.loads((old / "expected.json").read_text())
    return said


@pytest.fixture
def stores(old: Path) -> Iterator[list[LmdbStore]]:
    """Its shards, opened for writing."""
    opened = open_all(old / "data")
    yield opened
    close_all(opened)


@pytest.fixture
def shards(stores: list[LmdbStore]) -> list[Shard]:
    """Recovered from what is on the disk."""
    return [recover_shard(store) for store in stores]


def decided(shards: list[Shard], request: Any) -> Any:
    """The answer of a turn that was made durable."""
    shard = shards[shard_of(slot_of(request.account), len(shards))]
    turn = shard.decide([request], MOMENT, POLICY)
    shard.commit(turn)
    shard.adopt(turn)
    return answers_of(turn)[0]


def test_there_is_an_old_folder() -> None:
    assert ARCHIVES


def test_it_verifies(stores: list[LmdbStore], expected: dict[str, Any]) -> None:
    heads = [verify(store, ACCOUNT, shard=store.made.shard).head for store in stores]
    assert [[head.position, head.hash.hex()] for head in heads] == expected["heads"]


def test_it_recovers_to_what_it_was(shards: list[Shard], expected: dict[str, Any]) -> None:
    for number, state in expected["states"].items():
        found = msgspec.to_builtins(shards[shard_of(slot_of(number), len(shards))].state(number))
        assert json.loads(json.dumps(found))[: len(state)] == state, "later fields come at the end"
    balances = [sorted([*account, sum_] for account, sum_ in shard.ledger.balances.items()) for shard in shards]
    assert balances == expected["balances"]
    assert [shard.ledger.imbalance for shard in shards] == [0] * len(shards)


def test_copies_are_answered_as_they_were(shards: list[Shard], expected: dict[str, Any]) -> None:
    assert len(expected["answers"]) > 200
    for name, fields, answer in expected["answers"]:
        request = msgspec.convert(fields, getattr(messages, name))
        assert decided(shards, request) == reply_decoder.decode_message(bytes.fromhex(answer))
    assert [[shard.head.position, shard.head.hash.hex()] for shard in shards] == expected["heads"]


def test_it_goes_on(stores: list[LmdbStore], shards: list[Shard], expected: dict[str, Any]) -> None:
    heads = [position for position, _ in expected["heads"]]
    answers = [
        decided(shards, Purchase(TILL.number, 9_000_000 + place, 3_000, number, card_of(number), 10))
        for place, number in enumerate(expected["states"])
    ]
    assert Code.APPROVED in {answer.code for answer in answers}
    verified = [verify(store, ACCOUNT, shard=store.made.shard) for store in stores]
    assert sum(found.head.position for found in verified) == sum(heads) + len(answers)
    assert [found.ledger.imbalance for found in verified] == [0] * len(stores)


def journals(data: Path) -> list[list[StoredBatch]]:
    stores = open_all(data, LmdbStore.open_read_only)
    try:
        return [list(store.batches(1)) for store in stores]
    finally:
        close_all(stores)


def test_it_is_copied_whole_and_its_journal_makes_it_anew(old):
    data, made = old / "data", [old / name for name in ("of-backup", "of-both", "of-export", "compact")]
    of_backup, of_both, of_export, compact = made
    for arguments in (
        ("backup", "--data", data, "--to", old / "backup"),
        ("export", "--data", data, "--to", old / "export"),
        ("restore", "--from", old / "backup", "--data", of_backup),
        ("restore", "--from", old / "backup", "--export", old / "export", "--data", of_both),
        ("restore", "--export", old / "export", "--data", of_export),
        ("compact", "--data", data, "--into", compact),
    ):
        result = command(*arguments)
        assert result.exit_code == 0, result.output
    for folder in made:
        assert journals(folder) == journals(data)
        verified = command("verify", "--data", folder)
        assert verified.exit_code == 0, verified.output
