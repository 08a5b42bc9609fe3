"""All terminals of a campus, place by place, and the visits that wait for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from random import Random
from time import monotonic
from typing import Any, Self, get_args

from simulators.accounts import Card, Purses, purses_told
from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault, Finding
from simulators.bad_input import BadInputError
from simulators.campus import Campus
from simulators.campus import Terminal as CampusTerminal
from simulators.errands import Bath, CashIn, Keypad, Meal, OfficeErrand, Reversible
from simulators.line import Line, OnDecided
from simulators.place import Due, Place
from simulators.plan import Facilities, Visit
from simulators.requester import Ending
from simulators.station import Address, AnyReply, Station
from simulators.takings import difference
from simulators.tally import Tally
from simulators.terminal import Surroundings, Terminal
from wire.codes import Code
from wire.messages import Answer, Figures

CONNECT_SECONDS = 15.0
OFFICE_SERVICES = frozenset({"reset-pin", "bind-family", "set-family-policy", "credit-family", "grant-subsidy"})
"""What a desk must be permitted to do, all of it, to be of use here."""

CLERK = "peak"


class Fleet:
    """Use as an async context: inside it the stations are connected."""

    def __init__(
        self,
        campus: Campus,
        address: Address,
        cards: Sequence[Card],
        auditor: Auditor,
        tally: Tally,
        *,
        pace: float = 1.0,
        clock_rate: float = 1.0,
    ) -> None:
        """`pace`: seconds of the scenario in a real one; `clock_rate`: seconds of the switch's clock.

        Raises BadInputError if the campus has no window that sells, or a terminal without a key.
        """
        at = {number: terminal for number, terminal in campus.terminals.items() if _is_of_use(campus, terminal)}
        self._cards = cards
        self._tally = tally
        self._auditor = auditor
        self._line = Line(auditor)
        self._stations = _stations(campus, at.values(), address, self._line)
        surroundings = Surroundings(tally.retry, self._follow_up, pace, clock_rate)
        self._terminals = {
            number: Terminal(
                Keypad(number, campus.pin_keys.get(number), CLERK if terminal.role is not None else ""),
                self._stations[terminal.station], self._line, surroundings,
            )
            for number, terminal in at.items()
        }  # fmt: skip
        self._clock_rate = clock_rate
        self._purchase_max = campus.limits.purchase_max
        self._canteens = _by_merchant(at)
        self.canteens = [Place([self._terminals[number] for number in canteen]) for canteen in self._canteens]
        self._station_of = {number: terminal.station for number, terminal in at.items()}
        self._top_ups = self._place(number for number, terminal in at.items() if "top-up" in terminal.services)
        self._baths = self._place(number for number, terminal in at.items() if "hold" in terminal.services)
        self._kiosks = self._place(number for number, terminal in at.items() if _is_kiosk(campus, terminal))
        self._desks = self._place(number for number, terminal in at.items() if terminal.role is not None)
        self._in_doubt: Counter[str] = Counter()
        """Accounts with reversals that are not answered yet."""
        self._held: dict[str, list[Due]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        """The first that a visit, reversal or upload raised."""

        self._connections: list[asyncio.Task[None]] = []
        self.started_at = monotonic()
        """When the driving began: monotonic, like every time here, for uvloop's own clock counts milliseconds only."""

    @property
    def facilities(self) -> Facilities:
        """What there is to go to. The next batch of subsidies is called after the switch's time."""
        return Facilities(
            [canteen.windows for canteen in self.canteens],
            self._purchase_max,
            top_ups=self._top_ups.windows > 0,
            baths=self._baths.windows > 0,
            kiosks=self._kiosks.windows > 0,
            desks=self._desks.windows > 0,
            batch=f"peak-{self.switch_time_us}",
        )

    @property
    def stations(self) -> int:
        """How many connections it holds."""
        return len(self._stations)

    @property
    def switch_time_us(self) -> int:
        """The switch's time when the first station signed on: microseconds since the Unix epoch."""
        return min(station.limits.time_us for station in self._stations.values() if station.limits is not None)

    @property
    def switch_time_now_us(self) -> int:
        """Likewise, now."""
        return max(
            station.clock_us(self._clock_rate) for station in self._stations.values() if station.limits is not None
        )

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
        """People who wait for a free terminal now."""
        return sum(len(place.queue) for place in self._places)

    @property
    def terminals(self) -> int:
        """How many terminals it has."""
        return len(self._terminals)

    @property
    def tills(self) -> int:
        """Those of them that customers come to."""
        return len(self._customers_terminals)

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

    async def begin_day(self, business_day: int, first_offline_number: int) -> None:
        """Terminals fetch parameters and hot list, and learn what they took of this day before."""
        await asyncio.gather(
            *(each.begin_day(business_day, first_offline_number) for each in self._customers_terminals)
        )

    async def end_day(self, business_day: int | None) -> int:
        """How many terminals reconciled `business_day` in balance. If it is None, not all of it is known: none tries.

        The auditor is told of each that did not, and judges their hot lists.
        """
        terminals = self._customers_terminals
        await asyncio.gather(*(terminal.fetch_hot_list() for terminal in terminals))
        self._auditor.judge_hot_lists({terminal.number: terminal.book.hot for terminal in terminals})
        if business_day is None:
            return 0
        replies = await asyncio.gather(*(terminal.reconcile(business_day) for terminal in terminals))
        disagreeing = [reply for reply in replies if not (isinstance(reply, Answer) and reply.code is Code.APPROVED)]
        for reply in disagreeing:
            why = difference(reply) if isinstance(reply, Figures) else f"answered {reply}"
            self._auditor.report(Finding(Fault.OUT_OF_BALANCE, "", reply.terminal, reply.stan, why))
        return len(replies) - len(disagreeing)

    def arrive(self, visit: Visit, at: float) -> None:
        """Somebody comes to a place now; `at` is when the plan intended it."""
        self._tally.offer(at - self.started_at)
        self._admit(Due(visit, at))

    def cut_off(self, canteen: int) -> None:
        """The canteen's stations lose the switch."""
        for station in self._stations_of(canteen):
            station.cut_off()

    def restore(self, canteen: int, seed: int) -> None:
        """They reach it again, and upload what was sold meanwhile, while it sells on."""
        for station in self._stations_of(canteen):
            station.restore()
        for terminal in self.canteens[canteen].terminals:
            self._start(terminal.upload(Random(f"upload {seed} {terminal.number}")))

    async def settle(self, seconds: float) -> None:
        """Wait until every visit, reversal and upload has ended, but not longer than `seconds`.

        The auditor is told of what is left then. Raises what one of them raised, which is a mistake of the simulator.
        """
        deadline = monotonic() + seconds
        while self._tasks and (left := deadline - monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        if self._error is not None:
            raise self._error
        not_uploaded = sum(len(terminal.book.pending) for terminal in self._terminals.values())
        for left_over, what in (
            (len(self._tasks), "visits, reversals or uploads have not ended"),
            (self.queued + sum(map(len, self._held.values())), "visitors were not served"),
            (not_uploaded, "offline sales were not uploaded"),
        ):
            if left_over:
                self._auditor.report(Finding(Fault.UNRESOLVED, "", 0, 0, f"{left_over} {what} within {seconds:.0f} s"))

    async def inquire_all(self) -> list[Purses | None]:
        """What every card holds, asked of the switch by all terminals together; None where it was refused."""
        held: list[Purses | None] = [None] * len(self._cards)
        cards = iter(enumerate(self._cards))

        async def work(terminal: Terminal) -> None:
            for index, card in cards:
                reply = await terminal.inquire(card)
                if isinstance(reply, Answer) and reply.code is Code.APPROVED:
                    held[index] = purses_told(reply.balances)

        await asyncio.gather(*(work(terminal) for terminal in self._customers_terminals))
        return held

    @property
    def _places(self) -> list[Place]:
        return [*self.canteens, self._top_ups, self._baths, self._kiosks, self._desks]

    @property
    def _customers_terminals(self) -> list[Terminal]:
        desks = set(self._desks.terminals)
        return [terminal for terminal in self._terminals.values() if terminal not in desks]

    def _place(self, numbers: Iterable[int]) -> Place:
        return Place([self._terminals[number] for number in numbers])

    def _stations_of(self, canteen: int) -> list[Station]:
        return [self._stations[name] for name in {self._station_of[number] for number in self._canteens[canteen]}]

    def _place_of(self, visit: Visit) -> Place:
        errand = visit.errand
        if isinstance(errand, Meal):
            return self.canteens[errand.canteen]
        if isinstance(errand, CashIn):
            return self._top_ups
        if isinstance(errand, Bath):
            return self._baths
        return self._desks if isinstance(errand, get_args(OfficeErrand)) else self._kiosks

    def _admit(self, due: Due) -> None:
        place = self._place_of(due.visit)
        account = self._cards[due.visit.card].account
        if self._in_doubt[account]:
            self._held.setdefault(account, []).append(due)
        elif place.free:
            self._start(self._serve(place, place.free.popleft(), due))
        else:
            place.queue.append(due)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and self._error is None:
            self._error = task.exception()

    def _on_decided(self, due_at: float) -> OnDecided:
        """Who counts the answer to a request that was due then, and leaves now."""
        sent_at = monotonic()

        def count(reply: AnyReply, now: float) -> None:
            code = reply.code if isinstance(reply, Answer) else Code.APPROVED
            self._tally.answer(code, now - self.started_at, now - due_at, now - sent_at)

        return count

    def _follow_up(self) -> OnDecided:
        now = monotonic()
        self._tally.offer(now - self.started_at)
        return self._on_decided(now)

    async def _serve(self, place: Place, terminal: Terminal, due: Due) -> None:
        visit, card = due.visit, self._cards[due.visit.card]
        served = await terminal.serve(card, visit.errand, visit.mishap, self._on_decided(due.at))
        self._tally.end(served.ending)
        if served.ending is Ending.TO_REVERSE:
            assert isinstance(served.request, Reversible), "anything else is sent until it is decided"
            self._in_doubt[card.account] += 1
            self._start(self._reverse(terminal, served.request))
        place.free.append(terminal)
        while place.free and place.queue:
            self._admit(place.queue.popleft())

    async def _reverse(self, terminal: Terminal, request: Reversible) -> None:
        reply = await terminal.reverse(request)
        if isinstance(reply, Answer) and reply.code is Code.APPROVED:
            self._tally.reversed += 1
        self._in_doubt[request.account] -= 1
        if not self._in_doubt[request.account]:
            del self._in_doubt[request.account]
            for due in self._held.pop(request.account, []):
                self._admit(due)


def _is_of_use(campus: Campus, terminal: CampusTerminal) -> bool:
    """Whether it serves customers, or is a desk that this simulator can work at."""
    if terminal.role is None:
        return True
    return (
        terminal.services >= OFFICE_SERVICES and terminal.number in campus.pin_keys and terminal.station in campus.keys
    )


def _is_kiosk(campus: Campus, terminal: CampusTerminal) -> bool:
    """Whether cardholders can report a loss and choose a PIN there."""
    serves = terminal.role is None and terminal.services >= {"report-loss", "change-pin"}
    return serves and terminal.number in campus.pin_keys


def _by_merchant(terminals: dict[int, CampusTerminal]) -> list[list[int]]:
    """The windows of each merchant that sells over the counter."""
    windows: dict[int, list[int]] = {}
    for number, terminal in terminals.items():
        if "purchase" in terminal.services and "hold" not in terminal.services:
            windows.setdefault(terminal.merchant, []).append(number)
    if not windows:
        raise BadInputError("the campus file has no terminal that sells; add one of kind canteen")
    return [windows[merchant] for merchant in sorted(windows)]


def _stations(campus: Campus, terminals: Iterable[CampusTerminal], address: Address, line: Line) -> dict[str, Station]:
    stations: dict[str, Station] = {}
    for terminal in terminals:
        key = campus.keys.get(terminal.station)
        if key is None:
            raise BadInputError(
                f"secrets.toml has no key for station {terminal.station!r}; add [stations.{terminal.station}]"
            )
        if terminal.station not in stations:
            stations[terminal.station] = Station(address, terminal.station, key, line.received)
    return stations
