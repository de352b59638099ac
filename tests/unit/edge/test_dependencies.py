"""What does a person hear of the registry, the tokens and dead letters, and how often?"""

import json
from collections.abc import Sequence

from structlog.testing import capture_logs

from streamer.decoding.fetched import RegistryUnavailable
from streamer.delivery.bulk_answers import judge_call
from streamer.delivery.commands import Alert
from streamer.delivery.outcomes import Accepted, Throttled, Unavailable
from streamer.edge.dependencies import NAMED_MOST, Dependencies
from streamer.endpoint.token_client import TokenRefused
from streamer.errors import Severity
from streamer.model import (
    Action,
    Answer,
    Batch,
    DeadLetter,
    Generation,
    LaneKey,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
)
from streamer.source.complaints import REPEAT_S

DENIED = RegistryUnavailable("the schema registry does not let us in (401)", 401, denied=True)
SILENT = RegistryUnavailable("the schema registry did not answer within 10 s")
REFUSED = TokenRefused(401, "invalid_client")
LANE = LaneKey("default", "site-1")


class StandingClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def wall_ms(self) -> int:
        return 0


def events(logs: Sequence[object]) -> list[object]:
    return [log["event"] for log in logs if isinstance(log, dict)]


def test_a_registry_that_refuses_us_is_an_error_and_a_reason_until_it_answers() -> None:
    dependencies = Dependencies(StandingClock())
    with capture_logs() as logs:
        dependencies.registry_failed(DENIED, "schema id 7")

    assert (logs[0]["event"], logs[0]["log_level"]) == ("registry_unavailable", "error")
    assert dependencies.refusals == {"registry": DENIED.detail}
    dependencies.registry_answered()
    assert dependencies.refusals == {}


def test_a_registry_that_does_not_answer_is_a_warning_and_no_reason() -> None:
    dependencies = Dependencies(StandingClock())
    with capture_logs() as logs:
        dependencies.registry_failed(SILENT, "schema id 7")

    assert logs[0]["log_level"] == "warning"
    assert dependencies.refusals == {}


def test_what_is_tried_again_and_again_is_said_when_new_and_every_half_minute() -> None:
    clock = StandingClock()
    dependencies = Dependencies(clock)
    with capture_logs() as logs:
        for _ in range(61):
            dependencies.registry_failed(SILENT, "schema id 7")
            clock.time += 1.0
    assert len(logs) == 1 + 60 // REPEAT_S


def test_a_refused_token_is_told_by_instance_and_names_the_settings() -> None:
    dependencies = Dependencies(StandingClock())
    with capture_logs() as logs:
        for instance in ("a", "b", "a"):
            dependencies.token_refused("default", instance, REFUSED)

    assert [log["instance"] for log in logs] == ["a", "b"]
    assert "`app.secret` of the endpoint" in logs[0]["do"]
    assert "invalid_client" in logs[0]["why"]


def test_of_a_thousand_refused_instances_a_few_are_named_and_the_others_counted() -> None:
    clock = StandingClock()
    dependencies = Dependencies(clock)
    with capture_logs() as logs:
        for second in range(10 * 60):
            for number in range(17):
                instance = f"site-{(second * 17 + number) % 1000}"
                dependencies.token_refused("default", instance, REFUSED)
            clock.time += 1.0
    assert len(logs) == 10 * 60 // REPEAT_S * NAMED_MOST, "ten lines a minute"
    assert sum(log.get("others_since", 0) for log in logs) > 9 * 60 * 17


def test_a_token_call_without_an_answer_is_told_once_for_all_instances() -> None:
    dependencies = Dependencies(StandingClock())
    with capture_logs() as logs:
        dependencies.token_unavailable("default", "no answer to the token call")
        dependencies.token_unavailable("default", "no answer to the token call")
        dependencies.token_unavailable("other", "no answer to the token call")
    assert events(logs) == ["token_unavailable"] * 2


def test_alerts_about_the_same_are_told_once_in_a_while_and_others_always() -> None:
    dependencies = Dependencies(StandingClock())
    with capture_logs() as logs:
        for _ in range(3):
            dependencies.alert(Alert("dead_letter_not_written", {}, about="billing"))
            dependencies.alert(Alert("commit_stuck", {}))
        dependencies.alert(Alert("token_rejected", {}, "default", Severity.ERROR))

    assert events(logs).count("dead_letter_not_written") == 1
    assert events(logs).count("commit_stuck") == 3
    assert logs[-1]["log_level"] == "error"


def test_alerts_that_were_not_told_are_counted_in_the_next_line() -> None:
    clock = StandingClock()
    dependencies = Dependencies(clock)
    with capture_logs() as logs:
        for site in range(2000):
            fields = {"instance": f"site-{site}"}
            dependencies.alert(Alert("breaker_opened", fields, about="default outage"))
        clock.time += REPEAT_S
        for _ in range(2):
            dependencies.alert(Alert("breaker_opened", {}, about="default outage"))
            clock.time += REPEAT_S

    assert [log.get("others_since") for log in logs] == [None, 1999, None]


def told_to_wait(dependencies: Dependencies, answer: Answer, lane: LaneKey = LANE) -> None:
    batch = Batch(lane, "due", Action.REPORT, ())
    dependencies.asked_to_wait(batch, judge_call(Action.REPORT, 2, answer))


def test_a_long_retry_after_is_told_with_whom_it_holds_and_for_how_long() -> None:
    dependencies = Dependencies(StandingClock())
    with capture_logs() as logs:
        told_to_wait(dependencies, Answer(429, b"", 365 * 86_400.0))
        told_to_wait(dependencies, Answer(503, b"", 120.4))

    throttled, unavailable = logs
    assert throttled["event"] == unavailable["event"] == "asked_to_wait"
    assert (throttled["endpoint"], throttled["instance"], throttled["trigger"]) == (*LANE, "due")
    assert (throttled["held"], throttled["held_s"]) == ("the instance", 3600)
    assert throttled["asked_s"] == 365 * 86_400
    assert (unavailable["held"], unavailable["held_s"]) == ("the report, or its trigger", 120)
    assert "`Retry-After`" in throttled["do"]


def test_the_longest_retry_after_of_a_bulk_answer_is_told_wherever_it_stands() -> None:
    dependencies = Dependencies(StandingClock())
    batch = Batch(LANE, "due", Action.REPORT, ())
    shorter, longer = (Unavailable("503", 503, retry_after_s=wait_s) for wait_s in (90.0, 120.0))
    with capture_logs() as logs:
        dependencies.asked_to_wait(batch, [Accepted(), shorter, longer, Throttled(None)])

    [told] = logs
    assert (told["held"], told["held_s"]) == ("the report, or its trigger", 120)


def test_a_retry_after_that_is_short_or_holds_nothing_is_not_told() -> None:
    dependencies = Dependencies(StandingClock())
    refused_item = {"itemMetadata": {"originalIndex": 0, "success": False}}
    with capture_logs() as logs:
        told_to_wait(dependencies, Answer(429, b"", 60.0))
        told_to_wait(dependencies, Answer(503, b""))
        told_to_wait(dependencies, Answer(400, b"", 600.0))
        told_to_wait(dependencies, Answer(200, json.dumps({"results": [refused_item]}).encode()))
    assert logs == []


def test_of_thousands_that_are_told_to_wait_one_of_an_endpoint_has_a_line_in_half_a_minute() -> (
    None
):
    clock = StandingClock()
    dependencies = Dependencies(clock)
    with capture_logs() as logs:
        for _ in range(2):
            for site in range(1000):
                told_to_wait(dependencies, Answer(429, b"", 600.0), LaneKey("default", f"{site}"))
            told_to_wait(dependencies, Answer(429, b"", 600.0), LaneKey("second", "site"))
            clock.time += REPEAT_S

    assert [(log["endpoint"], log.get("others_since")) for log in logs] == [
        ("default", None),
        ("second", None),
        ("default", 999),
        ("second", None),
    ]


def test_each_topics_dead_letters_are_a_reason_of_their_own() -> None:
    dependencies = Dependencies(StandingClock())
    dependencies.letters_refused("a", "topic a.dlq does not exist")
    dependencies.letters_refused("b", "topic b.dlq refused us")
    dependencies.letters_fine("a")

    assert dependencies.refusals == {"dead letters of b": "topic b.dlq refused us"}


def test_dead_letters_are_named_by_route_and_reason_once_in_a_while_without_what_they_hold() -> (
    None
):
    clock = StandingClock()
    dependencies = Dependencies(clock)
    message = Message(
        Partition("billing", 3), Generation(1), Offset(7), 0, b"secret key", b"secret value"
    )
    refusal = Refusal(Reason.REFUSED, "428 SCHEMA_VALIDATION_FAILED, field amount", status=428)
    with capture_logs() as logs:
        for route in ("overdue", "overdue", "paid"):
            dependencies.letter_written(DeadLetter(message, refusal, route))
        clock.time += REPEAT_S
        dependencies.letter_written(DeadLetter(message, refusal, "overdue"))

    assert [log["route"] for log in logs] == ["overdue", "paid", "overdue"]
    assert logs[0]["message"] == "billing[3]@7"
    assert "secret" not in str(logs)
