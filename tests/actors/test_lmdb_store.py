"""What only the store on disk does: it outlives its process, keeps a second writer out, and can be full."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import lmdb
import msgspec
import pytest
from example_campus import ALICE, NOON, POLICY, answer_of, image, opened_shard, perform, purchase, restarted

from actors.account.kind import ACCOUNT
from actors.lmdb_store import FORMAT, ONLY_SHARD, LmdbStore, Made
from actors.store import CommitBrokenError, CommitRefusedError, Store, StoredBatch, StoreFormatError, StoreLockedError
from actors.verification import verify
from wire.codes import Code
from wire.messages import Answer

PAGE_BYTES = 4_096
Opener = Callable[[Path], LmdbStore]


def run_elsewhere(program: str, *arguments: object) -> str:
    """What a program prints that runs in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


def contents(store: Store) -> tuple[list[StoredBatch], list[tuple[bytes, bytes]]]:
    return list(store.batches(1)), list(store.rows(b""))


def test_folder_says_what_made_it(tmp_path: Path) -> None:
    LmdbStore.create(tmp_path / "new" / "folder", Made(FORMAT, "f", 2, 4))
    store = LmdbStore.open(tmp_path / "new" / "folder")
    assert store.made == Made(FORMAT, "f", 2, 4)
    store.close()


def test_creating_again_leaves_everything(folder: Path) -> None:
    store = LmdbStore.open(folder)
    store.commit(StoredBatch(1, b"event"), [(b"a", b"row")])
    store.close()
    LmdbStore.create(folder, Made(FORMAT, "f", 3, 5))
    store = LmdbStore.open(folder)
    assert store.made == ONLY_SHARD
    assert contents(store) == ([StoredBatch(1, b"event")], [(b"a", b"row")])
    store.close()


def test_commits_outlive_the_store(folder: Path) -> None:
    store = LmdbStore.open(folder)
    shard = opened_shard(store)
    answers = perform(shard, purchase(1), purchase(2, number="20260002"))
    before = image(shard, [ALICE])
    store.close()
    store = LmdbStore.open(folder)
    again = restarted(store)
    assert image(again, [ALICE]) == before
    assert perform(again, purchase(1), purchase(2, number="20260002")) == answers
    store.close()


OPEN = """
import sys
from pathlib import Path
from actors.lmdb_store import LmdbStore
from actors.store import StoreLockedError
try:
    getattr(LmdbStore, sys.argv[2])(Path(sys.argv[1]))
    print("let in")
except StoreLockedError as error:
    print("kept out:", error)
"""


@pytest.mark.parametrize("how", ["open", "create"])
def test_second_writer_is_kept_out(folder: Path, how: str) -> None:
    store = LmdbStore.open(folder)
    with pytest.raises(StoreLockedError, match="another process is writing"):
        getattr(LmdbStore, how)(folder)
    assert run_elsewhere(OPEN, folder, how) == (
        f"kept out: {folder}: another process is writing to this data folder; stop it first"
    )
    store.close()
    assert run_elsewhere(OPEN, folder, how) == "let in"


def test_lock_ends_with_its_process(folder: Path) -> None:
    assert (
        run_elsewhere(OPEN + "import os; os._exit(0) if sys.stdout.flush() is None else 0", folder, "open") == "let in"
    )
    LmdbStore.open(folder).close()


VERIFY = """
import sys
from pathlib import Path
from actors.account.kind import ACCOUNT
from actors.lmdb_store import LmdbStore
from actors.verification import verify
store = LmdbStore.open_read_only(Path(sys.argv[1]))
print(verify(store, ACCOUNT).head)
try:
    store.commit(None, [(b"a", b"row")])
except Exception as error:
    print(type(error).__name__)
store.close()
"""


def test_reading_beside_a_writer_in_another_process(folder: Path) -> None:
    store = LmdbStore.open(folder)
    shard = opened_shard(store, snapshot_lag=3)
    perform(shard, purchase(1), purchase(2))
    assert run_elsewhere(VERIFY, folder) == f"{shard.head}\nCommitBrokenError"
    answer_of(shard, purchase(3))
    assert run_elsewhere(VERIFY, folder) == f"{shard.head}\nCommitBrokenError"
    store.close()


KILLED_WHILE_IT_READS = """
import os, signal, sys
from pathlib import Path
from actors.lmdb_store import LmdbStore
batches = LmdbStore.open_read_only(Path(sys.argv[1])).batches(1)
next(batches)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_reader_that_was_killed_is_forgotten(folder: Path) -> None:
    store = LmdbStore.open(folder)
    store.commit(StoredBatch(1, b"event"), [])
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_READS, folder], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL

    def pages_of_ten_rewrites() -> int:
        before = store.usage().used
        for number in range(10):
            store.commit(None, [(b"a", bytes([number]) * 10 * PAGE_BYTES)])
        return (store.usage().used - before) // PAGE_BYTES

    assert pages_of_ten_rewrites() > 100, "every rewrite takes new pages"
    assert store.forget_dead_readers() == 1
    assert store.forget_dead_readers() == 0
    pages_of_ten_rewrites()
    assert pages_of_ten_rewrites() == 0
    store.close()


def test_opening_forgets_readers_that_were_killed(folder: Path) -> None:
    store = LmdbStore.open(folder)
    store.commit(StoredBatch(1, b"event"), [])
    subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_READS, folder], check=False, timeout=60)
    run_elsewhere(VERIFY.replace("verify(store, ACCOUNT).head", "0"), folder)
    assert store.forget_dead_readers() == 0
    store.close()


def test_a_copy_is_the_same_without_what_is_free(tmp_path: Path, folder: Path) -> None:
    store = LmdbStore.open(folder)
    store.commit(StoredBatch(2, b"events"), [(b"a", bytes(100 * PAGE_BYTES))])
    store.commit(None, [(b"a", b"row"), (b"b", b"row")])
    path = store.copy(tmp_path / "copy")
    copied = LmdbStore.open_read_only(tmp_path / "copy")
    assert contents(copied) == contents(store)
    assert copied.made == store.made
    assert copied.usage().used < store.usage().used - 90 * PAGE_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    copied.close()
    with pytest.raises(FileExistsError):
        store.copy(tmp_path / "copy")
    store.close()


def test_a_copy_that_finds_no_room(tmp_path: Path, folder: Path) -> None:
    store = LmdbStore.open(folder)
    store.commit(None, [(b"a", bytes(100 * PAGE_BYTES))])
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * PAGE_BYTES, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            store.copy(tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    store.close()


def test_batches_are_appended_all_or_nothing(small_store: LmdbStore) -> None:
    small_store.append([StoredBatch(1, b"one"), StoredBatch(3, b"two and three")])
    with pytest.raises(CommitRefusedError, match="no space"):
        small_store.append([StoredBatch(4, b"four"), StoredBatch(5, bytes(60 * PAGE_BYTES))])
    assert list(small_store.batches(1)) == [StoredBatch(1, b"one"), StoredBatch(3, b"two and three")]


def test_what_the_journal_takes(folder: Path) -> None:
    store = LmdbStore.open(folder)
    store.commit(StoredBatch(1, bytes(10 * PAGE_BYTES)), [(b"a", bytes(100 * PAGE_BYTES))])
    assert 10 * PAGE_BYTES < store.journal_bytes() <= 13 * PAGE_BYTES
    store.close()


def test_reading_changes_nothing(folder: Path) -> None:
    store = LmdbStore.open_read_only(folder)
    with pytest.raises(CommitBrokenError):
        store.commit(StoredBatch(1, b"event"), [])
    assert contents(store) == ([], [])
    store.close()


def rewrite_made(folder: Path, made: bytes) -> None:
    with lmdb.open(str(folder), max_dbs=3) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"made", made, db=environment.open_db(b"meta", txn=transaction))


@pytest.mark.parametrize("how", [LmdbStore.open, LmdbStore.open_read_only])
def test_newer_format_is_refused(folder: Path, how: Opener) -> None:
    rewrite_made(folder, msgspec.msgpack.encode({"format": FORMAT + 1, "shard": 0, "shards": 1, "new": "field"}))
    for _ in range(2):  # and refused again, not "already open"
        with pytest.raises(StoreFormatError, match=f"data format {FORMAT + 1} is newer than this software's {FORMAT}"):
            how(folder)


@pytest.mark.parametrize("how", [LmdbStore.open, LmdbStore.open_read_only])
@pytest.mark.parametrize("made", [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"format": "one"})])
def test_folder_that_does_not_say_what_made_it(folder: Path, made: bytes, how: Opener) -> None:
    rewrite_made(folder, made)
    with pytest.raises(StoreFormatError, match="not a data folder of tapswitch"):
        how(folder)


@pytest.mark.parametrize("how", [LmdbStore.open, LmdbStore.open_read_only])
def test_environment_of_somebody_else(tmp_path: Path, how: Opener) -> None:
    with lmdb.open(str(tmp_path), max_dbs=1) as environment:
        environment.open_db(b"theirs")
    with pytest.raises(StoreFormatError, match="not a data folder of tapswitch"):
        how(tmp_path)


@pytest.mark.parametrize("how", [LmdbStore.open, LmdbStore.open_read_only])
def test_not_an_environment(tmp_path: Path, how: Opener) -> None:
    with pytest.raises(StoreFormatError, match="no data here"):
        how(tmp_path)
    with pytest.raises(StoreFormatError, match="no data here"):
        how(tmp_path / "nowhere")
    (tmp_path / "data.mdb").write_bytes(b"something else" * 1_000)
    with pytest.raises(StoreFormatError, match="not a usable LMDB environment"):
        how(tmp_path)


@pytest.fixture
def small_store(folder: Path) -> Iterator[LmdbStore]:
    """A store with room for about thirty pages."""
    store = LmdbStore.open(folder, map_bytes=30 * PAGE_BYTES)
    yield store
    store.close()


def test_full_store_refuses_a_commit_and_keeps_what_it_has(small_store: LmdbStore) -> None:
    small_store.commit(StoredBatch(2, b"events"), [(b"a", b"before")])
    before = contents(small_store)
    for batch, rows in [
        (StoredBatch(3, bytes(60 * PAGE_BYTES)), []),
        (StoredBatch(3, b"event"), [(b"a", b"after"), (b"b", bytes(60 * PAGE_BYTES))]),
        (StoredBatch(3, b"event"), [(b"%05d" % number, bytes(200)) for number in range(1_000)]),
    ]:
        with pytest.raises(CommitRefusedError, match="no space"):
            small_store.commit(batch, rows)
        assert contents(small_store) == before
    small_store.commit(StoredBatch(3, b"smaller"), [(b"a", b"after")])
    assert contents(small_store) == ([StoredBatch(2, b"events"), StoredBatch(3, b"smaller")], [(b"a", b"after")])


def test_full_store_undoes_a_turn_and_goes_on(small_store: LmdbStore) -> None:
    shard = opened_shard(small_store)
    first = answer_of(shard, purchase(1))
    before = image(shard, [ALICE])
    too_large = shard.decide([purchase(stan, 1) for stan in range(2, 3_000)], NOON, POLICY)
    with pytest.raises(CommitRefusedError):
        shard.commit(too_large)
    shard.drop(too_large)
    assert image(shard, [ALICE]) == before
    assert image(restarted(small_store), [ALICE]) == before
    assert answer_of(shard, purchase(1)) == first
    assert answer_of(shard, purchase(2, 1)).code is Code.APPROVED
    assert verify(small_store, ACCOUNT).head == shard.head


def test_store_fills_up_bit_by_bit(small_store: LmdbStore) -> None:
    shard = opened_shard(small_store, snapshot_lag=40)
    answers: dict[int, Answer] = {}

    def go_on() -> None:
        for stan in count(1):
            answers[stan] = perform(shard, purchase(stan, 1), purchase(stan, 1, number="20260002"))[0]

    with pytest.raises(CommitRefusedError, match="no space"):
        go_on()
    assert len(answers) > 10
    assert small_store.usage().limit == 30 * PAGE_BYTES
    again = restarted(small_store)
    assert image(again, [ALICE]) == image(shard, [ALICE])
    newest = list(answers)[-20:]
    assert perform(again, *(purchase(stan, 1) for stan in newest)) == [answers[stan] for stan in newest]
    assert verify(small_store, ACCOUNT).head == shard.head


def test_usage_counts_pages_of_the_map(folder: Path) -> None:
    store = LmdbStore.open(folder, map_bytes=1 << 20)
    assert store.usage().limit == 1 << 20
    assert 0 < store.usage().used < 20 * PAGE_BYTES
    store.close()


def test_every_commit_is_synchronous(tmp_path: Path) -> None:
    LmdbStore.create(tmp_path)
    store = LmdbStore.open(tmp_path)
    flags = store._environment.flags()
    store.close()
    assert flags["sync"]
    assert flags["metasync"]


def test_data_is_for_its_owner_only(tmp_path: Path) -> None:
    LmdbStore.create(tmp_path / "shard")
    assert (tmp_path / "shard").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "shard" / "data.mdb").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("open_store", [LmdbStore.open, LmdbStore.open_read_only, LmdbStore.create])
def test_file_that_was_cut_short(tmp_path: Path, open_store: Callable[[Path], object]) -> None:
    LmdbStore.create(tmp_path)
    store = LmdbStore.open(tmp_path)
    store.commit(StoredBatch(1, bytes(100_000)), [])
    store.close()
    os.truncate(tmp_path / "data.mdb", 40_960)
    with pytest.raises(StoreFormatError, match="cut short"):
        open_store(tmp_path)


def test_foreign_file_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"something else" * 1_000)
    with pytest.raises(StoreFormatError, match="not a usable LMDB environment"):
        LmdbStore.create(tmp_path)
    assert (tmp_path / "data.mdb").read_bytes() == b"something else" * 1_000


def test_folder_that_cannot_be_made_leaves_nothing_half_made(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE_BYTES, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            LmdbStore.create(tmp_path / "data")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "data" / "data.mdb").exists()
    LmdbStore.create(tmp_path / "data")
    LmdbStore.open(tmp_path / "data").close()
