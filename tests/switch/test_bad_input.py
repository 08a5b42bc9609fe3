"""Bad input of every kind against a real switch: it costs its sender, one count, and nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from campus_folder import KEYS, NORTH, OFFICE, SOUTH, SOUTH_TILL, TILL, account_number, card_of, write_campus
from running_switch import RunningSwitch, command, make_data
from station_client import StationClient
from switch_in_process import ALICE, inquiry, purchase, reversal

from wire.channel import GREETING_VERSION, MAGIC
from wire.codec import MESSAGES_PER_RECORD_MAX
from wire.codes import Code, Reason
from wire.messages import Answer, Echo, Purchase, Rejected, SignOn, TopUp

ACCOUNTS = 5
RECORD_BYTES_MAX = 4_096
REJECTED, REFUSALS = "tapswitch_rejected_total", "tapswitch_refusals_total"
STANS = count(1)
"""The tests of one switch share its terminals, and no STAN is used twice."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("bad-input"), ACCOUNTS)


@pytest.fixture(scope="module")
def switch(data) -> Iterator[RunningSwitch]:
    campus = write_campus(data.parent, record_bytes_max=RECORD_BYTES_MAX, sign_on_seconds=2)
    with RunningSwitch(data, campus) as running:
        yield running
        assert running.stop() == 0
    assert command("verify", "--data", data).exit_code == 0


class Watch:
    """What must not change, and what must have been counted once the bad input is through."""

    def __init__(self) -> None:
        self.rejected: dict[str, int] = {}
        """Expected growth of the rejections by reason."""

        self.refusals: dict[str, int] = {}
        self.journaled = 0
        """Expected events."""

        self.spent = 0
        """Of Alice's, in minor units, by requests that were good."""


def growth(before: dict[Any, float], after: dict[Any, float], name: str) -> dict[str, int]:
    """By reason, without those that did not grow."""
    grown = {
        dict(labels)["reason"]: int(value - before.get((of, labels), 0))
        for (of, labels), value in after.items()
        if of == name
    }
    return {reason: times for reason, times in grown.items() if times}


async def balances(client: StationClient) -> list[int]:
    asked = [inquiry(place, SOUTH_TILL, account_number(place)) for place in range(1, ACCOUNTS + 1)]
    return [answer.balances[0] for answer in sorted(await client.ask(*asked), key=lambda answer: answer.stan)]


@asynccontextmanager
async def watched(switch: RunningSwitch, data: Path) -> AsyncIterator[Watch]:
    """A good station is served all the time; afterwards the ledger is as it was, and the counters have the rest."""
    watch, going_on, served = Watch(), True, 0

    async def keep_asking(client: StationClient) -> None:
        nonlocal served
        while going_on:
            (answer,) = await client.ask(inquiry(1, SOUTH_TILL, account_number(2)))
            assert answer.code is Code.APPROVED
            served += 1

    async with StationClient(switch.address, SOUTH) as good:
        held, page = await balances(good), switch.samples()
        asking = asyncio.create_task(keep_asking(good))
        try:
            yield watch
        finally:
            going_on = False
            await asking
        assert served > 0
        held[0] -= watch.spent
        assert await balances(good) == held
        now = switch.samples()
        assert growth(page, now, REJECTED) == watch.rejected
        assert growth(page, now, REFUSALS) == watch.refusals
        position = ("tapswitch_journal_position", (("shard", "0"),))
        assert now[position] - page[position] == watch.journaled
        assert now["tapswitch_ledger_imbalance_minor_units", (("shard", "0"),)] == 0
    verified = command("verify", "--data", data)
    assert verified.exit_code == 0, verified.output


async def raw(address: tuple[str, int]) -> StationClient:
    """A connection on which nothing was said."""
    client = StationClient(address)
    client.reader, client.writer = await asyncio.open_connection(*address)
    return client


def greeting(name: bytes, version: int = GREETING_VERSION) -> bytes:
    return MAGIC + bytes([version, 1, len(name)]) + name


BEFORE_THE_HANDSHAKE = {
    "random bytes": (Random(1).randbytes(3_000), "greeting"),
    "another protocol": (b"GET / HTTP/1.1\r\nHost: switch\r\n\r\n", "greeting"),
    "another version": (greeting(b"north-1", 9), "greeting"),
    "no name": (greeting(b""), "greeting"),
    "a long name": (greeting(b"n" * 33), "greeting"),
    "a name that is not ASCII": (greeting("北".encode()), "greeting"),
    "a handshake message of another size": (greeting(b"north-1") + b"\0\x31" + bytes(49), "handshake"),
    "a handshake message of random bytes": (greeting(b"north-1") + b"\0\x30" + Random(2).randbytes(48), "handshake"),
    "a handshake message of zeros": (greeting(b"north-1") + b"\0\x30" + bytes(48), "handshake"),
    "a station that is none": (greeting(b"west-1") + b"\0\x30" + bytes(48), "unknown-station"),
}


@pytest.mark.parametrize("name", BEFORE_THE_HANDSHAKE)
async def test_before_the_handshake(switch, data, name):
    sent, reason = BEFORE_THE_HANDSHAKE[name]
    async with watched(switch, data) as watch:
        client = await raw(switch.address)
        client.writer.write(sent)
        assert await client.until_closed() == []
        await client.close()
        watch.rejected = {reason: 1}


async def test_a_wrong_key(switch, data):
    async with watched(switch, data) as watch:
        client = StationClient(switch.address, NORTH, KEYS[OFFICE])
        client.reader, client.writer = await asyncio.open_connection(*switch.address)
        client.writer.write(client.greeting)
        assert await client.until_closed() == []
        await client.close()
        watch.rejected = {"handshake": 1}


@pytest.mark.parametrize("kept", [0, 3, 10, 40])
async def test_a_peer_that_goes_in_the_middle_of_its_handshake(switch, data, kept):
    async with watched(switch, data):
        client = await raw(switch.address)
        client.writer.write(client.greeting[:kept])
        client.writer.write_eof()
        assert await client.until_closed() == []
        await client.close()


async def test_a_session_never_signed_on(switch, data):
    async with watched(switch, data) as watch:
        client = StationClient(switch.address)
        await client.open()
        assert await client.until_closed() == []
        await client.close()
        watch.rejected = {"sign-on-time-limit": 1}


FIRST_RECORDS = {
    "a purchase": lambda: [msgspec.to_builtins(purchase(1))],
    "two sign-ons": lambda: [msgspec.to_builtins(SignOn(1))] * 2,
    "a sign-on and a purchase": lambda: [msgspec.to_builtins(SignOn(1)), msgspec.to_builtins(purchase(1))],
    "nonsense": lambda: ["nonsense"],
}


@pytest.mark.parametrize("name", FIRST_RECORDS)
async def test_a_first_record_that_is_no_sign_on(switch, data, name):
    async with watched(switch, data) as watch:
        client = StationClient(switch.address)
        await client.open()
        client.send_plaintext(msgspec.msgpack.encode(FIRST_RECORDS[name]()))
        assert await client.until_closed() == []
        await client.close()
        watch.rejected = {"sign-on-expected": 1}


def sealed_purchase(client: StationClient) -> bytes:
    return client.connection.send([purchase(next(STANS))])


def altered(client: StationClient) -> bytes:
    record = bytearray(sealed_purchase(client))
    record[10] ^= 1
    return bytes(record)


def truncated(client: StationClient) -> bytes:
    """A byte is missing, from the middle: one from the end would be made good by a next one that is the same."""
    record = sealed_purchase(client)
    return record[:10] + record[11:] + sealed_purchase(client)


def reordered(client: StationClient) -> bytes:
    first, second = sealed_purchase(client), sealed_purchase(client)
    return second + first


RECORDS: dict[str, tuple[Callable[[StationClient], bytes], str]] = {
    "altered": (altered, "record-unopened"),
    "truncated": (truncated, "record-unopened"),
    "reordered": (reordered, "record-unopened"),
    "random": (lambda _: b"\0\x40" + Random(3).randbytes(64), "record-unopened"),
    "oversized": (lambda _: (RECORD_BYTES_MAX + 1).to_bytes(2, "big"), "record-size"),
    "too small for its tag": (lambda _: b"\0\x0f" + bytes(15), "record-size"),
    "empty": (lambda _: b"\0\0", "record-size"),
}


@pytest.mark.parametrize("name", RECORDS)
async def test_a_record_that_does_not_open(switch, data, name):
    make, reason = RECORDS[name]
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        client.writer.write(make(client))
        assert await client.until_closed() == []
        watch.rejected = {reason: 1}


async def test_a_record_of_which_the_end_never_comes(switch, data):
    async with watched(switch, data), StationClient(switch.address) as client:
        client.writer.write(sealed_purchase(client)[:-1])
        client.writer.write_eof()
        assert await client.until_closed() == []


async def test_a_replayed_record_counts_once(switch, data):
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        record = sealed_purchase(client)
        client.writer.write(record)
        (answer,) = await client.receive(1)
        assert answer.code is Code.APPROVED
        client.writer.write(record)
        assert await client.until_closed() == []
        watch.rejected, watch.journaled, watch.spent = {"record-unopened": 1}, 1, 100


async def test_a_reflected_record(switch, data):
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        received = b""

        def keep(data: bytes) -> list[Any]:
            nonlocal received
            received += data
            return []

        read, client.connection = client.connection, _Mute(keep)
        client.writer.write(read.send([Echo(1)]))
        await client._read()
        client.writer.write(received)
        client.connection = read
        assert await client.until_closed() == []
        watch.rejected = {"record-unopened": 1}


class _Mute:
    """A connection that keeps what comes instead of reading it."""

    def __init__(self, receive: Callable[[bytes], list[Any]]) -> None:
        self.receive = receive


async def test_a_record_of_another_session(switch, data):
    async with watched(switch, data) as watch, StationClient(switch.address, OFFICE) as one:
        async with StationClient(switch.address) as other:
            record = sealed_purchase(other)
            one.writer.write(record)
            assert await one.until_closed() == []
            other.writer.write(record)
            (answer,) = await other.receive(1)
            assert answer.code is Code.APPROVED
        watch.rejected, watch.journaled, watch.spent = {"record-unopened": 1}, 1, 100


async def test_a_replayed_handshake_proves_nothing(switch, data):
    """The first message of a living session: the switch answers it, and no session comes of it."""
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        sign_ons, stations = ("tapswitch_sign_ons_total", ()), ("tapswitch_stations_signed_on", ())
        before = switch.samples()
        replaying = await raw(switch.address)
        replaying.writer.write(client.greeting)
        async with asyncio.timeout(20):
            await replaying.reader.readexactly(50)
        now = switch.samples()
        assert (now[sign_ons], now[stations]) == (before[sign_ons], before[stations])
        (echoed,) = await client.ask(Echo(1))
        assert echoed.token == 1
        replaying.writer.write(sealed_purchase(client))
        async with asyncio.timeout(20):
            assert await replaying.reader.read() == b""
        await replaying.close()
        watch.rejected = {"record-unopened": 1}


async def test_a_whole_replayed_conversation_proves_nothing(switch, data):
    async with watched(switch, data) as watch:
        client = StationClient(switch.address)
        await client.open()
        records = client.connection.send([SignOn(1)]) + sealed_purchase(client)
        client.writer.write(records)
        _, answer = await client.receive(2)
        assert answer.code is Code.APPROVED
        replaying = await raw(switch.address)
        replaying.writer.write(client.greeting + records)
        async with asyncio.timeout(20):
            await replaying.reader.read()
        await replaying.close()
        await client.ask(Echo(1))
        await client.close()
        watch.rejected, watch.journaled, watch.spent = {"record-unopened": 1}, 1, 100


STRUCTURES = {
    "nothing": b"",
    "no array": msgspec.msgpack.encode({"purchase": 1}),
    "no messages": msgspec.msgpack.encode([]),
    "too many messages": msgspec.msgpack.encode([0] * (MESSAGES_PER_RECORD_MAX + 1)),
    "an array that claims to be huge": b"\xdd\xff\xff\xff\xff",
    "nesting beyond all reason": b"\x91" * 3_000 + b"\xc0",
    "something after the array": msgspec.msgpack.encode([0]) + b"\0",
    "random bytes": b"\xc1" + Random(4).randbytes(100),
}


@pytest.mark.parametrize("name", STRUCTURES)
async def test_a_record_without_structure(switch, data, name):
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        client.send_plaintext(STRUCTURES[name])
        assert await client.until_closed() == []
        watch.rejected = {"record-structure": 1}


def message(**changes: Any) -> bytes:
    """A purchase with other values in some of its fields."""
    fields = {
        "tag": 10, "terminal": TILL, "stan": 1, "wait_ms": 1, "account": ALICE, "card": card_of(ALICE), "amount": 5,
    }  # fmt: skip
    return msgspec.msgpack.encode([*{**fields, **changes}.values()])


UNREADABLE = {
    "no message": b"\xc0",
    "an unknown tag": message(tag=99),
    "a reply": message(tag=110),
    "too few fields": msgspec.msgpack.encode([10, TILL, 1]),
    "a text for an amount": message(amount="5"),
    "a fraction": message(amount=5.5),
    "an amount beyond 64 bits": message(amount=2**63),
    "terminal 0": message(terminal=0),
    "a terminal beyond eight digits": message(terminal=100_000_000),
    "a negative STAN": message(stan=-1),
    "an endless wait": message(wait_ms=600_001),
    "an empty account": message(account=""),
    "an account of 20 digits": message(account="1" * 20),
    "an account that is not UTF-8": message(account="x").replace(b"\xa1x", b"\xa1\xff"),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_unreadable_message_among_good_ones(switch, data, name):
    good = msgspec.msgpack.encode(inquiry(7))
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        client.send_plaintext(b"\x93" + good + UNREADABLE[name] + good)
        replies = await client.receive(3)
        (rejected,) = [reply for reply in replies if isinstance(reply, Rejected)]
        assert (rejected.code, rejected.reason, rejected.place) == (Code.FORMAT_ERROR, Reason.UNREADABLE, 1)
        assert [reply.code for reply in replies if isinstance(reply, Answer)] == [Code.APPROVED] * 2
        watch.rejected = {"unreadable-message": 1}


async def test_terminals_of_other_stations(switch, data):
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        foreign = purchase(next(STANS), terminal=SOUTH_TILL)
        asked = [foreign, purchase(1, terminal=99_999_999), reversal(next(STANS), foreign), inquiry(1, SOUTH_TILL)]
        answers = await client.ask(*asked)
        assert {(answer.code, answer.reason) for answer in answers} == {(Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)}
        watch.refusals = {"terminal-not-of-station": 4}


AMOUNTS = [0, -1, -(2**63), 100_000_001, 2**63 - 1]


@pytest.mark.parametrize("amount", AMOUNTS)
async def test_amounts_out_of_range(switch, data, amount):
    async with (
        watched(switch, data) as watch,
        StationClient(switch.address) as client,
        StationClient(switch.address, OFFICE) as office,
    ):
        (answer,) = await client.ask(purchase(next(STANS), amount))
        (top_up,) = await office.ask(TopUp(9001, next(STANS), 60_000, ALICE, card_of(ALICE), amount, 1))
        for refused in (answer, top_up):
            assert (refused.code, refused.reason) == (Code.INVALID_AMOUNT, Reason.AMOUNT_OUT_OF_RANGE)
        (reversed_,) = await client.ask(reversal(next(STANS), purchase(next(STANS) + 10**9, amount)))
        assert (reversed_.code, reversed_.authorization) == (Code.APPROVED, 0), "it marks an original that never came"
        watch.journaled = 3


@pytest.mark.parametrize("account", ["404", "0", "0" + ALICE, "one", "账号", "' OR 1=1", "\0"])
async def test_unknown_accounts(switch, data, account):
    async with watched(switch, data), StationClient(switch.address) as client:
        (answer,) = await client.ask(Purchase(TILL, next(STANS), 60_000, account, "C1", 100))
        assert (answer.code, answer.reason) == (Code.NO_SUCH_ACCOUNT, Reason.NO_ACCOUNT)


async def test_unknown_cards(switch, data):
    async with watched(switch, data) as watch, StationClient(switch.address) as client:
        (answer,) = await client.ask(Purchase(TILL, next(STANS), 60_000, ALICE, card_of(account_number(2)), 100))
        assert (answer.code, answer.reason) == (Code.NO_SUCH_ACCOUNT, Reason.NO_CARD)
        watch.journaled = 1


async def test_a_crowd_of_strangers(switch, data):
    """Random bytes from many at once, in random pieces."""
    random = Random(5)

    async def intrude() -> None:
        client = await raw(switch.address)
        client.writer.write(random.randbytes(random.randint(7, 500)))
        assert await client.until_closed() == []
        await client.close()

    async with watched(switch, data) as watch:
        intruders: list[Awaitable[None]] = [intrude() for _ in range(100)]
        await asyncio.gather(*intruders)
        watch.rejected = {"greeting": 100}
