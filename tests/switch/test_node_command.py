"""`tapswitch cluster node`: what it starts Ray with, and what it refuses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from running_switch import command

from switch import node_command
from switch.data_folder import create, shards_made
from switch.node_resources import DATA_VARIABLE, GATEWAY, shard_resource

JOIN = ("--join", "127.0.0.2:6379")


class ReplacedError(Exception):
    """The process would be another program now."""


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """As on a machine with a token in the environment; what the command sets is forgotten."""
    before = dict(os.environ)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 32)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield
    os.environ.clear()
    os.environ.update(before)


def started(monkeypatch: pytest.MonkeyPatch, *options: object) -> list[str]:
    """The arguments with which Ray is started."""
    replaced: list[str] = []

    def execv(program: str, arguments: list[str]) -> None:
        assert program == sys.executable
        replaced.extend(arguments)
        raise ReplacedError

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(node_command, "start_watching", lambda: None)
    result = command("cluster", "node", *options)
    assert isinstance(result.exception, ReplacedError), result.output
    assert replaced[:4] == [sys.executable, "-m", "ray.scripts.scripts", "start"]
    assert "--block" in replaced
    return replaced


def offered(arguments: list[str]) -> dict[str, int]:
    (text,) = [argument for argument in arguments if argument.startswith("--resources=")]
    return json.loads(text.removeprefix("--resources="))


def test_a_head(monkeypatch):
    arguments = started(monkeypatch, "--head", "127.0.0.2:6379")
    assert {"--head", "--port=6379", "--node-ip-address=127.0.0.2", "--include-dashboard=false"} <= set(arguments)
    assert offered(arguments) == {}
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_memory_monitor_refresh_ms"] == "0"  # noqa: SIM112 - it is Ray's


def test_a_machine_with_data_and_gateways(monkeypatch, tmp_path):
    data = tmp_path / "data"
    create(data, 2)
    arguments = started(monkeypatch, *JOIN, "--host", "127.0.0.3", "--data", data, "--gateways", 2)
    assert {"--address=127.0.0.2:6379", "--node-ip-address=127.0.0.3"} <= set(arguments)
    name = shards_made(data)[0].data_folder
    assert offered(arguments) == {shard_resource(name, 0, 2): 1, shard_resource(name, 1, 2): 1, GATEWAY: 2}
    assert os.environ[DATA_VARIABLE] == str(data)


def test_a_token_in_a_file(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("b" * 32)
    assert started(monkeypatch, *JOIN)


def refused(*options: object) -> str:
    result = command("cluster", "node", *options)
    assert result.exit_code == 2, result.output
    return result.output


def test_without_a_token(monkeypatch):
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    assert "no token: make one with `ray get-auth-token --generate`" in refused(*JOIN)


@pytest.mark.parametrize("options", [(), ("--head", "127.0.0.2:6379", *JOIN)])
def test_neither_head_nor_joining_or_both(options):
    assert "either --head HOST:PORT or --join HOST:PORT" in refused(*options)


@pytest.mark.parametrize("gateways", [0, 1])
def test_a_folder_without_data(tmp_path: Path, gateways: int):
    assert f"--data {tmp_path}: no shard's data are there" in refused(*JOIN, "--data", tmp_path, "--gateways", gateways)


def test_data_that_cannot_be_read(tmp_path: Path):
    create(tmp_path / "data")
    (tmp_path / "data/shard-0000/data.mdb").write_bytes(b"nothing")
    assert "--data:" in refused(*JOIN, "--data", tmp_path / "data")
