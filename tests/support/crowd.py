"""Terminals that are never idle, over several stations, and an auditor that judges every answer they get."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from simulators.accounts import read_accounts
from simulators.auditor.auditor import Auditor, is_decided
from simulators.auditor.requests import Key
from simulators.auditor.world import Rules
from simulators.campus import read_campus
from simulators.errands import Bath, CashIn, Errand, Keypad, Meal
from simulators.line import Line
from simulators.plan import Mishap
from simulators.requester import Ending
from simulators.station import AnyReply, Station
from simulators.terminal import Surroundings, Terminal
from wire.messages import Answer

TIME_OUT_SECONDS = 0.5
"""Short, for the sake of many retries; those who are asked to wait longer than that only send more of them."""

MISHAPS = {Mishap.NONE: 96, Mishap.LOST_THEN_RETRIED: 2, Mishap.LOST_THEN_REVERSED: 2}
AMOUNT_MAX = 3_000
SETTLE_SECONDS = 60.0
"""Far more than it takes to end what was begun."""


def _nobody_counts(_reply: AnyReply, _at: float) -> None:
    """The auditor judges every answer all the same."""


class MovingAddress:
    """Where the switch listens now: a restarted one has another port."""

    def __init__(self) -> None:
        self.now = "127.0.0.1", 0

    def __iter__(self) -> Iterator[str | int]:
        return iter(self.now)


class Crowd:
    """Lives as long as its data folder, over many lives of the switch."""

    def __init__(self, campus_file: Path, accounts: Path, random: Random) -> None:
        campus = read_campus(campus_file)
        self.cards = read_accounts(accounts)
        today = campus.business_day(datetime.now(UTC))
        rules = Rules(
            campus.limits, campus.spending_order, campus.terminals, today,
            class_limits=campus.class_limits, prices=campus.prices,
        )  # fmt: skip
        self.auditor = Auditor(self.cards, rules)
        self.address = MovingAddress()
        self.random = random
        self.answered: dict[Key, Answer] = {}
        """The first decided answer to each request, inquiries among them."""

        self.retries = 0
        self.reversals = 0
        self._line = Line(self.auditor, TIME_OUT_SECONDS)
        self._stations = {
            name: Station(self.address, name, key, self._received)  # type: ignore[arg-type]  # it unpacks alike
            for name, key in campus.keys.items()
        }
        surroundings = Surroundings(self._count_retry, lambda: _nobody_counts)
        self._terminals = [
            (Terminal(Keypad(number), self._stations[at.station], self._line, surroundings), at.services)
            for number, at in campus.terminals.items()
            if "reversal" in at.services  # or nobody could learn what became of a request that was lost
        ]
        self._connections: list[asyncio.Task[None]] = []
        self._at_work: list[asyncio.Task[None]] = []
        self._going_home = False
        self._answers_left = 0
        self._after_answers: Callable[[], None] = lambda: None

    def connect(self) -> None:
        """Have the stations connect, and connect again whenever they lose the switch."""
        self._connections = [asyncio.create_task(station.run()) for station in self._stations.values()]

    async def disconnect(self) -> None:
        """Sign off."""
        for task in self._connections:
            task.cancel()
        await asyncio.wait(self._connections)

    def begin(self) -> None:
        """Have every terminal serve one customer after the other."""
        self._going_home = False
        self._at_work = [asyncio.create_task(self._work(*terminal)) for terminal in self._terminals]

    async def settle(self) -> None:
        """Begin nothing more, and end what was begun: retries and reversals until they are answered."""
        self._going_home = True
        async with asyncio.timeout(SETTLE_SECONDS):
            await asyncio.gather(*self._at_work)

    def after_answers(self, count: int, then: Callable[[], None]) -> None:
        """Call `then` when `count` more answers have come."""
        self._answers_left, self._after_answers = count, then

    async def audit(self) -> None:
        """Ask for every balance, which the auditor judges; and nothing may be open."""
        cards = list(self.cards)

        async def ask(terminal: Terminal) -> None:
            while cards:
                await terminal.inquire(cards.pop())

        async with asyncio.timeout(SETTLE_SECONDS):
            await asyncio.gather(*(ask(terminal) for terminal, _ in self._terminals))
        self.auditor.finish()

    async def _work(self, terminal: Terminal, services: frozenset[str]) -> None:
        while not self._going_home:
            card, errand = self.random.choice(self.cards), self._errand(services)
            (mishap,) = self.random.choices(list(MISHAPS), list(MISHAPS.values()))
            served = await terminal.serve(card, errand, mishap, _nobody_counts)
            if served.ending is Ending.TO_REVERSE:
                self.reversals += 1
                await terminal.reverse(served.request)

    def _errand(self, services: frozenset[str]) -> Errand:
        amount = self.random.randint(1, AMOUNT_MAX)
        if "top-up" in services:
            return CashIn(amount)
        return Bath(amount, self.random.randint(0, amount), 0.0) if "hold" in services else Meal(0, amount)

    def _count_retry(self) -> None:
        self.retries += 1

    def _received(self, reply: AnyReply) -> None:
        self._line.received(reply)
        if isinstance(reply, Answer) and is_decided(reply):
            self.answered.setdefault((reply.terminal, reply.stan), reply)
        self._answers_left -= 1
        if self._answers_left == 0:
            self._after_answers()
