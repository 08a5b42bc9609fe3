"""The page that Prometheus scrapes."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import pytest
from campus_folder import OFFICE, TILL, TOP_UP_MACHINE, account_number, card_of
from controlled_store import ControlledStore
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from running_switch import samples
from station_client import StationClient
from switch_in_process import GatewayInProcess, gateway_in_process, inquiry, purchase

from switch.meters import BATCH_EDGES, LATENCY_EDGES_S
from switch.metric_catalogue import CATALOGUE, Owner
from switch.metric_sources import (
    GATEWAY_STAGES,
    SHARD_STAGES,
    of_checks,
    of_disk,
    of_gateway,
    of_process,
    of_shards,
)
from switch.metrics import Metrics
from switch.readiness import Readiness
from wire.messages import Advice, Purchase, TopUp

EXPECTED = {
    "tapswitch_" + described.name: described.sort.value
    for described in CATALOGUE.values()
    if described.owner not in {Owner.SUPERVISOR, Owner.EMBEDDED}
}
STAGES = ("queue", "decide", "commit", "total")


@pytest.fixture
def store():
    return ControlledStore()


def metrics(switch: GatewayInProcess) -> Metrics:
    """As the embedded switch has them."""
    meters, gateway = switch.inside.meters, switch.gateway
    return Metrics(
        lambda: of_process(meters, switch.inside.clock, (*SHARD_STAGES, *GATEWAY_STAGES)),
        lambda: of_checks(Readiness(gateway.shards, gateway, switch.inside.clock, Path.cwd()).checks()),
        lambda: of_shards(meters, {0: switch.inside.embedded}, gateway.campus),
        lambda: of_disk(Path.cwd()),
        lambda: of_gateway(meters, gateway),
    )


@pytest.fixture
async def page(tmp_path, store) -> str:
    """After two purchases, a repeat, a decline, an inquiry, an unknown account, a refusal and a rejected message."""
    async with gateway_in_process(tmp_path, store) as switch, StationClient(switch.address) as client:
        await client.ask(purchase(1), purchase(2), purchase(3, amount=20_001), inquiry(4))
        await client.ask(purchase(1))
        await client.ask(Purchase(1001, 5, 60_000, "404", "C404", 5), purchase(1, terminal=2001))
        client.send_plaintext(b"\x91\x00")
        await client.receive(1)
        return metrics(switch).render().decode()


def test_every_metric_is_there_and_says_what_it_is(page):
    families = {family.name: family for family in text_string_to_metric_families(page)}
    ours = {name: family.type for name, family in families.items() if name.startswith("tapswitch_")}
    assert ours == EXPECTED
    assert all(families[name].documentation for name in EXPECTED)
    assert {"process_cpu_seconds", "process_open_fds", "python_info"} <= families.keys()


def test_the_counts(page):
    found = samples(page)

    def value(name: str, **labels: str) -> float:
        return found["tapswitch_" + name, tuple(sorted(labels.items()))]

    assert value("authorizations_total", service="purchase", code="00") == 2
    assert value("authorizations_total", service="purchase", code="61") == 1
    assert value("authorizations_total", service="purchase", code="14") == 1
    assert value("authorizations_total", service="balance-inquiry", code="00") == 1
    assert value("refusals_total", code="63", reason="terminal-not-of-station") == 1
    assert value("rejected_total", reason="unreadable-message") == 1
    assert value("repeats_total") == 1
    assert value("sign_ons_total") == 1
    assert value("commits_refused_total") == 0
    assert (value("connections"), value("stations_signed_on")) == (1, 1)
    assert value("mailbox_requests", shard="0") == 0
    assert value("active_actors", shard="0") == 20
    assert value("journal_position", shard="0") == 23
    assert value("snapshot_lag_events", shard="0") == 3
    assert value("ledger_imbalance_minor_units", shard="0") == 0
    assert value("suspense_minor_units", shard="0") == 0
    assert value("map_used_bytes", shard="0") > 0
    assert value("volume_minor_units_total", kind="canteen", service="purchase") == 200
    assert value("event_loop_lag_seconds_count") == 0, "nobody winds its timer here"
    assert value("clock_jump_seconds") == pytest.approx(0, abs=1)
    assert value("commit_running_seconds", shard="0") == 0
    assert (value("mailbox_limit_requests", shard="0"), value("snapshot_lag_limit_events", shard="0")) == (
        16_384, 400_000,
    )  # fmt: skip
    assert (value("ready"), value("check_ok", check="shard-0"), value("check_warning", check="map-0")) == (1, 1, 0)
    assert value("build_info", version=version("tapswitch"), python=platform.python_version()) == 1
    assert (value("terminals_signed_on"), value("terminals_registered")) == (16, 35)
    assert (value("site_stations_signed_on", site="north"), value("site_stations_registered", site="north")) == (1, 3)


def test_a_page_is_small(page):
    assert len([line for line in page.splitlines() if not line.startswith("#")]) < 300


async def test_volume_is_by_the_kind_of_the_merchant_and_the_service(tmp_path, store):
    async with gateway_in_process(tmp_path, store) as switch, StationClient(switch.address, OFFICE) as client:
        account = account_number(1)
        await client.ask(TopUp(TOP_UP_MACHINE, 1, 60_000, account, card_of(account), 700, 1))
        assert volumes(switch) == {("canteen", "top-up"): 700}, "the merchant has tills, too"
        switch.gateway.campus = replace(switch.gateway.campus, merchant_kinds={})
        assert volumes(switch) == {("unknown", "top-up"): 700}


def volumes(switch: GatewayInProcess) -> dict[tuple[str, ...], float]:
    found = samples(metrics(switch).render().decode())
    name = "tapswitch_volume_minor_units_total"
    return {tuple(value for _, value in labels): amount for (of, labels), amount in found.items() if of == name}


async def test_a_commit_that_does_not_come_back_shows_how_long_it_has_taken(tmp_path, store):
    async with gateway_in_process(tmp_path, store) as switch, StationClient(switch.address) as client:
        store.hold()
        client.send(purchase(1))
        await store.begun()
        found = samples(metrics(switch).render().decode())
        assert found["tapswitch_commit_running_seconds", (("shard", "0"),)] > 0
        store.let_go()
        await client.receive(1)
        assert switch.inside.embedded.commit_running_s == 0


async def test_a_check_that_fails_makes_it_unready(tmp_path, store):
    async with gateway_in_process(tmp_path, store) as switch:
        switch.gateway.stopping = True
        found = samples(metrics(switch).render().decode())
        switch.gateway.stopping = False
        assert found["tapswitch_ready", ()] == 0
        assert found["tapswitch_check_ok", (("check", "serving"),)] == 0
        assert found["tapswitch_check_ok", (("check", "clock"),)] == 1


def test_histograms_add_up(page):
    families = {family.name: family for family in text_string_to_metric_families(page)}
    found = samples(page)
    latency = "tapswitch_latency_seconds"
    for stage in STAGES:
        buckets = [
            (float(sample.labels["le"]), sample.value)
            for sample in families[latency].samples
            if sample.name == f"{latency}_bucket" and sample.labels["stage"] == stage
        ]
        assert [edge for edge, _ in buckets] == [*LATENCY_EDGES_S, float("inf")]
        counts = [count for _, count in buckets]
        assert counts == sorted(counts)
        assert counts[-1] == found[f"{latency}_count", (("stage", stage),)] > 0
        assert found[f"{latency}_sum", (("stage", stage),)] > 0
    requests = found[f"{latency}_count", (("stage", "total"),)]
    assert requests == found[f"{latency}_count", (("stage", "queue"),)] == 6
    batches = [sample for sample in families["tapswitch_batch_events"].samples if sample.name.endswith("_bucket")]
    assert [float(sample.labels["le"]) for sample in batches] == [*map(float, BATCH_EDGES), float("inf")]
    assert found["tapswitch_batch_events_sum", ()] == 3


async def test_what_no_purse_held_is_in_suspense(tmp_path, store):
    async with gateway_in_process(tmp_path, store) as switch, StationClient(switch.address) as client:
        account = account_number(1)
        beyond = Advice(TILL, 1, 60_000, account, card_of(account), 90_000_000, 1, 0)
        (answer,) = await client.ask(beyond)
        found = samples(metrics(switch).render().decode())
        assert found["tapswitch_suspense_minor_units", (("shard", "0"),)] == 90_000_000 - sum(answer.paid) > 0
        assert found["tapswitch_ledger_imbalance_minor_units", (("shard", "0"),)] == 0
        assert found["tapswitch_suspicious_posted_total", (("reason", "time"),)] == 1
        assert found["tapswitch_suspicious_posted_total", (("reason", "late-capture"),)] == 0
        assert found["tapswitch_suspicious_settled_total", ()] == 0


async def test_a_refused_commit_shows(tmp_path, store):
    async with gateway_in_process(tmp_path, store) as switch, StationClient(switch.address) as client:
        store.refuse()
        await client.ask(purchase(1))
        store.mend()
        found = samples(metrics(switch).render().decode())
        assert found["tapswitch_commits_refused_total", ()] == 1
        assert found["tapswitch_refusals_total", (("code", "91"), ("reason", "store-full"))] == 1
        assert not [labels for name, labels in found if name == "tapswitch_authorizations_total"]
