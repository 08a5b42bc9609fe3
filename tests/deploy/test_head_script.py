"""What the head's pod runs: `tapswitch serve` and the node under it, as processes of a shell."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

MANIFEST = Path(__file__).parents[2] / "deploy/kuberay/raycluster.yaml"
WAIT_S_MAX = 60.0
TAPSWITCH = """\
#!{python}
import os, signal, sys

name = "serve" if sys.argv[1] == "serve" else "node"

def say(what):
    os.write(1, f"{{name}} {{what}} {{os.getpid()}}\\n".encode())

heeded = signal.SIGTERM, signal.SIGHUP
signal.pthread_sigmask(signal.SIG_BLOCK, heeded)
say("begins")
while signal.sigwait(heeded) == signal.SIGHUP:
    say("reads")
say("ends")
"""


class HeadPod:
    """The script, with processes that only say what happens to them."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def says(self) -> tuple[str, int]:
        """What happens next, and to which process."""
        async with asyncio.timeout(WAIT_S_MAX):
            line = (await self.process.stdout.readline()).decode().rstrip()
        what, _, pid = line.rpartition(" ")
        return what, int(pid)

    async def say_both(self) -> dict[str, int]:
        return dict([await self.says(), await self.says()])

    async def ended(self) -> int:
        async with asyncio.timeout(WAIT_S_MAX):
            assert await self.process.stdout.read() == b""
            return await self.process.wait()


@pytest.fixture
def campus(tmp_path) -> Path:
    """Files as a Secret's volume has them for a pod with an fsGroup."""
    folder = tmp_path / "etc"
    folder.mkdir()
    for name in ("campus.toml", "secrets.toml"):
        (folder / name).write_text("old", "utf-8")
        (folder / name).chmod(0o440)
    return folder


@pytest.fixture
async def pod(tmp_path, campus) -> AsyncIterator[HeadPod]:
    head = yaml.safe_load(MANIFEST.read_text("utf-8"))["spec"]["headGroupSpec"]
    (container,) = head["template"]["spec"]["containers"]
    programs, copies = tmp_path / "bin", tmp_path / "run"
    programs.mkdir()
    copies.mkdir()
    (programs / "tapswitch").write_text(TAPSWITCH.format(python=sys.executable), "utf-8")
    (programs / "tapswitch").chmod(0o755)
    script = container["args"][0].replace("/etc/tapswitch", str(campus)).replace("/run/tapswitch", str(copies))
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "POD_IP": "127.0.0.2"}
    process = await asyncio.create_subprocess_exec(
        *container["command"], script, env=environment, stdout=PIPE, start_new_session=True
    )
    yield HeadPod(process)
    with suppress(ProcessLookupError):  # nothing is left of it
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def test_sigterm_ends_serve_and_then_the_node(pod):
    await pod.say_both()
    pod.process.send_signal(signal.SIGTERM)
    assert [(await pod.says())[0], (await pod.says())[0]] == ["serve ends", "node ends"]
    assert await pod.ended() == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_serve_is_started_again_beside_its_node(pod, how):
    begun = await pod.say_both()
    for _ in range(2):
        os.kill(begun["serve begins"], how)
        if how == signal.SIGTERM:
            assert (await pod.says())[0] == "serve ends"
        what, begun["serve begins"] = await pod.says()
        assert what == "serve begins"
    pod.process.send_signal(signal.SIGTERM)
    assert await pod.says() == ("serve ends", begun["serve begins"])
    assert await pod.says() == ("node ends", begun["node begins"])
    assert await pod.ended() == 0


async def test_a_lost_node_ends_everything(pod):
    begun = await pod.say_both()
    os.kill(begun["node begins"], signal.SIGKILL)
    assert await pod.says() == ("serve ends", begun["serve begins"])
    assert await pod.ended() == 1


async def test_sighup_brings_the_newest_files_to_serve(pod, campus, tmp_path):
    begun = await pod.say_both()
    copies = [tmp_path / "run" / name for name in ("campus.toml", "secrets.toml")]
    for name in ("campus.toml", "secrets.toml"):
        (campus / name).unlink()
        (campus / name).write_text("new", "utf-8")
        (campus / name).chmod(0o440)
    # Once only: a signal that comes in the moment before bash's `wait -n` blocks waits for the next one.
    pod.process.send_signal(signal.SIGHUP)
    assert await pod.says() == ("serve reads", begun["serve begins"])
    assert [copy.read_text("utf-8") for copy in copies] == ["new", "new"]
    assert {stat.S_IMODE(copy.stat().st_mode) for copy in copies} == {0o600}
    pod.process.send_signal(signal.SIGTERM)
    assert [(await pod.says())[0], (await pod.says())[0]] == ["serve ends", "node ends"]
    assert await pod.ended() == 0
