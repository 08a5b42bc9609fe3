"""What a fleet must not let pass: errors of its own, and work that has no end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from simulators import fleet as fleet_module
from simulators.auditor.auditor import Auditor
from simulators.auditor.findings import Fault
from simulators.campus import read_campus
from simulators.campus_files import write_campus
from simulators.errands import Meal
from simulators.fleet import Fleet
from simulators.plan import Visit
from simulators.population import make_population
from simulators.tally import Tally
from simulators.terminal import Terminal
from wire.codes import Code, Reason
from wire.messages import Advice, Answer, Purchase, Reconciliation

CARDS = 20
DAY = 20260901
SETTLE_SECONDS = 0.3


class Scene:
    """A campus, a switch that obeys the model, and a fleet that is connected to it."""

    def __init__(self, fleet, switch, auditor):
        self.fleet, self.switch, self.auditor = fleet, switch, auditor

    def eat(self, card=0, amount=1_000):
        self.fleet.arrive(Visit(0.0, card, Meal(0, amount)), self.fleet.started_at)

    @property
    def explanations(self):
        return [finding.explanation for finding in self.auditor.findings]


@pytest.fixture
async def scene(tmp_path, make_fake_switch, rules):
    cards = make_population(CARDS, 1)
    campus = read_campus(write_campus(tmp_path, cards).campus)
    rules = replace(rules, terminals=campus.terminals, limits=campus.limits, prices=campus.prices)
    auditor = Auditor(cards, rules)
    keys = {name: key.key for name, key in campus.keys.items()}
    async with (
        make_fake_switch(cards, rules, keys) as switch,
        Fleet(campus, switch.address, cards, auditor, Tally(1.0)) as fleet,
    ):
        await fleet.begin_day(DAY, 1)
        yield Scene(fleet, switch, auditor)


async def test_all_is_well(scene):
    for card in range(CARDS):
        scene.eat(card)
    await scene.fleet.settle(SETTLE_SECONDS * 100)
    assert await scene.fleet.end_day(DAY) == scene.fleet.tills
    assert scene.auditor.findings == []


async def test_its_own_errors_are_raised(scene, monkeypatch):
    async def serve(*_):
        raise RuntimeError("planted")

    monkeypatch.setattr(Terminal, "serve", serve)
    scene.eat()
    with pytest.raises(RuntimeError, match="planted"):
        await scene.fleet.settle(SETTLE_SECONDS)


async def test_what_does_not_end_is_a_fault(scene):
    scene.switch.interfere = lambda request, answer: None if isinstance(request, Purchase) else answer
    scene.eat()
    await scene.fleet.settle(SETTLE_SECONDS)
    assert scene.explanations == [f"1 visits, reversals or uploads have not ended within {SETTLE_SECONDS:.0f} s"]


async def test_sales_that_are_not_uploaded_are_a_fault(scene):
    def refuse(request):
        if isinstance(request, Advice):
            return Answer(request.terminal, request.stan, Code.TRY_AGAIN, Reason.BUSY_SHARD, 0, (), (), 10)
        return None

    scene.switch.refuse = refuse
    scene.fleet.cut_off(0)
    scene.eat()
    await scene.fleet.settle(SETTLE_SECONDS * 100)
    scene.auditor.findings.clear()
    scene.fleet.restore(0, seed=1)
    await scene.fleet.settle(SETTLE_SECONDS)
    assert f"1 offline sales were not uploaded within {SETTLE_SECONDS:.0f} s" in scene.explanations


async def test_visitors_who_wait_for_ever_are_a_fault(scene):
    scene.fleet.canteens[0].free.clear()
    scene.eat()
    await scene.fleet.settle(SETTLE_SECONDS)
    assert scene.explanations == [f"1 visitors were not served within {SETTLE_SECONDS:.0f} s"]


async def test_a_reconciliation_that_is_declined_is_out_of_balance(scene):
    honest = scene.switch.about_terminal

    def declined(request):
        if isinstance(request, Reconciliation):
            code, reason = Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED
            return Answer(request.terminal, request.stan, code, reason, 0, (), ())
        return honest(request)

    scene.switch.about_terminal = declined
    assert await scene.fleet.end_day(DAY) == 0
    assert {finding.fault for finding in scene.auditor.findings} == {Fault.OUT_OF_BALANCE}
    assert len(scene.auditor.findings) == scene.fleet.tills


async def test_a_campus_without_its_stations_is_refused(tmp_path, make_fake_switch, rules, monkeypatch):
    monkeypatch.setattr(fleet_module, "CONNECT_SECONDS", 0.3)
    cards = make_population(CARDS, 1)
    campus = read_campus(write_campus(tmp_path, cards).campus)
    async with make_fake_switch(cards, rules, {}) as switch:
        with pytest.raises(fleet_module.BadInputError, match="could not sign on"):
            async with Fleet(campus, switch.address, cards, Auditor(cards, rules), Tally(1.0)):
                pytest.fail("it signed on")
