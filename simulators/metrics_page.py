"""What the simulator reads from the switch's /metrics: its own decisions by service and code, and the imbalance."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from http import HTTPStatus

import aiohttp
import msgspec
from msgspec import Struct

from wire.codes import Code

HTTP_SECONDS = 10.0
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABELS = re.compile(r'(\w+)="([^"]*)"')


class Page(Struct, frozen=True):
    """One reading, of all processes of a switch."""

    decisions: dict[tuple[str, Code], int]
    imbalance: int | None
    """In minor units, over all shards; None if the page does not say."""

    suspense: int | None
    """In minor units, likewise."""

    started: dict[str, float]
    """By shard: when its process was started, and began to count."""

    def since(self, earlier: Page) -> dict[tuple[str, Code], int] | None:
        """Decisions made between `earlier` and this reading; None if a shard was started again and counts anew."""
        if self.started != earlier.started:
            return None
        return {key: count - earlier.decisions.get(key, 0) for key, count in self.decisions.items()}


def parse_page(*texts: str) -> Page:
    """Read the Prometheus text format of each process, as far as it is needed here.

    Raises ValueError if a supervisor names a shard of which no text tells: a part is not taken for the whole.
    """
    decisions: Counter[tuple[str, Code]] = Counter()
    imbalance = suspense = 0
    started: dict[str, float] = {}
    named: set[str] = set()
    for text in texts:
        samples = _samples(text)
        for labels, value in samples["tapswitch_authorizations_total"]:
            decisions[labels["service"], Code(int(labels["code"]))] += int(value)
        start = next((value for _, value in samples["process_start_time_seconds"]), 0.0)
        for labels, value in samples["tapswitch_ledger_imbalance_minor_units"]:
            imbalance += abs(int(value))
            started[f"shard-{labels['shard']}"] = start
        suspense += sum(int(value) for _, value in samples["tapswitch_suspense_minor_units"])
        named |= {labels["process"] for labels, _ in samples["tapswitch_process_serving"]}
    missing = {name for name in named if name.startswith("shard-")} - started.keys()
    if missing:
        raise ValueError(f"no metrics of {', '.join(sorted(missing))}")
    return Page(decisions, imbalance if started else None, suspense if started else None, started)


async def read_page(http: str | None) -> Page | None:
    """What the switch with its pages at `http` (HOST:PORT) counts, on Ray over all processes that /targets names.

    None if there is no such address, or if one of the processes does not answer.
    """
    if http is None:
        return None
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(HTTP_SECONDS), raise_for_status=True) as session:
            return parse_page(*[await _metrics(session, target) for target in await _targets(session, http)])
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


class _TargetGroup(Struct):
    """As Prometheus reads it (http_sd_config)."""

    targets: list[str]


async def _targets(session: aiohttp.ClientSession, http: str) -> list[str]:
    """Where the metrics of each process are. An embedded switch is one process, and has no page of targets."""
    async with session.get(f"http://{http}/targets", raise_for_status=False) as response:
        if response.status == HTTPStatus.NOT_FOUND:
            return [http]
        response.raise_for_status()
        groups = msgspec.json.decode(await response.read(), type=list[_TargetGroup])
    return [target for group in groups for target in group.targets]


async def _metrics(session: aiohttp.ClientSession, target: str) -> str:
    async with session.get(f"http://{target}/metrics") as response:
        return await response.text()


def _samples(text: str) -> defaultdict[str, list[tuple[dict[str, str], float]]]:
    """Labels and value of each sample, by name."""
    samples: defaultdict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    for name, labels, value in _SAMPLE.findall(text):
        samples[name].append((dict(_LABELS.findall(labels)), float(value)))
    return samples
