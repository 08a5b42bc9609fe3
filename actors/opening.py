"""Opening accounts in a stopped folder: all of them or, after an interruption, the ones still missing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from actors.account.card import CardState, PersonClass
from actors.account.events import Opened
from actors.account.purses import Amounts
from actors.account.state import new_account
from actors.calendar import Moment
from actors.shard import Shard

ACCOUNTS_PER_COMMIT: Final = 2_000
_COLUMNS: Final = (
    "account",
    "card",
    "state",
    "expires",
    "class",
    "balance in minor units",
    "subsidy in minor units",
    "family in minor units",
)
"""What an opening says, in the words of those who write accounts files."""


class Opening(NamedTuple):
    """An account to open, with its card and what its purses hold, in minor units."""

    account: str
    card: str
    card_state: CardState
    expires: int
    person_class: PersonClass
    purses: Amounts


def conflict(shard: Shard, opening: Opening) -> str | None:
    """How an account that exists was opened differently, or None if it does not exist or was opened just so."""
    state = shard.state(opening.account)
    if state is None or not state.opened_at:
        return None
    found = shard.journal.event_at(state.opened_at)
    was = Opening(found.account, found.card, found.card_state, found.expires, found.person_class, found.balances)
    differing = [
        f"{column} was {before}, not {now}"
        for column, before, now in zip_longest(_COLUMNS, _values(was), _values(opening), fillvalue=0)
        if before != now
    ]
    return f"account {opening.account} exists already: {', '.join(differing)}" if differing else None


def _values(opening: Opening) -> tuple[object, ...]:
    return (*opening[:-1], *opening.purses)


def open_accounts(shard: Shard, openings: Sequence[Opening], moment: Moment) -> int:
    """Open those that do not exist yet, in durable commits of ACCOUNTS_PER_COMMIT; returns how many they were.

    Raises what `Shard.commit` raises; what was committed before that stays, and a second call opens the rest.
    """
    assert len({opening.account for opening in openings}) == len(openings), "each account is opened once"
    found = {opening.account: shard.state(opening.account) or new_account(opening.account) for opening in openings}
    missing = [opening for opening in openings if not found[opening.account].opened_at]
    for start in range(0, len(missing), ACCOUNTS_PER_COMMIT):
        events = [
            Opened(
                opening.account, moment.time_us, found[opening.account].position, opening.card, opening.card_state,
                opening.expires, opening.person_class, opening.purses,
            )
            for opening in missing[start : start + ACCOUNTS_PER_COMMIT]
        ]  # fmt: skip
        turn = shard.open(events, moment)
        shard.commit(turn)
        shard.adopt(turn)
    return len(missing)
