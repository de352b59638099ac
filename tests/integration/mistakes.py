"""How does a bad deployment make dead letters, and what must be true once they were replayed?"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.integration.bridge import Bridge
from tests.integration.conftest import StartsStreamer
from tests.servers.streamer_command import Ended, StreamerCommand
from tests.servers.waiting import wait_until

MISTAKES: Mapping[str, Mapping[str, str]] = {
    # The platform's own schema refuses it: `key` is missing.
    "overdue": {"kez": "event.key", "number": "event.number"},
    "joined": {"key": "event.key", "number": "event.number", "amount": "event.amount + event.key"},
    "placed": {"key": "event.key", "number": "event.number", "amount": '{"value": event.amount}'},
}


def mistaken(config: dict[str, Any], routes: set[str]) -> dict[str, Any]:
    """The configuration with these routes as a bad deployment has them."""
    return {
        **config,
        "routes": [
            {**route, "payload": MISTAKES[route["name"]]} if route["name"] in routes else route
            for route in config["routes"]
        ],
    }


def dead_lettered(
    bridge: Bridge,
    streamer_process: StartsStreamer,
    events: int,
    routes: set[str],
    config: dict[str, Any],
) -> int:
    """So many events, of which those of these routes became letters; gives how many."""
    bridge.produce(events, keys=events // 30)
    streamer = streamer_process(mistaken(config, routes))
    wait_until(bridge.is_committed, "a commit of everything", timeout_s=120)
    letters = int(streamer.total("streamer_dead_letters_total"))
    assert streamer.terminate() == 0
    assert letters == events * len(routes) // len(MISTAKES)
    return letters


def fine(ended: Ended) -> Ended:
    assert ended.code == 0, (ended.out, ended.err[-3000:])
    return ended


def summary_of(command: StreamerCommand, *words: str) -> dict[str, Any]:
    listed = fine(command.run("dead-letters", "list", "--format", "summary-json", *words))
    (summary,) = listed.objects
    return summary


def every_event_once(bridge: Bridge) -> None:
    """And those of one key and route in their order."""
    account = bridge.account()
    assert (account.lost, account.doubled) == ([], [])
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in bridge.sandbox.reports():
        payload = entry["payload"]
        numbers[entry["trigger"], payload["key"]].append(payload["number"])
    assert all(seen == sorted(seen) for seen in numbers.values())
