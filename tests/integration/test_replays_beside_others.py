"""What does a replay do where it has not all to itself: quota, partitions, its own time?"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.bridge import Bridge, trigger_schemas
from tests.integration.conftest import StartsStreamer
from tests.integration.mistakes import dead_lettered, every_event_once, summary_of
from tests.servers.kafka import KafkaCluster
from tests.servers.registry import ApicurioRegistry
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_command import Ended, StreamerCommand, ended
from tests.servers.waiting import wait_until

# Each runs several commands to their ends, one after the other.
pytestmark = pytest.mark.timeout(600)

REPLAY = ("dead-letters", "replay", "--share", "100")


@pytest.fixture
def bridge(
    kafka: KafkaCluster,
    registry: ApicurioRegistry,
    sandbox_process: Callable[..., SandboxProcess],
    tmp_path: Path,
) -> Bridge:
    schemas = trigger_schemas(tmp_path / "schemas")
    return Bridge(kafka, registry, sandbox_process(["--schemas", str(schemas)]))


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

    def _is(row: dict[str, str], ending: str) -> bool:
        return ending in ("", row["ending"])

    seen = len(ends_ms())
    try:
        wait_until(lambda: ends_ms("429"), "a call that is throttled", timeout_s=120)
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
