"""What does a replay do where it has not all to itself: quota, partitions, its own time?"""

import re
import signal
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.integration.bridge import Bridge
from tests.integration.conftest import StartsStreamer
from tests.integration.mistakes import dead_lettered, every_event_once, fine, summary_of
from tests.integration.orders import Orders
from tests.servers.kafka import KafkaCluster
from tests.servers.records import end_offsets
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_command import Ended, StreamerCommand, ended
from tests.servers.waiting import wait_until

# Each runs several commands to their ends, one after the other.
pytestmark = pytest.mark.timeout(600)

REPLAY = ("dead-letters", "replay", "--share", "100")


def replayed(of: Ended) -> int:
    """How many letters this account says were replayed."""
    told = re.search(r"^(\d+) of \d+ letters replayed$", of.out, re.MULTILINE)
    assert told is not None, (of.out, of.err)
    return int(told[1])


def test_a_lane_that_is_throttled_pauses_in_a_replay_and_the_others_are_finished_meanwhile(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config(dead_letters={"flood": "pass"}, delivery={"batch": {"max": 1}})
    letters = dead_lettered(bridge, streamer_process, 600, {"joined"}, config)
    before = bridge.delivered()
    bridge.sandbox.faults("429 retry_after=6 instance=site-1")
    process = StreamerCommand(tmp_path / "command", config).start(*REPLAY)

    def ends_ms(ending: str = "") -> list[int]:
        rows = [row for row in bridge.sandbox.journal() if row["instance"] == "site-1"]
        return [row["at_ms"] for row in rows if row["call"] == "report" and _is(row, ending)]

    def _is(row: Mapping[str, str], ending: str) -> bool:
        return ending in ("", row["ending"])

    seen = len(ends_ms())
    try:
        wait_until(lambda: bool(ends_ms("429")), "a call that is throttled", timeout_s=120)
        # The letters of the six other sites; those of the seventh have two of its pauses.
        of_others = sum(int(key[1:]) % 7 != 1 for key in bridge.good) * letters // len(bridge.good)
        wait_until(
            lambda: bridge.delivered() >= before + of_others, "the other sites", timeout_s=120
        )
        wait_until(
            lambda: max(ends_ms("429")) - min(ends_ms("429")) > 5_000,
            "a second attempt",
            timeout_s=60,
        )
        assert process.poll() is None
    finally:
        bridge.sandbox.faults()
        done = ended(process)
    assert (done.code, replayed(done)) == (0, letters), (done.out, done.err)
    every_event_once(bridge)
    # Those under way at the first 429 end soon after it; what follows begins after the pause.
    throttled = ends_ms("429")
    too_early = [
        at - first for first in throttled for at in ends_ms()[seen:] if 3_000 < at - first < 5_900
    ]
    assert too_early == []


def test_of_two_replays_at_once_each_has_its_partitions_and_sends_each_letter_once(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config(dead_letters={"flood": "pass"}, delivery={"batch": {"max": 1}})
    letters = dead_lettered(bridge, streamer_process, 600, {"joined"}, config)
    # Ten letters of a key follow one another: twenty seconds in which both have come.
    bridge.sandbox.faults("latency=2s")
    commands = [StreamerCommand(tmp_path / f"command-{number}", config) for number in range(2)]
    ends = [ended(process) for process in [command.start(*REPLAY) for command in commands]]
    told = [replayed(it) for it in ends]
    assert min(told) > 0, ends
    assert sum(told) == letters, ends
    assert {entry["came"] for entry in bridge.sandbox.reports()} == {1}
    assert summary_of(commands[0])["total"] == 0
    every_event_once(bridge)


def test_a_replay_that_stood_still_and_lost_its_partitions_doubles_nothing_and_says_so(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config(dead_letters={"flood": "pass"}, delivery={"batch": {"max": 1}})
    letters = dead_lettered(bridge, streamer_process, 600, {"joined"}, config)
    ends = sum(end_offsets(bridge.kafka.bootstrap, bridge.dead_letter_topic).values())
    bridge.sandbox.faults("latency=1s")
    first, second = (StreamerCommand(tmp_path / f"command-{n}", config) for n in range(2))
    stopped = first.start(*REPLAY)
    try:
        # Of twenty keys: some of the first second's marks stand, and most of the letters wait.
        wait_until(
            lambda: (
                sum(end_offsets(bridge.kafka.bootstrap, bridge.dead_letter_topic).values()) > ends
            ),
            "a mark of the first",
            timeout_s=60,
        )
        stopped.send_signal(signal.SIGSTOP)
        # It has the partitions once the first one's session has run out.
        other = fine(second.run(*REPLAY))
    finally:
        stopped.send_signal(signal.SIGCONT)
        one = ended(stopped)
    assert summary_of(second)["total"] == 0
    every_event_once(bridge)
    assert replayed(other) < letters
    assert "Traceback" not in one.err
    if one.code != 0:
        said = ("were not replayed by this command", "were dealt with by others meanwhile")
        assert any(words in one.out for words in said), (one.out, one.err)


def test_a_replay_that_had_read_all_before_it_stood_still_ends_when_it_goes_on(
    kafka: KafkaCluster, sandbox_process: Callable[..., SandboxProcess], tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    order = str(uuid.uuid4())
    for number, kind in enumerate(("cancel", "report")):
        records = [orders.event(kind, number, order)]
        orders.letters(orders.put(records), records, kind)
    config = orders.config(
        kafka={"properties": {"session.timeout.ms": 6000}}, delivery={"stall_after": "5s"}
    )
    orders.sandbox.faults("503 call=cancel")
    first, second = (StreamerCommand(tmp_path / f"command-{n}", config) for n in range(2))
    words = ("dead-letters", "replay", "--cancels", "--superseded")
    stopped = first.start(*words)
    try:
        wait_until(lambda: len(orders.sandbox.journal()) > 2, "its attempts", timeout_s=60)
        stopped.send_signal(signal.SIGSTOP)
        orders.sandbox.faults()
        # It has the partition once the first one's session has run out.
        other = fine(second.run(*words))
    finally:
        stopped.send_signal(signal.SIGCONT)
        one = ended(stopped)
    assert replayed(other) == 2
    # The partition comes back to the first one: it is read again, and everything was marked.
    assert "of 2 letters replayed" in one.out, (one.out, one.err)
    assert (orders.reported(), orders.cancelled()) == ([1], [])


def test_a_partition_goes_to_another_replay_once_its_calls_are_answered(
    kafka: KafkaCluster, sandbox_process: Callable[..., SandboxProcess], tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process(), partitions=2)
    first = [orders.event("report", 0, key=b"another", partition=0)]
    orders.letters(orders.put(first), first, "report")
    for number in (0, 1):
        order = str(uuid.uuid4())
        for kind in ("cancel", "report"):
            records = [orders.event(kind, number + 1, order, partition=number)]
            orders.letters(orders.put(records), records, kind)
    # Once the first report is taken in, the cancels are under way, for longer than a delivery
    # would wait before it lets a partition go.
    late = ("latency=25s before call=cancel", "latency=3s before call=report")
    orders.sandbox.faults(*late)
    config = orders.config(endpoint={"timeout": "60s"}, delivery={"drain_timeout": "60s"})
    commands = [StreamerCommand(tmp_path / f"command-{number}", config) for number in range(2)]
    words = ("dead-letters", "replay", "--cancels", "--superseded")
    one = commands[0].start(*words)
    try:
        wait_until(lambda: orders.reported() == [0], "the first report", timeout_s=60)
    finally:
        # Those under way are taken in late; the next ones would be at once.
        orders.sandbox.faults()
        other = commands[1].start(*words)
        ends = [ended(one), ended(other)]
    # The other one has a report at most: its cancel was answered and marked before.
    told = [replayed(it) for it in ends]
    assert (sum(told), told[1] <= 1) == (5, True), ends
    assert sorted(orders.reported()) == [0, 1, 2]
    assert orders.cancelled() == []


@pytest.mark.parametrize(("count", "kept"), [(120, 20), (4_000, 3_900)])
def test_what_is_dropped_while_a_replay_goes_on_is_not_sent(
    kafka: KafkaCluster,
    sandbox_process: Callable[..., SandboxProcess],
    tmp_path: Path,
    count: int,
    kept: int,
) -> None:
    """Those that were read already, and those that were not: 2,000 are read ahead."""
    orders = Orders(kafka, sandbox_process())
    letters = [orders.event("report", n, key=b"k%d" % n) for n in range(count)]
    orders.letters(orders.put(letters), letters, "report")
    command = StreamerCommand(tmp_path / "command", orders.config())
    orders.sandbox.faults("429 retry_after=1")
    process = command.start(*REPLAY)
    try:
        wait_until(
            lambda: any(row["ending"] == "429" for row in orders.sandbox.journal()),
            "a call that is throttled",
            timeout_s=120,
        )
        words = ("drop", "--why", "done by phone", "--where", f"event.weight_kg >= {kept}")
        dropped = fine(command.run("dead-letters", *words))
        assert "100 letters dropped" in dropped.out
        assert "a replay is under way" in dropped.err
        # It reads on every two seconds; a call in that time takes none of them, nor gets through.
        seen = len(orders.sandbox.journal())
        wait_until(lambda: len(orders.sandbox.journal()) > seen + 3, "further calls", timeout_s=120)
        orders.sandbox.faults()
    finally:
        account = ended(process)
    assert sorted(orders.reported()) == list(range(kept))
    assert f"{kept} of {count} letters replayed" in account.out, account
    assert "100 were dealt with by others meanwhile" in account.out
    assert account.code == 1
    left = fine(command.run("dead-letters", "list", "--state", "dropped", "--format", "summary"))
    assert "100" in left.out


def test_a_drop_and_a_dry_run_that_are_stopped_say_how_far_they_came(
    kafka: KafkaCluster, sandbox_process: Callable[..., SandboxProcess], tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    count = 15_000  # several portions of those that are read at a time
    letters = [orders.event("report", n) for n in range(count)]
    orders.letters(orders.put(letters), letters, "report")
    command = StreamerCommand(tmp_path / "command", orders.config())

    trying = command.start("dead-letters", "replay", "--dry-run")
    assert trying.stdout is not None
    assert "report to order_shipped" in trying.stdout.readline()
    trying.send_signal(signal.SIGTERM)
    tried = ended(trying)
    assert "stopped: asked to (SIGTERM)" in tried.out
    assert tried.code == 1

    words = ("dead-letters", "drop", "--all", "--why", "stopped on purpose")
    dropping = command.start(*words)
    wait_until(
        lambda: end_offsets(kafka.bootstrap, orders.letter_topic)[0] > count,
        "the first mark",
        timeout_s=60,
    )
    dropping.send_signal(signal.SIGINT)
    stopped = ended(dropping)
    assert "stopped: asked to (SIGINT)" in stopped.out, stopped
    assert stopped.code == 1
    rest = fine(command.run(*words))
    told = [re.search(r"^(\d+) letters dropped$", it.out, re.MULTILINE) for it in (stopped, rest)]
    first, second = (int(it[1]) for it in told if it is not None)
    assert 0 < first < count
    assert first + second == count
