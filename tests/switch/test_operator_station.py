"""An operator station at a real gateway: a loss takes effect before its reply leaves, and the role is the key's."""

from __future__ import annotations

from typing import Any

from campus_folder import DESK, KEYS, NORTH, OFFICE, OPERATOR, SOUTH, SOUTH_TILL, TILL, card_of
from msgspec.structs import replace
from station_client import StationClient
from switch_in_process import ALICE, BALANCE, gateway_in_process, purchase

from actors.memory_store import MemoryStore
from simulators.campus import StationKey
from simulators.operator import WAIT_MS, give
from simulators.station import Address
from wire.codes import Code, Reason
from wire.messages import (
    ActivateCard,
    Answer,
    FreezeCard,
    GrantSubsidy,
    OfficeRequest,
    OpenAccount,
    Refund,
    ReportLoss,
    Settlement,
    SettleSuspicion,
)

NOBODY = "20269999"


def told(answer: Any) -> tuple[Code, Reason]:
    return answer.code, answer.reason


async def test_next_purchase_after_the_reply_is_declined(tmp_path):
    async with (
        gateway_in_process(tmp_path, MemoryStore()) as switch,
        StationClient(switch.address, DESK) as desk,
        StationClient(switch.address, NORTH) as till,
    ):
        assert told((await till.ask(purchase(1)))[0]) == (Code.APPROVED, Reason.NONE)
        (answer,) = await desk.ask(ReportLoss(OPERATOR, 1, WAIT_MS, ALICE, "wu"))
        assert answer == Answer(OPERATOR, 1, Code.APPROVED, Reason.NONE, 0, (), ())
        assert told((await till.ask(purchase(2)))[0]) == (Code.LOST_CARD, Reason.CARD_LOST)


async def test_role_and_station_decide_who_may_command(tmp_path):
    freeze = FreezeCard(OPERATOR, 1, WAIT_MS, ALICE, "wu")
    async with gateway_in_process(tmp_path, MemoryStore()) as switch:
        async with StationClient(switch.address, DESK) as desk:
            assert told((await desk.ask(freeze))[0]) == (Code.NOT_PERMITTED_TO_CARDHOLDER, Reason.BEYOND_ROLE)
            other = FreezeCard(TILL, 1, WAIT_MS, ALICE, "wu")
            assert told((await desk.ask(other))[0]) == (Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)
        async with StationClient(switch.address, OFFICE) as office:
            assert told((await office.ask(freeze))[0]) == (Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)
        async with StationClient(switch.address, NORTH) as till:
            other = FreezeCard(TILL, 1, WAIT_MS, ALICE, "wu")
            service = (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)
            assert told((await till.ask(other))[0]) == service
            assert told((await till.ask(purchase(2)))[0]) == (Code.APPROVED, Reason.NONE)
        counted = switch.inside.meters.answers
        assert counted["freeze", Code.NOT_PERMITTED_TO_CARDHOLDER] == 1
        assert counted["freeze", Code.NOT_PERMITTED_TO_TERMINAL] == 1


async def test_an_operator_may_name_what_any_terminal_sent(tmp_path):
    """A till may name only what the terminals of its own station sent."""
    async with gateway_in_process(tmp_path, MemoryStore()) as switch:
        async with StationClient(switch.address, SOUTH) as till:
            assert told((await till.ask(purchase(1, terminal=SOUTH_TILL)))[0]) == (Code.APPROVED, Reason.NONE)
        settled = SettleSuspicion(OPERATOR, 1, WAIT_MS, ALICE, "wu", SOUTH_TILL, 1, Settlement.ACCEPT, "seen")
        async with StationClient(switch.address, DESK) as desk:
            assert told((await desk.ask(settled))[0]) == (Code.INVALID_TRANSACTION, Reason.NOT_SUSPICIOUS)
        async with StationClient(switch.address, NORTH) as other:
            refunded = Refund(TILL, 1, WAIT_MS, ALICE, SOUTH_TILL, 1, 1)
            assert told((await other.ask(refunded))[0]) == (Code.SECURITY, Reason.TERMINAL_NOT_OF_STATION)
            by_till = replace(settled, terminal=TILL)
            service = (Code.NOT_PERMITTED_TO_TERMINAL, Reason.SERVICE_NOT_OFFERED)
            assert told((await other.ask(by_till))[0]) == service


async def test_account_is_opened_and_activated_over_the_wire(tmp_path):
    def opened(stan: int) -> OfficeRequest:
        return OpenAccount(OPERATOR, stan, WAIT_MS, NOBODY, "wu", card_of(NOBODY), 20991231, "student")

    def activated(stan: int) -> OfficeRequest:
        return ActivateCard(OPERATOR, stan, WAIT_MS, NOBODY, "wu")

    async with gateway_in_process(tmp_path, MemoryStore()) as switch:
        desk = Address(*switch.address), DESK, StationKey(1, KEYS[DESK])
        first = await give(*desk, opened, 1)
        assert first.reply == Answer(OPERATOR, 1, Code.APPROVED, Reason.NONE, 0, (0,), ())
        assert (await give(*desk, opened, 1)).reply == first.reply
        assert told((await give(*desk, opened, 2)).reply) == (Code.INVALID_TRANSACTION, Reason.ACCOUNT_EXISTS)
        given = await give(*desk, activated, None)
        assert given.request.stan > 1_000_000_000_000_000
        assert told(given.reply) == (Code.APPROVED, Reason.NONE)
        async with StationClient(switch.address, NORTH) as till:
            answer = (await till.ask(purchase(9, 100, account=NOBODY)))[0]
            assert told(answer) == (Code.INSUFFICIENT_FUNDS, Reason.FUNDS)


async def test_granted_subsidy_pays_for_the_next_purchase(tmp_path):
    """The claim is an event that answers nobody: it is counted as no answer, and every other answer is."""
    async with (
        gateway_in_process(tmp_path, MemoryStore()) as switch,
        StationClient(switch.address, DESK) as desk,
        StationClient(switch.address, NORTH) as till,
    ):
        granted = GrantSubsidy(OPERATOR, 1, WAIT_MS, ALICE, "wu", "2026-09", 70, 99991231)
        assert told((await desk.ask(granted))[0]) == (Code.APPROVED, Reason.NONE)
        (answer,) = await till.ask(purchase(1, 100))
        assert (answer.code, answer.paid, answer.balances) == (Code.APPROVED, (30, 70), (BALANCE - 30, 0))
        again = replace(granted, stan=2)
        assert told((await desk.ask(again))[0]) == (Code.INVALID_TRANSACTION, Reason.GRANTED_BEFORE)
        assert dict(switch.inside.meters.answers) == {
            ("grant-subsidy", Code.APPROVED): 1,
            ("purchase", Code.APPROVED): 1,
            ("grant-subsidy", Code.INVALID_TRANSACTION): 1,
        }
