"""Does the demo do what a person sees first: add up, also when it is interrupted?"""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.servers.streamer_process import COMMAND
from tests.servers.waiting import wait_until

ENDS_WITHIN_S = 120


def start_demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # The demo keeps its files in a temporary folder.
        env={**os.environ, "TMPDIR": str(folder)},
    )


def count(said: str, line: str) -> int:
    """The number on this line of the closing account."""
    found = re.search(rf"^  {line} +([\d,]+)", said, re.MULTILINE)
    assert found, f"no line {line!r} in:\n{said}"
    return int(found[1].replace(",", ""))


def children_when_producing(demo: subprocess.Popen[str]) -> Sequence[psutil.Process]:
    assert demo.stdout is not None
    for line in demo.stdout:
        if re.search(r"reports [1-9]", line):
            break
    return psutil.Process(demo.pid).children(recursive=True)


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    return not any(it.is_running() and it.status() != psutil.STATUS_ZOMBIE for it in processes)


def test_the_demo_adds_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--events", "1500")

    said, _ = demo.communicate(timeout=ENDS_WITHIN_S)

    assert demo.returncode == 0, said
    assert re.search(r"^  the sandbox's page +http://127\.0\.0\.1:\d+/$", said, re.MULTILINE)
    assert count(said, "events produced") == 1500
    assert count(said, "reports delivered") > 700
    assert count(said, "dead-lettered") == 1500 // 50
    assert count(said, "lost") == count(said, "doubled") == count(said, "out of order") == 0
    assert "The account adds up." in said
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_an_endless_demo_with_its_account(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--forever")
    children = children_when_producing(demo)

    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=ENDS_WITHIN_S)

    assert demo.returncode == 0, said
    assert count(said, "lost") == 0
    assert all_gone(children)


def test_a_killed_demo_leaves_no_process_behind(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--forever")
    children = children_when_producing(demo)

    demo.kill()
    demo.communicate(timeout=ENDS_WITHIN_S)

    assert len(children) == 2
    wait_until(lambda: all_gone(children), "streamer and the sandbox to end")


def test_a_demo_whose_streamer_ends_says_so_and_keeps_the_logs(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--forever")
    streamer = next(it for it in children_when_producing(demo) if "run" in it.cmdline())

    streamer.kill()
    said, _ = demo.communicate(timeout=ENDS_WITHIN_S)

    assert demo.returncode == 1
    assert "error: streamer ended with -9" in said
    assert "Traceback" not in said
    assert list(tmp_path.glob("streamer-demo-*/streamer.log"))
