"""Money: what is sold where, and whether the books are right."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import figure, graph, page

YUAN = "currency:¥"
SOLD = 'tapswitch_volume_minor_units_total{service="purchase"}[1h]'
HOUR = "increase(tapswitch_volume_minor_units_total[1h])"


def money() -> Dashboard:
    """Amounts in yuan."""
    return page(
        "money", "Money", "What is sold where, and whether the books are right.",
        figure(
            "Imbalance", "sum(abs(tapswitch_ledger_imbalance_minor_units)) / 100", YUAN,
            "Must be zero. Anything else is a fault of the software or of the data: `imbalance`, now.", {"red": 0.01},
        ),
        figure(
            "In suspense", "sum(tapswitch_suspense_minor_units) / 100", YUAN,
            "Posted although no purse held it, and not settled yet. It rises after an outage. `tapswitch suspicious` "
            "says who owes it.",
            {"orange": 1_000},
        ),
        figure(
            "Reserved", "sum(tapswitch_holds_outstanding_minor_units) / 100", YUAN,
            "By holds of baths, chargers and printers. People cannot spend it meanwhile.",
        ),
        figure(
            "Holds", "sum(tapswitch_holds_outstanding)", "short",
            "Neither captured, released nor expired. They expire after `lifetime_minutes` of campus.toml.",
        ),
        figure(
            "Sold in 24 hours", 'sum(increase(tapswitch_volume_minor_units_total{service="purchase"}[1d])) / 100', YUAN,
            "Purchases, without what was reversed. The books are what reconciliation says; this is for the eye.",
        ),
        figure(
            "Topped up in 24 hours", 'sum(increase(tapswitch_volume_minor_units_total{service="top-up"}[1d])) / 100',
            YUAN, "At machines and counters. None at noon: the top-up machines are offline, look at Terminals.",
        ),
        graph(
            "By kind of merchant, an hour", {"{{kind}}": f"sum by (kind) ({HOUR}) / 100"}, YUAN,
            "A kind that falls to nothing in its hours cannot sell: look at Sites on the dashboard Terminals.",
        ),
        graph(
            "By service, an hour", {"{{service}}": f"sum by (service) ({HOUR}) / 100"}, YUAN,
            "Many reversals beside few purchases: answers come too late, and terminals give up. Look at Latency.",
        ),
        graph(
            "Sold, today and a week ago",
            {
                "today": f"sum(increase({SOLD})) / 100",
                "a week ago": f"sum(increase({SOLD} offset 1w)) / 100",
            },
            YUAN,
            "Per hour. The same number of requests but less money: a wrong price, or a limit that cuts.",
        ),
        graph(
            "Imbalance by shard",
            {"shard {{shard}}": "sum by (shard) (abs(tapswitch_ledger_imbalance_minor_units)) / 100"},
            YUAN, "Which shard, and since when: look in its log at that minute. `imbalance`.", {"red": 0.01},
        ),
        graph(
            "Suspense by shard", {"shard {{shard}}": "sum by (shard) (tapswitch_suspense_minor_units) / 100"},
            YUAN, "A step is an upload after an outage. It falls when operators settle.",
        ),
        graph(
            "Holds",
            {
                "outstanding": "sum(tapswitch_holds_outstanding)",
                "yuan reserved": "sum(tapswitch_holds_outstanding_minor_units) / 100",
            },
            "short",
            "They rise in the evening, with the baths, and fall again. If they only rise, a controller never captures: "
            "look for its station on the dashboard Terminals.",
        ),
    )  # fmt: skip
