"""A gateway's process: it needs a registry, and to hear that it is the newest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import structlog
from campus_folder import KEYS, NORTH, SOUTH, account_number, write_campus
from msgspec.structs import replace
from running_switch import samples
from station_client import StationClient
from switch_in_process import purchase

from switch import cluster_process
from switch import gateway_process as gateway_process_module
from switch.addresses import Address
from switch.batches import Answered, decode_parcels, encode_answered
from switch.clock import Clock
from switch.gateway_process import GatewayProcess
from switch.process_settings import Place, ProcessSettings
from switch.registry import Registry, RegistryFiles
from wire.codec import encode_message
from wire.codes import Code, Reason
from wire.messages import Answer


@pytest.fixture(autouse=True)
def as_in_any_process(monkeypatch):
    monkeypatch.setattr(cluster_process, "BACK_OFF_S", (0.01,))
    monkeypatch.setattr(cluster_process, "settle_in", lambda: None)
    yield
    structlog.reset_defaults()


async def approve(call: bytes) -> bytes:
    """A shard that approves whatever it is asked."""
    answers = [
        [
            encode_message(Answer(request.terminal, request.stan, Code.APPROVED, Reason.NONE, 1, (), (), 0))
            for request in parcel.requests
        ]
        for parcel in decode_parcels(call)
    ]
    return encode_answered(Answered(0, answers))


@pytest.fixture
def address(unused_tcp_port) -> Address:
    return Address("127.0.0.1", unused_tcp_port)


@pytest.fixture
def registry(tmp_path) -> Registry:
    return RegistryFiles(write_campus(tmp_path), Address("127.0.0.1", 0)).newest


@pytest.fixture
async def process(address, tmp_path) -> AsyncIterator[GatewayProcess]:
    settings = ProcessSettings("folder", address, None, Clock(), 1 << 30, "error")
    made = GatewayProcess(settings, lambda: Place("node", "127.0.0.1", tmp_path), 0, [approve])
    yield made
    await made.stop()


async def problem(process: GatewayProcess, expected: str | None) -> None:
    """Wait until the process says this of itself."""
    async with asyncio.timeout(20):
        while True:
            said = (await process.status(1)).problem
            if said == expected or (expected and said and expected in said):
                return
            await asyncio.sleep(0.005)


def failed(status: Any) -> list[str]:
    return [check.name for check in status.checks if not check.ok]


async def test_waits_for_a_registry_serves_and_stops(process, registry, address):
    assert (await process.status(1)).problem == "waits for the registry"
    await process.change_registry(registry, 0)
    await problem(process, None)
    client = StationClient(address)
    await client.open()
    await client.sign_on()
    (answer,) = await client.ask(purchase(1, account=account_number(1)))
    assert answer.code is Code.APPROVED
    status = await process.status(1)
    assert (status.connections, status.stations, status.waiting, status.registry) == (1, 1, 0, 1)
    assert [check.name for check in status.checks] == ["open-files", "registry"]
    async with aiohttp.ClientSession(f"http://{status.http}") as session, session.get("/metrics") as response:
        found = samples(await response.text())
    assert found["tapswitch_sign_ons_total", ()] == 1
    assert found["tapswitch_registry_version", ()] == 1
    assert found["tapswitch_latency_seconds_count", (("stage", "total"),)] == 1
    await process.stop()
    assert (await process.status(1)).problem == "stopping"
    await client.close()


async def test_waits_for_its_port(process, registry, address):
    holder = await asyncio.start_server(lambda *_: None, *address)
    await process.change_registry(registry, 0)
    await problem(process, "in use")
    holder.close()
    await problem(process, None)


async def test_a_revoked_station_goes_and_the_others_stay(process, registry, address):
    await process.change_registry(registry, 0)
    await problem(process, None)
    north, south = StationClient(address, NORTH), StationClient(address, SOUTH)
    for client in (north, south):
        await client.open()
        await client.sign_on()
    secrets = registry.secrets | {NORTH: {1: bytes(range(32))}}
    await process.change_registry(replace(registry, version=2, secrets=secrets), 0)
    assert await north.until_closed() == []
    (answer,) = await south.ask(purchase(1, terminal=2001, account=account_number(1)))
    assert answer.code is Code.APPROVED
    assert (await process.status(2)).registry == 2
    stranger = StationClient(address, NORTH, KEYS[NORTH])
    with pytest.raises(ConnectionError):
        await stranger.open()
    async with StationClient(address, NORTH, bytes(range(32))):
        pass
    for client in (north, south, stranger):
        await client.close()


async def test_without_confirmation_no_sign_ons_until_it_comes(process, registry, address, monkeypatch):
    monkeypatch.setattr(gateway_process_module, "STALE_S", 0.0)
    await process.change_registry(registry, 0)
    await problem(process, None)
    signed_on = StationClient(address, SOUTH)
    async with asyncio.timeout(20):
        while failed(await process.status(2)) != ["registry"]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    refused = StationClient(address)
    await refused.open()
    answer = await refused.sign_on()
    assert (answer.code, answer.reason) == (Code.TRY_AGAIN, Reason.NOT_READY)
    assert await refused.until_closed() == []
    monkeypatch.setattr(gateway_process_module, "STALE_S", 60.0)
    assert failed(await process.status(2)) == ["registry"], "an older registry than the newest is no confirmation"
    assert failed(await process.status(1)) == []
    await signed_on.open()
    assert (await signed_on.sign_on()).code is Code.APPROVED
    for client in (refused, signed_on):
        await client.close()
