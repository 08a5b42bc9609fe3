"""What a terminal does in a day: it serves customers, sells offline while it is cut off, uploads that, reconciles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from simulators.accounts import Card
from simulators.errands import WAIT_MS, Bath, CashIn, Errand, Keypad, Meal, Reversible, purchase_of, request_of
from simulators.line import Line, OnDecided
from simulators.offline_book import OfflineBook, OfflineSale
from simulators.plan import Mishap
from simulators.requester import Ending, Requester, Served
from simulators.station import AnyReply, Station
from simulators.takings import Takings
from wire.codes import Code, Reason
from wire.messages import (
    Advice,
    Answer,
    BalanceInquiry,
    Capture,
    Figures,
    Hold,
    HotList,
    HotListInquiry,
    Parameters,
    ParametersInquiry,
    Reconciliation,
    Release,
)

HOT_CARDS_MAX = 500
"""That a terminal takes in one answer."""

UPLOADED_TWICE_SHARE = 0.1
"""Of offline purchases: whose first answer the terminal forgets. Assumed."""

_ASKS_FOR_PIN = frozenset({Reason.PIN_REQUIRED, Reason.PIN_WRONG})


class Surroundings(NamedTuple):
    """Who watches a terminal, and how time passes around it."""

    on_retry: Callable[[], None]
    """Called when a customer's request is sent again."""

    follow_up: Callable[[], OnDecided]
    """Called when an errand makes another request; gives who is told its answer."""

    pace: float = 1.0
    """How many seconds of the scenario pass in a real one."""

    clock_rate: float = 1.0
    """How many seconds of the switch's clock do."""


class Terminal:
    """One window, kiosk, bath or desk."""

    def __init__(self, keypad: Keypad, station: Station, line: Line, surroundings: Surroundings) -> None:
        self.number = keypad.terminal
        self.book = OfflineBook()
        self._takings = Takings()
        self._uploads = False
        self._keypad = keypad
        self._surroundings = surroundings
        self._requester = Requester(keypad.terminal, station, line, surroundings.on_retry)

    async def serve(self, card: Card, errand: Errand, mishap: Mishap, on_decided: OnDecided) -> Served:
        """One customer, until answered or given up; TO_REVERSE: `reverse` must follow.

        `on_decided` is told the first decided answer that reaches the station, even if it is lost after that.
        """
        requester = self._requester
        if requester.station.is_cut_off:
            return Served(self._sell_offline(card, errand))
        request = request_of(errand, self._keypad, await requester.take_stan(), card)
        if not isinstance(errand, Meal | CashIn | Bath):
            return Served(Ending.ANSWERED, request, await requester.insist(request, on_decided))
        served = self._taken(await requester.ask(request, mishap, on_decided))
        if isinstance(errand, Meal):
            return await self._with_pins(card, errand, served)
        if isinstance(errand, Bath):
            await self._end_bath(errand, served)
        return served

    async def reverse(self, original: Reversible) -> AnyReply:
        """Send a reversal until it is answered, however long that takes. Returns the decided answer."""
        reply = await self._requester.reverse(original)
        if isinstance(reply, Answer):
            self._takings.take_reversal(original, reply)
        return reply

    async def inquire(self, card: Card) -> AnyReply:
        """Ask for the balance until there is an answer that speaks of the account."""
        stan = await self._requester.take_stan()
        return await self._requester.insist(BalanceInquiry(self.number, stan, WAIT_MS, card.account, card.serial))

    async def begin_day(self, business_day: int, first_offline_number: int) -> None:
        """Fetch what it has to know to sell offline, and what the switch says that it took already."""
        self.book.next_number = first_offline_number
        stan = await self._requester.take_stan()
        parameters = await self._requester.insist(ParametersInquiry(self.number, stan, WAIT_MS))
        if isinstance(parameters, Parameters):
            self.book.parameters = parameters
        await self.fetch_hot_list()
        before = await self.reconcile(business_day)
        if isinstance(before, Figures):
            self._takings.begin(before)

    async def fetch_hot_list(self) -> None:
        """What has changed of it."""
        more = True
        while more:
            stan = await self._requester.take_stan()
            inquiry = HotListInquiry(self.number, stan, WAIT_MS, HOT_CARDS_MAX, self.book.hot_version)
            reply = await self._requester.insist(inquiry)
            if not isinstance(reply, HotList):
                return
            self.book.take_hot_cards(reply.version, reply.cards, whole=bool(reply.whole))
            more = bool(reply.more)

    async def reconcile(self, business_day: int) -> AnyReply:
        """An Answer 00 if the switch agrees with what the terminal took, both sides' Figures if not."""
        stan = await self._requester.take_stan()
        return await self._requester.insist(
            Reconciliation(self.number, stan, WAIT_MS, business_day, self._takings.totals)
        )

    async def upload(self, random: Random) -> None:
        """Send all that was sold offline, in any order and some of it twice, until it is answered."""
        if self._uploads:
            return
        self._uploads = True
        while self.book.pending:  # another outage may have come meanwhile
            for sale in random.sample(self.book.pending, len(self.book.pending)):
                self._taken(await self._upload(sale))
                if random.random() < UPLOADED_TWICE_SHARE:
                    await self._upload(sale)
                self.book.uploaded(sale)
        self._uploads = False

    def _sell_offline(self, card: Card, errand: Errand) -> Ending:
        if not isinstance(errand, Meal):
            return Ending.TURNED_AWAY
        sale = self.book.sell(card, errand.amount, self._requester.station.clock_us(self._surroundings.clock_rate))
        return Ending.TURNED_AWAY if sale is None else Ending.SOLD_OFFLINE

    async def _upload(self, sale: OfflineSale) -> Served:
        request = Advice(
            self.number, await self._requester.take_stan(), WAIT_MS, sale.account, sale.card, sale.amount, sale.number,
            sale.taken_us,
        )  # fmt: skip
        return Served(Ending.ANSWERED, request, await self._requester.insist(request))

    async def _with_pins(self, card: Card, meal: Meal, served: Served) -> Served:
        """Each PIN that is typed makes a new request, as long as one is asked for."""
        for pin in meal.pins:
            reply = served.reply
            asked = isinstance(reply, Answer) and reply.reason in _ASKS_FOR_PIN
            if not asked or self._requester.station.is_cut_off:
                break
            request = purchase_of(meal, self._keypad, await self._requester.take_stan(), card, pin)
            served = self._taken(await self._requester.ask(request, Mishap.NONE, self._surroundings.follow_up()))
        return served

    async def _end_bath(self, bath: Bath, served: Served) -> None:
        """Let the water run, and then take what was used of the hold, if there is one."""
        hold, reply = served.request, served.reply
        if not (isinstance(hold, Hold) and isinstance(reply, Answer) and reply.code is Code.APPROVED):
            return
        await asyncio.sleep(bath.seconds / self._surroundings.pace)
        beginning = self.number, await self._requester.take_stan(), WAIT_MS, hold.account, self.number, hold.stan
        request = Capture(*beginning, bath.used) if bath.used else Release(*beginning)
        answer = await self._requester.insist(request, self._surroundings.follow_up())
        self._taken(Served(Ending.ANSWERED, request, answer))

    def _taken(self, served: Served) -> Served:
        """It counts in what the terminal took, if it was answered."""
        if served.request is not None and isinstance(served.reply, Answer):
            self._takings.take(served.request, served.reply)
        return served
