"""Does the chart make what a cluster takes, and what streamer needs?"""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamer.config.settings import DeliverySettings, ServerSettings
from tests.chart import schemas
from tests.chart.fetch import ROOT
from tests.chart.rendering import (
    CASES,
    CHART,
    EVERYTHING,
    MINIMAL,
    NAMESPACE,
    STATIC,
    Resource,
    container,
    dashboard,
    helm,
    pod,
    render,
    the,
)

GOLDEN = Path(__file__).with_name("golden")

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.stem))


@each_case
def test_helm_finds_nothing_to_complain_of(case: Path) -> None:
    helm("lint", "--strict", "--with-subcharts", str(CHART), "--values", str(case))


@each_case
@pytest.mark.parametrize("version", [schemas.OLDEST, schemas.newest()])
def test_kubernetes_takes_every_resource(case: Path, version: str) -> None:
    resources = render(case, None, "--kube-version", version)

    faults = {one["kind"]: schemas.fault(one, version) for one in resources}

    assert not [fault for fault in faults.items() if fault[1]]


@pytest.mark.parametrize("kind", ["Deployment", "PodMonitor"])
def test_the_schemas_refuse_an_unknown_field(kind: str) -> None:
    resource = the(render(EVERYTHING), kind)
    spoiled: Any = json.loads(json.dumps(resource, default=str))
    spoiled["spec"]["replicsa"] = 1

    assert "replicsa" in (schemas.fault(spoiled, schemas.newest()) or "")


@each_case
def test_what_is_made_is_what_was_agreed(case: Path) -> None:
    """Golden files; `UPDATE_GOLDEN=1` writes them anew, and the diff is to be read."""
    golden = GOLDEN / f"{case.stem.removesuffix('-values')}.yaml"
    made = [_without_dashboard(one) for one in render(case)]
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        text = yaml.dump_all(made, Dumper=_Blocks, sort_keys=False, width=100)
        golden.write_text(text, encoding="utf-8")

    assert made == list(yaml.safe_load_all(golden.read_text(encoding="utf-8")))


class _Blocks(yaml.SafeDumper):
    """Writes text of several lines as such, so that a diff can be read."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Blocks.add_representer(str, _Blocks.represent_text)


def _without_dashboard(resource: Resource) -> Resource:
    if "streamer.json" in resource.get("data", {}):
        return {**resource, "data": {"streamer.json": "(the dashboard)"}}
    return resource


# --- how it runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drain", "grace_s"),
    [(None, 40), ("20s", 40), ("0s", 20), ("1500ms", 22), ("2m", 140), ("1h", 3620)],
)
def test_the_grace_period_is_above_the_drain_timeout(drain: str | None, grace_s: int) -> None:
    values = {"config": {"delivery": {"drain_timeout": drain}}} if drain else {}

    assert pod(render(MINIMAL, values))["spec"]["terminationGracePeriodSeconds"] == grace_s


def test_a_longer_grace_period_is_taken_as_it_is() -> None:
    values = {"terminationGracePeriodSeconds": 300}

    assert pod(render(MINIMAL, values))["spec"]["terminationGracePeriodSeconds"] == 300


def test_the_charts_defaults_are_those_of_streamer() -> None:
    assert DeliverySettings().drain_timeout.s == 20
    assert ServerSettings().port == container(render())["ports"][0]["containerPort"]


@each_case
def test_no_process_is_root_or_writes_to_its_root(case: Path) -> None:
    spec, ours = pod(render(case))["spec"], container(render(case))

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert ours["securityContext"]["readOnlyRootFilesystem"] is True
    assert ours["securityContext"]["allowPrivilegeEscalation"] is False
    assert ours["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@each_case
def test_no_process_gets_a_token_of_the_cluster(case: Path) -> None:
    resources = render(case)

    assert pod(resources)["spec"]["automountServiceAccountToken"] is False
    assert the(resources, "ServiceAccount")["automountServiceAccountToken"] is False
    assert pod(resources)["spec"]["serviceAccountName"] == "rel-streamer"


def test_another_service_account_can_be_named() -> None:
    values = {"serviceAccount": {"create": False, "name": "mine"}}
    resources = render(MINIMAL, values)

    assert pod(resources)["spec"]["serviceAccountName"] == "mine"
    assert "ServiceAccount" not in {one["kind"] for one in resources}


def test_the_probes_ask_the_pages_of_health() -> None:
    ours = container(render(EVERYTHING))

    asked = {probe: ours[probe]["httpGet"] for probe in ours if probe.endswith("Probe")}
    assert asked == {
        "startupProbe": {"path": "/health/started", "port": "metrics"},
        "readinessProbe": {"path": "/health/ready", "port": "metrics"},
        "livenessProbe": {"path": "/health/live", "port": "metrics"},
    }
    assert ours["ports"] == [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]


def test_secrets_are_references_and_nothing_else() -> None:
    resources = render(EVERYTHING)
    spec, ours = pod(resources)["spec"], container(resources)

    by_name = {entry["name"]: entry for entry in ours["env"]}
    reference = {"secretKeyRef": {"name": "streamer-registry", "key": "password"}}
    assert by_name["REGISTRY_PASSWORD"]["valueFrom"] == reference
    volumes = {v["name"]: v["secret"] for v in spec["volumes"] if "secret" in v}
    assert volumes["secret-1"] == {
        "secretName": "streamer-kafka",
        "defaultMode": 0o440,
        "items": [{"key": "scram-password", "path": "password"}],
    }
    # A file that is mounted by subPath would never change.
    assert all("subPath" not in mount for mount in ours["volumeMounts"])
    assert "Secret" not in {one["kind"] for one in resources}


@each_case
def test_every_selector_finds_the_pods_and_nothing_else(case: Path) -> None:
    resources = render(case)
    labels = pod(resources)["metadata"]["labels"].items()

    for one in resources:
        selector = one.get("spec", {}).get("selector")
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            assert wanted.items() <= labels, one["kind"]
            assert wanted["app.kubernetes.io/instance"] == "rel"
    spread = pod(resources)["spec"].get("topologySpreadConstraints", [])
    assert all(s["labelSelector"]["matchLabels"].items() <= labels for s in spread)


@each_case
def test_everything_is_in_the_releases_namespace_with_its_labels(case: Path) -> None:
    for one in render(case):
        if not one["metadata"]["name"].endswith("-dashboard"):
            assert one["metadata"]["namespace"] == NAMESPACE
        assert one["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_two_releases_in_one_namespace_do_not_share_a_name() -> None:
    words = ("template", "--values", str(EVERYTHING), "--namespace", NAMESPACE)
    names = [
        {
            (one["kind"], one["metadata"]["name"])
            for one in yaml.safe_load_all(helm(*words, release, str(CHART)))
        }
        for release in ("a", "b")
    ]

    assert not names[0] & names[1]


def test_static_membership_has_names_that_survive_a_rollout() -> None:
    resources = render(STATIC)
    stateful = the(resources, "StatefulSet")

    assert the(resources, "Service")["metadata"]["name"] == stateful["spec"]["serviceName"]
    assert the(resources, "Service")["spec"]["clusterIP"] == "None"
    assert stateful["spec"]["podManagementPolicy"] == "Parallel"
    assert "Deployment" not in {one["kind"] for one in resources}
    (name,) = [entry for entry in container(resources)["env"] if entry["name"] == "POD_NAME"]
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@pytest.mark.parametrize(
    ("switch", "kind"),
    [("podMonitor", "PodMonitor"), ("podDisruptionBudget", "PodDisruptionBudget")],
)
def test_what_is_optional_is_made_where_it_is_asked_for(switch: str, kind: str) -> None:
    asked = render(MINIMAL, {switch: {"enabled": True}})

    assert kind not in {one["kind"] for one in render()}
    assert the(asked, kind)


def test_the_pod_monitor_scrapes_the_port_of_the_metrics() -> None:
    (endpoint,) = the(render(EVERYTHING), "PodMonitor")["spec"]["podMetricsEndpoints"]

    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")


def test_the_dashboard_reaches_grafana_unchanged() -> None:
    made = dashboard(render(EVERYTHING))

    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert made["metadata"]["namespace"] == "monitoring"
    kept = json.loads((CHART / "dashboards" / "streamer.json").read_text(encoding="utf-8"))
    assert json.loads(made["data"]["streamer.json"]) == kept


def test_an_image_can_be_named_by_tag_or_digest() -> None:
    tagged = container(render(MINIMAL, {"image": {"tag": "1.2.3"}}))["image"]

    assert tagged == "streamer:1.2.3"
    assert re.fullmatch(r"streamer:\d+\.\d+\.\d+", container(render())["image"])
    assert "@sha256:" in container(render(EVERYTHING))["image"]


def test_the_chart_has_the_programs_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert chart["appVersion"] == project["project"]["version"]


def test_the_notes_name_commands_for_what_was_made() -> None:
    words = ("install", "rel", str(CHART), "--values", str(STATIC), "--dry-run=client")
    notes = helm(*words).partition("NOTES:")[2]

    assert "statefulset/rel-streamer" in notes
    assert "60 s to end" in notes


def test_every_value_has_a_description_or_a_default_of_its_own() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    assert set(schema["properties"]) - {"global"} == set(values)
