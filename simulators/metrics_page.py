"""What the simulator reads from the switch's /metrics: its own decisions by service and code, and the imbalance."""

from __future__ import annotations

import re

import aiohttp
from msgspec import Struct

from wire.codes import Code

HTTP_SECONDS = 10.0
_LABELS = re.compile(r'(\w+)="([^"]*)"')
_AUTHORIZATIONS = "tapswitch_authorizations_total{"
_IMBALANCE = "tapswitch_ledger_imbalance_minor_units{"


class Page(Struct, frozen=True):
    """One reading."""

    decisions: dict[tuple[str, Code], int]
    imbalance: int | None
    """In minor units, over all shards; None if the page does not say."""

    def since(self, earlier: Page) -> dict[tuple[str, Code], int]:
        """Decisions made between `earlier` and this reading."""
        return {key: count - earlier.decisions.get(key, 0) for key, count in self.decisions.items()}


def parse_page(text: str) -> Page:
    """Read the Prometheus text format, as far as it is needed here."""
    decisions: dict[tuple[str, Code], int] = {}
    imbalance: int | None = None
    for line in text.splitlines():
        if line.startswith(_AUTHORIZATIONS):
            labels = dict(_LABELS.findall(line))
            decisions[labels["service"], Code(int(labels["code"]))] = int(float(line.rpartition(" ")[2]))
        elif line.startswith(_IMBALANCE):
            imbalance = (imbalance or 0) + abs(int(float(line.rpartition(" ")[2])))
    return Page(decisions, imbalance)


async def read_page(http: str | None) -> Page | None:
    """The page at `http` (HOST:PORT); None if there is no such address or it does not answer."""
    if http is None:
        return None
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(HTTP_SECONDS)) as session,
            session.get(f"http://{http}/metrics") as response,
        ):
            return parse_page(await response.text()) if response.ok else None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
