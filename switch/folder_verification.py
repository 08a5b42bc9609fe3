"""The shards of a data folder, each replayed and checked against itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import msgspec

from actors.account.kind import ACCOUNT
from actors.authorizations import Authorizations
from actors.journal import Head, JournalBrokenError
from actors.lmdb_store import LmdbStore
from actors.placement import slots_of
from actors.store import StoreDamagedError
from actors.verification import Verified, verify


def verify_shards(stores: Sequence[LmdbStore], progress: Callable[[int], None]) -> Iterator[tuple[int, Verified | str]]:
    """(shard, what was found right, or where its first fault is and what): one by one, each checked when asked for.

    `progress` is called with the number of events so far, without those of shards with a fault.
    """
    authorizations = Authorizations(stores[0].made.authorizations_after)
    before = 0
    for store in stores:
        shard, slots = store.made.shard, slots_of(store.made.shard, store.made.shards)
        further = partial(_further, progress, before)
        try:
            found = verify(store, ACCOUNT, further, shard=shard, slots=slots, authorizations=authorizations)
        except JournalBrokenError as error:
            yield shard, f"at {error}"
        except StoreDamagedError as error:
            yield shard, f"beneath the journal: {error}"
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            yield shard, f"at a snapshot that cannot be read: {error}"
        else:
            before += found.events
            yield shard, found


def shown_head(head: Head) -> str:
    """The end of a journal, as tables show it."""
    return f"{head.position} {head.hash.hex()[:16]}…" if head.position else "0"


def _further(progress: Callable[[int], None], before: int, events: int) -> None:
    progress(before + events)
