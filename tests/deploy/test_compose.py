"""compose.yaml: no container engine reads it here, but its paths, names and commands are those that there are."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml
from prometheus_tools import PROMETHEUS, REPOSITORY

from switch.command_line import tapswitch

DEPLOY = REPOSITORY / "deploy"
MADE_BY_THE_OPERATOR = {"./campus", "./grafana-admin-password"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def test_what_is_mounted_exists_and_the_rest_is_ignored_by_git(compose):
    ignored = (REPOSITORY / ".gitignore").read_text("utf-8").split()
    sources = {volume.split(":")[0] for service in compose["services"].values() for volume in service["volumes"]}
    sources |= {secret["file"] for secret in compose["secrets"].values()}
    for source in sources - set(compose["volumes"]):
        if source in MADE_BY_THE_OPERATOR:
            assert f"/deploy/{source.removeprefix('./')}" in {line.rstrip("/") for line in ignored}
        else:
            assert (DEPLOY / source).exists(), source


def test_services_are_called_as_the_configurations_call_them(compose):
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    (job,) = configuration["scrape_configs"]
    (alertmanagers,) = configuration["alerting"]["alertmanagers"]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text("utf-8"))
    targets = [
        target for entry in (*job["static_configs"], *alertmanagers["static_configs"]) for target in entry["targets"]
    ]
    hosts = {target.split(":")[0] for target in targets} | {source["datasources"][0]["url"].split("/")[2].split(":")[0]}
    assert hosts == {"switch", "alertmanager", "prometheus"}
    assert hosts < set(compose["services"])


def test_the_switch_runs_a_command_that_exists(compose, tmp_path):
    name, *arguments = shlex.split(compose["services"]["switch"]["command"])[1:]
    serve = tapswitch.get_command(None, name)
    options = serve.make_context(name, arguments).params
    assert (options["listen"].port, options["http"].port) == (7100, 7180)


def test_dashboards_are_mounted_where_grafana_looks(compose):
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/tapswitch.yaml").read_text("utf-8"))[
        "providers"
    ]
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]


def test_only_terminals_reach_it_from_outside(compose):
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == ["7100:7100"]
