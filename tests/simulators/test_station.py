"""A station connects, keeps its session alive, and says what keeps it from connecting."""

from __future__ import annotations

import asyncio
import socket

import pytest

from simulators.campus import StationKey
from simulators.station import Address, Station
from wire.messages import BalanceInquiry, SignOff

INQUIRY = BalanceInquiry(1001, 1, 2_000, "20260001", "C0020260001")


@pytest.fixture
def replies():
    return []


@pytest.fixture
async def run():
    """Start a station; it is stopped at the end of the test."""
    tasks = []

    def start(station):
        tasks.append(asyncio.create_task(station.run()))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_many_requests_in_one_record(fake_switch, station_key, replies, run, eventually):
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    run(station)
    limits = await station.ready()
    assert limits.in_flight_max == 256
    requests = [BalanceInquiry(1001, stan, 2_000, "20260001", "C0020260001") for stan in range(1, 101)]
    assert all(station.send(request) for request in requests)
    await eventually(lambda: len(replies) == len(requests))
    assert [reply.stan for reply in replies] == list(range(1, 101))


async def test_nothing_is_sent_before_it_is_signed_on(fake_switch, station_key, replies):
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    assert not station.connected
    assert not station.send(INQUIRY)
    assert fake_switch.received == []


async def test_it_comes_back_after_a_loss(fake_switch, station_key, replies, run, eventually):
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    run(station)
    await station.ready()
    fake_switch.drop_connections()
    await eventually(lambda: not station.connected)
    await station.ready()
    assert (fake_switch.sessions, station.connects) == (2, 2)
    assert station.send(INQUIRY)
    await eventually(lambda: replies)


async def test_cut_off_and_restored(fake_switch, station_key, replies, run, eventually):
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    run(station)
    await station.ready()
    station.cut_off()
    await eventually(lambda: not station.connected)
    await eventually(lambda: not fake_switch.writers)
    assert station.is_cut_off
    assert not station.send(INQUIRY)
    assert fake_switch.sessions == 1
    station.restore()
    await station.ready()
    assert (station.is_cut_off, fake_switch.sessions) == (False, 2)


async def test_cut_off_before_it_is_signed_on(fake_switch, station_key, replies, run, eventually):
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    run(station)
    station.cut_off()
    await eventually(lambda: not fake_switch.writers)
    assert not station.connected
    station.restore()
    await station.ready()
    assert station.connected


async def test_its_clock_runs_at_the_rate_of_the_switchs(fake_switch, station_key, replies, run):
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    run(station)
    await station.ready()
    station.signed_on_at -= 2.0
    assert station.clock_us(100.0) - fake_switch.time_us >= 200_000_000
    assert station.clock_us(1.0) < station.clock_us(100.0)


async def test_it_signs_off_when_it_is_stopped(fake_switch, station_key, replies, run):
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    task = run(station)
    await station.ready()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert fake_switch.signed_off == [SignOff()]
    assert not station.connected


async def test_echo_keeps_the_session(fake_switch, station_key, replies, run, eventually):
    fake_switch.echo_interval_ms = 1_000
    station = Station(fake_switch.address, "north-1", station_key, replies.append)
    run(station)
    await eventually(lambda: fake_switch.echoes)
    assert station.connected


async def test_a_wrong_key_is_told(fake_switch, replies, run, eventually):
    station = Station(fake_switch.address, "north-1", StationKey(1, bytes(32)), replies.append)
    run(station)
    await eventually(lambda: "north-1" in station.last_trouble)
    assert not station.connected


async def test_a_switch_that_says_nothing_is_told(silent, station_key, replies, run, eventually):
    station = Station(silent, "north-1", station_key, replies.append)
    assert station.last_trouble == "it has not tried yet"
    run(station)
    expected = f"{silent}, station north-1: connected, but nothing came from the switch"
    await eventually(lambda: station.last_trouble == expected)


async def test_nobody_listens(station_key, replies, run, eventually):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address(*taken.getsockname())
        station = Station(address, "north-1", station_key, replies.append)
        run(station)
        await eventually(lambda: str(address) in station.last_trouble)
