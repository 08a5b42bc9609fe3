"""`tapswitch reshard`: a new folder that is whole, or none; and an old one in which no byte has changed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import lmdb
import pytest
from campus_folder import TILL, TOP_UP_MACHINE, account_number, card_of, write_campus
from running_switch import RunningSwitch, command, make_data, python
from spending import spend
from switch_in_process import ALICE, purchase, reversal

from actors import resharding
from actors.account.card import CardState, PersonClass
from actors.calendar import Moment
from actors.journal import HASH_BYTES
from actors.lmdb_store import LmdbStore
from actors.opening import Opening, open_accounts
from actors.placement import shard_of, slot_of
from actors.policy import Policy
from actors.shard import Shard
from actors.store import CommitBrokenError
from switch import new_folder, reshard_command
from switch.campus import read_campus
from switch.data_folder import close_all, create, open_all, recover_shard, shard_folder
from switch.new_folder import UNFINISHED
from wire.codec import reply_decoder
from wire.codes import Code
from wire.messages import TopUp

OPENED = 20
LOCK_FILE = "lock.mdb"
"""LMDB's table of readers, which every reader changes; it is no data, and is made anew if it is missing."""

KILLED_AT_THE_THIRD_COMMIT = """
import os, signal, sys
from actors.lmdb_store import LmdbStore
from switch.command_line import main
commit, left = LmdbStore.commit, [2]
def dying(self, batch, rows):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    commit(self, batch, rows)
LmdbStore.commit = dying
sys.argv[0] = "tapswitch"
main()
"""

WITH_FEW_DESCRIPTORS = """
import resource, sys
from switch.command_line import main
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
sys.argv[0] = "tapswitch"
main()
"""


@pytest.fixture
def policy(tmp_path) -> Policy:
    return read_campus(write_campus(tmp_path)).policy


@pytest.fixture
def data(tmp_path, policy) -> Path:
    """One shard, whose newest events no snapshot has."""
    made = make_data(tmp_path, OPENED)
    spend(made, policy, range(1, 8), checkpoint=True)
    spend(made, policy, range(8, 11))
    return made


@pytest.fixture
def into(tmp_path) -> Path:
    return tmp_path / "new"


def unfinished(into: Path) -> Path:
    return into.with_name(into.name + UNFINISHED)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by its path, but for the tables of readers."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK_FILE
    }


def resharded(data: Path, shards: int, into: Path, *options: object) -> str:
    before = contents(data)
    result = command("reshard", "--data", data, "--to", shards, "--into", into, *options)
    assert result.exit_code == 0, result.output
    assert contents(data) == before
    assert not unfinished(into).exists()
    return result.output


def refused(data: Path, into: Path, *options: object, status: int = 2, shards: object = 3) -> str:
    """What it says; everything beside the new folder is as it was, and that is not there."""
    around = data.parent
    before = sorted(around.iterdir()), contents(data) if data.exists() else {}
    result = command("reshard", "--data", data, "--to", shards, "--into", into, *options)
    assert result.exit_code == status, result.output
    assert (sorted(around.iterdir()), contents(data) if data.exists() else {}) == before
    return " ".join(result.output.split())


def figures(output: str) -> list[list[str]]:
    rows = [line.strip("│").split("│") for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows]


class OpenFolder:
    """A data folder's shards, asked directly."""

    def __init__(self, data: Path) -> None:
        self.stores = open_all(data)
        self.shards: list[Shard] = [recover_shard(store) for store in self.stores]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        close_all(self.stores)

    def ask(self, request: Any, policy: Policy) -> tuple[Any, int]:
        """The answer, and how many events it made."""
        shard = self.shards[shard_of(slot_of(request.account), len(self.shards))]
        moment = policy.calendar.moment(max(shard.time_us, 1_900_000_000_000_000))
        turn = shard.decide([request], moment, policy)
        shard.commit(turn)
        shard.adopt(turn)
        (answer,) = map(reply_decoder.decode_message, turn.answers)
        return answer, len(turn.entries)


def requests() -> list[Any]:
    bought = [purchase(100 + place, 50, TILL + place % 3, account_number(1 + place)) for place in range(OPENED)]
    paid_in = [
        TopUp(TOP_UP_MACHINE, place, 60_000, account_number(place), card_of(account_number(place)), 500, 2)
        for place in range(1, 6)
    ]
    undone = [reversal(200 + place, bought[place]) for place in range(5)]
    early = [reversal(300 + place, purchase(400 + place, account=account_number(place))) for place in range(1, 4)]
    return [*bought, *paid_in, *undone, *early, purchase(500, 20_001), purchase(501, account="unknown")]


class Usage(NamedTuple):
    """As shutil.disk_usage says it."""

    total: int
    used: int
    free: int


def opened(data: Path) -> Iterator[LmdbStore]:
    """The shards' stores, one after the other."""
    stores = open_all(data)
    try:
        yield from stores
    finally:
        close_all(stores)


# --- what it makes ---------------------------------------------------------------------------------------------------


def test_from_one_to_three_to_two(tmp_path, data, policy, into):
    with OpenFolder(data) as folder:
        answers = [folder.ask(request, policy)[0] for request in requests()]
        again = [folder.ask(request, policy) for request in requests()]
        assert {events for _, events in again} == {0}
    given = {answer.authorization for answer in answers}
    for number, (source, shards, target) in enumerate([(data, 3, into), (into, 2, tmp_path / "newer")]):
        resharded(source, shards, target)
        assert command("verify", "--data", target).exit_code == 0
        with OpenFolder(target) as folder:
            assert [shard.snapshot_lag for shard in folder.shards] == [0] * shards
            assert [folder.ask(request, policy) for request in requests()] == again
            for place in range(OPENED):
                answer, events = folder.ask(
                    purchase(1_000 + 100 * number + place, 1, account=account_number(1 + place)), policy
                )
                assert (answer.code, events) == (Code.APPROVED, 1)
                assert answer.authorization not in given
                given.add(answer.authorization)
        assert command("verify", "--data", target).exit_code == 0


def test_what_it_shows(data, into):
    output = resharded(data, 2, into)
    rows = figures(output)
    for row in (
        ["events, but for their positions", "30"],
        ["accounts, but for their positions", "20"],
        ["totals by day, merchant, terminal, service and period", "1"],
        ["terminals with a highest STAN", "1"],
        ["what the accounts hold, yuan", "1,990.00"],
        ["merchant 1, yuan", "10.00"],
        ["opening 0, yuan", "-2,000.00"],
    ):
        assert row in rows
    shards = [row for row in rows if len(row) == 4]
    assert sum(int(events) for _, events, _, _ in shards) == 30
    assert [head.split()[0] for *_, head in shards] == [events for _, events, _, _ in shards]
    assert f"Wrote {into}" in output


def test_a_statement_of_the_new_folder(data, into):
    resharded(data, 4, into)

    def statement(folder: Path) -> list[list[str]]:
        result = command("statement", "--data", folder, ALICE)
        assert result.exit_code == 0, result.output
        return [row[1:] for row in figures(result.output)]

    assert statement(into) == statement(data)
    assert len(statement(into)) == 11


def test_to_the_same_number_of_shards(data, into):
    resharded(data, 1, into)
    with OpenFolder(data) as old, OpenFolder(into) as new:
        assert new.shards[0].head.position == old.shards[0].head.position
        assert new.stores[0].made.authorizations_after == 30
        assert new.stores[0].made.data_folder != old.stores[0].made.data_folder


def test_as_many_shards_as_there_may_be(tmp_path, data, into):
    """Also where a process has few descriptors until it asks for more."""
    resharded(data, 256, into)
    newer = tmp_path / "newer"
    done = python("-c", WITH_FEW_DESCRIPTORS, "reshard", "--data", into, "--to", 255, "--into", newer)
    assert done.returncode == 0, done.stderr
    assert command("verify", "--data", newer).exit_code == 0


def test_an_empty_folder_is_taken(data, into):
    into.mkdir()
    resharded(data, 2, into)
    assert {path.name for path in into.iterdir()} == {"shard-0000", "shard-0001"}


def test_a_link_to_an_empty_folder_is_followed(tmp_path, data, into):
    (tmp_path / "elsewhere" / "disk").mkdir(parents=True)
    into.symlink_to(tmp_path / "elsewhere" / "disk")
    resharded(data, 2, into)
    assert into.is_symlink()
    assert (tmp_path / "elsewhere" / "disk" / "shard-0001").is_dir()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["disk"]


def test_a_folder_without_accounts(tmp_path, into):
    create(tmp_path / "data", 2)
    resharded(tmp_path / "data", 3, into)
    with OpenFolder(into) as folder:
        assert [store.made.authorizations_after for store in folder.stores] == [0, 0, 0]


# --- what it refuses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [0, -1, 257, "many"])
def test_numbers_of_shards_that_cannot_be(data, into, shards):
    assert "--to" in refused(data, into, shards=shards)


def test_a_folder_without_data(tmp_path, into):
    assert "no data here" in refused(tmp_path / "data", into)


def test_a_folder_that_lacks_a_shard(tmp_path, data, into):
    resharded(data, 2, into)
    for path in shard_folder(into, 1).iterdir():
        path.unlink()
    message = refused(into, tmp_path / "newer")
    assert "shard-0001" in message


def test_a_new_folder_that_is_not_empty(data, into):
    into.mkdir()
    (into / "mine").write_text("keep this")
    assert "there already" in refused(data, into)
    assert (into / "mine").read_text() == "keep this"


def test_a_new_folder_that_is_a_file_or_a_link_to_nothing(tmp_path, data, into):
    into.write_text("keep this")
    assert "there already" in refused(data, into)
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    assert "--into" in refused(data, circle)
    assert "--into" in refused(data, into / "in a file")


@pytest.mark.parametrize("place", [".", "new", "shard-0000/new"])
def test_a_new_folder_within_the_old_one(data, place):
    result = command("reshard", "--data", data, "--to", 2, "--into", data / place)
    assert result.exit_code == 2
    assert "in the folder of --data" in result.output
    assert [path.name for path in data.iterdir()] == ["shard-0000"]


def test_a_new_folder_without_a_parent(tmp_path, data):
    assert f"no folder {tmp_path / 'no'}" in refused(data, tmp_path / "no" / "new")


def test_a_mount_point(data, into, monkeypatch):
    """What is beside it is on another disk."""
    into.mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == into)
    assert "mount point" in refused(data, into)


def test_a_running_switch_keeps_it_out(tmp_path, data, into):
    with RunningSwitch(data, tmp_path / "campus.toml") as switch:
        assert "another process is writing to this data folder" in refused(data, into)
        assert switch.stop() == 0
    resharded(data, 2, into)


def test_it_keeps_a_switch_out_meanwhile(data, into, monkeypatch):
    compare, seen = reshard_command.compare, []

    def opening_meanwhile(*arguments: Any) -> Any:
        seen.append(python("-m", "switch.command_line", "import", "--data", data, data.parent / "accounts.csv"))
        return compare(*arguments)

    monkeypatch.setattr(reshard_command, "compare", opening_meanwhile)
    resharded(data, 2, into)
    (meanwhile,) = seen
    assert meanwhile.returncode == 2
    assert "another process is writing to this data folder" in meanwhile.stderr


# --- what goes wrong on the way --------------------------------------------------------------------------------------


def damage(data: Path, shard: int, position: int) -> None:
    key = position.to_bytes(8, "big")
    with lmdb.open(str(shard_folder(data, shard)), max_dbs=3) as environment:
        journal = environment.open_db(b"journal", create=False)
        with environment.begin(write=True, db=journal) as transaction:
            value = bytearray(transaction.get(key))
            value[HASH_BYTES + 5] = 0xC1  # where the batch's first event begins; no msgpack value begins so
            assert transaction.put(key, bytes(value))


def test_a_damaged_journal_is_named_by_shard_and_position(tmp_path, data, into):
    resharded(data, 2, into)
    with OpenFolder(into) as folder:
        owner = shard_of(slot_of(ALICE), 2)
        ends = folder.shards[owner].head.position
        policy = read_campus(tmp_path / "campus.toml").policy
        folder.ask(purchase(900), policy)
    damage(into, owner, ends + 1)
    message = refused(into, tmp_path / "newer", status=1)
    assert f"the old folder is BROKEN: shard {owner} at position {ends + 1}: " in message
    assert f"{tmp_path / 'newer'} was not made" in message


def test_an_account_in_another_shard(tmp_path, into):
    data = tmp_path / "data"
    create(data, 2)
    with OpenFolder(data) as folder:
        stray = Opening(ALICE, card_of(ALICE), CardState.ACTIVE, 20991231, PersonClass.STUDENT, (1,))
        wrong = 1 - shard_of(slot_of(ALICE), 2)
        open_accounts(folder.shards[wrong], [stray], Moment(1, 0, 0))
    message = refused(data, into, status=1)
    assert f"the old folder is BROKEN: shard {wrong} at position 1: account {ALICE}: its slot" in message


def test_a_damaged_snapshot(data, into):
    with lmdb.open(str(shard_folder(data)), max_dbs=3) as environment:
        rows = environment.open_db(b"rows", create=False)
        with environment.begin(write=True, db=rows) as transaction:
            transaction.put(b"t" + TILL.to_bytes(4, "big"), b"\xc1")
    assert "the old folder is BROKEN: shard 0 at a snapshot that cannot be read" in refused(data, into, status=1)


def test_without_space_nothing_is_left(tmp_path, policy, into):
    data = make_data(tmp_path, 4_000)
    message = refused(data, into, "--map-size", 1, status=1, shards=1)
    assert "no space" in message
    assert "--map-size" in message
    resharded(data, 1, into)


def test_a_disk_with_too_little_room_is_seen_at_once(data, into, monkeypatch):
    used = sum(store.usage().used for store in opened(data))
    monkeypatch.setattr(reshard_command, "verify_shards", None)
    monkeypatch.setattr(new_folder.shutil, "disk_usage", lambda _: Usage(0, 0, used - 1))
    assert "no space: the old folder uses" in refused(data, into, status=1)
    monkeypatch.undo()
    monkeypatch.setattr(new_folder.shutil, "disk_usage", lambda _: Usage(0, 0, used))
    resharded(data, 2, into)


def test_a_commit_that_fails(data, into, monkeypatch):
    def broken(*_: Any) -> None:
        raise CommitBrokenError("Input/output error")

    monkeypatch.setattr(LmdbStore, "commit", broken)
    assert "the commit failed: Input/output error; look at the disk" in refused(data, into, status=1)


def test_a_difference_is_an_error(data, into, monkeypatch):
    """Were an event rewritten wrongly in a way that contradicts nothing, the new folder would not be made."""
    replace = resharding.replace

    def richer(event: Any, **changes: Any) -> Any:
        return replace(event, **changes, **({"stan": event.stan + 1} if getattr(event, "stan", 0) == 10 else {}))

    monkeypatch.setattr(resharding, "replace", richer)
    message = refused(data, into, status=1)
    assert "BROKEN: number and digest of the events" in message


def test_a_new_folder_that_is_broken_is_not_made(data, into, monkeypatch):
    replace = resharding.replace
    monkeypatch.setattr(resharding, "replace", lambda event, previous: replace(event, previous=previous and 1))
    assert "the new folder is BROKEN: shard" in refused(data, into, status=1)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, AssertionError])
def test_stopped_by_hand_or_by_a_bug_it_leaves_nothing(data, into, monkeypatch, raised):
    def stopped(*_: Any) -> None:
        raise raised

    monkeypatch.setattr(reshard_command, "compare", stopped)
    refused(data, into, status=1)
    monkeypatch.undo()
    resharded(data, 2, into)


def test_killed_it_leaves_no_new_folder_and_says_what_to_remove(data, into):
    before = contents(data)
    killed = python("-c", KILLED_AT_THE_THIRD_COMMIT, "reshard", "--data", data, "--to", 3, "--into", into)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert contents(data) == before
    assert not into.exists()
    left = contents(unfinished(into))
    assert left
    message = refused(data, into)
    assert str(unfinished(into)) in message
    assert "remove it" in message
    assert contents(unfinished(into)) == left


def test_renamed_only_when_all_is_checked(data, into, monkeypatch):
    seen: list[bool] = []
    compare = reshard_command.compare

    def noting(*arguments: Any) -> Any:
        seen.append(into.exists())
        return compare(*arguments)

    monkeypatch.setattr(reshard_command, "compare", noting)
    resharded(data, 2, into)
    assert seen == [False]


def test_opened_only_while_it_works(data, into):
    resharded(data, 2, into)
    for folder in (data, into):
        for store in open_all(folder):
            store.close()
