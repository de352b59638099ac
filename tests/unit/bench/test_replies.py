"""What the benchmark's endpoint says must mean to streamer what the benchmark takes it for."""

import msgspec
import pytest

from bench.replies import SEEN_PATH, ByInstance, Refusal, Reply, Seen, TakesAll
from streamer.delivery.bulk_answers import judge_call
from streamer.delivery.outcomes import Accepted, Denied, Outcome, Throttled, Unavailable
from streamer.model import Action, Answer


class Caller:
    """Calls a platform as one app instance."""

    def __init__(self, quota: int = 0) -> None:
        self.now = 1000.0
        self.platform = ByInstance(quota, lambda: self.now)

    def report(self, events: int = 1, instance: str = "site") -> Reply:
        request, start = request_of(events, instance)
        return self.platform.call(request, start, len(request))

    def aside(self, line: bytes, body: bytes = b"") -> bytes:
        head = line + b"HTTP/1.1\r\n\r\n"
        request = head + body
        return body_of(self.platform.aside(request, len(head), len(request)))

    def seen(self) -> dict[str, Seen]:
        return msgspec.json.decode(self.aside(SEEN_PATH), type=dict[str, Seen])


def request_of(events: int, instance: str | None) -> tuple[bytes, int]:
    event = b'{"payload":{"orderId":"a","placedAt":1795000000000},"idempotency":{"key":"k"}}'
    if events == 1:
        path, body = b"report", b'{"triggerKey":"t",' + event[1:]
    else:
        items = b",".join([event] * events)
        path, body = b"bulk-report", b'{"triggerKey":"t","eventsInfo":[' + items + b"]}"
    head = b"POST /automations/v1/events/%s HTTP/1.1\r\nhost: h\r\n" % path
    if instance is not None:
        head += b"authorization: " + instance.encode() + b"\r\n"
    head += b"\r\n"
    return head + body, len(head)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def judged(reply: Reply, events: int) -> list[Outcome]:
    status = int(reply.answer.split(b" ", 2)[1])
    outcomes = judge_call(Action.REPORT, events, Answer(status, body_of(reply.answer), None, None))
    assert isinstance(outcomes, list)
    return outcomes


@pytest.mark.parametrize("events", [1, 2, 57, 100])
def test_every_event_of_a_call_is_accepted_and_counted(events: int) -> None:
    request, start = request_of(events, "site")
    caller = Caller()

    for reply in (caller.report(events), TakesAll().call(request, start, len(request))):
        assert reply.events == events
        assert all(isinstance(outcome, Accepted) for outcome in judged(reply, events))

    assert caller.seen()["site"].events == events


def test_no_more_calls_than_the_quota_in_any_sliding_minute_of_an_instance() -> None:
    caller = Caller(quota=2)
    caller.report()
    caller.now += 30
    caller.report(events=5)

    caller.now += 29
    assert [type(it) for it in judged(caller.report(), 1)] == [Throttled]
    assert caller.report(instance="another").events == 1
    caller.now += 1
    assert caller.report().events == 1

    seen = caller.seen()["site"]
    assert (seen.calls, seen.events, seen.throttled, seen.most_in_a_minute) == (3, 7, 1, 2)


@pytest.mark.parametrize(("status", "outcome"), [(403, Denied), (503, Unavailable)])
def test_an_instance_is_refused_until_told_otherwise(status: int, outcome: type[Outcome]) -> None:
    caller = Caller()

    caller.aside(b"POST /refuse ", msgspec.json.encode(Refusal("site", status)))
    refused = caller.report()
    others = caller.report(instance="another")
    caller.aside(b"POST /refuse ", msgspec.json.encode(Refusal("site", 0)))

    assert [type(it) for it in judged(refused, 1)] == [outcome]
    assert (refused.events, others.events, caller.report().events) == (0, 1, 1)
    assert caller.seen()["site"].refused == 1


def test_a_call_without_a_token_counts_for_nobody() -> None:
    caller = Caller()
    request, start = request_of(1, None)

    reply = caller.platform.call(request, start, len(request))

    assert reply.answer.startswith(b"HTTP/1.1 401 ")
    assert reply.events == 0
    assert caller.seen() == {}


def test_the_token_of_an_instance_is_its_id() -> None:
    answer = Caller().aside(b"POST /oauth2/token ", b'{"instance_id":"site-7","client_id":"a"}')

    assert msgspec.json.decode(answer)["access_token"] == "site-7"


def test_what_was_looked_at_is_not_counted_again_and_the_minute_goes_on() -> None:
    caller = Caller(quota=2)
    caller.report()
    caller.seen()

    caller.report()

    assert caller.seen()["site"].calls == 1
    assert caller.report().events == 0
