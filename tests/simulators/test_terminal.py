"""Terminals against a switch that loses, refuses and delays."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from simulators.errands import Bath, CashIn, Keypad, LossReport, Meal
from simulators.line import Line
from simulators.plan import Mishap
from simulators.requester import COPIES_MAX, Ending
from simulators.station import Station
from simulators.terminal import Surroundings, Terminal
from wire.codes import Code, Reason
from wire.messages import Advice, Answer, Capture, Figures, Hold, Purchase, Release, ReportLoss, Reversal

TIME_OUT_SECONDS = 0.05
PIN_KEY = bytes(range(32))
DAY = 20260901
MEAL = Meal(0, 1_000)


class Window:
    """One terminal on one station, connected to a fake switch, and everything it did."""

    def __init__(self, switch, auditor, key, number=1001):
        self.switch = switch
        self.auditor = auditor
        self.retries = 0
        self.decided: list[Answer] = []
        self.line = Line(auditor, TIME_OUT_SECONDS)
        self.station = Station(switch.address, "north-1", key, self.line.received)
        surroundings = Surroundings(self._retry, self._follow_up, pace=100_000.0)
        self.terminal = Terminal(Keypad(number, PIN_KEY), self.station, self.line, surroundings)
        self.follow_ups = 0

    def _retry(self):
        self.retries += 1

    def _follow_up(self):
        self.follow_ups += 1
        return self._decided

    def _decided(self, reply, _at):
        self.decided.append(reply)

    async def __aenter__(self):
        self.connection = asyncio.create_task(self.station.run())
        return self

    async def __aexit__(self, *_):
        self.connection.cancel()
        await asyncio.gather(self.connection, return_exceptions=True)

    async def serve(self, card, mishap=Mishap.NONE, errand=MEAL):
        served = await self.terminal.serve(card, errand, mishap, self._decided)
        if served.ending is Ending.TO_REVERSE:
            await self.terminal.reverse(served.request)
        return served.ending

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


def with_pin(switch, auditor, card, pin):
    """Switch and auditor know this PIN of the account, and the key under which terminal 1001 seals."""
    rules = replace(switch.rules, pin_keys={1001: PIN_KEY})
    switch.rules = rules
    switch.worlds[card.account] = replace(switch.worlds[card.account], pin=pin)
    auditor.change_rules(rules)
    history = auditor._histories[card.account]
    history.worlds = [replace(world, pin=pin) for world in history.worlds]


@pytest.mark.parametrize(
    ("typed", "codes", "left"),
    [
        ((), [Code.INCORRECT_PIN], 50_000),
        (("475912",), [Code.INCORRECT_PIN, Code.APPROVED], 25_000),
        (("465813", "475912"), [Code.INCORRECT_PIN, Code.INCORRECT_PIN, Code.APPROVED], 25_000),
        (("465813",), [Code.INCORRECT_PIN, Code.INCORRECT_PIN], 50_000),
    ],
    ids=["the customer leaves", "right", "wrong, then right", "wrong"],
)
async def test_a_pin_is_typed_when_it_is_asked_for(window, auditor, cards, typed, codes, left):
    rich = cards[0]
    window.switch.worlds[rich.account] = replace(window.switch.worlds[rich.account], purses=(50_000, 0, 0))
    auditor._histories[rich.account].worlds = [
        replace(world, purses=(50_000, 0, 0)) for world in auditor._histories[rich.account].worlds
    ]
    with_pin(window.switch, auditor, rich, "475912")
    assert await window.serve(rich, errand=Meal(0, 25_000, typed)) is Ending.ANSWERED
    assert [answer.code for answer in window.decided] == codes
    assert window.follow_ups == len(codes) - 1
    assert len({purchase.stan for purchase in window.sent(Purchase)}) == len(codes), "each attempt has its own STAN"
    assert window.balance(rich) == left


async def test_a_pin_is_not_typed_when_none_is_asked_for(window, cards):
    await window.serve(cards[0], errand=Meal(0, 1_000, ("475912",)))
    assert [purchase.pin for purchase in window.sent(Purchase)] == [b""]


@pytest.fixture
async def bath(fake_switch, auditor, station_key, rules):
    metered = replace(rules.terminals[1001], services=rules.terminals[1001].services | {"hold", "capture", "release"})
    fake_switch.rules = replace(rules, terminals={**rules.terminals, 1001: metered})
    auditor.change_rules(fake_switch.rules)
    async with Window(fake_switch, auditor, station_key) as bath:
        yield bath
    auditor.finish()
    assert auditor.findings == []


async def test_a_bath_is_paid_by_what_was_used(bath, cards):
    assert await bath.serve(cards[0], errand=Bath(500, 120, 400.0)) is Ending.ANSWERED
    (hold,), (capture,) = bath.sent(Hold), bath.sent(Capture)
    assert (hold.amount, capture.amount, capture.original_stan) == (500, 120, hold.stan)
    assert (bath.balance(cards[0]), bath.follow_ups) == (9_880, 1)
    assert bath.switch.takings[1001] == {"capture": 120}


async def test_a_bath_without_water_is_released(bath, cards):
    await bath.serve(cards[0], errand=Bath(500, 0, 400.0))
    assert len(bath.sent(Release)) == 1
    assert bath.balance(cards[0]) == 10_000


async def test_no_water_runs_without_a_hold(bath, cards):
    await bath.serve(cards[2], errand=Bath(500, 120, 400.0))
    assert bath.sent(Capture) == bath.sent(Release) == []


async def test_a_hold_in_doubt_is_reversed_and_no_water_runs(bath, cards):
    ending = await bath.serve(cards[0], Mishap.LOST_THEN_REVERSED, Bath(500, 120, 400.0))
    assert ending is Ending.TO_REVERSE
    assert [type(request) for request in bath.switch.received] == [Hold, Reversal]


async def test_a_loss_is_reported_until_it_is_answered(fake_switch, auditor, station_key, rules, cards):
    kiosk = replace(rules.terminals[1001], services=frozenset({"report-loss"}))
    fake_switch.rules = replace(rules, terminals={**rules.terminals, 1001: kiosk})
    auditor.change_rules(fake_switch.rules)
    lost = iter([None, None, None, None])
    fake_switch.interfere = lambda _request, answer: next(lost, answer)
    async with Window(fake_switch, auditor, station_key) as window:
        assert await window.serve(cards[0], errand=LossReport()) is Ending.ANSWERED
    assert len(window.sent(ReportLoss)) == 5
    assert auditor.findings == []


async def begin(window, first_offline_number=1):
    await window.terminal.begin_day(DAY, first_offline_number)


async def cut_off(window, eventually):
    window.station.cut_off()
    await eventually(lambda: not window.station.connected)


async def test_what_is_sold_offline_is_uploaded(window, cards, eventually, switch_time_us):
    await begin(window)
    await cut_off(window, eventually)
    sold = [await window.serve(cards[0], errand=Meal(0, amount)) for amount in (1_000, 1_500)]
    assert sold == [Ending.SOLD_OFFLINE] * 2
    assert window.sent(Purchase) == []
    window.station.restore()
    await window.terminal.upload(Random(1))
    advices = {advice.offline_number: advice for advice in window.sent(Advice)}
    assert {number: advice.amount for number, advice in advices.items()} == {1: 1_000, 2: 1_500}
    assert all(0 <= advice.taken_us - switch_time_us < 10_000_000 for advice in advices.values())
    assert window.balance(cards[0]) == 7_500
    assert window.terminal.book.pending == []


async def test_some_are_uploaded_twice_and_count_once(window, cards, eventually):
    await begin(window)
    await cut_off(window, eventually)
    for _ in range(40):
        await window.serve(cards[0], errand=Meal(0, 10))
    window.station.restore()
    await window.terminal.upload(Random(1))
    numbers = Counter(advice.offline_number for advice in window.sent(Advice))
    assert set(numbers) == set(range(1, 41))
    assert set(numbers.values()) == {1, 2}
    assert list(numbers) != sorted(numbers), "in any order"
    assert window.balance(cards[0]) == 10_000 - 400
    assert (await window.terminal.reconcile(DAY)).code is Code.APPROVED


async def test_the_hot_list_and_the_floor_hold_offline(window, cards, eventually):
    await begin(window)
    await cut_off(window, eventually)
    assert await window.serve(cards[2], errand=Meal(0, 100)) is Ending.TURNED_AWAY, "lost"
    assert await window.serve(cards[0], errand=Meal(0, 5_001)) is Ending.TURNED_AWAY, "above the floor"
    assert await window.serve(cards[0], errand=CashIn(5_000)) is Ending.TURNED_AWAY, "not offline"
    assert window.terminal.book.pending == []


async def test_a_purchase_in_flight_when_the_line_is_cut_is_reversed_later(window, cards, eventually):
    await begin(window)
    window.switch.interfere = lambda request, answer: None if isinstance(request, Purchase) else answer
    serving = asyncio.create_task(window.serve(cards[0]))
    await eventually(lambda: window.sent(Purchase))
    await cut_off(window, eventually)
    window.station.restore()
    assert await serving is Ending.TO_REVERSE
    assert len(window.sent(Reversal)) == 1
    assert window.balance(cards[0]) == 10_000


async def test_the_till_agrees_with_the_switch(window, cards):
    await begin(window)
    await window.serve(cards[0])
    await window.serve(cards[0], Mishap.LOST_THEN_RETRIED)
    await window.serve(cards[0], Mishap.LOST_THEN_REVERSED)
    await window.serve(cards[2])
    assert window.switch.counted[1001] == {"purchase": 3, "reversal-of-purchase": 1}
    assert (await window.terminal.reconcile(DAY)).code is Code.APPROVED


async def test_a_till_goes_on_from_what_it_took_before(window, cards):
    window.switch.counted[1001]["top-up"], window.switch.takings[1001]["top-up"] = 2, 7_000
    await begin(window)
    await window.serve(cards[0])
    assert (await window.terminal.reconcile(DAY)).code is Code.APPROVED


async def test_a_till_that_disagrees_gets_both_sides(window, cards):
    await begin(window)
    await window.serve(cards[0])
    window.switch.takings[1001]["purchase"] += 1
    reply = await window.terminal.reconcile(DAY)
    assert isinstance(reply, Figures)
    assert [total.amount for total in (*reply.of_terminal, *reply.of_switch)] == [1_000, 1_001]
