"""What was posted although it was not clean, and what became of it: read from a journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from actors.effect import EffectName
from actors.journal import Journal
from actors.kind import Kind


class SuspiciousItem(NamedTuple):
    """An event that posted something that is not clean."""

    position: int
    event: Any
    reason: str
    shortfall: int
    """What it owed in suspense when it was posted, in minor units."""

    ended_by: Any = None
    """The event that settled, undid or refunded it, and says what it owes still, if anything; None: it is open."""

    @property
    def owes(self) -> int:
        """What it owes in suspense now, in minor units."""
        return self.shortfall if self.ended_by is None else getattr(self.ended_by, "shortfall_left", 0)


def find_suspicious(journal: Journal, kind: Kind) -> list[SuspiciousItem]:
    """Everything suspicious in the journal, oldest first. In memory: what is suspicious, and nothing else."""
    items: dict[tuple[str, int, int], SuspiciousItem] = {}
    for position, event in journal.events(1):
        for terminal, stan in kind.bears_on(event):
            known = items.get((event.account, terminal, stan))
            if known is not None:
                items[event.account, terminal, stan] = known._replace(ended_by=event)
        for found in _suspicious(position, event, kind):
            items[event.account, event.terminal, event.stan] = found
    return list(items.values())


def _suspicious(position: int, event: Any, kind: Kind) -> Iterator[SuspiciousItem]:
    effect_of = kind.effect.get(type(event))
    effect = None if effect_of is None else effect_of(event)
    if effect is not None and effect.name is EffectName.SUSPICIOUS:
        details = effect.details
        yield SuspiciousItem(position, event, str(details["reason"]), int(details.get("shortfall", 0)))
