"""Does a replay keep the order of the source, and end nothing that came later?"""

import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from tests.integration.conftest import StartsStreamer
from tests.integration.mistakes import fine
from tests.integration.orders import Orders
from tests.servers.kafka import KafkaCluster
from tests.servers.records import read_all
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_command import StreamerCommand, ended
from tests.servers.waiting import wait_until

# Each runs several commands to their ends, one after the other.
pytestmark = pytest.mark.timeout(600)

StartsSandbox = Callable[..., SandboxProcess]
HOUR_MS = 3_600_000


def test_a_replay_that_is_stopped_keeps_its_partitions_until_its_calls_are_answered(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    order = str(uuid.uuid4())
    first = [orders.event("report", 0, key=b"another")]
    cancel, report = [orders.event("cancel", 1, order)], [orders.event("report", 2, order)]
    for kind, records in (("report", first), ("cancel", cancel), ("report", report)):
        orders.letters(orders.put(records), records, kind)
    config = orders.config(endpoint={"timeout": "60s"}, delivery={"drain_timeout": "60s"})
    words = ("dead-letters", "replay", "--cancels", "--superseded")
    # Once the first report is taken in, the cancels are under way.
    late = ("latency=25s before call=cancel", "latency=3s before call=report")
    orders.sandbox.faults(*late)
    one, other = (StreamerCommand(tmp_path / name, config) for name in ("one", "other"))
    stopped = one.start(*words)
    try:
        wait_until(lambda: orders.reported() == [0], "the first report", timeout_s=60)
    finally:
        # The cancel that is under way is taken in late; the next one would be at once.
        orders.sandbox.faults()
        stopped.send_signal(signal.SIGINT)
        following = other.start(*words)
        account, last = ended(stopped), ended(following)
    assert "2 of 3 letters replayed" in account.out, account
    assert "goes on with it" in account.out
    # The second one had the third only, after the cancel was answered and marked.
    assert "1 of " in last.out, last
    # It may have looked before the second one was marked.
    assert last.code == 0 or "1 were dealt with by others meanwhile" in last.out, last
    assert orders.reported() == [0, 2]
    assert orders.cancelled() == []
    assert [row["call"] for row in orders.sandbox.journal()].count("cancel") == 1


def test_letters_of_a_partition_are_replayed_in_its_order_whatever_their_keys(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    orders = Orders(kafka, sandbox_process(), partitions=4)
    records = [orders.event("report", n, key=b"%d" % n, partition=2) for n in range(40)]
    orders.put(records)
    in_order = {"ordering": "partition"}
    wrong = orders.reports(payload={"weight": "event.weight_kg + event.carrier"})
    streamer = streamer_process(orders.config([wrong], delivery=in_order))
    streamer.wait_until(
        lambda: streamer.total("streamer_dead_letters_total") >= len(records), "the letters"
    )
    assert streamer.terminate() == 0
    letters = list(read_all(kafka.bootstrap, orders.letter_topic))
    assert {letter.partition for letter in letters} == {2}

    command = StreamerCommand(tmp_path, orders.config([orders.reports()], delivery=in_order))
    fine(command.run("dead-letters", "replay"))
    assert orders.reported() == list(range(40))


# --- a stretch of a source topic ---


def test_a_stretch_is_told_by_timestamps_late_ones_included(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    begin = (time.time_ns() // 1_000_000 - 24 * HOUR_MS) // HOUR_MS * HOUR_MS
    # Minutes of the hour, in the order in which they were written.
    minutes = [0, 30, 45, -60, 61, 50]
    orders.put([orders.event("report", m % 100, timestamp_ms=begin + 60_000 * m) for m in minutes])
    command = StreamerCommand(tmp_path, orders.config([orders.reports()]))
    words = ("replay", "--topic", orders.topic, "--from", _iso(begin), "--to")

    dry = fine(command.run(*words, _iso(begin + HOUR_MS), "--dry-run"))
    assert "4 of 4 messages would be sent" in dry.out
    done = fine(command.run(*words, _iso(begin + HOUR_MS)))
    assert f"the stretch: --topic {orders.topic} --from 20" in done.out
    assert "4 of 4 messages replayed" in done.out
    assert "2 of another time were passed over" in done.out
    assert orders.reported() == [0, 30, 45, 50]

    nothing = command.run("replay", "--topic", orders.topic, "--from", "-1m", "--to", "-1s")
    assert nothing.code == 1
    assert "there are no messages of that time" in nothing.out

    aged = StreamerCommand(tmp_path / "aged", orders.config([orders.reports(max_age="1h")]))
    told = fine(aged.run(*words, _iso(begin + HOUR_MS)))
    assert "4 make no report (4 max-age)" in told.out

    deleted = kafka.admin.delete_records([TopicPartition(orders.topic, 0, 2)])
    for done_so in deleted.values():
        done_so.result(30)
    rest = fine(command.run(*words, _iso(begin + HOUR_MS), "--dry-run"))
    assert "2 of 2 messages would be sent" in rest.out
    assert f"before {orders.topic}[0]@2 was deleted by retention" in rest.out


def test_a_relative_stretch_with_new_keys_is_refused_with_the_command_to_give(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    written = time.time_ns() // 1_000_000 - 90 * 60_000
    orders.put([orders.event("report", n, timestamp_ms=written + n) for n in range(5)])
    command = StreamerCommand(tmp_path, orders.config([orders.reports()]))
    refused = command.run(
        "replay", "--topic", orders.topic, "--from", "-2h", "--to", "-1h", "--new-key"
    )
    assert (refused.code, orders.reported()) == (2, [])
    given = refused.err.rpartition(": streamer ")[2].split()
    for _ in range(2):
        fine(command.run(*given))
    assert orders.reported() == list(range(5))


def test_a_stretch_with_cancels_ends_no_live_automation(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    orders = Orders(kafka, sandbox_process())
    order = str(uuid.uuid4())
    kinds = ("report", "cancel", "report")
    orders.put([orders.event(kind, number, order) for number, kind in enumerate(kinds)])
    streamer = streamer_process(orders.config())
    streamer.wait_until(lambda: orders.reported() == [0, 2], "both reports")
    assert streamer.terminate() == 0
    assert orders.cancelled() == [0]
    command = StreamerCommand(tmp_path, orders.config())
    words = ("replay", "--topic", orders.topic, "--from", "-1h", "--to", "2999-01-01", "--cancels")

    careful = command.run(*words)
    assert careful.code == 1
    assert "2 left out (superseded)" in careful.out
    assert "reports the same trigger and entity later" in careful.out
    assert orders.cancelled() == [0]

    everything = command.run(*words, "--superseded", "--dry-run")
    assert f"it would end what trigger order_shipped has started for entity {order}" in (
        everything.out
    )
    told = fine(command.run(*words, "--superseded"))
    assert "1 are cancels; sent now" in told.out
    assert told.out.index("it would end") < told.out.index("messages replayed")


def _iso(moment_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_ms / 1000))
