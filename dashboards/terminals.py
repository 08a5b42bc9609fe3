"""Terminals: who is connected, who is not, and who behaves badly."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.panels import figure, graph, page

RATE = "$__rate_interval"
OVER_LIMIT = 'tapswitch_refusals_total{reason=~"busy-session|busy-terminal"}'


def terminals() -> Dashboard:
    """Where to look when somebody calls from a canteen."""
    return page(
        "terminals", "Terminals", "Who is connected, who is not, and who behaves badly.",
        figure(
            "Connections", "sum(tapswitch_connections)", "short",
            "Signed on or not. Many more than stations: somebody connects without a key; see Rejected input.",
        ),
        figure(
            "Terminals offline", "max(tapswitch_terminals_registered) - sum(tapswitch_terminals_signed_on)", "short",
            "In the campus file, but their station has no session. Some always are: closed windows, baths at noon. "
            "Sites says where they are missing.",
        ),
        figure(
            "Emergencies", "sum(increase(tapswitch_emergencies_total[1h]))", "none",
            'Pressed in the last hour. Somebody needs help: `emergency`. The log line "emergency" names the terminal.',
            {"red": 1},
        ),
        figure(
            "Offline gaps", "sum(tapswitch_offline_gaps)", "none",
            "Runs of offline sales that a terminal never uploaded though later ones came: money of a merchant that "
            "nobody has posted. `tapswitch gaps` lists them. No data on Ray: run that command beside the data.",
            {"orange": 1},
        ),
        figure(
            "Offline doubles", "sum(tapswitch_offline_doubles)", "none",
            "One offline number on two accounts: a terminal that counts wrongly. `tapswitch gaps` lists them.",
            {"red": 1},
        ),
        figure(
            "Tills out of balance", 'sum(increase(tapswitch_reconciliations_total{outcome="out-of-balance"}[1d]))'
            " or vector(0)", "none",
            "Reconciliations of the last day in which terminal and switch counted differently. `tapswitch gaps` first: "
            "sales that were not uploaded yet are the usual cause.",
            {"orange": 1},
        ),
        graph(
            "Sites",
            {
                "{{site}}": "sum by (site) (tapswitch_site_stations_signed_on)"
                " / max by (site) (tapswitch_site_stations_registered)"
            },
            "percentunit",
            "Stations with a session, of those in the campus file. One line that falls: that site is cut off, its "
            "tills sell offline (`site-gone`). All fall: the switch or its network.",
        ),
        graph(
            "Sign-ons",
            {"a second": f"sum(rate(tapswitch_sign_ons_total[{RATE}]))"},
            "short",
            "A burst after a restart is normal. A steady rate at noon: connections do not hold; look for a middlebox "
            "with a time limit, or two stations with one name and key that push each other out.",
        ),
        graph(
            "Rejected input",
            {"{{reason}}": f"sum by (reason) (rate(tapswitch_rejected_total[{RATE}]))"},
            "short",
            "It cost its sender an error or the connection, and nobody else anything. The log line `session closed` "
            "names station and reason: `input-rejected`.",
            {"orange": 0.2},
        ),
        graph(
            "Refused for sending too much",
            {"{{reason}}": f"sum by (reason) (rate({OVER_LIMIT}[{RATE}]))"},
            "reqps",
            "A station or a terminal is beyond its own limit; others are not touched: `sender-floods`.",
            {"orange": 1},
        ),
        graph(
            "Copies",
            {"a second": f"sum(rate(tapswitch_repeats_total[{RATE}]))"},
            "reqps",
            "Requests that were decided before and got the recorded answer. They grow when answers are lost on the way "
            "or come too late: look at the network of a site, or at Latency.",
        ),
        graph(
            "Suspicious items, in an hour",
            {
                "{{reason}}": "sum by (reason) (increase(tapswitch_suspicious_posted_total[1h]))",
                "settled": "sum(increase(tapswitch_suspicious_settled_total[1h]))",
            },
            "short",
            "Posted because it had happened, though it is not clean; normal after an outage. `tapswitch suspicious` "
            "lists what waits for an operator.",
        ),
    )  # fmt: skip
