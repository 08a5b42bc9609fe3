"""The capacity benchmark's arithmetic, and one short measurement of real processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from bench.capacity import SNAPSHOT_LAG_EVENTS, Figure, measure, summarise
from bench.load import EchoClient
from bench.processes import Measured, cores, running


def figure(cpu_us: float, *, approved_share: float = 1.0, lag_end: int = SNAPSHOT_LAG_EVENTS) -> Figure:
    return Figure(
        per_s=1e6 / cpu_us, cpu_us=cpu_us, load_cpu_share=0.5, approved_share=approved_share,
        lag_start=SNAPSHOT_LAG_EVENTS, lag_end=lag_end,
    )  # fmt: skip


FIGURES = {
    "echo": [figure(10), figure(20), figure(12)],
    "terminals": [figure(25), figure(40), figure(24)],
    "concentrators": [figure(8), figure(9), figure(7)],
}


def test_every_key_that_others_read_is_there() -> None:
    summary = summarise(FIGURES)
    assert summary["concentrators_per_s"] == 125_000
    assert summary["concentrators_cpu_us"] == 8
    assert summary["terminals_per_s"] == 40_000
    assert summary["terminals_cpu_us"] == 25
    assert summary["echo_per_s"] == pytest.approx(83_333.333)
    assert summary["echo_cpu_us"] == 12
    assert summary["terminals_cpu_us_spread"] == [24, 40]


def test_ratio_is_taken_within_each_repeat_and_not_of_the_medians() -> None:
    summary = summarise(FIGURES)
    assert summary["terminals_cpu_over_echo"] == 2.0
    assert summary["terminals_cpu_over_echo_spread"] == [2.0, 2.5]


@pytest.mark.parametrize(("lag_end", "grew"), [(SNAPSHOT_LAG_EVENTS, False), (2 * SNAPSHOT_LAG_EVENTS, True)])
def test_lag_that_grew_is_said(lag_end: int, grew: bool) -> None:  # noqa: FBT001 - a column of the table above
    summary = summarise(FIGURES | {"terminals": [figure(25), figure(25, lag_end=lag_end), figure(25)]})
    assert summary["terminals_snapshot_lag_grew"] is grew
    assert summary["concentrators_snapshot_lag_grew"] is False


def test_worst_approved_share_counts() -> None:
    summary = summarise(FIGURES | {"concentrators": [figure(8), figure(8, approved_share=0.5), figure(8)]})
    assert summary["concentrators_approved_share"] == 0.5


def test_cluster_is_compared_within_each_repeat() -> None:
    summary = summarise(FIGURES | {"cluster_2": [figure(10), figure(18), figure(14)]})
    assert summary["cluster_2_over_embedded"] == 0.5
    assert summary["cluster_2_over_embedded_spread"] == [0.5, 0.8]
    assert summary["cluster_2_cpu_us_over_embedded"] == 7
    assert summary["cluster_2_cpu_us_over_embedded_spread"] == [2, 9]
    assert (summary["cluster_over_embedded"], summary["cluster_cpu_us_over_embedded"]) == (0.5, 7)
    assert "cluster_1_over_embedded" not in summary


def test_what_watching_costs_is_compared_within_each_repeat() -> None:
    assert "watched_over_not" not in summarise(FIGURES)
    summary = summarise(FIGURES | {"watched": [figure(10), figure(18), figure(14)]})
    assert (summary["watched_over_not"], summary["watched_over_not_spread"]) == (0.5, [0.5, 0.8])
    assert (summary["watched_cpu_over_not"], summary["watched_cpu_over_not_spread"]) == (2, [1.25, 2])


def test_cpu_is_that_of_the_whole_family() -> None:
    busy = [sys.executable, "-c", "print(sum(range(10**7)), flush=True); input()"]
    mine = Measured(os.getpid(), ("", 0), None)
    with subprocess.Popen(busy, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        childs = Measured(child.pid, ("", 0), None).cpu_s()
        assert childs > 0
        assert mine.cpu_s() >= childs + sum(os.times()[:2]) - 1


def test_echo_is_measured(tmp_path: Path) -> None:
    core, _ = cores()
    with running(["-m", "bench.echo"], core, tmp_path / "echo.log") as echo:
        clients = [partial(EchoClient)] * 4
        measured = asyncio.run(measure(echo, clients, seconds=0.5, warm_up_s=0.05, warm_up_min=100))
        assert os.sched_getaffinity(echo.pid) == {core}
    assert measured.per_s > 0
    assert measured.cpu_us > 0
    assert measured.approved_share == 1.0
    with pytest.raises(ProcessLookupError):
        os.kill(echo.pid, 0)


def test_process_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"No module named '?bench\.nothing"):  # noqa: SIM117 - the error comes from entering
        with running(["-m", "bench.nothing"], cores()[0], tmp_path / "log"):
            pytest.fail(f"{sys.executable} found a module that does not exist")
