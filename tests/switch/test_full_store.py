"""A disk without space: terminals are told to try again, nothing is half-written, and with more space it goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec
from campus_folder import write_accounts, write_campus
from running_switch import RunningSwitch, command
from station_client import StationClient
from switch_in_process import ALICE, inquiry, purchase

from wire.codes import Code, Reason

REQUESTS_MAX = 20_000
"""A map of one MiB is full long before."""


def failed_checks(switch: RunningSwitch) -> dict[str, str]:
    """Why it is not ready, the limits of this machine left aside."""
    _, page = switch.get("/readyz")
    checks = msgspec.json.decode(page)["checks"]
    return {
        check["name"]: check["explanation"] for check in checks if not check["ok"] and check["name"] != "open-files"
    }


async def test_a_full_store(tmp_path: Path):
    data, campus = tmp_path / "data", write_campus(tmp_path)
    imported = command("import", "--data", data, write_accounts(tmp_path / "accounts.csv", 20, "9000.00"))
    assert imported.exit_code == 0
    with RunningSwitch(data, campus, "--map-size", 1) as switch:
        async with StationClient(switch.address) as client:
            approved = []
            for first in range(1, REQUESTS_MAX, 50):
                answers = await client.ask(*(purchase(stan, 1) for stan in range(first, first + 50)))
                approved += [answer for answer in answers if answer.code is Code.APPROVED]
                refused = [answer for answer in answers if answer.code is not Code.APPROVED]
                if refused:
                    break
            assert approved
            assert {(answer.code, answer.reason) for answer in refused} == {(Code.TRY_AGAIN, Reason.STORE_FULL)}
            assert "full" in failed_checks(switch)["shard-0"]
            assert switch.get("/healthz")[0] == 200
            found = switch.samples()
            assert found["tapswitch_commits_refused_total", ()] >= 1
            assert found["tapswitch_refusals_total", (("code", "91"), ("reason", "store-full"))] == len(refused)
            assert found["tapswitch_journal_position", (("shard", "0"),)] == 20 + len(approved)
            assert found["tapswitch_ledger_imbalance_minor_units", (("shard", "0"),)] == 0
            (answer,) = await client.ask(inquiry(1))
            assert answer.balances == (900_000 - len(approved),)
            assert command("verify", "--data", data).exit_code == 0
        assert switch.stop() == 0
    with RunningSwitch(data, campus) as switch:
        async with StationClient(switch.address) as client:
            again = await client.ask(*(purchase(answer.stan, 1) for answer in refused))
            assert {answer.code for answer in again} == {Code.APPROVED}
            for answer in (approved[0], approved[-1]):
                assert await client.ask(purchase(answer.stan, 1)) == [answer]
            (answer,) = await client.ask(inquiry(1))
            assert answer.balances == (900_000 - len(approved) - len(refused),)
        assert failed_checks(switch) == {}
        assert switch.stop() == 0
    assert command("verify", "--data", data).exit_code == 0
    assert command("statement", "--data", data, "--last", 1, ALICE).exit_code == 0
