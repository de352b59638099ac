"""Who is measured, and how is each started on a topic and an endpoint?"""

import sys
import uuid
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench.scenarios import Scenario
from bench.topic import EVENT, PAYLOAD, TRIGGER
from tests.servers.process import ServerProcess
from tests.servers.streamer_process import StreamerProcess


class Setting(Struct, frozen=True):
    """What one run of a contender works on."""

    scenario: Scenario
    bootstrap: str
    registry_url: str
    topic: str
    endpoint_url: str
    folder: Path
    """For its configuration and log; its own."""


class Contender(Struct, frozen=True):
    """One that runs."""

    process: ServerProcess
    calls_limit: Callable[[], float] | None = None
    """How many calls it lets be in flight now; None: it has a fixed number."""


Starts = Callable[[Setting], Contender]
"""Starts it, in a consumer group of its own. It reads the topic from its beginning."""


def start_streamer(setting: Setting) -> Contender:
    streamer = StreamerProcess(setting.folder, streamer_config(setting)).start()
    return Contender(streamer.process, lambda: streamer.total("streamer_calls_limit"))


def streamer_config(setting: Setting, group: str = "") -> Mapping[str, Any]:
    """`group`: that of an earlier run, which goes on; empty: one of its own."""
    scenario = setting.scenario
    return {
        "kafka": {
            "bootstrap_servers": setting.bootstrap,
            "group_id": group or _group(),
            "start": "earliest",
        },
        "schemas": {"registry": {"url": setting.registry_url}},
        "endpoint": {
            "base_url": setting.endpoint_url,
            "token": "token",
            "instance": "site",
            "quota": "none",
        },
        "routes": [
            {
                "name": TRIGGER,
                "topic": setting.topic,
                "event": EVENT,
                "trigger": TRIGGER,
                "payload": {key: f"event.{field}" for key, field in PAYLOAD.items()},
            }
        ],
        "delivery": {"max_in_flight": scenario.in_flight, "batch": {"max": scenario.batch}},
        "log": {"format": "json"},
    }


def start_plain_loop(setting: Setting) -> Contender:
    scenario = setting.scenario
    more = {"poll": str(scenario.poll or scenario.in_flight), "batch": str(scenario.batch)}
    return Contender(_module(setting, "bench.plain_loop", more))


def start_faststream(setting: Setting) -> Contender:
    return Contender(_module(setting, "bench.faststream_service", {}))


def _module(setting: Setting, name: str, more: Mapping[str, str]) -> ServerProcess:
    setting.folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bootstrap": setting.bootstrap,
        "registry": setting.registry_url,
        "topic": setting.topic,
        "group": _group(),
        "endpoint": setting.endpoint_url,
        "in-flight": str(setting.scenario.in_flight),
        **more,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", name, *words]
    return ServerProcess(command, setting.folder / "log.txt")


def _group() -> str:
    return f"bench-{uuid.uuid4().hex[:12]}"


STREAMER = "streamer"
PLAIN_LOOP = "plain loop"
FASTSTREAM = "FastStream"
CONTENDERS: Mapping[str, Starts] = {
    STREAMER: start_streamer,
    PLAIN_LOOP: start_plain_loop,
    **({FASTSTREAM: start_faststream} if find_spec("faststream") else {}),
}
"""The first is measured against the others."""
