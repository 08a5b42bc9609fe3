"""What every store promises a shard."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from actors.store import Row, Store, StoredBatch


def batch(last_position: int, text: bytes = b"events") -> StoredBatch:
    return StoredBatch(last_position, text)


def filled(store: Store, *batches: StoredBatch, rows: Sequence[Row] = ()) -> Store:
    for one in batches:
        store.commit(one, [])
    if rows:
        store.commit(None, rows)
    return store


THREE = (batch(1, b"one"), batch(4, b"two to four"), batch(9, b"five to nine"))


def test_empty_store(store: Store) -> None:
    assert store.last_batch() is None
    assert store.row(b"a") is None
    assert list(store.rows(b"a")) == []
    assert list(store.batches(1)) == []
    assert store.batch_holding(1) is None


def test_batches_come_back_in_order(store: Store) -> None:
    assert list(filled(store, *THREE).batches(1)) == list(THREE)
    assert store.last_batch() == THREE[-1]


@pytest.mark.parametrize(
    ("position", "index"), [(1, 0), (2, 1), (3, 1), (4, 1), (5, 2), (9, 2), (10, None), (2**63, None)]
)
def test_batch_holding_a_position(store: Store, position: int, index: int | None) -> None:
    filled(store, *THREE)
    assert store.batch_holding(position) == (None if index is None else THREE[index])
    assert list(store.batches(position)) == ([] if index is None else list(THREE[index:]))


def test_batches_are_as_of_one_instant(store: Store) -> None:
    batches = filled(store, *THREE).batches(1)
    assert next(batches) == THREE[0]
    store.commit(batch(12), [])
    assert list(batches) == list(THREE[1:])


def test_rows_by_prefix_in_key_order(store: Store) -> None:
    rows = [(b"b2", b"3"), (b"a\xff", b"1"), (b"b", b"2"), (b"c", b"4"), (b"b10", b"5"), (b"b\xff\xff", b"6")]
    filled(store, rows=rows)
    assert list(store.rows(b"b")) == [(b"b", b"2"), (b"b10", b"5"), (b"b2", b"3"), (b"b\xff\xff", b"6")]
    assert list(store.rows(b"d")) == []


@pytest.mark.parametrize(
    ("start", "keys"),
    [
        (b"", [b"b1", b"b2", b"b3"]),
        (b"a", [b"b1", b"b2", b"b3"]),
        (b"b2", [b"b2", b"b3"]),
        (b"b2\x00", [b"b3"]),
        (b"b9", []),
        (b"c", []),
    ],
)
def test_rows_from_a_start(store: Store, start: bytes, keys: list[bytes]) -> None:
    filled(store, rows=[(key, b"") for key in (b"a9", b"b1", b"b2", b"b3", b"c")])
    assert [key for key, _ in store.rows(b"b", start)] == keys


def test_row_is_replaced(store: Store) -> None:
    filled(store, rows=[(b"a", b"old"), (b"b", b"kept")])
    store.commit(None, [(b"a", b"new")])
    assert (store.row(b"a"), store.row(b"b")) == (b"new", b"kept")


def test_last_of_two_values_in_one_commit_counts(store: Store) -> None:
    store.commit(None, [(b"a", b"first"), (b"a", b"second")])
    assert list(store.rows(b"a")) == [(b"a", b"second")]


def test_batch_and_rows_in_one_commit(store: Store) -> None:
    store.commit(THREE[0], [(b"a", b"1")])
    assert (store.last_batch(), store.row(b"a")) == (THREE[0], b"1")


@pytest.mark.parametrize("last_position", [1, 4, 8, 9])
def test_journal_only_grows(store: Store, last_position: int) -> None:
    filled(store, *THREE, rows=[(b"a", b"before")])
    with pytest.raises(AssertionError, match="the journal only grows"):
        store.commit(batch(last_position, b"forged"), [(b"a", b"after")])
    assert list(store.batches(1)) == list(THREE)
    assert store.row(b"a") == b"before"
    store.commit(batch(10), [(b"a", b"after")])
    assert (store.last_batch(), store.row(b"a")) == (batch(10), b"after")


def test_large_values_come_back_whole(store: Store) -> None:
    large = bytes(range(256)) * 4_000
    store.commit(batch(1, large), [(b"a", large)])
    assert (store.last_batch(), store.row(b"a")) == (batch(1, large), large)


def test_usage_grows_with_what_is_stored(store: Store) -> None:
    before = store.usage()
    store.commit(batch(1, bytes(100_000)), [(b"a", bytes(50_000))])
    after = store.usage()
    assert after.used - before.used >= 150_000
    assert after.limit == before.limit
    assert after.limit == 0 or after.used < after.limit


def test_close_may_be_called_twice(store: Store) -> None:
    filled(store, *THREE).close()
    store.close()
