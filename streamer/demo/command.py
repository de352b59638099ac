"""What is `streamer demo`, from the first process to the closing account?"""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

from rich.console import Console

from streamer.demo.closing import closing_lines
from streamer.demo.display import Display, display_for
from streamer.demo.run import DemoRun
from streamer.demo.scenario import Scenario
from streamer.demo.stage import stage
from streamer.demo.wire import load, schema_directory

DEFAULT_EVENTS = 6_000
# So few of one kind that it is no flood: 100 refusals of one cause in a minute.
SPOILED_IN_A_RUN = 60
SPOIL_EVERY_FOREVER = 500


def run_demo(
    events: int = DEFAULT_EVENTS, forever: bool = False, console: Console | None = None
) -> int:
    """Show the main job with so many events, or until Ctrl-C; 0 if the account adds up, else 1.

    Raises DemoError where a part of it does not start or stands still. Logs and configuration are
    kept, and their folder named, unless all went well.
    """
    console = console or Console()
    folder = Path(tempfile.mkdtemp(prefix="streamer-demo-"))
    good = False
    try:
        good = _show(folder, console, None if forever else events)
    finally:
        if good:
            shutil.rmtree(folder)
        else:
            _say(console, f"Logs and configuration of this demo: {folder}")
    return 0 if good else 1


def _show(folder: Path, console: Console, goal: int | None) -> bool:
    _say(console, "Starting an embedded Kafka, the sandbox and streamer ...")
    with _told_to_end() as told_to_end, stage(folder) as parts:
        for what, page in parts.pages.items():
            _say(console, f"  {what:<22}{page}")
        scenario = Scenario(
            load(schema_directory()),
            Random(),
            lambda: time.time_ns() // 1_000_000,
            spoil_every=max(50, goal // SPOILED_IN_A_RUN) if goal else SPOIL_EVERY_FOREVER,
        )
        display: Display
        with display_for(console) as display:
            run = DemoRun(parts, scenario, display, goal, told_to_end)
            run.run()
    for line in closing_lines(run.account, run.repeats):
        _say(console, line)
    return run.account.adds_up


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _told_to_end() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM ends the producing and lets the rest come through; a second one
    ends the demo at once."""
    told = False

    def tell(number: int, frame: FrameType | None) -> None:
        nonlocal told
        if told:
            raise KeyboardInterrupt
        told = True

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
