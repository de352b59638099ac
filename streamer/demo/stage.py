"""Which parts does the demo put up, and how do they come up and go?"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from streamer.demo.broker import EmbeddedBroker, Follower
from streamer.demo.children import Child, free_port
from streamer.demo.sandbox_ledger import SandboxLedger
from streamer.demo.setting import (
    APP_ID,
    APP_SECRET,
    DEAD_LETTER_TOPICS,
    FAULTS,
    TOPICS,
    write_configuration,
    write_triggers,
)
from streamer.demo.wire import schema_directory
from streamer.errors import StreamerError

START_WITHIN_S = 30.0
STOP_WITHIN_S = 40.0  # above streamer's own drain timeout
LOOK_EVERY_S = 0.05


class DemoError(StreamerError):
    """A part of the demo did not come up, ended by itself, or stands still."""


@dataclass(frozen=True, slots=True)
class Stage:
    """All parts, up and running."""

    broker: EmbeddedBroker
    ledger: SandboxLedger
    dead_letters: Follower
    streamer: Child
    sandbox: Child
    pages: Mapping[str, str]
    """What can be opened in a browser, by what it shows."""

    def check(self) -> None:
        """Raises DemoError where a process ended."""
        for name, child in (("streamer", self.streamer), ("the sandbox", self.sandbox)):
            if child.exit_code is not None:
                raise DemoError(
                    f"{name} ended with {child.exit_code}; its last lines:\n{child.last_lines()}"
                )

    def stop_streamer(self) -> None:
        """Let it drain, commit and leave. Raises DemoError where it does not end with 0."""
        code = self.streamer.stop(STOP_WITHIN_S)
        if code != 0:
            how = f"ended with {code}" if code is not None else "did not end in time"
            raise DemoError(f"streamer {how} after SIGTERM:\n{self.streamer.last_lines()}")


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Put everything up; whatever happens, nothing of it stays. Raises DemoError."""
    with ExitStack() as stack:
        broker = EmbeddedBroker()
        broker.make_topics([*TOPICS, *DEAD_LETTER_TOPICS])
        # Both at once: most of a start is reading Python modules, and there are two cores.
        sandbox, sandbox_url = _start_sandbox(stack, folder)
        streamer, streamer_url = _start_streamer(stack, folder, broker.bootstrap, sandbox_url)
        _wait_until(lambda: _answers(f"{sandbox_url}/sandbox/summary"), sandbox, "the sandbox")
        ledger = stack.enter_context(closing(SandboxLedger(sandbox_url)))
        ledger.set_faults(FAULTS)
        _wait_until(lambda: _answers(f"{streamer_url}/health/ready"), streamer, "streamer")
        yield Stage(
            broker,
            ledger,
            stack.enter_context(closing(broker.follow(DEAD_LETTER_TOPICS))),
            streamer,
            sandbox,
            {
                "the sandbox's page": f"{sandbox_url}/",
                "streamer's metrics": f"{streamer_url}/metrics",
                "is it ready": f"{streamer_url}/health/ready",
                "the sandbox's counts": f"{sandbox_url}/sandbox/summary",
                "what it accepted": f"{sandbox_url}/sandbox/reports?limit=50",
            },
        )


def _start_sandbox(stack: ExitStack, folder: Path) -> tuple[Child, str]:
    triggers = folder / "triggers"
    write_triggers(triggers)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["sandbox", "--port", str(port), "--schemas", str(triggers), "--quota", "none"]
    child = Child([*arguments, "--app", f"{APP_ID}:{APP_SECRET}"], folder / "sandbox.log")
    stack.callback(child.kill)
    return child, url


def _start_streamer(
    stack: ExitStack, folder: Path, bootstrap: str, sandbox_url: str
) -> tuple[Child, str]:
    configuration = folder / "streamer.yaml"
    port = free_port()
    write_configuration(
        configuration,
        bootstrap=bootstrap,
        schemas=schema_directory(),
        sandbox=sandbox_url,
        port=port,
    )
    url = f"http://127.0.0.1:{port}"
    os.environ["DEMO_APP_SECRET"] = APP_SECRET
    child = Child(["run", "--config", str(configuration)], folder / "streamer.log")
    stack.callback(child.kill)
    return child, url


def _wait_until(condition: Callable[[], bool], child: Child, name: str) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while not condition():
        if child.exit_code is not None:
            raise DemoError(
                f"{name} ended with {child.exit_code} at its start; "
                f"its last lines:\n{child.last_lines()}"
            )
        if time.monotonic() > deadline:
            raise DemoError(
                f"{name} is not ready after {START_WITHIN_S:g} s; "
                f"its last lines:\n{child.last_lines()}"
            )
        time.sleep(LOOK_EVERY_S)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
