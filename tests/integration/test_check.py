"""Does `streamer check` tell, with real servers, what is wrong and which setting to change?"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from streamer.checks.all import check_all
from streamer.checks.probes import PROBE_S
from streamer.config.loading import load
from tests.servers.kafka import KafkaCluster
from tests.servers.registry import ApicurioRegistry
from tests.servers.sandbox_process import SandboxProcess

INSTANCE = "1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa"
Sandboxes = Callable[..., SandboxProcess]


def found(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """What the check finds, which it must within ten seconds."""
    file = folder / "streamer.yaml"
    file.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    loaded = load(file, {})
    started = time.monotonic()
    findings = check_all(loaded)
    assert time.monotonic() - started < 10
    return [str(finding) for finding in findings]


def config(
    bootstrap: str, topic: str, sandbox: str, registry: str, **properties: str
) -> dict[str, Any]:
    return {
        "kafka": {"bootstrap_servers": bootstrap, "group_id": "check", "properties": properties},
        "schemas": {"registry": {"url": registry}},
        "endpoint": {
            "base_url": sandbox,
            "app": {"id": "an-app", "secret": "right"},
            "instance": INSTANCE,
        },
        "dead_letters": {"create": False},
        "routes": [{"name": "r", "topic": topic, "trigger": "t"}],
    }


def test_a_wrong_secret_is_found_without_an_instance_in_the_configuration(
    tmp_path: Path, kafka: KafkaCluster, registry: ApicurioRegistry, sandbox_process: Sandboxes
) -> None:
    topic = kafka.create_topic()
    kafka.create_topic(f"{topic}.dlq")
    sandbox = sandbox_process(["--app", "an-app:right"])
    right = config(kafka.bootstrap, topic, sandbox.url, registry.url)
    del right["endpoint"]["instance"]
    right["routes"][0]["instance"] = "event.site"
    wrong = {**right, "endpoint": {**right["endpoint"], "app": {"id": "an-app", "secret": "no"}}}

    assert found(tmp_path, right) == []
    [line] = found(tmp_path, wrong)
    assert "the app is refused (401 invalid_client); mend endpoint.app.id or" in line


def test_what_is_there_and_open_gives_no_finding(
    tmp_path: Path, kafka: KafkaCluster, registry: ApicurioRegistry, sandbox_process: Sandboxes
) -> None:
    sandbox = sandbox_process(["--app", "an-app:right"])
    topic = kafka.create_topic(config={"max.message.bytes": "1000000"})
    kafka.create_topic(f"{topic}.dlq", config={"max.message.bytes": "1065536"})

    assert found(tmp_path, config(kafka.bootstrap, topic, sandbox.url, registry.url)) == []


def test_each_part_that_is_wrong_is_named(
    tmp_path: Path, kafka: KafkaCluster, registry: ApicurioRegistry, sandbox_process: Sandboxes
) -> None:
    sandbox = sandbox_process(["--app", "an-app:another"])
    topic = kafka.create_topic()
    wrong = config(kafka.bootstrap, topic, sandbox.url, f"{registry.url}/nowhere")
    wrong["routes"].append({"name": "s", "topic": f"{topic}-gone", "trigger": "u"})

    lines = found(tmp_path, wrong)

    assert len(lines) == 4, lines
    assert f"topic {topic}-gone: there is no such topic" in lines[0]
    assert f"did you mean {topic}?" in lines[0]
    assert f"topic {topic}.dlq: the dead letter topic does not exist" in lines[1]
    assert "mend endpoint.app.id or endpoint.app.secret" in lines[2]
    assert "has no schema registry API (404); set schemas.registry.url" in lines[3]


def kafka_only(folder: Path, bootstrap: str, **properties: str) -> str:
    lines = found(
        folder, config(bootstrap, "t", "http://127.0.0.1:9", "http://127.0.0.1:9", **properties)
    )
    [line] = [line for line in lines if ": kafka" in line]
    return line


def test_a_wrong_password_names_the_login_at_once(tmp_path: Path, kafka: KafkaCluster) -> None:
    started = time.monotonic()

    line = kafka_only(
        tmp_path,
        kafka.sasl_bootstrap,
        **{
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "somebody",
            "sasl.password": "hush",
        },
    )

    assert "refuse the login; mend sasl.username, sasl.password or sasl.mechanism" in line
    assert "hush" not in line
    assert time.monotonic() - started < PROBE_S, "it is not asked again and again"


def test_no_login_where_one_is_wanted_names_the_protocol(
    tmp_path: Path, kafka: KafkaCluster
) -> None:
    line = kafka_only(tmp_path, kafka.sasl_bootstrap)

    assert "set security.protocol in kafka.properties" in line


def test_tls_where_there_is_none_names_the_protocol(tmp_path: Path, kafka: KafkaCluster) -> None:
    line = kafka_only(tmp_path, kafka.bootstrap, **{"security.protocol": "SSL"})

    assert "do not speak TLS at this port; set security.protocol" in line


def test_a_mechanism_that_the_broker_does_not_know_is_told(
    tmp_path: Path, kafka: KafkaCluster
) -> None:
    line = kafka_only(
        tmp_path,
        kafka.sasl_bootstrap,
        **{
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "somebody",
            "sasl.password": "hush",
        },
    )

    assert "do not know this mechanism of login" in line
    assert "sasl.mechanism in kafka.properties" in line
