"""What was posted although it was not clean, and what became of it: read from a journal."""

from __future__ import annotations

from collections.abc import Mapping
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

    owes: int
    """What it owes there now."""

    ended_by: Any = None
    """The event that settled or undid it, or refunded all that it owed; None: it is open."""


def find_suspicious(journal: Journal, kind: Kind) -> list[SuspiciousItem]:
    """Everything suspicious in the journal, oldest first. In memory: what is suspicious, and nothing else."""
    items: dict[tuple[str, int, int], SuspiciousItem] = {}
    for position, event in journal.events(1):
        for terminal, stan in kind.bears_on(event):
            known = items.get((event.account, terminal, stan))
            if known is not None:
                # A refund may leave something owed.
                owes = getattr(event, "shortfall_left", 0)
                items[event.account, terminal, stan] = known._replace(owes=owes, ended_by=None if owes else event)
        details = _details(event, kind)
        if details is not None:
            shortfall = int(details.get("shortfall", 0))
            item = SuspiciousItem(position, event, str(details["reason"]), shortfall, shortfall)
            items[event.account, event.terminal, event.stan] = item
    return list(items.values())


def suspicion_of(event: Any, kind: Kind) -> str | None:
    """Why what an event posted is not clean; None if it is."""
    details = _details(event, kind)
    return None if details is None else str(details["reason"])


def _details(event: Any, kind: Kind) -> Mapping[str, str | int] | None:
    effect_of = kind.effect.get(type(event))
    effect = None if effect_of is None else effect_of(event)
    return effect.details if effect is not None and effect.name is EffectName.SUSPICIOUS else None
