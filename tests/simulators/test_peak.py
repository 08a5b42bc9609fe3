"""A whole small lunch over real connections, against a switch that is right and against one that is not."""

from __future__ import annotations

import json
from datetime import date
from itertools import count, repeat
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from simulators.accounts import CardState, write_accounts
from simulators.bad_input import BadInputError
from simulators.campus import read_campus
from simulators.campus_files import write_campus
from simulators.peak import Running, peak_connected
from simulators.population import make_population
from simulators.scenario import LUNCHES, scenario_named
from simulators.scene import Settings
from wire.messages import Purchase

CARDS = 300
REPORT_KEYS = {
    "seed", "cards", "scenario", "speed", "offered", "answered", "approved", "declined_by_code", "retried", "reversed",
    "lost", "doubled", "decisions_by_service", "sold_offline", "tills_in_balance", "imbalance_minor_units",
    "switch_counts_agree", "latency_ms", "versions",
}  # fmt: skip


@pytest.fixture
def scene(tmp_path, make_fake_switch, rules):
    cards = make_population(CARDS, 1)
    files = write_campus(tmp_path, cards)
    campus = read_campus(files.campus)
    keys = {name: key.key for name, key in campus.keys.items()}
    rules = msgspec.structs.replace(
        rules, terminals=campus.terminals, limits=campus.limits, prices=campus.prices, pin_keys=campus.pin_keys
    )
    return files, make_fake_switch(cards, rules, keys)


def is_asked(card):
    """Whether a switch tells what the card holds; the others stay at home."""
    return card.state is CardState.ACTIVE and card.expires > date(2026, 9, 1)


async def run_lunch(files, switch, folder: Path, http: str | None = None, scenario=LUNCHES["stress"]):
    settings = Settings(CARDS, scenario, scenario.seconds / 0.5, 1, folder)
    running = Running(switch.address, http, files.campus, files.accounts)
    return await peak_connected(settings, running, Console(quiet=True))


async def test_a_right_switch(scene, tmp_path):
    files, fake = scene
    async with fake as switch:
        report = await run_lunch(files, switch, tmp_path / "report")
    assert report.holds, report.findings
    assert report.offered == report.answered == report.approved + sum(report.declined_by_code.values())
    assert (report.lost, report.doubled) == (0, 0)
    assert report.switch_counts_agree is None
    assert report.imbalance_minor_units is None
    assert report.balances_checked > 0.9 * CARDS
    assert report.tills_in_balance == report.tills > 50
    assert (report.sold_offline, report.turned_away) == (0, 0)
    assert report.retried + report.reversed > 0


async def test_the_report_is_complete(scene, tmp_path):
    files, fake = scene
    async with fake as switch:
        report = await run_lunch(files, switch, tmp_path / "report")
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written.keys() >= REPORT_KEYS
    for kind in ("intended", "actual"):
        assert written["latency_ms"][kind].keys() == {"p50", "p90", "p99", "p999", "max"}
    assert written["offered"] == report.offered
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "The audit holds" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


async def test_a_switch_that_forgets_and_one_that_charges_twice(scene, tmp_path):
    files, fake = scene
    harmed = []

    def interfere(request, answer):
        if isinstance(request, Purchase) and answer.authorization and len(harmed) < 2:
            error = request.amount if not harmed else -request.amount
            world = fake.worlds[request.account]
            main, *others = world.purses
            fake.worlds[request.account] = msgspec.structs.replace(world, purses=(main + error, *others))
            harmed.append(request.account)
        return answer

    async with fake as switch:
        switch.interfere = interfere
        report = await run_lunch(files, switch, tmp_path / "report")
    assert not report.holds
    assert (report.lost, report.doubled) == (1, 1)
    assert [finding.account for finding in sorted(report.findings, key=lambda f: harmed.index(f.account))] == harmed
    assert "The audit is broken" in (tmp_path / "report" / "report.html").read_text()


async def test_what_a_cut_off_canteen_sold_is_uploaded(scene, tmp_path):
    files, fake = scene
    async with fake as switch:
        report = await run_lunch(files, switch, tmp_path / "report", scenario=scenario_named("outage", "stress"))
    assert report.holds, report.findings
    assert report.sold_offline > 20
    assert report.decisions_by_service["advice"] == {"00": report.sold_offline}
    assert report.offered == report.answered + report.sold_offline + report.turned_away
    assert "sold offline" in (tmp_path / "report" / "report.html").read_text()


async def test_a_subsidy_for_every_student(scene, tmp_path):
    files, fake = scene
    async with fake as switch:
        report = await run_lunch(files, switch, tmp_path / "report", scenario=scenario_named("subsidy-morning", ""))
    assert report.holds, report.findings
    students = [card for card in make_population(CARDS, 1) if card.person_class == "student" and is_asked(card)]
    assert report.decisions_by_service["grant-subsidy"] == {"00": len(students)}
    claimed = [world for world in fake.worlds.values() if world.batches and not world.grants]
    assert claimed, "a tap claims what was granted"


async def test_a_switch_whose_tills_do_not_agree(scene, tmp_path):
    files, fake = scene

    def interfere(request, answer):
        if isinstance(request, Purchase) and answer.authorization and not harmed:
            harmed.append(request.terminal)
            fake.takings[request.terminal]["purchase"] += 1
        return answer

    harmed: list[int] = []
    async with fake as switch:
        switch.interfere = interfere
        report = await run_lunch(files, switch, tmp_path / "report")
    assert report.faults == {"out-of-balance": 1}
    assert [finding.terminal for finding in report.findings] == harmed
    assert report.tills_in_balance == report.tills - 1


async def test_a_switch_whose_hot_list_lacks_a_card(scene, tmp_path):
    files, fake = scene
    async with fake as switch:
        switch.hot_cards = {"C-of-somebody-else": "lost"}
        report = await run_lunch(files, switch, tmp_path / "report")
    assert report.faults.keys() == {"wrong-hot-list"}
    assert len({finding.terminal for finding in report.findings}) > 1


async def test_fewer_accounts_than_cards_asked_for(scene, tmp_path):
    files, fake = scene
    write_accounts(files.accounts, make_population(2, 1))
    async with fake as switch:
        with pytest.raises(Exception, match="--cards 300"):
            await run_lunch(files, switch, tmp_path / "report")


@pytest.mark.parametrize(
    ("started", "agree"),
    [(count(), None), (repeat(1), False)],
    ids=["started again meanwhile", "the same process"],
)
async def test_a_switch_that_counted_nothing(scene, tmp_path, started, agree):
    files, fake = scene

    async def metrics(_request: web.Request) -> web.Response:
        imbalance = 'tapswitch_ledger_imbalance_minor_units{shard="0"} 0.0'
        return web.Response(text=f"{imbalance}\nprocess_start_time_seconds {next(started)}.0\n")

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    async with fake as switch, TestServer(application) as server:
        report = await run_lunch(files, switch, tmp_path / "report", f"{server.host}:{server.port}")
    assert report.switch_counts_agree is agree
    assert report.imbalance_minor_units == 0
    assert report.holds is (agree is not False)


async def test_an_address_without_metrics(scene, tmp_path):
    files, fake = scene
    async with fake as switch, TestServer(web.Application()) as server:
        http = f"{server.host}:{server.port}"
        with pytest.raises(BadInputError, match=f"--http {http}: no metrics of a switch there"):
            await run_lunch(files, switch, tmp_path / "report", http)
