"""The files under deploy/: they are for each other, and for the commands as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from switch.command_line import tapswitch
from switch.serve_command import _check_places

REPOSITORY = Path(__file__).parents[2]
KUBERAY = REPOSITORY / "deploy" / "kuberay"
SYSTEMD = REPOSITORY / "deploy" / "systemd"
TERMINALS, HTTP, HEAD = 7100, 7180, 6379
POD = {"FQ_RAY_IP": "tapswitch-head-svc.default.svc.cluster.local", "POD_IP": "10.0.0.12"}
"""What Kubernetes and KubeRay put into a pod's environment."""


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERAY / name).read_text("utf-8")))


def by_name(name: str) -> dict[str, dict[str, Any]]:
    return {document["metadata"]["name"]: document["spec"] for document in documents(name)}


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return documents("raycluster.yaml")[0]["spec"]


@pytest.fixture(scope="module")
def head(cluster) -> dict[str, Any]:
    (container,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    return container


@pytest.fixture(scope="module")
def workers(cluster) -> list[dict[str, Any]]:
    return [container for group in cluster["workerGroupSpecs"] for container in group["template"]["spec"]["containers"]]


def in_script(text: str) -> Iterator[list[str]]:
    """The `tapswitch` commands of a shell script, as they are started."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("tapswitch "):
            for name, value in POD.items():
                line = line.replace(f"${name}", value)  # noqa: PLW2901 - until all are replaced
            yield shlex.split(line.partition(" & ")[0])[1:]


def of_worker(container: dict[str, Any]) -> list[str]:
    return [re.sub(r"\$\((\w+)\)", lambda found: POD[found[1]], argument) for argument in container["args"]]


def of_unit(path: Path) -> Iterator[list[str]]:
    """ExecStart of a unit, with each example of its environment file."""
    text = path.read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=/opt/tapswitch/bin/tapswitch (.+)$", text, re.MULTILINE)
    variable = re.search(r"\$(\w+)", command)[1]
    for example in re.findall(rf"^#\s+{variable}=(.+)$", text, re.MULTILINE):
        yield shlex.split(command.replace(f"${variable}", example))


def in_document(path: Path) -> Iterator[list[str]]:
    """The `tapswitch` commands that a document shows."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"^\s*\$ (?:kubectl exec .* -- )?tapswitch (.+)$", text, re.MULTILINE):
        yield shlex.split(line.removesuffix(" &"))


def parsed(arguments: list[str], folder: Path) -> click.Context:
    """What the options of a command line mean. Folders that must exist are replaced by `folder`."""
    command, given = tapswitch, list(arguments)
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), given.pop(0))
        assert command is not None, arguments
    if "--data" in given and command.name == "node":
        given[given.index("--data") + 1] = str(folder)
    return command.make_context(command.name, given)


def check(arguments: list[str], folder: Path) -> dict[str, Any]:
    options = parsed(arguments, folder).params
    if arguments[0] == "serve":
        _check_places(options["cluster"], options["data"], options["listen"])
    return options


@pytest.fixture
def serve(head, tmp_path) -> dict[str, Any]:
    """The options of `tapswitch serve` in the head's pod."""
    (found,) = (command for command in in_script(head["args"][0]) if command[0] == "serve")
    return check(found, tmp_path)


def test_pods_run_commands_that_exist(head, workers, serve, tmp_path):
    (node,) = (command for command in in_script(head["args"][0]) if command[0] == "cluster")
    assert check(node, tmp_path)["head"] == serve["cluster"]
    for worker in workers:
        assert worker["command"] == ["tapswitch"]
        options = check(of_worker(worker), tmp_path)
        assert options["join"].port == serve["cluster"].port == HEAD


def test_units_run_commands_that_exist(tmp_path):
    nodes = [check(command, tmp_path) for command in of_unit(SYSTEMD / "tapswitch-node.service")]
    (serve,) = (check(command, tmp_path) for command in of_unit(SYSTEMD / "tapswitch-serve.service"))
    (head,) = (node["head"] for node in nodes if node["head"])
    assert {node["join"] for node in nodes if node["join"]} == {head} == {serve["cluster"]}
    assert (serve["listen"].port, serve["http"].port) == (TERMINALS, HTTP)


@pytest.mark.parametrize("document", ["deploy/kuberay/README.md", "docs/operations/cluster.md"])
def test_documents_show_commands_that_exist(document, tmp_path):
    shown = list(in_document(REPOSITORY / document))
    assert shown
    for command in shown:
        check(command, tmp_path)


def test_terminals_and_watchers_reach_the_ports_that_are_listened_on(head, workers, serve):
    services, policies = by_name("services.yaml"), by_name("network-policy.yaml")
    assert (serve["listen"].port, serve["http"].port) == (TERMINALS, HTTP)
    for name, port in ("tapswitch-terminals", TERMINALS), ("tapswitch-http", HTTP):
        assert [entry["targetPort"] for entry in services[name]["ports"]] == [port]
        assert [entry["port"] for rule in policies[name]["ingress"] for entry in rule["ports"]] == [port]
        assert services[name]["selector"] == policies[name]["podSelector"]["matchLabels"]
    for worker in workers:
        assert worker["readinessProbe"]["tcpSocket"]["port"] == TERMINALS
    assert head["readinessProbe"]["httpGet"]["port"] == HTTP
    assert {entry["containerPort"] for entry in head["ports"]} == {HEAD, HTTP}
    (job,) = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus-cluster.yml").read_text("utf-8"))[
        "scrape_configs"
    ]
    assert [entry["url"] for entry in job["http_sd_configs"]] == [f"http://SERVE:{HTTP}/targets"]


def test_each_shard_has_a_volume_and_each_gateway_a_place(cluster, workers, serve, tmp_path):
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for group in cluster["workerGroupSpecs"]
        for volume in group["template"]["spec"]["volumes"]
    ]
    data = documents("data.yaml")[0]["spec"]
    assert claims == list(by_name("volumes.yaml")) == [f"tapswitch-shard-{number}" for number in range(serve["shards"])]
    assert claims == [v["persistentVolumeClaim"]["claimName"] for v in data["volumes"] if "persistentVolumeClaim" in v]
    assert serve["gateways"] == sum(check(of_worker(worker), tmp_path)["gateways"] for worker in workers)
    for group in cluster["workerGroupSpecs"]:
        assert [group[count] for count in ("replicas", "minReplicas", "maxReplicas")] == [1, 1, 1]


def test_every_pod_has_a_probe_of_its_own_and_the_same_software(cluster, head, workers):
    (data,) = documents("data.yaml")[0]["spec"]["containers"]
    assert {container["image"] for container in (head, *workers, data)} == {head["image"]}
    for container in (head, *workers):  # KubeRay would put probes there that cannot succeed
        assert {"livenessProbe", "readinessProbe"} <= set(container)
    assert f"ray=={cluster['rayVersion']}" in (REPOSITORY / "constraints.txt").read_text("utf-8").split()


def test_the_kustomization_names_what_is_there(cluster):
    kustomization = yaml.safe_load((KUBERAY / "kustomization.yaml").read_text("utf-8"))
    for resource in kustomization["resources"]:
        assert documents(resource)
    made = {entry["name"]: entry["files"] for entry in kustomization["configMapGenerator"]}
    made |= {entry["name"]: entry["files"] for entry in kustomization["secretGenerator"]}
    assert made == {"tapswitch-campus": ["campus.toml"], "tapswitch-stations": ["secrets.toml"]}
    (campus,) = (v for v in cluster["headGroupSpec"]["template"]["spec"]["volumes"] if "projected" in v)
    assert {entry["name"] for source in campus["projected"]["sources"] for entry in source.values()} == set(made)
