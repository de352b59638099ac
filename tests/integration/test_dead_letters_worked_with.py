"""Can what did not go through be understood, mended and sent, each event exactly once?"""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.integration.bridge import Bridge
from tests.integration.conftest import StartsStreamer
from tests.integration.mistakes import (
    MISTAKES,
    dead_lettered,
    every_event_once,
    fine,
    mistaken,
    summary_of,
)
from tests.servers.streamer_command import StreamerCommand, ended
from tests.servers.waiting import wait_until

# Each runs several commands to their ends, one after the other.
pytestmark = pytest.mark.timeout(600)

EVENTS = int(os.environ.get("DEAD_LETTERS", "10_000"))


def test_a_bad_deployment_is_understood_mended_route_by_route_and_replayed_exactly_once(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    bridge.produce(EVENTS)
    config = bridge.config(dead_letters={"flood": "pass"})
    streamer = streamer_process(mistaken(config, set(MISTAKES)))
    wait_until(
        lambda: streamer.total("streamer_dead_letters_total") >= EVENTS and bridge.is_committed(),
        lambda: f"{streamer.total('streamer_dead_letters_total')} dead letters",
        timeout_s=120,
    )
    assert streamer.terminate() == 0

    command = StreamerCommand(tmp_path / "command", mistaken(config, set(MISTAKES)))
    (summary,) = fine(command.run("dead-letters", "list", "--format", "summary-json")).objects
    assert summary["total"] == EVENTS
    assert len(summary["groups"]) == len(MISTAKES), summary
    named = {group["route"]: group for group in summary["groups"]}
    assert {route: group["reason"] for route, group in named.items()} == {
        "overdue": "refused",
        "joined": "expression-failed",
        "placed": "payload-invalid",
    }
    assert named["overdue"]["status"] == 428
    assert "key" in named["overdue"]["detail"]

    wrong = set(MISTAKES)
    for number, route in enumerate(MISTAKES):
        wrong.remove(route)
        mended = StreamerCommand(tmp_path / f"mended-{number}", mistaken(config, wrong))
        ended = fine(mended.run("dead-letters", "replay", "--route", route, "--share", "100"))
        assert f"{named[route]['count']} of {named[route]['count']} letters replayed" in ended.out
        (left,) = fine(mended.run("dead-letters", "list", "--format", "summary-json")).objects
        assert {group["route"] for group in left["groups"]} == wrong
    every_event_once(bridge)
    accepted = bridge.sandbox.summary()

    again = fine(mended.run("dead-letters", "replay", "--share", "100"))
    assert "0 of 0 letters replayed" in again.out
    assert bridge.sandbox.summary() == accepted
    every_event_once(bridge)


# --- smaller ones -----------------------------------------------------------------------------


def test_without_pass_the_guard_holds_the_route_and_a_replay_of_it_stops_too(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config()
    bridge.produce(1_500, keys=500)
    streamer = streamer_process(mistaken(config, {"joined"}))
    wait_until(
        lambda: streamer.total("streamer_held_reports", kind="flood") > 0,
        "a route that is held",
        timeout_s=60,
    )
    assert streamer.terminate() == 0
    letters = int(summary_of(StreamerCommand(tmp_path / "list", config))["total"])
    assert 100 <= letters < 500

    wrong = StreamerCommand(tmp_path / "wrong", mistaken(config, {"joined"}))
    again = wrong.run("dead-letters", "replay", "--share", "100")
    assert again.code == 1
    assert "failed again and were written again" in again.out
    (named, *_) = re.findall(r'"letter": "([0-9a-f]+)"', again.err)
    assert f"id: {named}" in fine(wrong.run("dead-letters", "show", named)).out
    if letters > 100:
        assert "stopped: route joined is refused" in again.out
    (one, *_) = fine(wrong.run("dead-letters", "list", "--format", "json", "--limit", "1")).objects
    assert one["history"][0]["reason"] == "expression-failed"
    assert summary_of(wrong)["total"] == letters

    # Mended: what was held goes out by itself, and the letters by a replay beside it.
    mended = streamer_process(config)
    ended = fine(StreamerCommand(tmp_path / "mended", config).run("dead-letters", "replay"))
    assert f"{letters} of {letters} letters replayed" in ended.out
    bridge.wait_until_done([mended])
    every_event_once(bridge)


def test_a_replay_into_an_endpoint_that_is_down_waits_and_can_be_stopped_and_gone_on_with(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    # In the newer group protocol; the other tests are in the classic one.
    protocol = {"properties": {"group.protocol": "consumer"}}
    config = bridge.config(kafka=protocol, dead_letters={"flood": "pass"})
    letters = dead_lettered(bridge, streamer_process, 600, {"joined"}, config)
    command = StreamerCommand(tmp_path / "command", config)
    bridge.sandbox.faults("503")
    before = bridge.delivered()
    process = command.start("dead-letters", "replay", "--share", "100")
    tried = bridge.sandbox.summary()
    try:
        wait_until(
            lambda: bridge.sandbox.summary() != tried or process.poll() is not None,
            "calls that fail",
            timeout_s=120,
        )
    finally:
        # Where it waited in vain, what the process says of itself stands in the failure.
        process.send_signal(signal.SIGINT)
        stopped = ended(process)
        print(stopped.out, stopped.err)
    assert stopped.code == 1, stopped.err
    assert f"0 of {letters} letters replayed" in stopped.out
    assert "stopped: asked to (SIGINT)" in stopped.out
    assert f"at {bridge.dead_letter_topic}[" in stopped.out
    assert bridge.delivered() == before
    assert summary_of(command)["total"] == letters

    bridge.sandbox.faults()
    again = fine(command.run("dead-letters", "replay", "--share", "100"))
    assert f"{letters} of {letters} letters replayed" in again.out
    every_event_once(bridge)


def test_two_replays_at_once_and_one_that_is_killed_double_nothing(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config(dead_letters={"flood": "pass"}, delivery={"batch": {"max": 1}})
    letters = dead_lettered(bridge, streamer_process, 3_000, {"joined", "placed"}, config)
    bridge.sandbox.faults("latency=50ms")
    commands = [StreamerCommand(tmp_path / f"command-{n}", config) for n in range(3)]
    before = bridge.delivered()
    replays = [it.start("dead-letters", "replay", "--share", "100") for it in commands[:2]]
    wait_until(lambda: bridge.delivered() > before + 50, "reports of the replays", timeout_s=60)
    replays[0].kill()
    ends = [ended(process) for process in replays]
    assert ends[1].code in (0, 1), ends[1].err

    last = commands[2].run("dead-letters", "replay", "--share", "100")
    assert last.code == 0, (last.out, last.err)
    assert summary_of(commands[2])["total"] == 0
    assert summary_of(commands[2], "--state", "replayed")["total"] == letters
    every_event_once(bridge)


def test_letters_are_listed_shown_and_dropped(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config(dead_letters={"flood": "pass", "sensitive": ["site"]})
    bridge.produce(300, bad_every=30)
    streamer = streamer_process(mistaken(config, {"overdue"}))
    wait_until(bridge.is_committed, "a commit of everything", timeout_s=120)
    assert streamer.terminate() == 0
    command = StreamerCommand(tmp_path / "command", config)
    foreign = (("__connect.errors.topic", b"orders"), ("__connect.errors.stage", b"TRANSFORM"))
    bridge.write_letter(foreign)

    letters = fine(command.run("dead-letters", "list", "--format", "json")).objects
    written = [it["written"] for it in letters]
    assert written == sorted(written, reverse=True)
    assert [it["tool"] for it in letters if it["kind"] == "foreign"] == ["Kafka Connect"]
    by_route = [it for it in letters if it.get("route") == "overdue"]
    assert {it["status"] for it in by_route} <= {400, 428}
    some = by_route[0]

    table = fine(command.run("dead-letters", "list", "--route", "overdue", "--limit", "3"))
    assert len(table.lines) == 4
    assert table.lines[1].startswith(some["id"][:12])

    key = json.loads(json.dumps(some))["origin"]["offset"]
    where = f"offset == {key} and partition == {some['origin']['partition']} and event.number >= 0"
    (found,) = fine(
        command.run("dead-letters", "list", "--format", "json", "--where", where)
    ).objects
    assert found["id"] == some["id"]

    story = fine(command.run("dead-letters", "show", some["id"][:10], "--json"))
    told = json.loads(story.out)
    assert told["event"]["fields"]["site"] == "(hidden)"
    assert told["event"]["fields"]["key"]
    assert told["now"][0]["payload"]["number"] == told["event"]["fields"]["number"]
    assert told["request_id"]

    wrong = command.run("dead-letters", "drop", "--why", "test")
    assert (wrong.code, "--all" in wrong.err) == (2, True)
    dropped = fine(command.run("dead-letters", "drop", "--why", "told them", "--id", some["id"]))
    assert "1 letters dropped" in dropped.out
    after = fine(command.run("dead-letters", "list", "--format", "json")).objects
    assert some["id"] not in {it["id"] for it in after}
    assert len(after) == len(letters) - 1
    told = json.loads(fine(command.run("dead-letters", "show", some["id"], "--json")).out)
    assert (told["state"], told["became"]["why"]) == ("dropped", "told them")


def test_a_dry_run_prints_what_would_be_sent_and_sends_nothing(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config(dead_letters={"flood": "pass"})
    letters = dead_lettered(bridge, streamer_process, 90, {"placed"}, config)
    command = StreamerCommand(tmp_path / "command", config)
    before = bridge.sandbox.summary()
    dry = command.run("dead-letters", "replay", "--dry-run")
    assert sum("report to placed by placed" in line for line in dry.lines) == letters
    assert f"{letters} of {letters} letters would be sent" in dry.out
    assert bridge.sandbox.summary() == before
    assert summary_of(command)["total"] == letters


def test_late_reports_and_cancels_are_left_out_and_sent_in_order_where_they_are_asked_for(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config(dead_letters={"flood": "pass"})
    overdue, joined, _ = config["routes"]
    instance, entity = overdue["instance"], "event.key"
    cancel = {
        "name": "cancelled",
        "topic": bridge.topic,
        "event": f"{bridge.namespace}.OrderPlaced",
        "cancel": "overdue",
        "instance": instance,
    }
    report = {**overdue, "entity": entity}
    wrong = {**config, "routes": [{**report, "payload": MISTAKES["joined"]}, joined]}
    wrong["routes"].append({**cancel, "entity": "event.amount + event.key"})
    # Of each key: a report, another route's, a cancel, and a report after it.
    bridge.produce(40, keys=10)
    streamer = streamer_process(wrong)
    wait_until(bridge.is_committed, "a commit of everything", timeout_s=120)
    assert streamer.terminate() == 0
    right = {**config, "routes": [report, joined, {**cancel, "entity": entity}]}
    command = StreamerCommand(tmp_path / "command", right)

    dry = command.run("dead-letters", "replay", "--dry-run")
    assert "10 of 30 letters would be sent" in dry.out
    assert "10 left out (superseded)" in dry.out
    assert "10 left out (cancel)" in dry.out
    assert "10 are cancels" in dry.out

    words = ("--cancels", "--superseded", "--share", "100")
    everything = fine(command.run("dead-letters", "replay", *words))
    assert "30 of 30 letters replayed" in everything.out
    cancelled = {
        (entry["payload"]["key"], entry["payload"]["number"]): entry["cancelled_by"]
        for entry in bridge.sandbox.reports()
        if entry["action"] == "report" and entry["trigger"] == "overdue"
    }
    assert len(cancelled) == 20
    assert {number for (_, number), is_so in cancelled.items() if is_so} == {0}
    assert {number for (_, number), is_so in cancelled.items() if not is_so} == {3}


def test_a_stretch_of_a_source_topic_is_sent_again_under_the_same_keys_or_new_ones(
    bridge: Bridge, streamer_process: StartsStreamer, tmp_path: Path
) -> None:
    config = bridge.config()
    since = time.time() - 60
    bridge.produce(300, keys=10)
    streamer = streamer_process(config)
    bridge.wait_until_done([streamer])
    until = time.time() + 60
    command = StreamerCommand(tmp_path / "command", config)
    words = ["replay", "--topic", bridge.topic, "--share", "100"]
    words += ["--from", _iso(since), "--to", _iso(until)]

    same = fine(command.run(*words))
    assert "300 of 300 messages replayed" in same.out
    assert bridge.delivered() == 300
    assert {entry["came"] for entry in bridge.sandbox.reports()} == {2}

    new = fine(command.run(*words, "--route", "overdue", "--new-key"))
    assert "100 of 300 messages replayed" in new.out
    assert "200 make no report" in new.out
    assert bridge.delivered() == 400
    fine(command.run(*words, "--route", "overdue", "--new-key"))
    assert bridge.delivered() == 400

    wrong = command.run(*words, "--route", "overdew")
    assert (wrong.code, "overdue" in wrong.err) == (2, True)


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
