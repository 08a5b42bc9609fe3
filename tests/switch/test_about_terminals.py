"""Requests about a terminal, through a gateway with two shards: beside it, or behind calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from campus_folder import (
    DESK,
    NORTH_TILLS,
    OFFICE,
    OPERATOR,
    SOUTH_TILL,
    TILL,
    TOP_UP_MACHINE,
    account_number,
    write_campus,
)
from controlled_store import ControlledStore
from example_campus import events_of
from msgspec.structs import replace
from station_client import StationClient
from switch_in_process import EmbeddedInProcess, purchase, reversal

from actors.account.card import CardState, PersonClass
from actors.account.events import Opened
from actors.calendar import Moment
from actors.hot_list import GOOD, HotChange
from actors.placement import shard_of, slot_of
from actors.policy import Service
from actors.terminal.events import GapExplained
from switch import gateway as gateway_module
from switch.addresses import Address
from switch.gateway import Gateway
from switch.mailbox import URGENT_MAX, Mailbox
from switch.meters import Meters
from switch.registry import RegistryFiles
from switch.remote_shard import RemoteShard
from switch.shard_host import ShardHost
from switch.shards import Shards
from wire.codes import Code, Reason
from wire.messages import (
    Answer,
    CorrectEntry,
    CorrectionReason,
    Echo,
    Emergency,
    ExplainGap,
    Figures,
    HotList,
    HotListInquiry,
    MealPeriodEnd,
    Parameters,
    ParametersInquiry,
    Reconciliation,
    ServiceTotal,
)

SHARDS = 2
HERE = [account_number(place) for place in range(1, 21) if shard_of(slot_of(account_number(place)), SHARDS) == 0]
THERE = [account_number(place) for place in range(1, 21) if shard_of(slot_of(account_number(place)), SHARDS) == 1]
HOME = shard_of(slot_of(str(TILL)), SHARDS)
"""Whose journal has the till's alarms."""


class TwoShards:
    """A gateway that listens at `address`, and the two shards that it leads to."""

    def __init__(self, stores: list[ControlledStore], inside: list[EmbeddedInProcess], gateway: Gateway) -> None:
        self.stores = stores
        self.inside = inside
        self.gateway = gateway
        self.address: tuple[str, int] = ("", 0)

    @property
    def today(self) -> int:
        embedded = self.inside[0].embedded
        return embedded.policy.calendar.moment(self.gateway.clock.now_us()).business_day

    def figures(self, *totals: tuple[str, int, int], stan: int = 1_000, day: int = 0) -> Reconciliation:
        """The till's reconciliation of today, or of another day."""
        return Reconciliation(TILL, stan, 2_000, day or self.today, tuple(ServiceTotal(*total) for total in totals))


Serve = Callable[..., AbstractAsyncContextManager[TwoShards]]


@pytest.fixture
def stores() -> Iterator[list[ControlledStore]]:
    made = [ControlledStore() for _ in range(SHARDS)]
    yield made
    for store in made:
        store.let_go()


@pytest.fixture(params=["local", "remote"])
def serve(request, tmp_path, stores) -> Serve:
    @asynccontextmanager
    async def served(**sessions: int) -> AsyncIterator[TwoShards]:
        registry = RegistryFiles(write_campus(tmp_path, **sessions), Address("127.0.0.1", 0)).newest
        campus, meters = registry.campus, Meters()
        limit = campus.sessions.mailbox_max
        inside = [
            EmbeddedInProcess(store, campus.policy, mailbox_max=limit, number=number, shards=SHARDS)
            for number, store in enumerate(stores)
        ]

        def flush() -> None:
            gateway.flush()

        handles: list[Any] = [one.embedded for one in inside]
        if request.param == "remote":
            hosts = [ShardHost(one.embedded, one.meters) for one in inside]
            handles = [RemoteShard(host.answer, meters, limit, flush) for host in hosts]
        gateway = Gateway(registry, Shards(handles), inside[0].clock, meters, log_requests=False)
        if request.param == "local":
            for one in inside:
                one.gateway = gateway
        two = TwoShards(stores, inside, gateway)
        two.address = await gateway.listen("127.0.0.1", 0)
        try:
            yield two
        finally:
            for store in stores:
                store.let_go()
                store.mend()
            await gateway.stop()
            if request.param == "remote":
                await asyncio.gather(*(handle.stop() for handle in handles))
            await asyncio.gather(*(one.embedded.stop() for one in inside))

    return served


@pytest.fixture
async def switch(serve) -> AsyncIterator[TwoShards]:
    async with serve() as made:
        yield made


@pytest.fixture
async def client(switch) -> AsyncIterator[StationClient]:
    async with StationClient(switch.address) as made:
        yield made


def in_balance(stan: int) -> Answer:
    return Answer(TILL, stan, Code.APPROVED, Reason.NONE, 0, (), ())


async def refused(client: StationClient, request: Any) -> tuple[Code, Reason]:
    (answer,) = await client.ask(request)
    assert isinstance(answer, Answer)
    assert (answer.terminal, answer.stan) == (request.terminal, request.stan)
    assert (answer.retry_after_ms > 0) is (answer.code is Code.TRY_AGAIN)
    return answer.code, answer.reason


class TestWhatCannotBeAddedUp:
    async def test_it_costs_its_sender_a_refusal_and_nobody_else_anything(self, switch, client, monkeypatch):
        def raises(*_: object) -> None:
            raise ValueError("planted")

        monkeypatch.setattr(gateway_module, "reconcile", raises)
        assert await refused(client, switch.figures(stan=1)) == (Code.TRY_AGAIN, Reason.SHARD_SILENT)
        monkeypatch.undo()
        assert await client.ask(switch.figures(stan=2)) == [in_balance(2)]
        (answer,) = await client.ask(purchase(3))
        assert answer.code is Code.APPROVED

    async def test_a_desk_whose_corrections_are_below_zero(self, switch):
        policy = replace(
            switch.inside[0].embedded.policy,
            terminals={
                **switch.inside[0].embedded.policy.terminals,
                OPERATOR: replace(
                    switch.inside[0].embedded.policy.terminals[OPERATOR], services=frozenset({Service.CORRECT_ENTRY})
                ),
            },
        )
        for inside in switch.inside:
            inside.embedded.policy = policy
        async with StationClient(switch.address, DESK) as desk:
            correction = CorrectEntry(OPERATOR, 1, 2_000, HERE[0], "wu", 0, -700, CorrectionReason.PAID_OUT)
            (answer,) = await desk.ask(correction)
            assert answer.code is Code.APPROVED
            (figures,) = await desk.ask(Reconciliation(OPERATOR, 2, 2_000, switch.today, ()))
            assert figures.of_switch == (ServiceTotal("correct", 1, -700),)
            again = Reconciliation(OPERATOR, 3, 2_000, switch.today, figures.of_switch)
            (answer,) = await desk.ask(again)
            assert answer.code is Code.APPROVED


class TestReconciliation:
    async def test_what_accounts_of_all_shards_paid_is_one_sum(self, switch, client):
        bought = [purchase(stan, amount=100 * stan, account=account) for stan, account in enumerate(HERE + THERE, 1)]
        await client.ask(*bought)
        await client.ask(reversal(50, bought[0]), reversal(51, bought[-1]), purchase(52, amount=99_999_999))
        totals = ("purchase", 20, 21_000), ("reversal-of-purchase", 2, 2_100)
        assert await client.ask(switch.figures(*totals)) == [in_balance(1_000)]
        before = [one.embedded.shard.head for one in switch.inside]
        assert await client.ask(switch.figures(*totals), switch.figures(*totals)) == [in_balance(1_000)] * 2
        assert [one.embedded.shard.head for one in switch.inside] == before
        assert switch.gateway.meters.reconciliations == {"in-balance": 3}

    async def test_both_sides_figures_where_they_differ(self, switch, client):
        await client.ask(purchase(1, 300, account=HERE[0]), purchase(2, 500, account=THERE[0]))
        request = switch.figures(("top-up", 1, 900), ("purchase", 2, 700), ("nothing", 0, 0))
        assert await client.ask(request) == [
            Figures(
                TILL, 1_000, switch.today,
                (ServiceTotal("purchase", 2, 700), ServiceTotal("top-up", 1, 900)),
                (ServiceTotal("purchase", 2, 800),),
            )
        ]  # fmt: skip
        assert switch.gateway.meters.reconciliations == {"out-of-balance": 1}

    async def test_a_count_alone_may_differ(self, switch, client):
        await client.ask(purchase(1, 300, account=HERE[0]), purchase(2, 500, account=THERE[0]))
        (reply,) = await client.ask(switch.figures(("purchase", 1, 800)))
        assert isinstance(reply, Figures)

    async def test_a_service_that_stands_twice_is_not_in_balance(self, switch, client):
        await client.ask(purchase(1, 300, account=HERE[0]), purchase(2, 500, account=THERE[0]))
        (reply,) = await client.ask(switch.figures(("purchase", 1, 300), ("purchase", 1, 500)))
        assert reply.of_terminal == (ServiceTotal("purchase", 1, 300), ServiceTotal("purchase", 1, 500))
        assert reply.of_switch == (ServiceTotal("purchase", 2, 800),)

    @pytest.mark.parametrize("day", [20_000_101, 20_250_231, 99_991_231])
    async def test_a_day_without_anything(self, switch, client, day):
        await client.ask(purchase(1))
        assert await client.ask(switch.figures(day=day)) == [in_balance(1_000)]
        (reply,) = await client.ask(switch.figures(("purchase", 1, 100), day=day))
        assert reply == Figures(TILL, 1_000, day, (ServiceTotal("purchase", 1, 100),), ())
        assert all(day not in one.embedded.shard.totals._keys for one in switch.inside)

    async def test_only_what_this_terminal_took(self, switch, client):
        await client.ask(purchase(1, terminal=NORTH_TILLS[1]))
        assert await client.ask(switch.figures()) == [in_balance(1_000)]

    async def test_copies_of_a_request_are_counted_once(self, switch, client):
        await client.ask(*[purchase(1, account=HERE[0])] * 3)
        assert await client.ask(switch.figures(("purchase", 1, 100))) == [in_balance(1_000)]

    async def test_the_largest_figures_come_back_as_they_are(self, switch, client):
        totals = [(f"{place:032}", 2**53 - 1, 2**53 - 1) for place in range(32)]
        (reply,) = await client.ask(switch.figures(*reversed(totals)))
        assert reply.of_terminal == tuple(ServiceTotal(*total) for total in totals)

    async def test_a_shard_that_does_not_answer_makes_it_try_again(self, switch, client):
        await client.ask(purchase(1, account=HERE[0]), purchase(2, account=THERE[0]))
        switch.stores[1].hold()
        client.send(purchase(3, account=THERE[1]))
        await switch.stores[1].begun()
        request = Reconciliation(TILL, 1_000, 100, switch.today, (ServiceTotal("purchase", 2, 200),))
        assert await refused(client, request) == (Code.TRY_AGAIN, Reason.SHARD_SILENT)
        switch.stores[1].let_go()
        (answer,) = await client.receive(1)
        assert (answer.stan, answer.code) == (3, Code.APPROVED)
        assert await client.ask(switch.figures(("purchase", 3, 300))) == [in_balance(1_000)]

    async def test_a_shard_that_refuses_makes_it_try_again(self, switch, client):
        switch.inside[1].embedded.refusal = Reason.BUSY_SHARD
        assert await refused(client, switch.figures()) == (Code.TRY_AGAIN, Reason.BUSY_SHARD)
        switch.inside[1].embedded.refusal = None
        assert await client.ask(switch.figures()) == [in_balance(1_000)]

    async def test_a_full_mailbox_refuses_it_whole(self, serve):
        async with serve(mailbox_max=2) as switch, StationClient(switch.address) as client:
            switch.stores[1].hold()
            stan = 0
            while switch.gateway.shards.handles[1].room() > 0:
                stan += 1
                client.send(purchase(stan, account=THERE[0]))
                await client.ask(Echo(1))
            assert await refused(client, switch.figures()) == (Code.TRY_AGAIN, Reason.BUSY_SHARD)
            assert switch.gateway.shards.handles[0].room() == 2
            switch.stores[1].let_go()
            await client.receive(stan)

    async def test_it_counts_in_the_sessions_limit(self, serve):
        async with serve(in_flight_max=2) as switch, StationClient(switch.address) as client:
            switch.stores[0].hold()
            client.send(purchase(1, account=HERE[0]))
            await switch.stores[0].begun()
            first, second = switch.figures(stan=2), switch.figures(stan=3)
            client.send(first, second)
            (busy,) = await client.receive(1)
            assert (busy.stan, busy.code, busy.reason) == (3, Code.TRY_AGAIN, Reason.BUSY_SESSION)
            switch.stores[0].let_go()
            answers = await client.receive(2)
            assert {type(answer) for answer in answers} == {Answer, Figures}
            assert sorted(answer.stan for answer in answers) == [1, 2]

    async def test_it_counts_in_the_terminals_rate(self, serve):
        async with serve(requests_per_second_per_terminal=2) as switch, StationClient(switch.address) as client:
            replies = await client.ask(*(switch.figures(stan=stan) for stan in (1, 2, 3)))
            assert [(reply.stan, reply.reason) for reply in replies if reply.code is not Code.APPROVED] == [
                (3, Reason.BUSY_TERMINAL)
            ]


class TestExplainGap:
    EXPLAINED = ExplainGap(OPERATOR, 1, 2_000, "wu", TILL, 4, 6, "till was replaced")

    async def test_it_is_recorded_by_the_operators_terminals_shard_and_alarms_nobody(self, switch):
        home = shard_of(slot_of(str(OPERATOR)), SHARDS)
        noted = Answer(OPERATOR, 1, Code.APPROVED, Reason.NONE, 0, (), ())
        async with StationClient(switch.address, DESK) as desk:
            assert await desk.ask(self.EXPLAINED) == [noted]
            assert await desk.ask(self.EXPLAINED, self.EXPLAINED) == [noted] * 2
            other = replace(self.EXPLAINED, of_terminal=SOUTH_TILL)
            assert await refused(desk, other) == (Code.DUPLICATE, Reason.CONTENT_DIFFERS)
        recorded = [
            [type(event) for event in events_of(store) if not isinstance(event, Opened)] for store in switch.stores
        ]
        assert recorded[home] == [GapExplained]
        assert recorded[1 - home] == []
        assert [one.meters.emergencies for one in switch.inside] == [0] * SHARDS
        assert switch.inside[home].meters.answers["explain-gap", 0] == 1

    async def test_a_range_that_cannot_be(self, switch):
        home = shard_of(slot_of(str(OPERATOR)), SHARDS)
        async with StationClient(switch.address, DESK) as desk:
            for _ in range(2):
                wrong = replace(self.EXPLAINED, first=7)
                assert await refused(desk, wrong) == (Code.INVALID_TRANSACTION, Reason.RANGE_NOT_POSSIBLE)
        assert switch.inside[home].meters.answers["explain-gap", int(Code.INVALID_TRANSACTION)] == 1

    async def test_a_till_explains_nothing(self, switch, client):
        by_till = replace(self.EXPLAINED, terminal=TILL)
        assert await refused(client, by_till) == (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)

    async def test_it_waits_its_turn_and_a_full_mailbox_keeps_it_out(self, serve):
        async with serve(mailbox_max=1) as switch, StationClient(switch.address, DESK) as desk:
            home = shard_of(slot_of(str(OPERATOR)), SHARDS)
            handle = switch.gateway.shards.handles[home]
            switch.stores[home].hold()
            stan = 10
            while handle.room() > 0:
                stan += 1
                desk.send(replace(self.EXPLAINED, stan=stan, wait_ms=60_000))
                await desk.ask(Echo(1))
            assert await refused(desk, self.EXPLAINED) == (Code.TRY_AGAIN, Reason.BUSY_SHARD)
            switch.stores[home].let_go()
            answers = await desk.receive(stan - 10)
            assert {answer.code for answer in answers} == {Code.APPROVED}


class TestEmergency:
    async def test_it_is_recorded_by_its_terminals_shard_and_counted(self, switch, client):
        assert await client.ask(Emergency(TILL, 1, 2_000, HERE[0], "C")) == [in_balance(1)]
        assert await client.ask(Emergency(TILL, 1, 2_000), Emergency(TILL, 1, 2_000)) == [in_balance(1)] * 2
        positions = [one.embedded.shard.alarms for one in switch.inside]
        assert set(positions[HOME]) == {TILL}
        assert positions[1 - HOME] == {}
        assert [one.meters.emergencies for one in switch.inside] == [int(number == HOME) for number in range(SHARDS)]
        assert switch.inside[HOME].meters.answers["emergency", 0] == 1

    async def test_it_goes_before_all_that_waits(self, switch, client):
        store = switch.stores[HOME]
        accounts = (HERE, THERE)[HOME]
        store.hold()
        client.send(purchase(1, account=accounts[0]))
        await store.begun()
        client.send(*(purchase(stan, account=accounts[0]) for stan in range(2, 12)), Emergency(TILL, 12, 60_000))
        await client.ask(Echo(1))
        store.let_go()
        answers = await client.receive(12)
        assert sorted(answer.stan for answer in answers) == list(range(1, 13))
        recorded = events_of(store)
        assert [event.stan for event in recorded if hasattr(event, "stan")] == [1, 12, *range(2, 12)]

    async def test_neither_a_full_mailbox_nor_session_nor_rate_keeps_it_out(self, serve):
        limits = {"mailbox_max": 1, "in_flight_max": 2, "requests_per_second_per_terminal": 2}
        async with serve(**limits) as switch, StationClient(switch.address) as client:
            store, accounts = switch.stores[HOME], (HERE, THERE)[HOME]
            store.hold()
            client.send(purchase(1, account=accounts[0]))
            await store.begun()
            client.send(purchase(2, account=accounts[0]), purchase(3, account=accounts[0]))
            (busy,) = await client.receive(1)
            assert (busy.stan, busy.reason) == (3, Reason.BUSY_SESSION)
            client.send(Emergency(TILL, 4, 60_000))
            store.let_go()
            answers = {answer.stan: answer.code for answer in await client.receive(3)}
            assert answers == {1: Code.APPROVED, 2: Code.APPROVED, 4: Code.APPROVED}

    async def test_it_is_taken_while_snapshots_lag(self, switch, client):
        for one in switch.inside:
            one.embedded.refusal = Reason.BUSY_SHARD
        assert await client.ask(Emergency(TILL, 1, 2_000)) == [in_balance(1)]

    async def test_a_terminal_cannot_flood(self, serve):
        async with serve(requests_per_second_per_terminal=2) as switch, StationClient(switch.address) as client:
            answers = await client.ask(*(Emergency(TILL, stan, 2_000) for stan in (1, 2, 3)))
            assert {(answer.stan, answer.reason) for answer in answers} == {
                (1, Reason.NONE), (2, Reason.NONE), (3, Reason.BUSY_TERMINAL),
            }  # fmt: skip

    async def test_a_full_store_is_told(self, switch, client):
        switch.stores[HOME].refuse()
        assert await refused(client, Emergency(TILL, 1, 300)) == (Code.TRY_AGAIN, Reason.STORE_FULL)
        switch.stores[HOME].mend()
        assert await client.ask(Emergency(TILL, 1, 2_000)) == [in_balance(1)]
        assert switch.inside[HOME].meters.emergencies == 1

    def test_its_lane_has_a_bound(self):
        assert Mailbox(1).room(urgent=True) == URGENT_MAX


class TestParameters:
    async def test_all_that_a_till_has_to_know(self, switch, client):
        (told,) = await client.ask(ParametersInquiry(TILL, 1, 2_000))
        assert told == Parameters(
            TILL, 1, told.version, "Please tap your card", 20_000, (), 5_000, 200_000, "Asia/Shanghai", "00:00:00"
        )  # fmt: skip
        assert 1 <= len(told.version) <= 64

    async def test_what_is_known_is_not_told_again(self, switch, client):
        (told,) = await client.ask(ParametersInquiry(TILL, 1, 2_000))
        assert await client.ask(ParametersInquiry(TILL, 2, 2_000, told.version)) == [Parameters(TILL, 2, told.version)]
        (again,) = await client.ask(ParametersInquiry(TILL, 3, 2_000, "another"))
        assert (again.version, again.prompt) == (told.version, told.prompt)

    async def test_terminals_of_one_kind_have_one_version(self, switch, client):
        first, second = await client.ask(*(ParametersInquiry(NORTH_TILLS[place], 1, 2_000) for place in (0, 1)))
        assert first.version == second.version

    async def test_only_who_uploads_advices_may_sell_offline(self, switch):
        async with StationClient(switch.address, OFFICE) as office:
            (told,) = await office.ask(ParametersInquiry(TOP_UP_MACHINE, 1, 2_000))
        assert (told.offline_floor, told.offline_total) == (0, 0)

    async def test_a_change_is_a_new_version(self, switch, client, tmp_path):
        (before,) = await client.ask(ParametersInquiry(TILL, 1, 2_000))
        file = write_campus(tmp_path)
        file.write_text(
            file.read_text() + '[prompts]\ncanteen = "Hello"\n[[meal_periods]]\nname = "lunch"\nuntil = "14:00"\n'
        )
        switch.gateway.change_registry(RegistryFiles(file, Address("127.0.0.1", 0)).newest)
        (after,) = await client.ask(ParametersInquiry(TILL, 2, 2_000, before.version))
        assert (after.prompt, after.meal_periods) == ("Hello", (MealPeriodEnd("lunch", "14:00:00"),))
        assert after.version != before.version


class TestHotList:
    @pytest.mark.parametrize("more", [".x", ".0", ".-1", "."])
    async def test_a_version_with_more_in_it_begins_anew(self, client, more):
        (known,) = await client.ask(HotListInquiry(TILL, 1, 2_000, 10))
        (told,) = await client.ask(HotListInquiry(TILL, 2, 2_000, 10, known.version + more))
        assert (told.version, told.whole, told.more, told.cards) == ("", 1, 1, ())
        (answer,) = await client.ask(purchase(3))
        assert answer.code is Code.APPROVED

    @staticmethod
    def note(switch: TwoShards, shard: int, *changes: tuple[str, str]) -> None:
        """Cards of this shard changed, each in an event of its own."""
        embedded = switch.inside[shard].embedded
        for card, state in changes:
            turn = embedded.shard.open(
                [Opened(f"9{embedded.shard.head.position:09}{shard}", embedded.shard.time_us, 0, "G", CardState.ACTIVE,
                        20991231, PersonClass.STUDENT, (0,))],
                Moment(embedded.shard.time_us, 20260901, 0),
            )  # fmt: skip
            turn.hot.append(HotChange(turn.first, card, state))
            embedded.shard.commit(turn)
            embedded.shard.adopt(turn)

    @staticmethod
    async def fetch(client: StationClient, version: str = "", cards_max: int = 100) -> HotList:
        (reply,) = await client.ask(HotListInquiry(TILL, 1, 2_000, cards_max, version))
        assert isinstance(reply, HotList)
        assert (reply.terminal, reply.stan) == (TILL, 1)
        return reply

    async def test_the_cards_of_all_shards_and_then_what_changed(self, switch, client):
        self.note(switch, 0, ("A", "lost"), ("B", "frozen"))
        self.note(switch, 1, ("C", "closed"), ("D", "lost"), ("D", GOOD))
        first = await self.fetch(client)
        assert (first.whole, first.more) == (1, 0)
        assert {card.card: card.state for card in first.cards} == {"A": "lost", "B": "frozen", "C": "closed"}
        nothing = await self.fetch(client, first.version)
        assert (nothing.whole, nothing.more, nothing.cards, nothing.version) == (0, 0, (), first.version)
        self.note(switch, 1, ("E", "lost"))
        self.note(switch, 0, ("A", GOOD))
        changed = await self.fetch(client, first.version)
        assert (changed.whole, changed.more) == (0, 0)
        assert {card.card: card.state for card in changed.cards} == {"A": GOOD, "E": "lost"}
        assert (await self.fetch(client, changed.version)).cards == ()

    async def test_a_campus_without_hot_cards(self, switch, client):
        first = await self.fetch(client)
        assert (first.whole, first.more, first.cards) == (1, 0, ())
        again = await self.fetch(client, first.version)
        assert (again.whole, again.cards, again.version) == (0, (), first.version)

    async def test_a_long_list_comes_in_portions(self, switch, client):
        for shard in range(SHARDS):
            self.note(switch, shard, *((f"{shard}-{place}", "lost") for place in range(25)))
        known: set[str] = set()
        version, more, portions = "", 1, 0
        while more:
            told = await self.fetch(client, version, cards_max=10)
            assert told.whole == (portions == 0)
            assert 1 <= len(told.cards) <= 10
            known |= {card.card for card in told.cards}
            version, more, portions = told.version, told.more, portions + 1
        assert known == {f"{shard}-{place}" for shard in range(SHARDS) for place in range(25)}
        assert portions == 6

    @pytest.mark.parametrize(
        "version",
        ["x", "0", "0.1", "1.0.0", "0.-1.0", "0.x.y", "0..", "0.9999.9999", "0.1.1.1", "\u0660.\u0660.\u0660"],
    )
    async def test_a_version_that_never_was_begins_anew_or_is_harmless(self, switch, client, version):
        self.note(switch, 0, ("A", "lost"))
        told = await self.fetch(client, version)
        while told.more:
            told = await self.fetch(client, told.version)
        assert [card.card for card in told.cards] == ["A"]

    async def test_a_version_of_which_one_shard_knows_nothing_begins_anew(self, switch, client):
        self.note(switch, 0, ("A", "lost"))
        first = await self.fetch(client)
        epoch, here, _ = first.version.split(".")
        told = await self.fetch(client, f"{epoch}.{here}.9999")
        assert told == HotList(TILL, 1, "", 1, 1, ())
        assert [card.card for card in (await self.fetch(client, told.version)).cards] == ["A"]

    async def test_a_shard_that_refuses_makes_it_try_again(self, switch, client):
        switch.inside[1].embedded.refusal = Reason.BUSY_SHARD
        assert await refused(client, HotListInquiry(TILL, 1, 2_000, 10)) == (Code.TRY_AGAIN, Reason.BUSY_SHARD)
        switch.inside[1].embedded.refusal = None


ASKED = {
    "reconciliation": Reconciliation(SOUTH_TILL, 1, 2_000, 20_260_901, ()),
    "emergency": Emergency(SOUTH_TILL, 1, 2_000),
    "explain gap": ExplainGap(SOUTH_TILL, 1, 2_000, "wu", TILL, 4, 6, "seen"),
    "parameters": ParametersInquiry(SOUTH_TILL, 1, 2_000),
    "hot list": HotListInquiry(SOUTH_TILL, 1, 2_000, 10),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_a_station_asks_for_its_own_terminals_only(switch, client, asked):
    assert await refused(client, asked) == (Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)
    assert all(one.embedded.shard.alarms == {} for one in switch.inside)


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_a_stopping_switch_answers_try_again(switch, client, asked):
    switch.gateway.stopping = True
    request = type(asked)(TILL, *[getattr(asked, name) for name in asked.__struct_fields__[1:]])
    assert await refused(client, request) == (Code.TRY_AGAIN, Reason.STOPPING)
    switch.gateway.stopping = False
