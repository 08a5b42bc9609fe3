"""`tapswitch serve`: what it refuses to start with, and that it stops as it should."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lmdb
import msgspec
import pytest
import structlog
from campus_folder import KEYS, NORTH, SOUTH, SOUTH_TILL, account_number, write_campus, write_secrets
from running_cluster import until
from running_switch import RunningSwitch, command, make_data, python
from station_client import StationClient
from switch_in_process import purchase

from actors.lmdb_store import FORMAT, Made
from actors.placement import SLOTS
from switch.data_folder import create, shard_folder
from switch.secrets_file import MARKER
from switch.switch_status import SwitchStatus
from wire.codes import Code, Reason

LOOPBACK = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
EVERYWHERE = ("--listen", "0.0.0.0:0", "--http", "127.0.0.1:0")


@pytest.fixture(autouse=True)
def forget_logging():
    """The command sets up the logging of a whole process."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def campus(tmp_path) -> Path:
    return write_campus(tmp_path)


def refused(tmp_path: Path, campus: Path, *options: object) -> str:
    """Why it does not start, found before any folder is touched."""
    result = command("serve", "--data", tmp_path / "data", "--campus", campus, *(options or LOOPBACK))
    assert result.exit_code == 2, result.output
    assert not (tmp_path / "data").exists()
    return result.output


def serve_to_its_end(data: Path, campus: Path, *options: object) -> subprocess.CompletedProcess[str]:
    return python("-m", "switch.command_line", "serve", "--data", data, "--campus", campus, *(options or LOOPBACK))


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ('purchase_max = "200.00"', 'purchase_max = "cheap"', "limits.purchase_max"),
        ('time_zone = "Asia/Shanghai"', 'time_zone = "Asia/Shanghi"', "campus.time_zone"),
        ('station = "south-1"', 'station = "west-1"', "terminals[1].station"),
        ("[sessions]\n", '[sessions]\nidle_seconds = "long"\n', "sessions.idle_seconds"),
        ("[limits]", "[limit]", "limit"),
    ],
)
def test_a_mistake_in_the_campus_file_is_named(tmp_path, campus, right, wrong, key):
    assert right in campus.read_text()
    campus.write_text(campus.read_text().replace(right, wrong))
    output = refused(tmp_path, campus)
    assert str(campus) in output
    assert f"{key}:" in output


def test_a_campus_file_that_is_not_there(tmp_path):
    assert "cannot be read" in refused(tmp_path, tmp_path / "campus.toml")


def test_a_station_without_a_key(tmp_path, campus):
    write_secrets(tmp_path, {name: key for name, key in KEYS.items() if name != NORTH})
    assert f"stations.{NORTH}" in refused(tmp_path, campus)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_secrets_that_others_may_read(tmp_path, campus, mode):
    (tmp_path / "secrets.toml").chmod(mode)
    output = refused(tmp_path, campus)
    assert "wider than 0600" in output
    assert KEYS[NORTH].hex() not in output


def test_a_public_key_beyond_loopback(tmp_path, campus):
    public = MARKER + bytes(24)
    write_secrets(tmp_path, {**KEYS, NORTH: public})
    output = refused(tmp_path, campus, *EVERYWHERE)
    assert f"stations.{NORTH}" in output
    assert "public" in output
    assert public.hex() not in output


async def test_a_public_key_on_loopback(tmp_path, campus):
    public = MARKER + bytes(24)
    write_secrets(tmp_path, {**KEYS, NORTH: public})
    with RunningSwitch(make_data(tmp_path), campus) as switch:
        async with StationClient(switch.address, NORTH, public) as client:
            (answer,) = await client.ask(purchase(1))
            assert answer.authorization


def test_a_simulated_clock_beyond_loopback(tmp_path, campus):
    output = refused(tmp_path, campus, *EVERYWHERE, "--simulated-clock", "2099-09-01T10:55:00,60")
    assert "--simulated-clock" in output
    assert "loopback" in output


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "2099-09-01T10:55:00",
        "2099-13-01T10:55:00,60",
        "2099-09-01T10:55:00,0",
        "2099-09-01T10:55:00,nan",
        "2099-09-01T10:55:00+08:00,60",
        "2099-09-01T10:55:00,60,soon",
        "2099-09-01T10:55:00,60,2099-09-01T10:55:00",
        "2099-09-01T10:55:00,60,2099-09-01T10:56:00+08:00",
    ],
)
def test_a_simulated_clock_that_is_none(tmp_path, campus, text):
    assert "--simulated-clock" in refused(tmp_path, campus, *LOOPBACK, "--simulated-clock", text)


@pytest.mark.parametrize("option", ["--listen", "--http"])
@pytest.mark.parametrize("address", ["7100", "127.0.0.1", "127.0.0.1:99999", "::1:7100"])
def test_an_address_that_is_none(tmp_path, campus, option, address):
    assert option in refused(tmp_path, campus, option, address)


def test_a_data_folder_without_data(tmp_path, campus):
    assert "no data here; `tapswitch import` makes a data folder" in refused(tmp_path, campus)


def test_data_of_newer_software(tmp_path, campus):
    data = make_data(tmp_path)
    with lmdb.open(str(shard_folder(data)), max_dbs=3) as environment:
        meta = environment.open_db(b"meta", create=False)
        with environment.begin(write=True, db=meta) as transaction:
            transaction.put(b"made", msgspec.msgpack.encode(Made(FORMAT + 1, "", 0, 1)))
    done = serve_to_its_end(data, campus)
    assert done.returncode == 2
    assert f"data format {FORMAT + 1} is newer than this software's {FORMAT}" in done.stderr
    assert command("verify", "--data", data).exit_code == 2
    assert command("import", "--data", data, tmp_path / "accounts.csv").exit_code == 2


@pytest.mark.parametrize("option", ["--listen", "--http"])
def test_a_port_in_use(tmp_path, campus, option):
    data = make_data(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = serve_to_its_end(data, campus, *LOOPBACK, option, f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert "cannot start: " in done.stderr
    assert "Errno" not in done.stderr
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


async def test_it_serves_and_stops(tmp_path, campus):
    data = make_data(tmp_path)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT11:30:00")
    with RunningSwitch(data, campus, "--simulated-clock", f"{tomorrow},60") as switch:
        assert switch.get("/healthz") == (200, "alive\n")
        status, page = switch.get("/readyz")
        ready = msgspec.json.decode(page)
        checks = {check["name"]: check for check in ready["checks"]}
        open_files = checks.pop("open-files")
        assert all(check["ok"] for check in checks.values())
        assert ready["ready"] is open_files["ok"]
        assert status == (200 if open_files["ok"] else 503)
        assert ready["simulated_clock"] is True
        assert checks["clock"]["explanation"] == "simulated, 60 seconds a second"
        async with StationClient(switch.address) as client:
            (answer,) = await client.ask(purchase(1))
            assert answer.authorization
            assert switch.samples()["tapswitch_journal_position", (("shard", "0"),)] == 21
            switch.process.terminate()
            assert [type(message).__name__ for message in await client.until_closed()] == ["SignedOff"]
        assert switch.wait() == 0
        assert [line["event"] for line in switch.logged("stopping")] == ["stopping"]
        (stopped,) = switch.logged("stopped")
        assert stopped["position"] == 21


async def test_a_changed_registry(tmp_path, campus):
    data = make_data(tmp_path)
    with RunningSwitch(data, campus) as switch:
        client = StationClient(switch.address)
        await client.open()
        await client.sign_on()
        campus.write_text(campus.read_text().replace('purchase_max = "200.00"', 'purchase_max = "1.00"'))
        switch.process.send_signal(signal.SIGHUP)
        await until(lambda: switch.samples()["tapswitch_registry_version", ()] == 2)
        under, over = await client.ask(purchase(1, amount=100), purchase(2, amount=101))
        assert (under.code, over.reason) == (Code.APPROVED, Reason.PURCHASE_LIMIT)
        write_secrets(tmp_path, KEYS | {NORTH: bytes(range(32))})
        switch.process.send_signal(signal.SIGHUP)
        assert await client.until_closed() == []
        campus.write_text("[campus")
        switch.process.send_signal(signal.SIGHUP)
        await until(lambda: switch.logged("registry not changed"))
        assert switch.samples()["tapswitch_registry_version", ()] == 3
        assert switch.stop() == 0
        await client.close()


async def test_a_station_that_is_taken_out_of_the_campus_file_alone(tmp_path, campus):
    """As its operator does it: its key stays in secrets.toml."""
    data = make_data(tmp_path)
    with RunningSwitch(data, campus) as switch:
        async with StationClient(switch.address, SOUTH) as stays:
            revoked = StationClient(switch.address)
            await revoked.open()
            await revoked.sign_on()
            text = campus.read_text()
            for entry in (
                '[[stations]]\nname = "north-1"\nsite = "north"\n',
                '[[terminals]]\nnumbers = "1001-1016"\nstation = "north-1"\nmerchant = 1\nkind = "canteen"\n',
            ):
                assert entry in text
                text = text.replace(entry, "")
            campus.write_text(text)
            switch.process.send_signal(signal.SIGHUP)
            assert await revoked.until_closed() == []
            await revoked.close()
            (warning,) = switch.logged("keys without a station or terminal are ignored")
            assert (warning["level"], warning["keys"]) == ("warning", ["stations.north-1"])
            again = StationClient(switch.address)
            with pytest.raises(ConnectionError):
                await again.open()
            await again.close()
            (answer,) = await stays.ask(purchase(1, terminal=SOUTH_TILL))
            assert answer.code is Code.APPROVED
        assert switch.stop() == 0


async def test_several_shards_in_one_process(tmp_path, campus):
    shards, accounts = 3, 40
    create(tmp_path / "data", shards)
    data = make_data(tmp_path, accounts)
    with RunningSwitch(data, campus) as switch:
        async with StationClient(switch.address) as client:
            answers = await client.ask(
                *(purchase(stan, account=account_number(stan)) for stan in range(1, accounts + 1)),
                purchase(99, account="0"),
            )
        assert Counter(answer.code for answer in answers) == {Code.APPROVED: accounts, Code.NO_SUCH_ACCOUNT: 1}
        authorizations = [answer.authorization for answer in answers if answer.authorization]
        assert len(set(authorizations)) == accounts
        assert {number % SLOTS for number in authorizations} == set(range(shards))
        found = switch.samples()
        positions = [found["tapswitch_journal_position", (("shard", str(shard)),)] for shard in range(shards)]
        assert sum(positions) == 2 * accounts
        assert all(position > 0 for position in positions)
        switch.process.terminate()
        assert switch.wait() == 0
        assert sorted(line["shard"] for line in switch.logged("stopped")) == [0, 1, 2]
    assert command("verify", "--data", data).exit_code == 0


def test_a_shard_of_another_folder_is_refused(tmp_path, campus):
    for name in ("data", "other"):
        create(tmp_path / name, 2)
    shutil.rmtree(shard_folder(tmp_path / "data", 1))
    shutil.copytree(shard_folder(tmp_path / "other", 1), shard_folder(tmp_path / "data", 1))
    result = command("serve", "--data", tmp_path / "data", "--campus", campus, *LOOPBACK)
    assert result.exit_code == 2
    assert "shard 1 of 2 of another data folder" in result.output


JOINING = ("--cluster", "127.0.0.1:6379")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "--data is missing"),
        (("--cluster", "local"), "--data is missing"),
        (("--cluster", "everywhere"), "'everywhere' is not an address; expected HOST:PORT"),
        (("--cluster", "everywhere"), "[::1]:7100; or `local`"),
        (
            (*JOINING, "--data", "data"),
            "--data: not with --cluster 127.0.0.1:6379: each node says with `tapswitch cluster",
        ),
        ((*JOINING, *LOOPBACK), "--listen 127.0.0.1:0: with --cluster 127.0.0.1:6379, all nodes need the same port"),
        (("--data", "data", "--gateways", "2"), "--shards and --gateways are for --cluster"),
    ],
)
def test_where_the_data_are(campus, options, expected):
    result = command("serve", "--campus", campus, *options)
    assert result.exit_code == 2
    assert expected in " ".join(result.output.split())


def test_what_operators_see(tmp_path):
    with RunningSwitch(make_data(tmp_path), write_campus(tmp_path)) as switch:
        status, body = switch.get("/status.json")
        found = msgspec.json.decode(body, type=SwitchStatus)
        assert (status, found.ready, found.shards[0].position) == (200, True, 20)
        assert switch.get("/")[0] == 200
        frame = command("top", "--once", "--http", switch.http)
        assert (frame.exit_code, "tapswitch Test campus ready" in frame.output) == (0, True)
        assert switch.samples()["tapswitch_ready", ()] == 1
        assert switch.stop() == 0
