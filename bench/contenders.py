"""Who is measured, and how is each started on a topic and an endpoint?"""

import sys
import uuid
from collections.abc import Callable, Mapping
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


Starts = Callable[[Setting], ServerProcess]
"""Starts it, in a consumer group of its own. It reads the topic from its beginning."""


def start_streamer(setting: Setting) -> ServerProcess:
    return StreamerProcess(setting.folder, _config(setting)).start().process


def _config(setting: Setting) -> Mapping[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": setting.bootstrap,
            "group_id": _group(),
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
        "delivery": {"max_in_flight": setting.scenario.in_flight, "batch": {"max": 1}},
        "log": {"format": "json"},
    }


def start_plain_loop(setting: Setting) -> ServerProcess:
    setting.folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bootstrap": setting.bootstrap,
        "registry": setting.registry_url,
        "topic": setting.topic,
        "group": _group(),
        "endpoint": setting.endpoint_url,
        "in-flight": str(setting.scenario.in_flight),
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "bench.plain_loop", *words]
    return ServerProcess(command, setting.folder / "log.txt")


def _group() -> str:
    return f"bench-{uuid.uuid4().hex[:12]}"


STREAMER = "streamer"
PLAIN_LOOP = "plain loop"
CONTENDERS: Mapping[str, Starts] = {STREAMER: start_streamer, PLAIN_LOOP: start_plain_loop}
"""The first is measured against the others."""
