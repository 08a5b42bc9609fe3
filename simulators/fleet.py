"""All terminals of a campus, place by place, and the taps that wait for them."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from simulators.accounts import Card, Purses, purses_told
from simulators.auditor.auditor import Auditor
from simulators.bad_input import BadInputError
from simulators.campus import Campus
from simulators.line import AnyReply, Line
from simulators.plan import Service, Tap
from simulators.station import Address, Station
from simulators.tally import Tally
from simulators.terminal import Ending, Terminal
from wire.codes import Code
from wire.messages import Answer, Purchase, Statement, TopUp

CONNECT_SECONDS = 15.0


class Due(Struct, frozen=True):
    """A tap and the monotonic time at which it is due."""

    tap: Tap
    at: float


class Place:
    """A canteen's windows, or the top-up kiosks: who comes takes the window that was idle longest, or queues."""

    def __init__(self, terminals: Sequence[Terminal]) -> None:
        self.windows = len(terminals)
        self.free = deque(terminals)
        self.queue: deque[Due] = deque()

    @property
    def waiting(self) -> int:
        """Customers in the queue."""
        return len(self.queue)


class Fleet:
    """Use as an async context: inside it the stations are connected."""

    def __init__(self, campus: Campus, address: Address, cards: Sequence[Card], auditor: Auditor, tally: Tally) -> None:
        """Raises BadInputError if the campus has no window that sells, or a terminal without a key."""
        # Operators work at the card office, and not here.
        campus = replace(campus, terminals={n: at for n, at in campus.terminals.items() if at.role is None})
        self._cards = cards
        self._tally = tally
        self._line = Line(auditor)
        self._stations = _stations(campus, address, self._line)
        self._terminals = {
            number: Terminal(number, self._stations[terminal.station], self._line, tally.retry)
            for number, terminal in campus.terminals.items()
        }
        self.canteens = [Place(terminals) for terminals in self._by_merchant(campus)]
        self.kiosks = Place([self._terminals[n] for n, at in campus.terminals.items() if "top-up" in at.services])
        self._in_doubt: Counter[str] = Counter()
        """Accounts with reversals that are not answered yet."""
        self._held: dict[str, list[Due]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: list[asyncio.Task[None]] = []
        self.started_at = monotonic()
        """When the driving began: monotonic, like every time here, for uvloop's own clock counts milliseconds only."""

    @property
    def stations(self) -> int:
        """How many connections it holds."""
        return len(self._stations)

    @property
    def switch_time_us(self) -> int:
        """The switch's time when the first station signed on: microseconds since the Unix epoch."""
        return min(station.limits.time_us for station in self._stations.values() if station.limits is not None)

    @property
    def time_outs(self) -> int:
        """How many copies got no answer in time, those whose reply was lost on purpose among them."""
        return self._line.time_outs

    @property
    def technical_by_code(self) -> dict[str, int]:
        """Answers that decided nothing (91, 96 and such), by two-digit code."""
        return {f"{code:02d}": count for code, count in sorted(self._line.technical.items())}

    @property
    def queued(self) -> int:
        """Customers who wait for a free window now."""
        return self.kiosks.waiting + sum(canteen.waiting for canteen in self.canteens)

    @property
    def terminals(self) -> int:
        """How many terminals it has."""
        return len(self._terminals)

    async def __aenter__(self) -> Self:
        self._connections = [asyncio.create_task(station.run()) for station in self._stations.values()]
        ready = [asyncio.create_task(station.ready()) for station in self._stations.values()]
        _, waiting = await asyncio.wait(ready, timeout=CONNECT_SECONDS)
        if waiting:
            for task in waiting:
                task.cancel()
            await self.__aexit__()
            trouble = next(s.last_trouble for s in self._stations.values() if s.limits is None)
            raise BadInputError(f"{len(waiting)} of {self.stations} stations could not sign on: {trouble}")
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in [*self._tasks, *self._connections]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._connections, return_exceptions=True)

    def arrive(self, tap: Tap, at: float) -> None:
        """A customer comes to a place now; `at` is when the plan intended it."""
        self._tally.offer(at - self.started_at)
        self._admit(Due(tap, at))

    async def settle(self, seconds: float) -> bool:
        """Wait until every tap and reversal has ended; False if that takes longer than `seconds`."""
        deadline = monotonic() + seconds
        while self._tasks and (left := deadline - monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        return not self._tasks

    async def inquire_all(self) -> list[Purses | None]:
        """What every card holds, asked of the switch by all terminals together; None where it was refused."""
        held: list[Purses | None] = [None] * len(self._cards)
        cards = iter(enumerate(self._cards))

        async def work(terminal: Terminal) -> None:
            for index, card in cards:
                reply = await terminal.inquire(card)
                if isinstance(reply, Answer) and reply.code is Code.APPROVED:
                    held[index] = purses_told(reply.balances)

        await asyncio.gather(*(work(terminal) for terminal in self._terminals.values()))
        return held

    def _by_merchant(self, campus: Campus) -> list[list[Terminal]]:
        windows: dict[int, list[Terminal]] = {}
        for number, terminal in campus.terminals.items():
            if "purchase" in terminal.services:
                windows.setdefault(terminal.merchant, []).append(self._terminals[number])
        if not windows:
            raise BadInputError("the campus file has no terminal that sells; add one of kind canteen")
        return [windows[merchant] for merchant in sorted(windows)]

    def _place(self, tap: Tap) -> Place:
        return self.canteens[tap.place] if tap.service is Service.PURCHASE else self.kiosks

    def _admit(self, due: Due) -> None:
        place = self._place(due.tap)
        account = self._cards[due.tap.card].account
        if self._in_doubt[account]:
            self._held.setdefault(account, []).append(due)
        elif place.free:
            self._start(self._serve(place, place.free.popleft(), due))
        else:
            place.queue.append(due)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, place: Place, terminal: Terminal, due: Due) -> None:
        tap, card, sent_at = due.tap, self._cards[due.tap.card], monotonic()

        def on_decided(reply: AnyReply, now: float) -> None:
            code = Code.APPROVED if isinstance(reply, Statement) else reply.code
            self._tally.answer(code, now - self.started_at, now - due.at, now - sent_at)

        ending, request = await terminal.serve(card, tap.service, tap.amount, tap.mishap, on_decided)
        if ending is Ending.TO_REVERSE:
            self._in_doubt[card.account] += 1
            self._start(self._reverse(terminal, request))
        elif ending is Ending.NOT_SERVED:
            self._tally.not_served += 1
        place.free.append(terminal)
        while place.free and place.queue:
            self._admit(place.queue.popleft())

    async def _reverse(self, terminal: Terminal, request: Purchase | TopUp) -> None:
        reply = await terminal.reverse(request)
        if isinstance(reply, Answer) and reply.code is Code.APPROVED:
            self._tally.reversed += 1
        self._in_doubt[request.account] -= 1
        if not self._in_doubt[request.account]:
            del self._in_doubt[request.account]
            for due in self._held.pop(request.account, []):
                self._admit(due)


def _stations(campus: Campus, address: Address, line: Line) -> dict[str, Station]:
    stations: dict[str, Station] = {}
    for terminal in campus.terminals.values():
        key = campus.keys.get(terminal.station)
        if key is None:
            raise BadInputError(
                f"secrets.toml has no key for station {terminal.station!r}; add [stations.{terminal.station}]"
            )
        if terminal.station not in stations:
            stations[terminal.station] = Station(address, terminal.station, key, line.received)
    return stations
