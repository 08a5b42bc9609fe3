"""The gateway on loopback: what one station's connection gets, and what it cannot do to the others'."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Any

import msgspec
import pytest
from campus_folder import (
    KEYS,
    NORTH,
    NORTH_TILLS,
    OFFICE,
    SOUTH,
    SOUTH_TILL,
    TILL,
    TOP_UP_MACHINE,
    account_number,
    card_of,
)
from controlled_store import ControlledStore
from msgspec.structs import astuple, replace
from station_client import StationClient
from switch_in_process import ALICE, BALANCE, GatewayInProcess, gateway_in_process, inquiry, purchase, reversal

from switch import gateway as gateway_module
from switch import session as session_module
from switch.registry import Registry
from switch.session import UNREADABLE_MAX
from wire.codec import MESSAGES_PER_RECORD_MAX
from wire.codes import Code, Reason
from wire.messages import (
    PROTOCOL_VERSION,
    Answer,
    Echo,
    Echoed,
    MiniStatement,
    Purchase,
    Refund,
    Rejected,
    Reversal,
    SignedOff,
    SignOff,
    SignOn,
    Statement,
    TopUp,
)

Serve = Callable[..., AbstractAsyncContextManager[GatewayInProcess]]


@pytest.fixture
def store():
    made = ControlledStore()
    yield made
    made.let_go()


@pytest.fixture
def serve(tmp_path, store) -> Serve:
    return lambda **sessions: gateway_in_process(tmp_path, store, **sessions)


@pytest.fixture
async def switch(serve) -> AsyncIterator[GatewayInProcess]:
    async with serve() as made:
        yield made


def by_code(answers) -> Counter[tuple[Code, Reason]]:
    return Counter((answer.code, answer.reason) for answer in answers)


def keys(answers) -> list[tuple[int, int]]:
    return sorted((answer.terminal, answer.stan) for answer in answers)


async def served(switch: GatewayInProcess, stan: int = 1) -> None:
    """Another station gets its answer."""
    async with StationClient(switch.address, SOUTH) as other:
        (answer,) = await other.ask(purchase(stan, terminal=SOUTH_TILL, account=account_number(2)))
        assert answer.code is Code.APPROVED


async def test_sign_on_tells_the_limits(serve):
    async with serve(in_flight_max=7, idle_seconds=100, echo_seconds=30, record_bytes_max=2_000) as switch:
        client = StationClient(switch.address)
        await client.open()
        before_us = switch.inside.clock.now_us()
        signed_on = await client.sign_on()
        assert (signed_on.code, signed_on.protocol) == (Code.APPROVED, PROTOCOL_VERSION)
        assert (signed_on.in_flight_max, signed_on.record_bytes_max) == (7, 2_000)
        assert (signed_on.idle_ms_max, signed_on.echo_interval_ms) == (100_000, 30_000)
        assert before_us <= signed_on.time_us <= switch.inside.clock.now_us()
        await client.close()


async def test_another_protocol_version_is_refused(switch):
    client = StationClient(switch.address)
    await client.open()
    refused = await client.sign_on(PROTOCOL_VERSION + 1)
    assert (refused.code, refused.reason) == (Code.NOT_SUPPORTED, Reason.PROTOCOL_VERSION)
    assert refused.protocol == PROTOCOL_VERSION
    assert await client.until_closed() == []
    assert switch.rejected == {"sign-on-refused": 1}
    assert switch.gateway.by_station == {}
    await client.close()


async def test_requests_may_follow_the_sign_on_at_once(switch):
    client = StationClient(switch.address)
    await client.open()
    client.send(SignOn(PROTOCOL_VERSION))
    client.send(purchase(1), Echo(5))
    signed_on, *replies = await client.receive(3)
    assert signed_on.code is Code.APPROVED
    assert {type(reply) for reply in replies} == {Answer, Echoed}
    await client.close()


async def test_many_in_flight_are_matched_by_terminal_and_stan(switch):
    asked = [purchase(stan, terminal=terminal) for terminal in NORTH_TILLS for stan in range(1, 17)]
    async with StationClient(switch.address) as client:
        for start in range(0, len(asked), 10):
            client.send(*asked[start : start + 10])
        answers = await client.receive(len(asked))
    assert by_code(answers) == {(Code.APPROVED, Reason.NONE): 256}
    assert keys(answers) == keys(asked)
    assert sorted(answer.balances[0] for answer in answers) == [BALANCE - 100 * n for n in range(256, 0, -1)]
    assert switch.inside.embedded.shard.ledger.imbalance == 0


async def test_every_copy_gets_its_own_reply(switch, store):
    store.hold()
    async with StationClient(switch.address) as client:
        client.send(purchase(1))
        await store.begun()
        client.send(purchase(1), purchase(1))
        store.let_go()
        first, *others = await client.receive(3)
        assert first.code is Code.APPROVED
        assert others == [first, first]
    async with StationClient(switch.address) as again:
        assert await again.ask(purchase(1)) == [first]
        (different,) = await again.ask(purchase(1, amount=7))
        assert different.code is Code.DUPLICATE
    assert switch.inside.embedded.shard.state(ALICE).purses == (BALANCE - 100,)


class LogLines:
    """A log that keeps its debug lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def debug(self, event: str, **values: Any) -> None:
        self.lines.append((event, values))

    def info(self, event: str, **values: Any) -> None:
        pass


async def test_answers_are_logged_by_request_with_their_code_if_wanted(switch, monkeypatch):
    log = LogLines()
    monkeypatch.setattr(session_module, "log", log)
    statement = MiniStatement(TILL, 3, 60_000, ALICE, card_of(ALICE), 5)
    async with StationClient(switch.address) as client:
        await client.ask(purchase(1))
        assert log.lines == []
        switch.gateway.log_requests = True
        await client.ask(purchase(2, amount=20_001), statement)
    answered = {
        values["request"].partition("-")[2]: values for event, values in log.lines if event == "request answered"
    }
    assert {name: (values["code"], values["reason"]) for name, values in answered.items()} == {
        f"{TILL}-2": ("61", "purchase-limit"),
        f"{TILL}-3": ("00", ""),
    }
    assert all(values["station"] == NORTH and values["waited_ms"] >= 0 for values in answered.values())


async def test_echo_and_inquiries(switch):
    async with StationClient(switch.address) as client:
        (echoed,) = await client.ask(Echo(2**63 - 1))
        assert echoed.token == 2**63 - 1
        (answer,) = await client.ask(inquiry(1))
        assert answer.balances == (BALANCE,)


async def test_past_the_sessions_limit_requests_are_refused_at_once(serve, store):
    async with serve(in_flight_max=4) as switch, StationClient(switch.address) as client:
        store.hold()
        client.send(*(purchase(stan) for stan in range(1, 6)))
        client.send(purchase(6), Echo(1))
        replies = await client.receive(3)
        refused = [reply for reply in replies if isinstance(reply, Answer)]
        assert by_code(refused) == {(Code.TRY_AGAIN, Reason.BUSY_SESSION): 2}
        assert keys(refused) == [(TILL, 5), (TILL, 6)]
        assert all(answer.retry_after_ms > 0 for answer in refused)
        store.let_go()
        assert by_code(await client.receive(4)) == {(Code.APPROVED, Reason.NONE): 4}
        (answer,) = await client.ask(purchase(5))
        assert answer.code is Code.APPROVED


async def test_one_terminal_cannot_ask_more_than_its_rate(serve):
    async with serve(requests_per_second_per_terminal=3) as switch, StationClient(switch.address) as client:
        answers = await client.ask(*(purchase(stan) for stan in range(1, 6)), purchase(1, terminal=TILL + 1))
        busy = [answer for answer in answers if answer.reason is Reason.BUSY_TERMINAL]
        assert keys(busy) == [(TILL, 4), (TILL, 5)]
        assert {answer.code for answer in busy} == {Code.TRY_AGAIN}
        assert len([answer for answer in answers if answer.code is Code.APPROVED]) == 4
        switch.tick()
        (answer,) = await client.ask(purchase(4))
        assert answer.code is Code.APPROVED


async def test_past_the_mailbox_requests_are_refused(serve, store):
    async with serve(mailbox_max=4) as switch, StationClient(switch.address) as client:
        store.hold()
        client.send(purchase(1))
        await store.begun()
        client.send(*(purchase(stan) for stan in range(2, 8)))
        refused = await client.receive(2)
        assert by_code(refused) == {(Code.TRY_AGAIN, Reason.BUSY_SHARD): 2}
        assert keys(refused) == [(TILL, 6), (TILL, 7)]
        store.let_go()
        assert by_code(await client.receive(5)) == {(Code.APPROVED, Reason.NONE): 5}


async def test_a_station_speaks_for_its_own_terminals_only(switch):
    own = purchase(1)
    foreign = purchase(1, terminal=SOUTH_TILL)
    async with StationClient(switch.address) as client:
        answers = await client.ask(
            own,
            foreign,
            purchase(2, terminal=77_777_777),
            reversal(3, foreign),
            inquiry(4, terminal=SOUTH_TILL),
            Refund(TILL, 5, 3_000, foreign.account, SOUTH_TILL, 1, 1),
        )
    refused = [answer for answer in answers if answer.code is not Code.APPROVED]
    assert by_code(refused) == {(Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION): 5}
    assert keys(refused) == [(TILL, 3), (TILL, 5), (SOUTH_TILL, 1), (SOUTH_TILL, 4), (77_777_777, 2)]
    assert switch.inside.meters.refusals == {(63, "terminal-not-of-station"): 5}
    assert SOUTH_TILL not in switch.inside.embedded.shard.terminals


async def test_a_newer_session_replaces_the_older_of_its_station(switch, store):
    async with StationClient(switch.address) as older:
        store.hold()
        older.send(purchase(1))
        await store.begun()
        async with StationClient(switch.address) as newer:
            assert await older.until_closed() == []
            store.let_go()
            (answer,) = await newer.ask(purchase(1))
            assert (answer.code, answer.balances) == (Code.APPROVED, (BALANCE - 100,))
            assert len(switch.gateway.by_station) == 1
    await served(switch)


async def test_who_never_signs_on_is_closed(switch, monkeypatch):
    silent, halfway = StationClient(switch.address), StationClient(switch.address, SOUTH)
    await halfway.open()
    silent.reader, silent.writer = await asyncio.open_connection(*switch.address)
    async with StationClient(switch.address, OFFICE) as signed_on:
        switch.tick()
        await signed_on.ask(Echo(1))
        assert switch.rejected == {}
        monkeypatch.setattr(gateway_module, "monotonic", lambda: monotonic() + 11)
        switch.tick()
        for client in (silent, halfway):
            assert await client.until_closed() == []
            await client.close()
        await signed_on.ask(Echo(2))
    assert switch.rejected == {"sign-on-time-limit": 2}


async def test_a_silent_session_is_closed(switch, monkeypatch):
    async with StationClient(switch.address) as silent:
        switch.tick()
        await silent.ask(Echo(1))
        monkeypatch.setattr(gateway_module, "monotonic", lambda: monotonic() + 301)
        switch.tick()
        assert await silent.until_closed() == []
    assert switch.rejected == {"idle": 1}
    monkeypatch.undo()
    await served(switch)


async def test_too_many_connections(serve):
    async with (
        serve(connections_max=2) as switch,
        StationClient(switch.address) as first,
        StationClient(switch.address, SOUTH),
    ):
        before = switch.inside.embedded.shard.head.position
        third = StationClient(switch.address, OFFICE)
        await third.open()
        third.send(SignOn(PROTOCOL_VERSION))
        third.send(TopUp(TOP_UP_MACHINE, 1, 60_000, ALICE, card_of(ALICE), 5_000, 1))  # what follows is not heard
        (answer,) = await third.until_closed()
        assert (answer.code, answer.reason) == (Code.TRY_AGAIN, Reason.BUSY_CONNECTIONS)
        await third.close()
        await first.ask(Echo(1))
        assert switch.rejected == {"sign-on-refused": 1}
        assert switch.inside.embedded.shard.head.position == before


async def test_strangers_cannot_take_the_places_of_stations(serve, monkeypatch):
    monkeypatch.setattr(gateway_module, "UNSIGNED_MAX", 3)
    async with serve(connections_max=2) as switch, StationClient(switch.address) as first:
        strangers = [await asyncio.open_connection(*switch.address) for _ in range(5)]
        async with asyncio.timeout(20):
            for reader, _ in strangers[:2]:  # the oldest make room
                assert await reader.read() == b""
        async with StationClient(switch.address, SOUTH) as second:
            await second.ask(Echo(1))
        await first.ask(Echo(1))
        assert switch.rejected == {"too-many-unsigned": 3}
        for _, writer in strangers:
            writer.close()


def reads_little() -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    return made


async def open_slowly(client: StationClient, address: tuple[str, int]) -> None:
    """Connect so that little fits between the switch and whoever does not read."""
    narrow = reads_little()
    narrow.setblocking(False)  # noqa: FBT003 - the standard library's own
    await asyncio.get_running_loop().sock_connect(narrow, address)
    client.reader, client.writer = await asyncio.open_connection(sock=narrow, limit=1_024)
    client.writer.write(client.greeting)
    await client._read()


async def stall(switch: GatewayInProcess, client: StationClient, name: str) -> int:
    """Echo without reading until the switch reads no more; how many echoes were sent."""
    session = switch.gateway.by_station[name]
    sent = 0
    async with asyncio.timeout(30):
        while session.transport.is_reading():
            client.send(*(Echo(token) for token in range(sent, sent + MESSAGES_PER_RECORD_MAX)))
            sent += MESSAGES_PER_RECORD_MAX
            await asyncio.sleep(0)
    return sent


async def test_who_does_not_read_is_not_read_and_loses_nothing(switch):
    client = StationClient(switch.address)
    await open_slowly(client, switch.address)
    await client.sign_on()
    await client.ask(purchase(1))
    client.send(purchase(2))
    sent = await stall(switch, client, client.connection.peer.station)
    await served(switch)
    replies = await client.receive(sent + 1)
    assert [reply.token for reply in replies if isinstance(reply, Echoed)] == list(range(sent))
    assert [reply.stan for reply in replies if isinstance(reply, Answer)] == [2]
    (answer,) = await client.ask(purchase(3))
    assert answer.code is Code.APPROVED
    await client.close()


async def test_who_does_not_read_does_not_keep_the_switch_from_stopping(serve, monkeypatch):
    monkeypatch.setattr(gateway_module, "LEAVE_SECONDS_MAX", 0.05)
    async with serve() as switch:
        client = StationClient(switch.address)
        await open_slowly(client, switch.address)
        await client.sign_on()
        await stall(switch, client, client.connection.peer.station)
        async with asyncio.timeout(20):
            await switch.gateway.stop()
        await client.close()


async def test_a_session_that_was_stalled_can_be_replaced(switch):
    client = StationClient(switch.address)
    await open_slowly(client, switch.address)
    await client.sign_on()
    await stall(switch, client, client.connection.peer.station)
    async with StationClient(switch.address) as newer:
        (answer,) = await newer.ask(purchase(1))
        assert answer.code is Code.APPROVED
        await client.until_closed()
    await client.close()


async def test_sign_off_answers_everything_before_it(switch, store):
    async with StationClient(switch.address) as client:
        store.hold()
        client.send(purchase(1))
        await store.begun()
        client.send(purchase(2), SignOff())
        store.let_go()
        *answers, last = await client.until_closed()
        assert by_code(answers) == {(Code.APPROVED, Reason.NONE): 2}
        assert last == SignedOff()


async def test_sign_off_with_nothing_in_flight(switch):
    async with StationClient(switch.address) as client:
        client.send(SignOff())
        assert await client.until_closed() == [SignedOff()]


async def test_a_stop_answers_what_is_in_flight(serve, store):
    async with serve() as switch, StationClient(switch.address) as client, StationClient(switch.address, SOUTH) as idle:
        half_way = StationClient(switch.address, OFFICE)
        await half_way.open()
        store.hold()
        client.send(*(purchase(stan) for stan in range(1, 11)))
        await store.begun()
        client.send(purchase(11), Echo(1))
        await client.receive(1)
        stopping = asyncio.create_task(switch.gateway.stop())
        await asyncio.sleep(0)
        assert switch.gateway.stopping
        (refused,) = await client.ask(purchase(12))
        assert (refused.code, refused.reason) == (Code.TRY_AGAIN, Reason.STOPPING)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*switch.address)
        store.let_go()
        *answers, last = await client.until_closed()
        assert keys(answers) == [(TILL, stan) for stan in range(1, 12)]
        assert by_code(answers) == {(Code.APPROVED, Reason.NONE): 11}
        assert last == SignedOff()
        assert await idle.until_closed() == [SignedOff()]
        assert await half_way.until_closed() == []
        await half_way.close()
        async with asyncio.timeout(20):
            await stopping


async def test_a_late_answer_leaves_the_session_open(switch, store):
    """Its deadline passed while its commit was in flight, or before its turn began beside others' commits."""
    async with StationClient(switch.address) as client, StationClient(switch.address, SOUTH) as other:
        store.hold()
        client.send(purchase(1, wait_ms=300))
        other.send(purchase(1, terminal=SOUTH_TILL, account=account_number(2)))
        await store.begun()
        (unknown,) = await client.receive(1)
        assert (unknown.code, unknown.reason) == (Code.SYSTEM_MALFUNCTION, Reason.OUTCOME_UNKNOWN)
        client.send(purchase(2, wait_ms=0))
        (late,) = await client.receive(1)
        assert (late.code, late.reason) == (Code.TOO_LATE, Reason.WAITED_TOO_LONG)
        store.let_go()
        await other.receive(1)
        (answer,) = await client.ask(purchase(3))
        assert answer.balances == (BALANCE - 200,)


async def test_a_full_store_is_told_and_the_session_goes_on(switch, store):
    async with StationClient(switch.address) as client:
        store.refuse()
        (answer,) = await client.ask(purchase(1))
        assert (answer.code, answer.reason) == (Code.TRY_AGAIN, Reason.STORE_FULL)
        store.mend()
        (answer,) = await client.ask(purchase(1))
        assert answer.code is Code.APPROVED


async def test_a_malformed_message_among_good_ones_costs_only_itself(switch):
    messages = [
        [10, *astuple(purchase(1))],
        [10, TILL, 2, "soon"],
        ["nonsense"],
        [10, *astuple(purchase(3))],
    ]
    async with StationClient(switch.address) as client:
        client.send_plaintext(msgspec.msgpack.encode(messages))
        replies = await client.receive(4)
        rejected = [reply for reply in replies if isinstance(reply, Rejected)]
        answers = [reply for reply in replies if isinstance(reply, Answer)]
        assert [(reply.place, reply.terminal, reply.stan) for reply in rejected] == [(1, TILL, 2), (2, 0, 0)]
        assert {reply.code for reply in rejected} == {Code.FORMAT_ERROR}
        assert all(reply.explanation for reply in rejected)
        assert keys(answers) == [(TILL, 1), (TILL, 3)]
    assert switch.rejected == {"unreadable-message": 2}


async def test_too_many_unreadable_messages_end_the_session(switch):
    async with StationClient(switch.address) as client:
        client.send_plaintext(msgspec.msgpack.encode([0] * UNREADABLE_MAX))
        assert len(await client.receive(UNREADABLE_MAX)) == UNREADABLE_MAX
        await client.ask(Echo(1))
        client.send_plaintext(msgspec.msgpack.encode([0]))
        assert [type(reply) for reply in await client.until_closed()] == [Rejected]
    await served(switch)


async def test_a_second_sign_on_is_not_expected(switch):
    async with StationClient(switch.address) as client:
        (reply,) = await client.ask(SignOn(PROTOCOL_VERSION))
        assert isinstance(reply, Rejected)
        await client.ask(Echo(1))
    assert switch.rejected == {"unexpected-message": 1}


async def test_a_whole_dialogue(switch):
    async with StationClient(switch.address) as client:
        (bought,) = await client.ask(purchase(1, amount=1_250))
        (undone,) = await client.ask(reversal(2, purchase(1, amount=1_250)))
        (again,) = await client.ask(purchase(1, amount=1_250))
        assert (bought.paid, undone.balances) == ((1_250,), (BALANCE,))
        assert (again.code, again.reason) == (Code.INVALID_TRANSACTION, Reason.REVERSED)
        unknown = Purchase(TILL, 9, 0, ALICE, "C", 55)
        (accepted,) = await client.ask(Reversal(TILL, 3, 60_000, ALICE, TILL, 9, 55))
        assert accepted.code is Code.APPROVED
        (refused,) = await client.ask(purchase(unknown.stan, amount=55))
        assert refused.reason is Reason.REVERSED
        (statement,) = await client.ask(MiniStatement(TILL, 10, 60_000, ALICE, card_of(ALICE), 5))
        assert isinstance(statement, Statement)
        assert [entry.amount for entry in statement.entries] == [0, 1_250, -1_250, BALANCE]


def changed(switch: GatewayInProcess, **changes: Any) -> Registry:
    """The next version of its registry."""
    registry = switch.gateway.registry
    return replace(registry, version=registry.version + 1, **changes)


async def test_a_station_whose_key_is_gone_is_closed(switch):
    async with StationClient(switch.address) as client, StationClient(switch.address, SOUTH) as other:
        secrets = {name: keys for name, keys in switch.gateway.registry.secrets.items() if name != NORTH}
        stations = {name: numbers for name, numbers in switch.gateway.campus.stations.items() if name != NORTH}
        campus = replace(switch.gateway.campus, stations=stations)
        switch.gateway.change_registry(changed(switch, secrets=secrets, campus=campus))
        assert await client.until_closed() == []
        assert switch.rejected == {"revoked": 1}
        (answer,) = await other.ask(purchase(1, terminal=SOUTH_TILL))
        assert answer.code is Code.APPROVED


async def test_a_key_that_goes_between_handshake_and_sign_on(switch):
    client = StationClient(switch.address)
    await client.open()
    secrets = switch.gateway.registry.secrets | {NORTH: {1: bytes(32)}}
    switch.gateway.change_registry(changed(switch, secrets=secrets))
    client.send(SignOn(PROTOCOL_VERSION))
    assert await client.until_closed() == []
    await client.close()


async def test_a_second_key_changes_nothing(switch):
    async with StationClient(switch.address) as client:
        secrets = switch.gateway.registry.secrets | {NORTH: {1: KEYS[NORTH], 2: bytes(32)}}
        switch.gateway.change_registry(changed(switch, secrets=secrets))
        (answer,) = await client.ask(purchase(1))
        assert answer.code is Code.APPROVED


async def test_a_terminal_moves_to_another_station(switch):
    async with StationClient(switch.address) as north, StationClient(switch.address, SOUTH) as south:
        stations = switch.gateway.campus.stations
        moved = stations | {NORTH: stations[NORTH] - {TILL}, SOUTH: stations[SOUTH] | {TILL}}
        switch.gateway.change_registry(changed(switch, campus=replace(switch.gateway.campus, stations=moved)))
        (refused,) = await north.ask(purchase(1))
        (approved,) = await south.ask(purchase(1))
    assert (refused.code, refused.reason) == (Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)
    assert approved.code is Code.APPROVED


async def test_a_connection_that_has_not_said_who_it_is_is_left_alone(switch):
    _, writer = await asyncio.open_connection(*switch.address)
    async with StationClient(switch.address):
        switch.gateway.change_registry(changed(switch))
        assert len(switch.gateway.sessions) == 2
    writer.close()


async def test_sign_ons_can_be_refused(switch):
    async with StationClient(switch.address) as signed_on:
        switch.gateway.sign_ons_refused = Reason.NOT_READY
        client = StationClient(switch.address, SOUTH)
        await client.open()
        answer = await client.sign_on()
        assert (answer.code, answer.reason) == (Code.TRY_AGAIN, Reason.NOT_READY)
        await client.close()
        (answer,) = await signed_on.ask(purchase(1))
        assert answer.code is Code.APPROVED
