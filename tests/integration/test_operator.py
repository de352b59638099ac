"""Does an operator's mistake get a sentence that names the setting, and does its mending suffice?

Each with `streamer run` and `streamer check` as processes. Nothing that they print may hold a
secret or a stack trace, and `run` ends only where no mending from outside could help.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import StartsKafka, StartsStreamer
from tests.integration.shipments import (
    APP_SECRET,
    REGISTRY_ID,
    TOPICS_ARE_ASKED_FOR_OFTEN,
    Shipments,
    delivered,
    schema,
)
from tests.servers.guarded_registry import GuardedRegistry
from tests.servers.kafka import SASL_USERS, KafkaCluster
from tests.servers.process import free_port
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_process import COMMAND, StreamerProcess
from tests.servers.waiting import wait_until

StartsSandbox = Callable[..., SandboxProcess]

SAID_WITHIN_S = 30
"""From the start of the process on, on a machine that does much else."""
LOGIN_PASSWORD = "the-password-of-the-login"
OTHER_SECRET = "quite-another-secret"
SECRETS = (APP_SECRET, LOGIN_PASSWORD, OTHER_SECRET, *SASL_USERS.values())
APP = ("--app", f"an-app:{APP_SECRET}")


def said(streamer: StreamerProcess, *words: str) -> None:
    """Within seconds one line of the log holds all of the words; none holds a secret."""
    streamer.process.wait_until(
        lambda: any(all(word in line for word in words) for line in lines(streamer)),
        f"a line with {words}",
        SAID_WITHIN_S,
    )
    assert_clean(streamer.process.log())


def lines(streamer: StreamerProcess) -> list[str]:
    return streamer.process.log().splitlines()


def assert_clean(text: str) -> None:
    assert "Traceback" not in text, text[-3000:]
    for secret in SECRETS:
        assert secret not in text


def checked(folder: Path, streamer: StreamerProcess) -> str:
    """What `streamer check` says of the same configuration; it must fail within seconds."""
    started = time.monotonic()
    run = subprocess.run(
        [COMMAND, "check", "--config", str(streamer.config_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )
    assert time.monotonic() - started < SAID_WITHIN_S
    assert run.returncode == 1, run.stdout + run.stderr
    assert_clean(run.stdout + run.stderr)
    return run.stdout


def sasl(kafka: KafkaCluster, user: str, password: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": kafka.sasl_bootstrap,
        "properties": {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": user,
            "sasl.password": password,
        },
    }


def runs_but_is_not_ready(streamer: StreamerProcess) -> None:
    assert streamer.process.alive
    assert streamer.health("started") == 200
    assert streamer.health("live") == 200
    assert streamer.health("ready") == 503


# --- mistakes of the broker's side ------------------------------------------------------------


def test_a_wrong_broker_address_names_the_setting_and_waits(
    kafka: KafkaCluster, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    shipments = Shipments(kafka, "http://127.0.0.1:9")
    nobody = f"127.0.0.1:{free_port()}"
    streamer = streamer_process(shipments.config(kafka={"bootstrap_servers": nobody}), wait=False)

    said(streamer, "kafka_trouble", nobody, "kafka.bootstrap_servers")
    runs_but_is_not_ready(streamer)
    assert f"{nobody} do not answer" in checked(tmp_path, streamer)

    started = time.monotonic()
    assert streamer.terminate() == 0
    assert time.monotonic() - started < 15
    assert_clean(streamer.process.log())


def test_a_wrong_password_names_the_login(
    kafka: KafkaCluster, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    shipments = Shipments(kafka, "http://127.0.0.1:9")
    streamer = streamer_process(
        shipments.config(kafka=sasl(kafka, "streamer", LOGIN_PASSWORD)), wait=False
    )

    said(streamer, "kafka_trouble", "refuse the login", "sasl.password")
    runs_but_is_not_ready(streamer)
    assert "sasl.password" in checked(tmp_path, streamer)


def test_a_topic_that_does_not_exist_is_named_and_read_once_it_is_made(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    sandbox = sandbox_process(APP)
    topic = f"missing-{free_port()}"
    shipments = Shipments(kafka, sandbox.url, topic=topic)
    config = shipments.config(kafka={"properties": TOPICS_ARE_ASKED_FOR_OFTEN})
    streamer = streamer_process(config, wait=False)

    said(streamer, "kafka_trouble", topic, "`routes`")
    assert f"topic {topic}: there is no such topic" in checked(tmp_path, streamer)

    kafka.create_topic(topic)
    shipments.send([0, 0, 0])
    streamer.wait_until(lambda: len(delivered(sandbox)) == 3, "three reports")
    streamer.wait_until_ready()


def test_a_broker_that_comes_later_is_found_without_a_restart(
    own_kafka: StartsKafka, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    cluster = own_kafka()
    sandbox = sandbox_process(APP)
    shipments = Shipments(cluster, sandbox.url)
    shipments.send([0] * 5)
    cluster.stop_node()
    streamer = streamer_process(shipments.config(), wait=False)
    said(streamer, "kafka_trouble", "kafka.bootstrap_servers")
    runs_but_is_not_ready(streamer)

    cluster.start_node()
    streamer.wait_until(lambda: sorted(delivered(sandbox)) == list(range(5)), "five reports", 60)
    streamer.wait_until(shipments.is_committed, "the commit")
    streamer.wait_until_ready()
    assert_clean(streamer.process.log())


# --- mistakes of the registry's side ----------------------------------------------------------


def registry_section(registry: GuardedRegistry, login: Mapping[str, str] | None) -> dict[str, Any]:
    section: dict[str, Any] = {"url": registry.url}
    if login is not None:
        section["basic"] = dict(login)
    return {"directory": None, "registry": section}


def without_directory(config: dict[str, Any]) -> dict[str, Any]:
    del config["schemas"]["directory"]
    return config


def test_a_registry_behind_a_login_is_told_before_an_event_comes(
    kafka: KafkaCluster, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    shipments = Shipments(kafka, "http://127.0.0.1:9")
    with GuardedRegistry({}, "reader", LOGIN_PASSWORD) as registry:
        config = without_directory(shipments.config(schemas=registry_section(registry, None)))
        streamer = streamer_process(config, wait=False)

        said(streamer, "registry_unavailable", "schemas.registry.basic")
        streamer.wait_until(lambda: "registry" in streamer.health_text("ready"), "it to say so")
        runs_but_is_not_ready(streamer)
        assert "set schemas.registry.basic or schemas.registry.bearer" in checked(
            tmp_path, streamer
        )


def test_a_registry_password_that_is_mended_in_its_file_needs_no_restart(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url, for_registry=True)
    shipments.send([0] * 3)
    password = tmp_path / "password"
    password.write_text(OTHER_SECRET)
    login = {"username": "reader", "password": f"file:{password}"}
    schemas = {REGISTRY_ID: schema().shape}
    with GuardedRegistry(schemas, "reader", LOGIN_PASSWORD) as registry:
        config = without_directory(shipments.config(schemas=registry_section(registry, login)))
        streamer = streamer_process(config, wait=False)
        said(streamer, "registry_unavailable", "schemas.registry.basic")
        streamer.wait_until(lambda: "registry" in streamer.health_text("ready"), "it to say so")
        runs_but_is_not_ready(streamer)

        password.write_text(LOGIN_PASSWORD)
        streamer.wait_until(lambda: sorted(delivered(sandbox)) == [0, 1, 2], "three reports", 60)
        streamer.wait_until(lambda: streamer.health("ready") == 200, "ready")
        assert_clean(streamer.process.log())


def test_a_registry_that_does_not_answer_is_told_and_leaves_the_process_ready(
    kafka: KafkaCluster, streamer_process: StartsStreamer
) -> None:
    shipments = Shipments(kafka, "http://127.0.0.1:9")
    with GuardedRegistry({}, "reader", LOGIN_PASSWORD) as registry:
        registry.suspend()
        config = without_directory(shipments.config(schemas=registry_section(registry, None)))
        streamer = streamer_process(config)

        said(streamer, "registry_unavailable", "schemas.registry.url")
        assert streamer.health("ready") == 200


# --- mistakes of the endpoint's side ----------------------------------------------------------


def test_a_refused_app_secret_is_told_and_a_rotated_file_brings_everything_out(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url)
    shipments.send([0] * 5)
    secret = tmp_path / "secret"
    secret.write_text(OTHER_SECRET)
    endpoint = {"app": {"id": "an-app", "secret": f"file:{secret}"}}
    streamer = streamer_process(shipments.config(endpoint=endpoint))

    said(streamer, "token_refused", "`app.secret` of the endpoint")
    assert "endpoint.app.secret" in checked(tmp_path, streamer)
    assert streamer.process.alive
    streamer.wait_until(
        lambda: streamer.health("ready") == 200, "ready: a restart would not mend it"
    )
    assert streamer.total("streamer_app_held") == 1
    assert delivered(sandbox) == []

    secret.write_text(APP_SECRET)
    # The app is asked for again every 30 s.
    streamer.wait_until(lambda: sorted(delivered(sandbox)) == list(range(5)), "all reports", 60)
    streamer.wait_until(shipments.is_committed, "the commit")
    assert streamer.total("streamer_dead_letters_total") == 0
    assert_clean(streamer.process.log())


def test_a_ready_token_that_is_refused_names_its_setting(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url)
    shipments.send()
    config = shipments.config()
    del config["endpoint"]["app"]
    config["endpoint"]["token"] = OTHER_SECRET
    streamer = streamer_process(config)

    said(streamer, "token_rejected", "its `token`")
    assert "mend endpoint.token" in checked(tmp_path, streamer)


# --- where nothing from outside could help ----------------------------------------------------


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_two_processes_of_one_static_name_leave_one_and_the_other_says_why_it_ends(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    protocol: str,
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url)
    properties = {"group.instance.id": "the-one", "group.protocol": protocol}
    config = shipments.config(kafka={"properties": properties})
    first = streamer_process(config)
    second = streamer_process(config, wait=False)

    both = (first, second)
    wait_until(lambda: any(not one.process.alive for one in both), "one to end", 60)
    [ended] = [one for one in both if not one.process.alive]
    [left] = [one for one in both if one.process.alive]
    assert ended.process.wait() == 1
    assert any("group.instance.id" in line and '"ended"' in line for line in lines(ended))
    assert_clean(ended.process.log())

    shipments.send([0] * 3)
    left.wait_until(lambda: sorted(delivered(sandbox)) == [0, 1, 2], "three reports")


# --- signals ----------------------------------------------------------------------------------


def test_sigterm_while_the_endpoint_hangs_ends_in_order_within_the_drain_timeout(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url)
    sandbox.faults("hang=100%")
    shipments.send([0] * 5)
    streamer = streamer_process(shipments.config(delivery={"drain_timeout": "2s"}))
    streamer.wait_until(lambda: streamer.total("streamer_calls_in_flight") == 5, "calls")

    started = time.monotonic()
    assert streamer.terminate() == 0
    assert time.monotonic() - started < 2 + 5
    assert not shipments.is_committed()

    sandbox.faults()
    streamer.start()
    streamer.wait_until(lambda: sorted(delivered(sandbox)) == list(range(5)), "all reports")
    streamer.wait_until(shipments.is_committed, "the commit")


def test_a_second_signal_ends_at_once_and_loses_nothing(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url)
    sandbox.faults("hang=100%")
    shipments.send([0] * 5)
    # It does not leave the group: its place is free once its session ends.
    properties = {"session.timeout.ms": 6000}
    streamer = streamer_process(shipments.config(kafka={"properties": properties}))
    streamer.wait_until(lambda: streamer.total("streamer_calls_in_flight") == 5, "calls")

    streamer.signal(signal.SIGTERM)
    streamer.process.wait_for_log('"stopping"')
    started = time.monotonic()
    streamer.signal(signal.SIGTERM)
    assert streamer.process.wait() == 1
    assert time.monotonic() - started < 5
    assert_clean(streamer.process.log())

    sandbox.faults()
    streamer.start()
    streamer.wait_until(lambda: sorted(delivered(sandbox)) == list(range(5)), "all reports")
    streamer.wait_until(shipments.is_committed, "the commit")
    assert streamer.total("streamer_dead_letters_total") == 0


# --- where to start ---------------------------------------------------------------------------

HOUR_MS = 3_600_000


def test_a_start_in_the_past_reads_from_that_moment_and_says_it(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url)
    now_ms = time.time_ns() // 1_000_000
    shipments.send([now_ms - hours * HOUR_MS for hours in (5, 4, 3, 1)])
    shipments.send()
    streamer = streamer_process(shipments.config(kafka={"start": "-2h"}))

    streamer.wait_until(lambda: sorted(delivered(sandbox)) == [3, 4], "what is younger")
    streamer.wait_until(shipments.is_committed, "the commit")
    moment = time.strftime("%Y-%m-%dT%H:", time.gmtime(now_ms / 1000 - 7200))
    said(streamer, "group_has_no_offset", moment, "kafka.start")
    said(streamer, "starts_without_offset", shipments.topic, moment)
    assert sorted(delivered(sandbox)) == [3, 4]


def test_events_older_than_a_routes_max_age_are_skipped_and_counted(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    sandbox = sandbox_process(APP)
    shipments = Shipments(kafka, sandbox.url)
    now_ms = time.time_ns() // 1_000_000
    shipments.send([now_ms - hours * HOUR_MS for hours in (5, 3, 1)])
    config = shipments.config(routes=[shipments.route(max_age="2h")])
    streamer = streamer_process(config)

    streamer.wait_until(shipments.is_committed, "the commit")
    assert delivered(sandbox) == [2]
    skipped = streamer.total("streamer_messages_skipped_total", route="shipped", reason="max-age")
    assert skipped == 2


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"kafka": {"properties": {"fetch.mni.bytes": "1"}}}, "fetch.mni.bytes"),
        ({"kafka": {"properties": {"security.protocol": "SASSL"}}}, "security.protocol"),
        ({"server": {"host": "192.0.2.1", "port": 9464}}, "server.host"),
    ],
)
def test_what_only_the_start_can_find_ends_it_with_a_sentence_alone(
    kafka: KafkaCluster,
    streamer_process: StartsStreamer,
    change: dict[str, Any],
    setting: str,
) -> None:
    config = Shipments(kafka, "http://127.0.0.1:9").config(server={"host": "127.0.0.1"})
    for section, more in change.items():
        config[section] |= more
    streamer = streamer_process(config, wait=False)

    assert streamer.process.wait(SAID_WITHIN_S) == 2
    told = [line for line in lines(streamer) if not line.startswith("{")]
    assert len(told) == 1, told
    assert setting in told[0]
    assert_clean(streamer.process.log())


def test_ten_mistakes_get_ten_findings_and_nothing_starts(tmp_path: Path) -> None:
    config = tmp_path / "streamer.yaml"
    config.write_text(TEN_MISTAKES, encoding="utf-8")
    for command in ("run", "check"):
        run = subprocess.run(
            [COMMAND, command, "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "SECRET": APP_SECRET},
        )
        found = [line for line in (run.stdout + run.stderr).splitlines() if "error: " in line]
        assert run.returncode in (1, 2)
        assert len(found) == 10, "\n".join(found)
        assert all("streamer.yaml:" in line for line in found)
        assert_clean(run.stdout + run.stderr)


TEN_MISTAKES = """\
kafka:
  bootstrap_server: localhost:9092
  group_id: automations
  start: yesterday
  properties: {enable.auto.commit: true}
schemas:
  registry: {url: "localhost:8081"}
endpoint:
  base_url: https://www.wixapis.com
  app: {id: an-app, secret: "${SECRET}"}
  timeout: 10
routes:
  - name: one
    topic: orders
    trigger: t
    instance: event.site +
    payload: {weight: event.weight}
  - name: two
    topic: orders
    trigger: t
    instance: event.site
    payload: {_weight: event.weight}
delivery: {ordering: keys}
server: {port: 123456}
log: {level: loud}
"""
