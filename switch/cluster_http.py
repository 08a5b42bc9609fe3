"""What operators ask a cluster as a whole over HTTP."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from switch.clock import Clock
from switch.cluster_status import ClusterStatus
from switch.http import HttpServer, json_page, metrics_page, readyz
from switch.metric_sources import of_cluster
from switch.metrics import Metrics
from switch.readiness import Check
from switch.status_page import status_pages
from switch.supervisor import Supervisor
from switch.switch_status import SwitchStatus
from switch.switch_status import of_cluster as of_cluster_status


def cluster_http(supervisor: Supervisor, clock: Clock) -> HttpServer:
    """/healthz, /readyz, /metrics of the supervisor, /status.json and its page, and /targets: where all metrics are."""

    def checks() -> list[Check]:
        return supervisor.status.checks()

    def status() -> SwitchStatus:
        return of_cluster_status(supervisor.status, supervisor.registry.campus, clock)

    async def targets(request: web.Request) -> web.Response:
        return json_page(_targets(supervisor.status, request.host))

    return HttpServer(
        readyz(checks, clock),
        metrics_page(Metrics(lambda: of_cluster(supervisor.status))),
        *status_pages(status),
        web.get("/targets", targets),
    )


def _targets(status: ClusterStatus, here: str) -> list[dict[str, Any]]:
    """As Prometheus reads them (http_sd_config): processes that were heard of, and this one as the request named it."""
    addresses = {node.node: node.address for node in status.nodes}
    return [
        {"targets": [here], "labels": {"process": "supervisor"}},
        *(
            {
                "targets": [process.http],
                "labels": {"process": process.name, "node": addresses.get(process.node, "")},
            }
            for process in status.processes
            if process.http and not process.is_silent
        ),
    ]
