"""A shard's process: it waits where it must, serves, and lets go of its data."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest
import structlog
from campus_folder import account_number, write_campus
from msgspec.structs import replace
from running_switch import make_data, samples
from switch_in_process import purchase

from actors.lmdb_store import LmdbStore
from switch import cluster_process
from switch import shard_process as shard_process_module
from switch.addresses import Address
from switch.batches import ParcelSent, decode_answered, encode_parcels
from switch.clock import Clock
from switch.data_folder import shard_folder, shards_made
from switch.process_settings import Place, ProcessSettings
from switch.registry import Registry, RegistryFiles
from switch.shard_process import ShardProcess
from wire.codec import reply_decoder
from wire.codes import Code, Reason


@pytest.fixture(autouse=True)
def as_in_any_process(monkeypatch):
    monkeypatch.setattr(cluster_process, "BACK_OFF_S", (0.01,))
    monkeypatch.setattr(cluster_process, "settle_in", lambda: None)
    yield
    structlog.reset_defaults()


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path)


@pytest.fixture
def settings(data) -> ProcessSettings:
    (made,) = shards_made(data)
    return ProcessSettings(made.data_folder, Address("127.0.0.1", 0), "127.0.0.1", Clock(), 1 << 30, "error")


@pytest.fixture
def registry(tmp_path) -> Registry:
    return RegistryFiles(write_campus(tmp_path), Address("127.0.0.1", 0)).newest


@pytest.fixture
async def process(settings, data) -> AsyncIterator[ShardProcess]:
    made = ShardProcess(settings, lambda: Place("node", "127.0.0.1", data), 0, 1)
    yield made
    await made.stop()


def call(*requests: Any) -> bytes:
    return encode_parcels([ParcelSent(0, list(requests))])


def answers(reply: bytes) -> list[Any]:
    (parcel,) = decode_answered(reply).parcels
    return [reply_decoder.decode_message(answer) for answer in parcel]


async def problem(process: ShardProcess, expected: str | None) -> None:
    """Wait until the process says this of itself."""
    async with asyncio.timeout(20):
        while True:
            said = (await process.status(1)).problem
            if said == expected or (expected and said and expected in said):
                return
            await asyncio.sleep(0.005)


async def test_waits_for_a_registry_serves_and_lets_go(process, registry, data):
    assert (await process.status(1)).problem == "waits for the registry"
    asked = asyncio.create_task(process.answer(call(purchase(1, account=account_number(1)))))
    await process.change_registry(registry, 0)
    (answer,) = answers(await asked)
    assert answer.code is Code.APPROVED
    status = await process.status(1)
    assert (status.problem, status.registry, status.node) == (None, 1, "node")
    assert (status.position, status.snapshot_lag, status.imbalance) == (21, 1, 0)
    assert (status.first_slot, status.last_slot) == (0, 4_095)
    assert [(check.name, check.ok) for check in status.checks] == [("map", True), ("disk", True), ("clock", True)]
    await process.stop()
    (refused,) = answers(await process.answer(call(purchase(2, account=account_number(1)))))
    assert (refused.code, refused.reason) == (Code.TRY_AGAIN, Reason.STOPPING)
    LmdbStore.open(shard_folder(data)).close()


async def test_its_metrics(process, registry):
    await process.change_registry(registry, 0)
    await problem(process, None)
    await process.answer(call(purchase(1, account=account_number(1))))
    address = (await process.status(1)).http
    async with aiohttp.ClientSession(f"http://{address}") as session, session.get("/metrics") as response:
        found = samples(await response.text())
    assert found["tapswitch_journal_position", (("shard", "0"),)] == 21
    assert found["tapswitch_authorizations_total", (("code", "00"), ("service", "purchase"))] == 1
    stages = {dict(labels).get("stage") for name, labels in found if name == "tapswitch_latency_seconds_count"}
    assert stages == {"queue", "decide", "commit"}, "the total is the gateway's"


async def test_waits_for_its_data_and_what_waited_too_long_is_too_late(process, registry, data):
    held = LmdbStore.open(shard_folder(data))
    await process.change_registry(registry, 0)
    began = monotonic()
    asked = [
        asyncio.create_task(process.answer(call(purchase(stan, account=account_number(1), wait_ms=wait_ms))))
        for stan, wait_ms in ((1, 20), (2, 60_000))
    ]
    await problem(process, "another process is writing to this data folder")
    async with asyncio.timeout(20):
        while monotonic() - began < 0.05:  # noqa: ASYNC110 - the terminal's patience, and nothing else, must end
            await asyncio.sleep(0.005)
    held.close()
    (late,), (approved,) = [answers(await one) for one in asked]
    assert (late.code, late.reason) == (Code.TOO_LATE, Reason.WAITED_TOO_LONG)
    assert approved.code is Code.APPROVED


async def test_calls_end_with_their_terminals_patience_while_it_does_not_start(process, registry, data):
    held = LmdbStore.open(shard_folder(data))
    await process.change_registry(registry, 0)
    await problem(process, "another process is writing to this data folder")
    requests = [purchase(stan, account=account_number(1), wait_ms=20) for stan in (1, 2)]
    waited_already = encode_parcels([ParcelSent(60_000, [purchase(3, account=account_number(1), wait_ms=60_000)])])
    async with asyncio.timeout(20):
        for sent in call(*requests), waited_already:
            for answer in answers(await process.answer(sent)):
                assert (answer.code, answer.reason) == (Code.TOO_LATE, Reason.WAITED_TOO_LONG)
    assert process.meters.refusals == {(int(Code.TOO_LATE), Reason.WAITED_TOO_LONG.value): 3}
    held.close()


async def test_another_folder_in_its_place_is_refused(process, registry, data, tmp_path):
    (tmp_path / "other").mkdir()
    other = make_data(tmp_path / "other")
    shutil.move(data, tmp_path / "kept")
    shutil.copytree(other, data)
    await process.change_registry(registry, 0)
    await problem(process, "this is another data folder")
    shutil.rmtree(data)
    shutil.move(tmp_path / "kept", data)
    await problem(process, None)


async def test_an_older_copy_of_its_data_is_refused(process, registry):
    await process.change_registry(registry, 21)
    await problem(process, "its journal ends at position 20, but it has been at 21: this is an older copy")


async def test_the_data_where_they_were_seen_are_not(process, registry):
    await process.change_registry(registry, 20)
    await problem(process, None)


async def test_an_error_that_nobody_expects_is_shown_and_tried_again(process, registry, monkeypatch):
    real = shard_process_module.recover_shard

    def fail(_store: Any) -> None:
        raise AssertionError("cannot be")

    monkeypatch.setattr(shard_process_module, "recover_shard", fail)
    await process.change_registry(registry, 0)
    await problem(process, "cannot be")
    monkeypatch.setattr(shard_process_module, "recover_shard", real)
    await problem(process, None)


async def test_stopped_while_it_waits(process, registry, data):
    held = LmdbStore.open(shard_folder(data))
    await process.change_registry(registry, 0)
    await problem(process, "another process is writing")
    await process.stop()
    held.close()
    LmdbStore.open(shard_folder(data)).close()


async def test_goes_by_the_newest_registry(process, registry, data):
    held = LmdbStore.open(shard_folder(data))
    await process.change_registry(registry, 0)
    await problem(process, "another process is writing")
    await process.change_registry(without_terminals(registry, 2), 0)
    held.close()
    await problem(process, None)
    (refused,) = answers(await process.answer(call(purchase(1, account=account_number(1)))))
    assert refused.reason is Reason.SERVICE_NOT_OFFERED
    await process.change_registry(replace(registry, version=3), 0)
    (approved,) = answers(await process.answer(call(purchase(2, account=account_number(1)))))
    assert approved.code is Code.APPROVED
    assert (await process.status(3)).registry == 3


def without_terminals(registry: Registry, version: int) -> Registry:
    campus = registry.campus
    return replace(registry, version=version, campus=replace(campus, policy=replace(campus.policy, terminals={})))
