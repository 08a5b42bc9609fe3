"""Terminals against a switch that loses, refuses and delays."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from simulators.line import Line
from simulators.plan import Mishap, Service
from simulators.station import Station
from simulators.terminal import COPIES_MAX, Ending, Terminal
from wire.codes import Code, Reason
from wire.messages import Answer, Purchase, Reversal

TIME_OUT_SECONDS = 0.05


class Window:
    """One terminal on one station, connected to a fake switch, and everything it did."""

    def __init__(self, switch, auditor, key):
        self.switch = switch
        self.auditor = auditor
        self.retries = 0
        self.decided: list[Answer] = []
        self.line = Line(auditor, TIME_OUT_SECONDS)
        self.station = Station(switch.address, "north-1", key, self.line.received)
        self.terminal = Terminal(1001, self.station, self.line, self._retry)

    def _retry(self):
        self.retries += 1

    async def __aenter__(self):
        self.connection = asyncio.create_task(self.station.run())
        return self

    async def __aexit__(self, *_):
        self.connection.cancel()
        await asyncio.gather(self.connection, return_exceptions=True)

    async def serve(self, card, mishap=Mishap.NONE, amount=1_000):
        ending, request = await self.terminal.serve(
            card, Service.PURCHASE, amount, mishap, lambda reply, _: self.decided.append(reply)
        )
        if ending is Ending.TO_REVERSE:
            await self.terminal.reverse(request)
        return ending

    def balance(self, card):
        return self.switch.worlds[card.account].balance

    def sent(self, kind):
        return [request for request in self.switch.received if isinstance(request, kind)]


@pytest.fixture
async def window(fake_switch, auditor, station_key):
    async with Window(fake_switch, auditor, station_key) as window:
        yield window
    auditor.finish()
    assert auditor.findings == []


async def test_approved(window, cards):
    assert await window.serve(cards[0]) is Ending.ANSWERED
    assert window.balance(cards[0]) == 9_000
    assert [answer.code for answer in window.decided] == [Code.APPROVED]


async def test_stans_continue_from_the_switch_time_and_never_repeat(window, cards, switch_time_us):
    for _ in range(3):
        await window.serve(cards[0])
    assert [purchase.stan for purchase in window.sent(Purchase)] == [switch_time_us + n for n in range(3)]


async def test_reply_lost_then_retried_has_one_effect(window, cards):
    assert await window.serve(cards[0], Mishap.LOST_THEN_RETRIED) is Ending.ANSWERED
    first, second = window.sent(Purchase)
    assert first == second
    assert window.balance(cards[0]) == 9_000
    assert window.retries == 1
    assert len(window.decided) == 1, "the first answer counts, although the terminal did not get it"


async def test_reply_lost_then_reversed(window, cards):
    assert await window.serve(cards[0], Mishap.LOST_THEN_REVERSED) is Ending.TO_REVERSE
    assert len(window.sent(Purchase)) == 1
    assert window.balance(cards[0]) == 10_000


async def test_requests_that_never_arrive_are_repeated_then_reversed(window, cards):
    window.switch.interfere = lambda request, answer: None if isinstance(request, Purchase) else answer
    assert await window.serve(cards[0]) is Ending.TO_REVERSE
    assert Counter(type(request) for request in window.switch.received) == {Purchase: COPIES_MAX, Reversal: 1}
    assert window.balance(cards[0]) == 10_000


async def test_a_reversal_is_sent_until_it_is_answered(window, cards):
    lost = iter([None, None, None])

    def interfere(request, answer):
        return next(lost, answer) if isinstance(request, Reversal) else answer

    window.switch.interfere = interfere
    await window.serve(cards[0], Mishap.LOST_THEN_REVERSED)
    reversals = window.sent(Reversal)
    assert len(reversals) == 4
    assert len(set(reversals)) == 1, "always the same STAN"
    assert window.balance(cards[0]) == 10_000


def refuse_first(code, reason, count, *, retry_after_ms=0):
    left = iter(range(count))

    def refuse(request):
        if isinstance(request, Purchase) and next(left, None) is not None:
            return Answer(request.terminal, request.stan, code, reason, 0, (), (), retry_after_ms)
        return None

    return refuse


async def test_try_again_is_obeyed(window, cards):
    window.switch.refuse = refuse_first(Code.TRY_AGAIN, Reason.BUSY_SHARD, 1, retry_after_ms=60)
    loop = asyncio.get_running_loop()
    await window.station.ready()
    began = loop.time()
    assert await window.serve(cards[0]) is Ending.ANSWERED
    assert loop.time() - began >= 0.06
    assert window.sent(Purchase)[0] == window.sent(Purchase)[1]
    assert window.balance(cards[0]) == 9_000


async def test_too_late_on_the_only_copy_ends_it(window, cards):
    window.switch.refuse = refuse_first(Code.TOO_LATE, Reason.WAITED_TOO_LONG, 1)
    assert await window.serve(cards[0]) is Ending.NOT_SERVED
    assert window.sent(Reversal) == []
    assert window.balance(cards[0]) == 10_000


async def test_more_than_one_copy_never_ends_with_try_again(window, cards):
    window.switch.refuse = refuse_first(Code.TRY_AGAIN, Reason.BUSY_SHARD, COPIES_MAX)
    assert await window.serve(cards[0]) is Ending.TO_REVERSE
    assert len(window.sent(Reversal)) == 1


async def test_too_late_after_a_lost_copy_is_reversed(window, cards):
    answers = iter([None])

    def interfere(request, answer):
        return next(answers, answer)

    def refuse(request):
        copies = window.sent(Purchase)
        if isinstance(request, Purchase) and len(copies) == 2:
            return Answer(request.terminal, request.stan, Code.TOO_LATE, Reason.WAITED_TOO_LONG, 0, (), ())
        return None

    window.switch.interfere, window.switch.refuse = interfere, refuse
    assert await window.serve(cards[0]) is Ending.TO_REVERSE
    assert window.balance(cards[0]) == 10_000


async def test_outcome_unknown_is_reversed_at_once(window, cards):
    window.switch.refuse = refuse_first(Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN, 1)
    assert await window.serve(cards[0]) is Ending.TO_REVERSE
    assert len(window.sent(Purchase)) == 1
    assert window.balance(cards[0]) == 10_000


async def test_a_decline_ends_it(window, cards):
    assert await window.serve(cards[2]) is Ending.ANSWERED
    assert [answer.code for answer in window.decided] == [Code.LOST_CARD]


async def test_balance_inquiry(window, cards):
    reply = await window.terminal.inquire(cards[0])
    assert reply.balances == (10_000, 0, 0)


async def test_a_lost_connection_comes_back_and_the_request_is_settled(window, cards, eventually):
    await window.station.ready()
    swallowed = []

    def interfere(request, answer):
        if not swallowed:
            swallowed.append(answer)
            window.switch.drop_connections()
            return None
        return answer

    window.switch.interfere = interfere
    assert await window.serve(cards[0]) is Ending.ANSWERED
    assert window.switch.sessions == 2
    assert window.balance(cards[0]) == 9_000
