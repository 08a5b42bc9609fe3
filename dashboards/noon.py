"""Noon: is lunch served, and as fast as it should be?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import figure, graph, page

OBJECTIVE = 0.001
"""Which share of requests may fail, or be slow; as in the alerts."""

RATE = "$__rate_interval"


def _budget_left(of: str) -> str:
    return f"1 - job:tapswitch_{of}:ratio30d / {OBJECTIVE}"


def _burn(of: str) -> str:
    return f"job:tapswitch_{of}:ratio1h / {OBJECTIVE}"


def _quantile(quantile: str, stage: str) -> str:
    rate = f'rate(tapswitch_latency_seconds_bucket{{stage="{stage}"}}[{RATE}])'
    return f"histogram_quantile({quantile}, sum by (le) ({rate}))"


def noon() -> Dashboard:
    """The page to have open at noon."""
    return page(
        "noon", "Noon", "Is lunch served, and as fast as it should be? Start here.",
        figure(
            "Ready", "min(tapswitch_ready)", "bool_yes_no",
            "No: a check of /readyz fails, and new requests are answered 91. `curl SWITCH:7180/readyz` says which "
            "check and what to do. No data: nothing answers; see the runbook `unreachable`.",
            {"green": 1}, bad_below=True,
        ),
        figure(
            "Alerts", 'count(ALERTS{alertstate="firing", alertname=~"Tapswitch.*"}) or vector(0)', "none",
            "How many fire. Each has a runbook that says what it means; the one that pages comes first.", {"red": 1},
        ),
        figure(
            "Requests", f"sum(rate(tapswitch_authorizations_total[{RATE}]))", "reqps",
            "Decided by an actor, each once. Zero at noon with terminals signed on: try `tapswitch tap`; without: look "
            "at the dashboard Terminals.",
        ),
        figure(
            "Slower than p99", _quantile("0.99", "total"), "s",
            "One answer in a hundred takes longer, from receipt to answer. Above 100 ms it counts against the budget: "
            "the panel Latency by stage says where the time goes.",
            {"orange": 0.05, "red": 0.1},
        ),
        figure(
            "Availability: budget left", _budget_left("errors"), "percentunit",
            "What is left of the month's 0.1 % of requests that may fail with 68, 91 or 96. Below a quarter, put off "
            "whatever risks a restart; below zero, the objective is missed.",
            {"orange": 0.0, "green": 0.25}, bad_below=True,
        ),
        figure(
            "Latency: budget left", _budget_left("slow"), "percentunit",
            "What is left of the month's 0.1 % of answers that may take more than 100 ms. Falling at every noon: the "
            "machine is too small, see the runbook `overloaded`.",
            {"orange": 0.0, "green": 0.25}, bad_below=True,
        ),
        graph(
            "Requests, today and a week ago",
            {
                "today": "sum(job:tapswitch_requests:rate5m)",
                "a week ago": "sum(job:tapswitch_requests:rate5m offset 1w)",
            },
            "reqps",
            "Far below a normal weekday: people cannot pay, or a site is away (dashboard Terminals). Far above: a "
            "terminal that repeats itself; look at Copies there. Holidays differ, of course.",
        ),
        graph(
            "Approved",
            {
                "share": f'sum(rate(tapswitch_authorizations_total{{code="00"}}[{RATE}]))'
                f" / sum(rate(tapswitch_authorizations_total[{RATE}]))"
            },
            "percentunit",
            "Usually above 95 %. A fall without technical failures is a rule: a wrong limit in campus.toml, a meal "
            "period, an expired batch of cards. Declines by code says which.",
        ),
        graph(
            "Declines by code",
            {"{{code}}": f'sum by (code) (rate(tapswitch_authorizations_total{{code!="00"}}[{RATE}]))'},
            "reqps",
            "51 grows towards the end of a month. A jump of one code: 54 a batch of cards expired; 61 or 65 a limit "
            "was changed; 55 and 75 somebody tries PINs; 62 and 41 blocked cards in use, one place after another.",
        ),
        graph(
            "Refused before an actor",
            {"{{code}} {{reason}}": f"sum by (code, reason) (rate(tapswitch_refusals_total[{RATE}]))"},
            "reqps",
            "91 store-full: make room now (`map-nearly-full`). 91 busy-shard, 68: too much at once (`overloaded`). 91 "
            "busy-session, busy-terminal: one sender asks for too much (`sender-floods`). 96: a commit or a shard did "
            "not answer in time (`commit-stalls`, `process-lost`). 63, 30: a wrongly configured station.",
        ),
        graph(
            "Latency",
            {"p50": _quantile("0.5", "total"), "p99": _quantile("0.99", "total"), "p99.9": _quantile("0.999", "total")},
            "s",
            "From receipt to answer. The dashed line is the objective: 99.9 % below it.",
            {"red": 0.1},
        ),
        graph(
            "Latency by stage, p99",
            {stage: _quantile("0.99", stage) for stage in ("queue", "decide", "commit")},
            "s",
            "commit high: the disk (`commit-stalls`). queue high and commit not: too much work for one core "
            "(`overloaded`). decide high: one very large batch, or a walk along a long account.",
            {"red": 0.1},
        ),
        graph(
            "Queue",
            {"shard {{shard}}": "max by (shard) (tapswitch_mailbox_requests / tapswitch_mailbox_limit_requests)"},
            "percentunit",
            "Waiting requests, as a share of how many may wait. It stands near zero even at noon. Above a half: "
            "`overloaded`; at 100 %, requests are refused as busy.",
            {"orange": 0.5, "red": 0.9},
        ),
        graph(
            "How fast the budget burns",
            {"availability": _burn("errors"), "latency": _burn("slow")},
            "none",
            "1 uses up exactly a month's budget in a month; 14.4 for an hour pages.",
            {"orange": 1.0, "red": 14.4},
        ),
    )  # fmt: skip
