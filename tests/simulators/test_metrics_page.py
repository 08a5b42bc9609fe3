"""Reading the switch's own figures."""

from __future__ import annotations

import socket

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
"""


def test_parse():
    page = parse_page(PAGE)
    assert page.decisions == {("purchase", Code.APPROVED): 12, ("purchase", Code.INSUFFICIENT_FUNDS): 3}
    assert page.imbalance == 7  # one shard never makes up for another


def test_difference():
    later = parse_page(PAGE.replace(" 12.0", " 20.0"))
    assert later.since(parse_page(PAGE))["purchase", Code.APPROVED] == 8


def test_a_page_that_does_not_say():
    assert parse_page("").imbalance is None


async def test_no_address_and_nobody_there():
    assert await read_page(None) is None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert await read_page(f"127.0.0.1:{taken.getsockname()[1]}") is None
