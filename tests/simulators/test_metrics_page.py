"""Reading the switch's own figures."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from simulators.metrics_page import parse_page, read_page
from wire.codes import Code

PAGE = """\
# HELP tapswitch_authorizations_total Decisions.
# TYPE tapswitch_authorizations_total counter
tapswitch_authorizations_total{service="purchase",code="00"} 12.0
tapswitch_authorizations_total{code="51",service="purchase"} 3.0
tapswitch_repeats_total 2.0
# TYPE tapswitch_ledger_imbalance_minor_units gauge
tapswitch_ledger_imbalance_minor_units{shard="0"} 5.0
tapswitch_ledger_imbalance_minor_units{shard="1"} -2.0
tapswitch_suspense_minor_units{shard="0"} 700.0
tapswitch_suspense_minor_units{shard="1"} 50.0
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.79532661562e+09
"""
SHARD_2 = """\
tapswitch_authorizations_total{service="purchase",code="00"} 4.0
tapswitch_authorizations_total{service="top-up",code="00"} 1.0
tapswitch_ledger_imbalance_minor_units{shard="2"} 1.0
tapswitch_suspense_minor_units{shard="2"} 3.0
process_start_time_seconds 1.79532661571e+09
"""
STARTED_AGAIN = SHARD_2.replace("661571", "661999")
GATEWAY = """\
tapswitch_connections 1.0
process_start_time_seconds 1.79532661583e+09
"""
SUPERVISOR = """\
tapswitch_process_serving{process="shard-0"} 1.0
tapswitch_process_serving{process="shard-1"} 1.0
tapswitch_process_serving{process="shard-2"} 1.0
tapswitch_process_serving{process="gateway-0"} 1.0
process_start_time_seconds 1.79532661511e+09
"""

Serve = Callable[..., Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves /metrics on loopback and, if there are any, /targets; returns the address."""
    async with AsyncExitStack() as servers:

        async def start(metrics: str, targets: object = None) -> str:
            async def metrics_page(_request: web.Request) -> web.Response:
                return web.Response(text=metrics)

            async def targets_page(_request: web.Request) -> web.Response:
                return web.json_response(targets)

            application = web.Application()
            application.router.add_get("/metrics", metrics_page)
            if targets is not None:
                application.router.add_get("/targets", targets_page)
            server = await servers.enter_async_context(TestServer(application))
            return f"{server.host}:{server.port}"

        yield start


@pytest.fixture
def serve_cluster(serve) -> Serve:
    """Serves /targets with the addresses of these processes, and of a supervisor."""

    async def start(*addresses: str) -> str:
        targets = [await serve(SUPERVISOR), *addresses]
        groups = [{"targets": [target], "labels": {"process": "any", "node": "10.0.0.2"}} for target in targets]
        return await serve("not asked for", groups)

    return start


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_parse():
    page = parse_page(PAGE)
    assert page.decisions == {("purchase", Code.APPROVED): 12, ("purchase", Code.INSUFFICIENT_FUNDS): 3}
    assert page.imbalance == 7  # one shard never makes up for another
    assert page.suspense == 750


def test_difference():
    later = parse_page(PAGE.replace(" 12.0", " 20.0"))
    assert later.since(parse_page(PAGE)) == {("purchase", Code.APPROVED): 8, ("purchase", Code.INSUFFICIENT_FUNDS): 0}


def test_a_shard_that_was_started_again_counts_anew():
    before = parse_page(PAGE, SHARD_2)
    assert parse_page(PAGE, STARTED_AGAIN).since(before) is None


def test_a_gateway_that_was_started_again_decided_nothing():
    before = parse_page(PAGE, GATEWAY)
    assert parse_page(PAGE, GATEWAY.replace("661583", "661999")).since(before) == dict.fromkeys(before.decisions, 0)


def test_a_page_that_does_not_say():
    page = parse_page("")
    assert (page.imbalance, page.suspense) == (None, None)


def test_a_shard_that_is_named_and_says_nothing():
    with pytest.raises(ValueError, match="no metrics of shard-2"):
        parse_page(SUPERVISOR, PAGE, GATEWAY)


async def test_no_address_and_nobody_there(nobody):
    assert await read_page(None) is None
    assert await read_page(nobody) is None


async def test_an_embedded_switch(serve):
    assert await read_page(await serve(PAGE)) == parse_page(PAGE)


async def test_all_processes_of_a_cluster_add_up(serve, serve_cluster):
    page = await read_page(await serve_cluster(await serve(PAGE), await serve(SHARD_2), await serve(GATEWAY)))
    assert page is not None
    assert page.decisions == {
        ("purchase", Code.APPROVED): 16,
        ("purchase", Code.INSUFFICIENT_FUNDS): 3,
        ("top-up", Code.APPROVED): 1,
    }
    assert (page.imbalance, page.suspense) == (8, 753)


async def test_a_process_that_does_not_answer(serve, serve_cluster, nobody):
    assert await read_page(await serve_cluster(await serve(PAGE), await serve(SHARD_2), nobody)) is None


async def test_a_shard_that_is_not_among_the_targets(serve, serve_cluster):
    assert await read_page(await serve_cluster(await serve(PAGE))) is None


@pytest.mark.parametrize("targets", ["none", [{"labels": {}}], [{"targets": [7180]}]])
async def test_targets_that_cannot_be_read(serve, targets):
    assert await read_page(await serve(PAGE, targets)) is None
