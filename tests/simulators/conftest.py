"""A switch in memory that obeys the auditor's own model, and misbehaves on request."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import date
from typing import Self

import pytest
from msgspec.structs import replace

from simulators import operator as operator_module
from simulators.accounts import Card, CardState, default_serial
from simulators.auditor.auditor import Auditor
from simulators.auditor.model.outcomes import outcomes
from simulators.auditor.requests import identity_of, is_recorded, key_of, service_of
from simulators.auditor.world import Rules, first_world, unopened_world
from simulators.campus import SERVICES_BY_KIND, Limits, StationKey, Terminal, read_campus
from simulators.station import Address
from wire.codes import Code, Reason
from wire.connection import Connection
from wire.errors import PeerProtocolError
from wire.messages import (
    Answer,
    Echo,
    Echoed,
    Figures,
    HotCard,
    HotList,
    HotListInquiry,
    Parameters,
    ParametersInquiry,
    Purchase,
    Reconciliation,
    Reversal,
    ServiceTotal,
    SignedOff,
    SignedOn,
    SignOff,
    SignOn,
)

KEY = StationKey(1, bytes(range(32)))
TIME_US = 1_788_230_400_000_000
TODAY = 20260901
LIMITS = Limits(purchase_max=20_000, day_max=50_000, top_up_max=100_000, balance_max=500_000)
VALID_UNTIL = date(2030, 7, 31)

HOT = {CardState.LOST, CardState.FROZEN, CardState.REPLACED, CardState.CLOSED}
COUNTED = {
    "purchase", "top-up", "refund", "advice", "capture", "reversal-of-purchase", "reversal-of-top-up",
    "reversal-of-capture",
}  # fmt: skip

Interfere = Callable[[object, Answer], Answer | None]
"""Given a request and the right answer to it: what is sent instead; None: nothing."""


def make_card(account: str = "20260001", balance: int = 10_000, state: CardState = CardState.ACTIVE) -> Card:
    return Card(account, default_serial(account), state, VALID_UNTIL, "student", (balance, 0, 0))


def make_rules(limits: Limits = LIMITS, *, whole_day: bool = True) -> Rules:
    terminals = {
        1001: Terminal(1001, "north-1", 1, SERVICES_BY_KIND["canteen"]),
        1002: Terminal(1002, "north-1", 1, SERVICES_BY_KIND["canteen"]),
        1003: Terminal(1003, "north-1", 1, SERVICES_BY_KIND["top-up"]),
        1004: Terminal(1004, "north-1", 2, SERVICES_BY_KIND["canteen"], keeps_hours=True),
    }
    return Rules(limits, (1, 2, 0), terminals, TODAY, whole_day)


class FakeSwitch:
    """Listens on loopback while in its context. `interfere` may change or swallow answers after their effect."""

    def __init__(self, cards: list[Card], rules: Rules, keys: Mapping[str, bytes] = {"north-1": KEY.key}) -> None:
        self.rules = rules
        self.keys = keys
        self.cards = {card.account: card for card in cards}
        self.worlds = {card.account: first_world(card) for card in cards}
        self.refuse: Callable[[object], Answer | None] = lambda _request: None
        """Answers that are given instead of deciding."""

        self.interfere: Interfere = lambda _request, answer: answer
        self.received: list[object] = []
        self.recorded: dict[tuple[int, int], Answer] = {}
        self.decisions: Counter[tuple[str, Code]] = Counter()
        self.writers: set[asyncio.StreamWriter] = set()
        self.sessions = 0
        self.signed_off: list[SignOff] = []
        self.echoes = 0
        self.echo_interval_ms = 60_000
        self.time_us = TIME_US
        self.offline_floor, self.offline_total = 5_000, 200_000
        self.hot_cards: dict[str, str] | None = None
        """What it says that the hot list is; None: what it is."""

        self.takings: dict[int, Counter[str]] = defaultdict(Counter)
        """Money by terminal and service."""

        self.counted: dict[int, Counter[str]] = defaultdict(Counter)
        """How often."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._session, "127.0.0.1", 0)
        self.address = Address(*self._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.drop_connections()
        await self._server.wait_closed()

    def drop_connections(self) -> None:
        for writer in self.writers:
            writer.close()

    def answer(self, request: object) -> Answer | None:
        refusal = self.refuse(request)
        if refusal is not None:
            return refusal
        key = identity_of(request)
        answer = self.recorded.get(key)
        if answer is not None:
            answer = replace(answer, stan=request.stan)
        world = self.worlds.setdefault(request.account, unopened_world(request.account))
        decision = world.decided.get(key)
        if decision is not None and decision.is_reversed:
            answer = Answer(*key_of(request), Code.INVALID_TRANSACTION, Reason.REVERSED, 0, (), ())
        answer = answer or self._decide(request)
        return self.interfere(request, answer)

    def _decide(self, request):
        world = self.worlds[request.account]
        *_, (after, outcome) = outcomes(world, request, self.rules)
        self.worlds[request.account] = after
        authorization = len(self.recorded) + 1 if outcome.authorized else 0
        balances = outcome.balances or ()
        answer = Answer(*key_of(request), outcome.code, outcome.reason, authorization, balances, outcome.paid)
        if is_recorded(request):
            self.recorded[identity_of(request)] = answer
        self._count(request, answer)
        return answer

    def _count(self, request, answer) -> None:
        """What a reconciliation finds: each with an authorization number once, and its money."""
        service, amount = service_of(request), getattr(request, "amount", 0)
        if isinstance(request, Purchase):
            amount = sum(answer.paid)
        elif isinstance(request, Reversal) and answer.authorization:
            original = self.worlds[request.account].decided[request.original_terminal, request.original_stan].request
            service = f"reversal-of-{service_of(original)}"
            amount = -sum(answer.paid) if isinstance(original, Purchase) else amount
        if answer.authorization and service in COUNTED:
            self.counted[request.terminal][service] += 1
            self.takings[request.terminal][service] += amount

    def about_terminal(self, request) -> object:
        match request:
            case ParametersInquiry():
                limits = {"offline_floor": self.offline_floor, "offline_total": self.offline_total}
                return Parameters(request.terminal, request.stan, "1", **limits)
            case HotListInquiry():
                cards = tuple(HotCard(card, state) for card, state in (self.hot_cards or self._hot()).items())
                return HotList(request.terminal, request.stan, "1", 1, 0, cards)
            case Reconciliation():
                counted, takings = self.counted[request.terminal], self.takings[request.terminal]
                totals = tuple(ServiceTotal(service, counted[service], takings[service]) for service in sorted(counted))
                if totals == request.totals:
                    return Answer(request.terminal, request.stan, Code.APPROVED, Reason.NONE, 0, (), ())
                return Figures(request.terminal, request.stan, request.business_day, request.totals, totals)

    def _hot(self) -> dict[str, str]:
        states = {world.card.serial: world.card.state for world in self.worlds.values()}
        return {card: state.value for card, state in states.items() if state in HOT}

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection.switch(lambda name, _number: self.keys.get(name), secrets.token_bytes(32))
        self.writers.add(writer)
        try:
            while data := await reader.read(65_536):
                messages = connection.receive(data)
                writer.write(connection.take_output())
                replies = [reply for message in messages if (reply := self._reply(message)) is not None]
                if replies:
                    writer.write(connection.send(replies))
                if SignOff() in messages:
                    break
        except (ConnectionError, PeerProtocolError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    def _reply(self, message):
        match message:
            case SignOn():
                self.sessions += 1
                return SignedOn(
                    Code.APPROVED, Reason.NONE, 1, self.time_us, 256, 65_535, 300_000, self.echo_interval_ms
                )
            case SignOff():
                self.signed_off.append(message)
                return SignedOff()
            case Echo(token=token):
                self.echoes += 1
                return Echoed(token, TIME_US)
            case ParametersInquiry() | HotListInquiry() | Reconciliation():
                return self.about_terminal(message)
            case _:
                self.received.append(message)
                return self.answer(message)


@pytest.fixture
def cards() -> list[Card]:
    return [make_card("20260001"), make_card("20260002", 500), make_card("20260003", state=CardState.LOST)]


@pytest.fixture
def rules() -> Rules:
    return make_rules()


@pytest.fixture
def auditor(cards, rules) -> Auditor:
    return Auditor(cards, rules)


@pytest.fixture
async def fake_switch(cards, rules) -> AsyncIterator[FakeSwitch]:
    async with FakeSwitch(cards, rules) as switch:
        yield switch


@pytest.fixture
def make_fake_switch() -> type[FakeSwitch]:
    return FakeSwitch


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Let the event loop run until a condition holds, ten seconds at most."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - the condition is any, and gives no event
                await asyncio.sleep(0)

    return wait


@pytest.fixture
def silent() -> Iterator[Address]:
    """A port that takes connections, and nobody reads or writes there."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield Address(*listening.getsockname())


@pytest.fixture
def station_key() -> StationKey:
    return KEY


@pytest.fixture
def switch_time_us() -> int:
    return TIME_US


OFFICE_CAMPUS = """
[campus]
name = "Example"
time_zone = "Asia/Shanghai"
[limits]
[card_office]
replacement_fee = "15.00"
[[roles]]
name = "manager"
commands = ["open", "issue", "activate", "report-loss", "review-loss", "found", "freeze", "unfreeze", "replace",
            "close", "set-expiry", "reset-pin", "correct", "grant-subsidy", "bind-family", "unbind-family",
            "set-family-policy", "credit-family", "set-limits", "settle", "explain-gap"]
[[roles]]
name = "reader"
commands = ["review-loss"]
[[stations]]
name = "desk-1"
role = "manager"
[[stations]]
name = "desk-2"
role = "reader"
[[stations]]
name = "till-1"
[[merchants]]
number = 9
[[terminals]]
numbers = "9201-9203"
station = "desk-1"
merchant = 9
kind = "operator"
[[terminals]]
numbers = "9301"
station = "desk-2"
merchant = 9
kind = "operator"
[[terminals]]
numbers = "1001"
station = "till-1"
merchant = 9
kind = "canteen"
"""
OFFICE_SECRETS = (
    "".join(
        f'[stations.{name}]\n1 = "{byte * 32}"\n'
        for name, byte in (("desk-1", "11"), ("desk-2", "22"), ("till-1", "33"))
    )
    + f'[pin]\nhash_key = "{"44" * 32}"\n[pin.terminals]\n9201 = "{"55" * 32}"\n'
)


@pytest.fixture
def campus(tmp_path):
    (tmp_path / "campus.toml").write_text(OFFICE_CAMPUS)
    (tmp_path / "secrets.toml").write_text(OFFICE_SECRETS)
    return tmp_path / "campus.toml"


@pytest.fixture
def serving(make_fake_switch, rules, campus):
    """A fake switch with one active account; it serves from a thread, because the command runs its own event loop."""
    read = read_campus(campus)
    card = make_card()
    started, loop = threading.Event(), asyncio.new_event_loop()
    found: dict[str, object] = {}

    async def serve() -> None:
        keys = {name: key.key for name, key in read.keys.items()}
        served = type(rules)(
            read.limits, read.spending_order, read.terminals, rules.today, replacement_fee=read.replacement_fee,
            pin_keys=read.pin_keys,
        )  # fmt: skip
        async with make_fake_switch([card], served, keys) as switch:
            found["switch"], found["stop"] = switch, asyncio.Event()
            started.set()
            await found["stop"].wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    yield found["switch"]
    loop.call_soon_threadsafe(found["stop"].set)
    thread.join(10)
    loop.close()


@pytest.fixture
def quick(monkeypatch):
    """Time limits that no test has to wait for."""
    monkeypatch.setattr(operator_module, "TIME_OUT_SECONDS", 0.05)
    monkeypatch.setattr(operator_module, "RETRY_SECONDS_MIN", 0.0)
    monkeypatch.setattr(operator_module, "CONNECT_SECONDS", 0.3)
