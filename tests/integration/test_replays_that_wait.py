"""What is written while a replay waits for the endpoint, and what if nothing can be remembered?"""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.integration.conftest import StartsStreamer
from tests.integration.mistakes import fine
from tests.integration.orders import Orders
from tests.servers.kafka import KafkaCluster
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_command import StreamerCommand, ended
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.timeout(600)

StartsSandbox = Callable[..., SandboxProcess]


def test_a_report_that_waits_is_left_out_once_a_cancel_of_its_entity_is_written(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    """Found by a stranger: it was sent when the endpoint was back, and what had been cancelled was
    live."""
    orders = Orders(kafka, sandbox_process())
    order = str(uuid.uuid4())
    letters = [orders.event("report", 7, order)]
    orders.letters(orders.put(letters), letters, "report")
    orders.sandbox.faults("503")
    process = StreamerCommand(tmp_path, orders.config()).start("dead-letters", "replay")
    try:
        wait_until(lambda: len(orders.sandbox.journal()) > 1, "an attempt", timeout_s=60)
        orders.put([orders.event("cancel", 8, order)])
    finally:
        # The endpoint stays as it is: it ends, since there is nothing left to wait for.
        account = ended(process)
    assert "1 left out (superseded)" in account.out, account
    assert "0 of 1 letters replayed" in account.out
    assert account.code == 1
    assert orders.reported() == []


def test_a_cancel_that_waits_is_left_out_once_a_report_of_its_entity_is_written(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    """Found by a stranger: it ended what the running delivery had started meanwhile."""
    orders = Orders(kafka, sandbox_process())
    order = str(uuid.uuid4())
    letters = [orders.event("cancel", 7, order)]
    orders.letters(orders.put(letters), letters, "cancel")
    orders.sandbox.faults("503 call=cancel")
    command = StreamerCommand(tmp_path, orders.config())
    process = command.start("dead-letters", "replay", "--cancels")
    try:
        wait_until(lambda: len(orders.sandbox.journal()) > 1, "an attempt", timeout_s=60)
        orders.put([orders.event("report", 8, order)])
        streamer_process(orders.config(routes=[orders.reports()]))
        wait_until(lambda: orders.reported() == [8], "the report of the delivery", timeout_s=60)
    finally:
        account = ended(process)
    assert "1 left out (superseded)" in account.out, account
    assert account.code == 1
    assert orders.cancelled() == []


def test_a_replay_whose_marks_the_topic_refuses_says_so(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    """Found by a stranger: it said "replayed", ended with 0, and the letter was open."""
    orders = Orders(kafka, sandbox_process())
    letters = [orders.event("report", 7)]
    orders.letters(orders.put(letters), letters, "report")
    most = ConfigEntry("max.message.bytes", "50", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, orders.letter_topic, incremental_configs=[most])
    for altered in kafka.admin.incremental_alter_configs([topic]).values():
        altered.result(30)
    command = StreamerCommand(tmp_path, orders.config())
    account = command.run("dead-letters", "replay")
    assert account.code == 1, account
    assert "of 1 of them it could not be remembered" in account.out
    assert "stopped: " in account.out
    assert "Traceback" not in account.err
    assert orders.reported() == [7]
    listed = fine(command.run("dead-letters", "list", "--format", "summary"))
    assert "1 refused by shipped" in listed.out


def test_a_message_key_that_is_a_sensitive_value_is_hidden(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    """Found by a stranger: keyed by the very field, as most topics are."""
    orders = Orders(kafka, sandbox_process())
    order = str(uuid.uuid4())
    letters = [orders.event("report", 7, order, key=order.encode())]
    orders.letters(orders.put(letters), letters, "report")
    config = orders.config(dead_letters={"sensitive": ["order_id"]})
    command = StreamerCommand(tmp_path, config)
    (listed,) = fine(command.run("dead-letters", "list", "--format", "json")).objects
    told = fine(command.run("dead-letters", "show", listed["id"]))
    assert "key: (hidden)" in told.out
    assert order not in told.out + told.err
