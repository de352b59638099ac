"""Do the commands work with letters whose headers are odd, with filters that find nothing, and with
letters of another group?"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.replay.showing import MANY_BEHIND
from tests.integration.conftest import StartsStreamer
from tests.integration.mistakes import fine
from tests.integration.orders import Orders
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Headers, Record, produce, read_all
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_command import Ended, StreamerCommand
from tests.servers.waiting import wait_until

# Each runs several commands to their ends, one after the other.
pytestmark = pytest.mark.timeout(600)

StartsSandbox = Callable[..., SandboxProcess]

CORRUPT: tuple[tuple[str, bytes], ...] = (
    ("streamer-written", b"99999999999999999999"),
    ("streamer-first-attempt", b"999999999999999999"),
    ("streamer-origin-partition", b"-5"),
    ("streamer-idempotency-key", b"\xed\xa0\x80"),
)
ODD: tuple[tuple[str, bytes], ...] = (
    ("streamer-origin-timestamp", b"1764000000000000000"),
    ("streamer-detail", b"\x1b[2J\nno\xed\xa0\x80"),
    ("streamer-code", b"\xed\xa0\x80"),
)


def letters_with(orders: Orders, kafka: KafkaCluster, more: list[Headers]) -> None:
    """A letter of an order for each of these, which stand behind its own headers."""
    records = [orders.event("report", number) for number, _ in enumerate(more)]
    orders.letters(orders.put(records), records, "report")
    written = list(read_all(kafka.bootstrap, orders.letter_topic))
    again = [
        Record(it.value, it.key, (*it.headers, *of)) for it, of in zip(written, more, strict=True)
    ]
    produce(kafka.bootstrap, orders.letter_topic, again)


def test_a_header_that_is_odd_or_corrupt_breaks_no_command_and_keeps_no_letter_from_its_replay(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    more: list[Headers] = [(header,) for header in (*CORRUPT, *ODD)]
    letters_with(orders, kafka, [*more, ()])
    command = StreamerCommand(tmp_path / "command", orders.config())

    # The first of each id has no such header; where the last is corrupt, both are listed.
    listed = fine(command.run("dead-letters", "list", "--format", "json")).objects
    corrupt = [it for it in listed if it["kind"] == "corrupt"]
    assert len(corrupt) == len(CORRUPT)
    assert all(any(name in it["detail"] for it in corrupt) for name, _ in CORRUPT)
    assert {it["route"] for it in corrupt} == {"shipped"}
    table = fine(command.run("dead-letters", "list"))
    assert len(table.lines) == 1 + len(listed)
    summary = fine(command.run("dead-letters", "list", "--format", "summary"))
    for shown in (table, summary):
        assert r"\x1b[2J\nno\ud800" in shown.out
        assert "\x1b" not in shown.out
    told = fine(command.run("dead-letters", "list", "--format", "json", "--route", "shipped"))
    assert len(told.objects) == len(listed)

    replayed = command.run("dead-letters", "replay", "--superseded", "--share", "100")
    assert replayed.code == 1
    assert f"{len(CORRUPT)} left out (not-ours)" in replayed.out
    assert set(orders.reported()) == set(range(len(more) + 1))
    assert "stopped" not in replayed.out


def test_a_sensitive_value_is_not_shown_as_the_key_that_is_made_of_it(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    letters_with(orders, kafka, [(("streamer-idempotency-key", b"anna@example.org"),)])
    orders.put([orders.event("report", number) for number in range(MANY_BEHIND + 1)])
    as_it_is = {"value": "event.carrier", "as_is": True}
    routes = [orders.reports(idempotency=as_it_is), orders.cancels()]
    hiding = orders.config(routes, dead_letters={"sensitive": ["carrier"]})
    showing = orders.config(routes)
    words = (("list", "--format", "json"), ("show",), ("replay", "--dry-run"))
    for name, config in (("hiding", hiding), ("showing", showing)):
        command = StreamerCommand(tmp_path / name, config)
        (it,) = fine(command.run("dead-letters", *words[0])).objects
        for more in words:
            id = (it["id"],) if more == ("show",) else ()
            shown = fine(command.run("dead-letters", *more, *id))
            assert ("anna@example.org" in shown.out) is (name == "showing"), shown
            assert ("(hidden)" in shown.out) is (name == "hiding"), shown
            if more == ("show",):
                assert f"looking through {MANY_BEHIND + 1} messages" in shown.err


def test_a_filter_that_finds_nothing_is_no_success_and_says_what_there_is(
    kafka: KafkaCluster, sandbox_process: StartsSandbox, tmp_path: Path
) -> None:
    orders = Orders(kafka, sandbox_process())
    letters_with(orders, kafka, [(), ()])
    command = StreamerCommand(tmp_path / "command", orders.config())

    def nothing(*words: str) -> Ended:
        ended = command.run("dead-letters", *words)
        assert ended.code == 1, ended
        assert ended.out.startswith("0 ")
        assert "no dead letters that are asked for among" in ended.err
        return ended

    assert "there are shipped" in nothing("replay", "--route", "shiped").err
    assert "there are order_shipped" in nothing("replay", "--trigger", "shipped").err
    assert "no field wieght_kg" in nothing("replay", "--where", "event.wieght_kg >= 0").err
    assert "failed on" in nothing("replay", "--dry-run", "--where", "event.carrier > 5").err
    nothing("replay", "--since", "2999-01-01")
    assert "failed on" in nothing("drop", "--why", "w", "--where", "event.carrier > 5").err
    assert orders.reported() == []

    words = ("dead-letters", "replay", "--superseded", "--share", "100", "--route", "shipped")
    assert "2 of 2 letters replayed" in fine(command.run(*words)).out
    again = fine(command.run(*words))
    assert "0 of 0 letters replayed" in again.out
    assert "2 were replayed or dropped" in again.err


def test_a_replay_by_one_group_closes_no_letter_of_another_on_the_same_topic(
    kafka: KafkaCluster,
    sandbox_process: StartsSandbox,
    streamer_process: StartsStreamer,
    tmp_path: Path,
) -> None:
    orders = Orders(kafka, sandbox_process())
    orders.put([orders.event("report", number) for number in range(5)])
    mistake = orders.reports(payload={"weight": "event.weight_kg + event.carrier"})
    groups = {name: {"group_id": f"{orders.topic}-{name}"} for name in ("ours", "theirs")}
    for group in groups.values():
        streamer = streamer_process(orders.config([mistake], kafka=group))
        wait_until(
            lambda it=streamer: it.total("streamer_dead_letters_total") == 5,  # type: ignore[misc]
            "the letters",
            timeout_s=60,
        )
        assert streamer.terminate() == 0
    commands = {
        name: StreamerCommand(tmp_path / name, orders.config(kafka=group))
        for name, group in groups.items()
    }
    listing = ("dead-letters", "list", "--format", "json")
    listed = {name: fine(it.run(*listing)) for name, it in commands.items()}
    ids = {name: {it["id"] for it in ended.objects} for name, ended in listed.items()}
    assert ids["ours"] == ids["theirs"]
    assert len(ids["ours"]) == 5
    assert "5 letters of other groups" in listed["ours"].err

    words = ("dead-letters", "replay", "--share", "100")
    assert "5 of 5 letters replayed" in fine(commands["ours"].run(*words)).out
    assert fine(commands["ours"].run(*listing)).out == ""
    assert len(fine(commands["theirs"].run(*listing)).objects) == 5
    (some, *_) = ids["ours"]
    story = json.loads(fine(commands["theirs"].run("dead-letters", "show", some, "--json")).out)
    assert (story["state"], story["group"]) == ("open", groups["theirs"]["group_id"])
    assert "5 of 5 letters replayed" in fine(commands["theirs"].run(*words)).out
    assert sorted(orders.reported()) == list(range(5))
