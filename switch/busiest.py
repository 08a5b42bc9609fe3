"""Which merchants and stations ask most: worked out when somebody wants to know, from what limits count anyway."""

from __future__ import annotations

from collections import Counter

from switch.activity import BUSIEST_MAX
from switch.campus import Campus
from switch.gateway import TICK_S, Gateway


class Busiest:
    """Of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._campus: Campus | None = None
        self._station_of: dict[int, str] = {}

    def now(self) -> tuple[dict[int, float], dict[str, float]]:
        """Requests a second of merchants, by number, and of stations: of those that asked most lately."""
        gateway = self._gateway
        asked: Counter[int] = Counter()
        for terminals_asked, counts in gateway.asked_lately:
            for number, count in zip(terminals_asked, counts, strict=True):
                asked[number] += count
        seconds = len(gateway.asked_lately) * TICK_S
        merchants: Counter[int] = Counter()
        stations: Counter[str] = Counter()
        station_of, terminals = self._stations(), gateway.campus.policy.terminals
        for number, count in asked.items():
            if (terminal := terminals.get(number)) is not None:
                merchants[terminal.merchant] += count
                stations[station_of[number]] += count
        return (
            {merchant: count / seconds for merchant, count in merchants.most_common(BUSIEST_MAX)},
            {station: count / seconds for station, count in stations.most_common(BUSIEST_MAX)},
        )

    def _stations(self) -> dict[int, str]:
        """Who speaks for each terminal. Made once for each version of the campus file."""
        campus = self._gateway.campus
        if campus is not self._campus:
            self._campus = campus
            self._station_of = {
                terminal: station for station, terminals in campus.stations.items() for terminal in terminals
            }
        return self._station_of
