"""Does streamer read what the chart mounts, as the operator wrote it?"""

from pathlib import Path

import pytest
import yaml

from streamer.checks.all import check_all
from streamer.config.loading import load
from tests.chart.rendering import CASES, EVERYTHING, MINIMAL, container, lay_out, pod, render, the

SECRETS = {
    "TOKEN": "t0ken",
    "APP_ID": "app",
    "BILLING_APP_ID": "billing",
    "MEMBERS_APP_ID": "members",
    "REGISTRY_PASSWORD": "secret",
    "POD_NAME": "streamer-0",
}

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.stem))


@each_case
def test_streamer_accepts_the_configuration_as_it_is_mounted(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = render(case)
    file = lay_out(resources, tmp_path)
    secrets = tmp_path / "secrets"
    for mount in container(resources)["volumeMounts"]:
        if mount["name"].startswith("secret-"):
            for name in ("password", "secret", "token"):
                path = secrets / mount["mountPath"].lstrip("/") / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("s3cret")
    # The secrets' files stand below the test's folder, since it may not write to /run.
    for written in tmp_path.glob("..data/**/*.yaml"):
        text = written.read_text().replace("file:/run/", f"file:{secrets}/run/")
        written.write_text(text)

    loaded = load(file, SECRETS)

    assert not check_all(loaded, offline=True)
    assert len(loaded.route_specs) == {"everything-values": 3, "several-apps-values": 2}.get(
        case.stem, 1
    )


def test_numbers_and_moments_of_the_configuration_survive(tmp_path: Path) -> None:
    config = yaml.safe_load(the(render(EVERYTHING), "ConfigMap")["data"]["streamer.yaml"])

    assert config["delivery"]["window"] == 1_000_000
    assert config["kafka"]["start"] == "2026-11-01T00:00:00Z"
    assert config["kafka"]["properties"]["session.timeout.ms"] == "45000"


def test_text_that_looks_like_a_template_stays_text() -> None:
    properties = {"client.rack": "{{ fail }}"}
    values = {
        "config": {"dead_letters": {"topic": "{topic}.dlq"}, "kafka": {"properties": properties}}
    }

    config = yaml.safe_load(the(render(MINIMAL, values), "ConfigMap")["data"]["streamer.yaml"])

    assert config["dead_letters"]["topic"] == "{topic}.dlq"
    assert config["kafka"]["properties"]["client.rack"] == "{{ fail }}"


def test_route_files_are_all_read_unless_the_configuration_names_some() -> None:
    resources = render(EVERYTHING)
    config = yaml.safe_load(the(resources, "ConfigMap")["data"]["streamer.yaml"])

    assert config["routes"] == ["routes/*.yaml"]

    values = {"config": {"routes": ["routes/billing.yaml"]}}
    resources = render(EVERYTHING, values)
    config = yaml.safe_load(the(resources, "ConfigMap")["data"]["streamer.yaml"])

    assert config["routes"] == ["routes/billing.yaml"]


def test_a_route_file_can_be_given_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text("# ours\n- name: order-placed\n  topic: orders\n", encoding="utf-8")

    resources = render(EVERYTHING, None, "--set-file", rf"routeFiles.orders\.yaml={file}")

    written = the(resources, "ConfigMap")["data"]["routes.orders.yaml"]
    assert written.strip() == file.read_text(encoding="utf-8").strip()


def test_a_change_of_the_configuration_is_a_rollout() -> None:
    before = pod(render())["metadata"]["annotations"]["checksum/config"]
    same = pod(render(MINIMAL, {"replicas": 5}))["metadata"]["annotations"]["checksum/config"]
    values = {"config": {"log": {"level": "debug"}}}
    after = pod(render(MINIMAL, values))["metadata"]["annotations"]["checksum/config"]

    assert before == same
    assert before != after
