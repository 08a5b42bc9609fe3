"""A shard's process: it starts by itself, waits where it must, and lets go of its data."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import structlog
from campus_folder import account_number, write_campus
from running_switch import make_data
from switch_in_process import purchase

from actors.lmdb_store import LmdbStore
from switch import interpreter
from switch import shard_process as shard_process_module
from switch.addresses import Address
from switch.batches import ParcelSent, decode_answered, encode_parcels
from switch.clock import Clock
from switch.data_folder import shard_folder
from switch.process_settings import ProcessSettings
from switch.shard_process import ShardProcess
from wire.codec import reply_decoder
from wire.codes import Code, Reason


@pytest.fixture(autouse=True)
def as_in_any_process(monkeypatch):
    monkeypatch.setattr(shard_process_module, "BACK_OFF_S", (0.01,))
    monkeypatch.setattr(shard_process_module, "settle_in", lambda: None)
    assert interpreter.settle_in is not shard_process_module.settle_in, "a test's process is left as it is"
    yield
    structlog.reset_defaults()


@pytest.fixture
def data(tmp_path) -> Path:
    return make_data(tmp_path)


@pytest.fixture
def settings(tmp_path, data) -> ProcessSettings:
    campus = write_campus(tmp_path)
    store = LmdbStore.open_read_only(shard_folder(data))
    identity = store.made.data_folder
    store.close()
    return ProcessSettings(
        data, identity, campus, campus.with_name("secrets.toml"), Address("127.0.0.1", 0), Clock(), 1 << 30, "error"
    )


def call(*requests: Any) -> bytes:
    return encode_parcels([ParcelSent(0, list(requests))])


def answers(reply: bytes) -> list[Any]:
    (parcel,) = decode_answered(reply).parcels
    return [reply_decoder.decode_message(answer) for answer in parcel]


async def problem(process: ShardProcess, expected: str | None) -> None:
    """Wait until the process says this of itself."""
    async with asyncio.timeout(20):
        while True:
            said = (await process.status()).problem
            if said == expected or (expected and said and expected in said):
                return
            await asyncio.sleep(0.005)


async def test_starts_when_first_asked_and_lets_go(settings, data):
    process = ShardProcess(settings, 0, 1)
    await problem(process, None)
    (answer,) = answers(await process.answer(call(purchase(1, account=account_number(1)))))
    assert answer.code is Code.APPROVED
    status = await process.status()
    assert (status.position, status.snapshot_lag, status.imbalance) == (21, 1, 0)
    assert (status.first_slot, status.last_slot) == (0, 4_095)
    await process.stop()
    (refused,) = answers(await process.answer(call(purchase(2, account=account_number(1)))))
    assert (refused.code, refused.reason) == (Code.TRY_AGAIN, Reason.STOPPING)
    LmdbStore.open(shard_folder(data)).close()


async def test_waits_for_its_data_and_what_waited_too_long_is_too_late(settings, data):
    held = LmdbStore.open(shard_folder(data))
    process = ShardProcess(settings, 0, 1)
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
    await process.stop()


async def test_another_folder_in_its_place_is_refused(settings, data, tmp_path):
    (tmp_path / "other").mkdir()
    other = make_data(tmp_path / "other")
    shutil.move(data, tmp_path / "kept")
    shutil.copytree(other, data)
    process = ShardProcess(settings, 0, 1)
    await problem(process, "this is another data folder")
    shutil.rmtree(data)
    shutil.move(tmp_path / "kept", data)
    await problem(process, None)
    await process.stop()


async def test_an_error_that_nobody_expects_is_shown_and_tried_again(settings, monkeypatch):
    real = shard_process_module.recover_shard

    def fail(_store: Any) -> None:
        raise AssertionError("cannot be")

    monkeypatch.setattr(shard_process_module, "recover_shard", fail)
    process = ShardProcess(settings, 0, 1)
    await problem(process, "cannot be")
    monkeypatch.setattr(shard_process_module, "recover_shard", real)
    await problem(process, None)
    await process.stop()


async def test_stopped_while_it_waits(settings, data):
    held = LmdbStore.open(shard_folder(data))
    process = ShardProcess(settings, 0, 1)
    await problem(process, "another process is writing")
    await process.stop()
    held.close()
    LmdbStore.open(shard_folder(data)).close()
