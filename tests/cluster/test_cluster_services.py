"""What terminals and operators ask of a switch on Ray, over accounts of both shards; what outlives a shard's process.

All of it is asked of one cluster, whose start takes longer than the rest: each step has terminals and accounts of its
own, and counts from where the others were.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from campus_folder import DESK, NORTH, NORTH_TILLS, OFFICE, OPERATOR, account_number, card_of, write_campus
from running_cluster import WAIT_S_MAX, is_ready, process_numbers, taken, until
from running_switch import RunningSwitch, Samples, command, make_data, samples
from station_client import StationClient
from switch_in_process import inquiry, purchase, reversal

from actors.placement import shard_of, slot_of
from simulators.campus import read_campus
from wire.codes import Code, Reason
from wire.messages import (
    Advice,
    Answer,
    Capture,
    Emergency,
    Figures,
    FindCard,
    GrantSubsidy,
    Hold,
    HotCard,
    HotList,
    HotListInquiry,
    Reconciliation,
    ReportLoss,
    ReviewLoss,
    ServiceTotal,
)

pytestmark = pytest.mark.ray

SHARDS = 2
WAIT_MS = 60_000
"""Longer than a shard needs to come back."""

BALANCE = 10_000
ACCOUNTS = [account_number(place) for place in range(1, 61)]
HERE, THERE = ([number for number in ACCOUNTS if shard_of(slot_of(number), SHARDS) == shard] for shard in range(SHARDS))
BATH = 3001
_BATHS = f"""
[[terminals]]
numbers = "{BATH}"
station = "{OFFICE}"
merchant = 1
kind = "bath"
"""


class Cluster(NamedTuple):
    """A switch on Ray, and what it was started with."""

    switch: RunningSwitch
    campus: Path
    data: Path

    @property
    def today(self) -> int:
        """The business day."""
        return read_campus(self.campus).business_day(datetime.now(UTC))

    async def kill(self, name: str) -> int:
        """End a process with SIGKILL; returns its number."""
        pid = (await asyncio.to_thread(process_numbers, self.switch))[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def until_replaced(self, name: str, pid: int) -> None:
        """Wait until another process has taken the place of `pid`, and all serve."""
        await until(lambda: process_numbers(self.switch)[name] not in {0, pid} and is_ready(self.switch))


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    campus = write_campus(tmp_path)
    campus.write_text(campus.read_text() + _BATHS)
    data = make_data(tmp_path, len(ACCOUNTS), shards=SHARDS)
    with RunningSwitch(data, campus, "--cluster", "local", "--gateways", 2, "--shards", SHARDS) as switch:
        yield Cluster(switch, campus, data)
        assert switch.stop() == 0
    assert command("verify", "--data", data).exit_code == 0


async def test_services_over_both_shards(cluster):
    async with StationClient(cluster.switch.address, NORTH) as north:
        await both_shards_make_one_sum(cluster, north)
        await without_a_shard_there_is_no_sum(cluster, north)
        await a_lost_card_is_listed_and_the_version_outlives_a_shard(cluster, north)
        await an_emergency_is_recorded_and_told(cluster, north)
        for account in HERE[7], THERE[7]:
            await a_granted_subsidy_is_spent(cluster, north, account)
        for account in HERE[8], THERE[8]:
            await a_hold_is_captured_once(cluster, north, account)
        for account in HERE[9], THERE[9]:
            await an_advice_that_is_uploaded_twice_counts_once(north, account)
    await every_process_has_metrics_until_it_dies(cluster)


def approved(terminal: int, stan: int) -> Answer:
    return Answer(terminal, stan, Code.APPROVED, Reason.NONE, 0, (), ())


def in_order(answers: list[Any]) -> list[Any]:
    """By STAN: shards answer when they can."""
    return sorted(answers, key=lambda answer: answer.stan)


async def buy(till: StationClient, *purchases: Any) -> None:
    assert {answer.code for answer in await till.ask(*purchases)} == {Code.APPROVED}


SOLD = ServiceTotal("purchase", 4, 1_000), ServiceTotal("reversal-of-purchase", 1, 100)


async def sell(north: StationClient, till: int, accounts: list[str]) -> None:
    """What SOLD is of: a purchase on each account, of which the first is undone."""
    bought = [purchase(n, 100 * n, till, account) for n, account in enumerate(accounts, 1)]
    await buy(north, *bought, reversal(5, bought[0], till))


async def both_shards_make_one_sum(cluster: Cluster, north: StationClient) -> None:
    till = NORTH_TILLS[1]
    await sell(north, till, [HERE[0], THERE[0], HERE[1], THERE[1]])
    right = Reconciliation(till, 11, WAIT_MS, cluster.today, SOLD)
    assert await north.ask(right) == [approved(till, 11)]
    wrong = Reconciliation(till, 12, WAIT_MS, cluster.today, (ServiceTotal("purchase", 4, 999),))
    assert await north.ask(wrong) == [Figures(till, 12, cluster.today, wrong.totals, SOLD)]


async def without_a_shard_there_is_no_sum(cluster: Cluster, north: StationClient) -> None:
    till, other = (till for till in NORTH_TILLS[2:4] if home(till) == 0)
    await sell(north, till, [HERE[2], THERE[2], HERE[3], THERE[3]])
    gone = await cluster.kill("shard-1")
    held = await until(lambda: taken(cluster.data, 1))  # until it is let go, no other process can serve them
    try:
        of_one = ServiceTotal("purchase", 2, 400), ServiceTotal("reversal-of-purchase", 1, 100)
        answers = await north.ask(
            Reconciliation(till, 10, 200, cluster.today, SOLD),
            Reconciliation(till, 11, 200, cluster.today, of_one),
            HotListInquiry(till, 12, 200, 500),
        )
        assert [(answer.stan, answer.code, answer.reason) for answer in in_order(answers)] == [
            (stan, Code.TRY_AGAIN, Reason.SHARD_SILENT) for stan in (10, 11, 12)
        ]
        await buy(north, purchase(1, 100, other, HERE[4]))
        assert await north.ask(Emergency(till, 10, WAIT_MS)) == [approved(till, 10)]
        patient = Reconciliation(till, 13, WAIT_MS, cluster.today, SOLD)
        north.send(patient)
    finally:
        held.close()
    await cluster.until_replaced("shard-1", gone)
    assert await north.receive(1) == await north.ask(patient) == [approved(till, 13)]
    await buy(north, purchase(2, 100, other, THERE[4]))
    totals = (ServiceTotal("purchase", 2, 200),)
    assert await north.ask(Reconciliation(other, 3, WAIT_MS, cluster.today, totals)) == [approved(other, 3)]


async def a_lost_card_is_listed_and_the_version_outlives_a_shard(cluster: Cluster, north: StationClient) -> None:
    async def listed_since(version: str) -> HotList:
        (told,) = await north.ask(HotListInquiry(NORTH_TILLS[10], 1, WAIT_MS, 500, version))
        assert isinstance(told, HotList)
        assert told.more == 0
        return told

    lost = [HERE[5], THERE[5]]
    cards = {HotCard(card_of(account), "lost") for account in lost}
    first = await listed_since("")
    assert first.whole == 1
    assert not cards & set(first.cards)
    async with StationClient(cluster.switch.address, DESK) as desk:
        await desk.ask(*(ReportLoss(OPERATOR, 10 + n, WAIT_MS, account, "wu") for n, account in enumerate(lost)))
        second = await listed_since(first.version)
        assert (second.whole, set(second.cards)) == (0, cards)
        gone = await cluster.kill("shard-1")
        await cluster.until_replaced("shard-1", gone)
        assert await listed_since(second.version) == HotList(NORTH_TILLS[10], 1, second.version, 0, 0, ())
        assert await listed_since(first.version) == second
        assert cards <= set((await listed_since("")).cards)
        for n, found in enumerate((ReviewLoss, FindCard)):
            (answer,) = await desk.ask(found(OPERATOR, 20 + n, WAIT_MS, THERE[5], "wu"))
            assert answer.code is Code.APPROVED
    third = await listed_since(second.version)
    assert (third.whole, third.cards) == (0, (HotCard(card_of(THERE[5]), ""),))
    answers = await north.ask(*(purchase(n, 100, NORTH_TILLS[10], account) for n, account in enumerate(lost, 2)))
    assert [answer.code for answer in in_order(answers)] == [Code.LOST_CARD, Code.APPROVED]


async def an_emergency_is_recorded_and_told(cluster: Cluster, north: StationClient) -> None:
    def effects() -> list[dict[str, Any]]:
        result = command("effects", "--data", cluster.data, "--cursor", cluster.data.parent / "cursor")
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.output.splitlines()]

    await asyncio.to_thread(effects)
    tills = [next(till for till in NORTH_TILLS[8:] if home(till) == shard) for shard in range(SHARDS)]
    for till in tills:
        call = Emergency(till, 1, WAIT_MS, THERE[6], card_of(THERE[6]))
        assert await north.ask(call, call) == [approved(till, 1)] * 2
    told = await asyncio.to_thread(effects)
    of_each = {"effect": "emergency", "stan": 1, "account": THERE[6], "card": card_of(THERE[6]), "merchant": 1}
    assert len(told) == SHARDS
    assert all(
        effect.items() >= (of_each | {"shard": shard, "terminal": till}).items()
        for shard, (effect, till) in enumerate(zip(told, tills, strict=True))
    )
    assert await asyncio.to_thread(effects) == []


async def a_granted_subsidy_is_spent(cluster: Cluster, north: StationClient, account: str) -> None:
    async with StationClient(cluster.switch.address, DESK) as desk:
        granted = GrantSubsidy(OPERATOR, 30, WAIT_MS, account, "wu", "2026-09", 70, 99_991_231)
        answers = await desk.ask(granted, granted)
        assert [(answer.stan, answer.code) for answer in answers] == [(30, Code.APPROVED)] * 2
    (answer,) = await north.ask(purchase(1, 100, NORTH_TILLS[0], account))
    assert (answer.code, answer.paid, answer.balances) == (Code.APPROVED, (30, 70), (BALANCE - 30, 0))


async def a_hold_is_captured_once(cluster: Cluster, north: StationClient, account: str) -> None:
    async with StationClient(cluster.switch.address, OFFICE) as bath:
        (held,) = await bath.ask(Hold(BATH, 1, WAIT_MS, account, card_of(account), 500))
        assert (held.code, held.paid) == (Code.APPROVED, ())
        assert held.authorization > 0
        capture = Capture(BATH, 2, WAIT_MS, account, BATH, 1, 300)
        first, second = await bath.ask(capture, capture)
    assert first == second
    assert (first.code, first.paid, first.balances) == (Code.APPROVED, (300,), (BALANCE - 300,))
    assert await balances(north, account) == (BALANCE - 300,)


async def an_advice_that_is_uploaded_twice_counts_once(north: StationClient, account: str) -> None:
    till, number = NORTH_TILLS[15], 1 + ACCOUNTS.index(account)
    taken_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    upload = [
        Advice(till, 2 * number + again, WAIT_MS, account, card_of(account), 700, number, taken_us)
        for again in range(2)
    ]
    first, second = in_order(await north.ask(*upload))
    assert (first.code, first.stan, first.paid) == (Code.APPROVED, upload[0].stan, (700,))
    assert first.authorization > 0
    assert second == Answer(
        till, upload[1].stan, Code.APPROVED, Reason.NONE, first.authorization, first.balances, first.paid
    )
    assert await balances(north, account) == (BALANCE - 700,)


async def balances(north: StationClient, account: str) -> tuple[int, ...]:
    (answer,) = await north.ask(inquiry(1, NORTH_TILLS[14], account))
    assert answer.code is Code.APPROVED
    return answer.balances


def home(terminal: int) -> int:
    """The shard that records what happens to the terminal itself."""
    return shard_of(slot_of(str(terminal)), SHARDS)


async def every_process_has_metrics_until_it_dies(cluster: Cluster) -> None:
    approved = "tapswitch_authorizations_total", (("code", "00"), ("service", "purchase"))
    signed_on = "tapswitch_sign_ons_total", ()
    before = pages(cluster.switch)
    assert set(before) == {"supervisor", "shard-0", "shard-1", "gateway-0", "gateway-1"}
    async with StationClient(cluster.switch.address) as client:
        accounts = HERE[10:] + THERE[10:]
        await buy(client, *(purchase(n, 1, NORTH_TILLS[13], account) for n, account in enumerate(accounts, 1)))
    after = pages(cluster.switch)

    def counted(name: str, sample: Any) -> float:
        return after[name][sample] - before[name].get(sample, 0)

    assert [counted(f"shard-{shard}", approved) for shard in range(SHARDS)] == [len(HERE[10:]), len(THERE[10:])]
    assert counted("gateway-0", signed_on) + counted("gateway-1", signed_on) == 1
    await cluster.kill("shard-1")
    await until(lambda: "shard-1" not in targets(cluster.switch))
    await until(lambda: "shard-1" in targets(cluster.switch) and is_ready(cluster.switch))
    assert approved not in page(targets(cluster.switch)["shard-1"]), "it is another process"


def pages(switch: RunningSwitch) -> dict[str, Samples]:
    """The metrics of each process."""
    return {name: page(address) for name, address in targets(switch).items()}


def targets(switch: RunningSwitch) -> dict[str, str]:
    """Where each process has its metrics."""
    found = json.loads(switch.get("/targets")[1])
    return {target["labels"]["process"]: target["targets"][0] for target in found}


def page(address: str) -> Samples:
    """The metrics there."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=WAIT_S_MAX) as answer:
        return samples(answer.read().decode())
