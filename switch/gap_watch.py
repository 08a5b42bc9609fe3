"""How many offline numbers are missing: looked for again and again beside the traffic, a little at a time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from actors.gaps import Double, Gap, look_for_gaps, split_gap
from actors.journal import JournalBrokenError
from actors.shard import Shard
from actors.store import Store
from actors.terminal.events import GapExplained

AT_ONCE: Final = 100
"""Numbers looked at without a rest: some tenths of a millisecond."""

REST_S: Final = 0.1
PAUSE_S: Final = 30.0
"""From the end of one search to the beginning of the next."""

GAPS_MAX: Final = 10_000
"""Gaps beyond these are counted, explained or not."""

log = structlog.get_logger()


class FoundGaps(NamedTuple):
    """What a search came to."""

    gaps: int
    """Runs of missing numbers that nobody explained."""

    doubles: int
    """Numbers of two purchases."""


class GapWatch:
    """Of all shards of a switch, which are in this process."""

    def __init__(self, stores: Sequence[Store], shards: Sequence[Shard]) -> None:
        self.found: FoundGaps | None = None
        """What the last search came to; None before the first has ended."""

        self._stores = stores
        self._shards = shards
        self._looked_at = 0

    async def run(self) -> None:
        """Search until cancelled, or until a journal cannot be read."""
        try:
            while True:
                self.found = await self._search()
                await asyncio.sleep(PAUSE_S)
        except JournalBrokenError as error:
            self.found = None
            log.warning("no more looking for gaps: the journal is damaged", error=str(error))

    async def _search(self) -> FoundGaps:
        gaps: list[Gap] = []
        beyond = doubles = 0
        for found in look_for_gaps(self._stores, AT_ONCE):
            await self._rest_sometimes()
            if isinstance(found, Double):
                doubles += 1
            elif found is not None and len(gaps) < GAPS_MAX:
                gaps.append(found)
            elif found is not None:
                beyond += 1
        return FoundGaps(beyond + await self._unexplained(gaps), doubles)

    async def _unexplained(self, gaps: Sequence[Gap]) -> int:
        if not gaps:
            return 0
        explanations = await self._explanations()
        unexplained = 0
        for gap in gaps:
            await self._rest_sometimes()
            pieces = split_gap(gap, explanations.get(gap.terminal, ()))
            unexplained += sum(isinstance(piece, Gap) for piece in pieces)
        return unexplained

    async def _explanations(self) -> dict[int, list[GapExplained]]:
        """By the terminal that they speak of."""
        explanations: defaultdict[int, list[GapExplained]] = defaultdict(list)
        for shard in self._shards:
            for alarm in list(shard.alarms.values()):
                for _, event in shard.journal.chain(alarm.durable):
                    await self._rest_sometimes()
                    if isinstance(event, GapExplained):
                        explanations[event.of_terminal].append(event)
        return explanations

    async def _rest_sometimes(self) -> None:
        self._looked_at += 1
        if not self._looked_at % AT_ONCE:
            await asyncio.sleep(REST_S)
