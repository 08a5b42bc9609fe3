"""The page at `/`: what is sent, and what a real browser makes of it."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from example_status import STATUS
from msgspec.structs import replace

from switch.http import HttpServer
from switch.readiness import Check
from switch.status_page import status_pages
from switch.switch_status import SwitchStatus

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BROWSER_SECONDS_MAX = 60
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: a real browser is what is tested")


@asynccontextmanager
async def served(status: Callable[[], SwitchStatus] = lambda: STATUS) -> AsyncIterator[str]:
    server = HttpServer(*status_pages(status))
    address = await server.listen("127.0.0.1", 0)
    try:
        yield f"http://{address}"
    finally:
        await server.stop()


async def browsed(folder: Path, url: str) -> str:
    """The page as a browser has it after some polls."""
    assert CHROMIUM is not None, "it was looked for"
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'chromium'}", "--virtual-time-budget=5000", "--dump-dom", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(BROWSER_SECONDS_MAX):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode()


def text_of(page: str, place: str) -> str:
    """The text inside the element with this id, tags taken away."""
    found = re.search(rf'<(\w+)[^>]*\bid="{place}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    assert found is not None, f"no {place} in {page}"
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[2])).strip()


@pytest.mark.parametrize(
    ("path", "content_type"), [("/", "text/html"), ("/status.css", "text/css"), ("/status.js", "text/javascript")]
)
async def test_every_file_comes_with_a_strict_policy(path, content_type):
    async with served() as url, aiohttp.ClientSession() as client, client.get(url + path) as response:
        assert (response.status, response.content_type, response.charset) == (200, content_type, "utf-8")
        policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
        assert policy == {
            "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
            "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
        }  # fmt: skip
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        text = await response.text()
    assert not re.search(r"https?://|//[a-z]+\.", text), "nothing comes from elsewhere"
    assert not re.search(r"<script>|<style|\son\w+=|style=|innerHTML", text), "nothing is inline, or read as markup"


async def test_the_status_itself():
    async with served() as url, aiohttp.ClientSession() as client, client.get(url + "/status.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        body = await response.json()
    assert body["activity"]["answered_per_s"] == 1_234.5
    assert body["shards"][0]["mailbox"] == 17


@in_a_browser
async def test_a_browser_shows_it(tmp_path):
    async with served() as url:
        page = await browsed(tmp_path, url)
    assert "<title>tapswitch Test campus</title>" in page
    assert text_of(page, "verdict") == "ready"
    assert text_of(page, "time") == "2026-11-27 03:25:51 UTC"
    assert [text_of(page, place) for place in ("rate", "approved", "p99", "slowest")] == [
        "1,235", "97.4 %", "47.5", "commit",
    ]  # fmt: skip
    assert text_of(page, "codes") == "00 approved 1,200 51 insufficient funds 32"
    assert text_of(page, "latency").endswith("total 2.0 3.0 47.5 99.0")
    assert "shard-0 serving 12,345 17 0 0.00" in text_of(page, "shards")
    assert "gateway-0 serving 2 1 0" in text_of(page, "gateways")
    assert text_of(page, "merchants") == "North &lt;canteen&gt; 700 South [canteen] 7.0", "no name is markup"
    assert text_of(page, "problems") == "2026-11-27 03:05:51 warning emergency (terminal=1001, stan=7)"
    assert 'id="attention" hidden' in page


@in_a_browser
async def test_it_is_live_and_says_what_is_wrong(tmp_path):
    asked = 0

    def status() -> SwitchStatus:
        nonlocal asked
        asked += 1
        failed = Check("disk", ok=False, explanation="1 MiB free")
        late = replace(STATUS, ready=False, checks=[failed], simulated_clock=True, problems=[])
        return STATUS if asked == 1 else late

    async with served(status) as url:
        page = await browsed(tmp_path, url)
    assert asked >= 2
    assert "<title>NOT READY: tapswitch Test campus</title>" in page
    assert text_of(page, "verdict") == "NOT READY"
    assert text_of(page, "checks") == "disk: 1 MiB free"
    assert text_of(page, "problems") == "none"
    assert 'id="attention" hidden' not in page


@in_a_browser
async def test_it_says_when_the_switch_does_not_answer(tmp_path):
    asked = 0

    def status() -> SwitchStatus:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise RuntimeError("the switch has gone")
        return STATUS

    async with served(status) as url:
        page = await browsed(tmp_path, url)
    assert text_of(page, "verdict").startswith("no answer for ")
    assert 'class="stale"' in page
    assert text_of(page, "rate") == "1,235", "what was known stays"
