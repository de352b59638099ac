"""Does `streamer run` end within its grace period and with the right code, whenever told to?"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from streamer.demo.wire import schema_directory
from tests.integration.conftest import StartsKafka, StartsStreamer
from tests.integration.shipments import Shipments, delivered
from tests.servers.kafka import KafkaCluster
from tests.servers.process import free_port
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_process import COMMAND
from tests.servers.waiting import wait_until

StartsSandbox = Callable[..., SandboxProcess]

ROOT = Path(__file__).parents[2]
LEAST_BEYOND_DRAIN_S = 15
"""What the chart grants beside `delivery.drain_timeout` at the least."""

# --- with something begun ---------------------------------------------------------------------


def test_sigterm_with_a_broker_that_stands_still_ends_the_process_within_the_grace_period(
    own_kafka: StartsKafka, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    cluster, drain_s = own_kafka(), 1
    sandbox = sandbox_process()
    shipments = Shipments(cluster, sandbox.url)
    shipments.send([0] * 5)
    streamer = streamer_process(shipments.config(delivery={"drain_timeout": f"{drain_s}s"}))
    streamer.wait_until(lambda: len(delivered(sandbox)) == 5, "five reports")
    sandbox.faults("hang=100% call=events")
    shipments.send([0] * 5)
    streamer.wait_until(lambda: streamer.total("streamer_calls_in_flight") == 5, "calls")
    cluster.suspend_node()

    started = time.monotonic()
    assert streamer.terminate() == 0
    assert time.monotonic() - started < drain_s + LEAST_BEYOND_DRAIN_S
    [stopped] = [event for event in streamer.log_events() if event["event"] == "stopped"]
    assert stopped["unsettled"] == 5


def test_what_is_left_unsettled_is_said_at_the_end(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    sandbox = sandbox_process()
    shipments = Shipments(kafka, sandbox.url)
    sandbox.faults("hang=100% call=events")
    shipments.send([0] * 3)
    streamer = streamer_process(shipments.config(delivery={"drain_timeout": "500ms"}))
    streamer.wait_until(lambda: streamer.total("streamer_calls_in_flight") == 3, "calls")

    assert streamer.terminate() == 0

    [stopped] = [event for event in streamer.log_events() if event["event"] == "stopped"]
    assert (stopped["left_in_order"], stopped["unsettled"]) == (True, 3)


def test_a_fatal_error_during_the_drain_ends_it_with_its_reason_and_code_1(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, streamer_process: StartsStreamer
) -> None:
    sandbox = sandbox_process()
    shipments = Shipments(kafka, sandbox.url)
    sandbox.faults("hang=100% call=events")
    shipments.send()
    config = shipments.config(
        kafka={"properties": {"group.instance.id": "the-one"}},
        delivery={"drain_timeout": "5m"},
        endpoint={"timeout": "5m"},
    )
    first = streamer_process(config)
    first.wait_until(lambda: first.total("streamer_calls_in_flight") == 1, "a call")
    first.signal(signal.SIGTERM)
    first.process.wait_for_log('"stopping"')

    # Another of its static name fences it.
    streamer_process(config, wait=False)

    assert first.process.wait(60) == 1
    [ended] = [event for event in first.log_events() if event["event"] == "ended"]
    assert "group.instance.id" in ended["why"]


# --- before anything is begun -----------------------------------------------------------------


@pytest.fixture
def idle(tmp_path: Path) -> Path:
    """A configuration whose broker is nobody."""
    config = {
        "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}", "group_id": "a-group"},
        "schemas": {"directory": str(schema_directory())},
        "endpoint": {"base_url": "http://127.0.0.1:9", "token": "a-token", "instance": "i"},
        "server": {"host": "127.0.0.1", "port": 0},
        "routes": [{"name": "r", "topic": "t", "trigger": "x"}],
        "log": {"format": "json"},
    }
    file = tmp_path / "streamer.yaml"
    file.write_text(json.dumps(config))
    return file


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def takes_sigterm(pid: int) -> bool:
    """Whether a SIGTERM would neither kill the process nor go by: it is handled, or waits."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = re.findall(r"^Sig(?:Blk|Cgt):\s*([0-9a-f]+)$", status, re.MULTILINE)
    return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)


MOMENTS_S = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Of the process's own time on a processor: so far it has come with its imports."""


@pytest.mark.parametrize("moment_s", MOMENTS_S)
def test_sigterm_in_the_first_second_ends_the_process_with_code_0(
    idle: Path, tmp_path: Path, moment_s: float
) -> None:
    log = tmp_path / "log.txt"
    with running([COMMAND, "run", "--config", str(idle)], log) as process:
        it = psutil.Process(process.pid)
        wait_until(
            lambda: (
                takes_sigterm(process.pid)
                and (sum(it.cpu_times()[:2]) >= moment_s or b'"listening"' in log.read_bytes())
            ),
            f"{moment_s} s of work",
        )

        process.terminate()

        assert process.wait(LEAST_BEYOND_DRAIN_S) == 0
    assert "Traceback" not in log.read_text()


def image_command(*words: str) -> list[str]:
    """As the Dockerfile starts it, with these words in place of its own."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    entry: list[str] = json.loads(re.findall(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)[-1])
    assert entry[-1] == "streamer"
    return [*entry[:-1], *words]


def test_the_image_keeps_a_sigterm_that_comes_before_python_can_take_it() -> None:
    blocked = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))"

    run = subprocess.run(image_command(sys.executable, "-c", blocked), stdout=subprocess.PIPE)

    assert run.stdout.decode().strip() == str({signal.SIGTERM})


def test_the_first_process_of_a_container_takes_sigterm_at_once(idle: Path, tmp_path: Path) -> None:
    """In a namespace of its own, whose first process ignores every signal that it leaves alone."""
    log = tmp_path / "log.txt"
    own = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    with running([*own, *image_command(COMMAND, "run", "--config", str(idle))], log) as process:
        wait_until(lambda: bool(psutil.Process(process.pid).children()), "the first process")
        [first] = psutil.Process(process.pid).children()
        wait_until(lambda: takes_sigterm(first.pid), "SIGTERM to be blocked or handled")

        os.kill(first.pid, signal.SIGTERM)

        assert process.wait(LEAST_BEYOND_DRAIN_S) == 0
