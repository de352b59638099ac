"""What is handed over of what the client gave."""

from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import KafkaError
from confluent_kafka import Message as ClientMessage

from streamer.model import Generation, Owned, Partition
from streamer.source.flow import Flow
from streamer.source.inbox import Inbox
from streamer.source.messages import read_message

A = Owned(Partition("a", 0), Generation(1))
B = Owned(Partition("b", 3), Generation(2))


@dataclass
class Raw:
    """A message as the client gives it."""

    at: Partition
    number: int
    body: bytes | None = b"v"
    failure: KafkaError | None = None
    unreadable: bool = False
    header_calls: int = 0
    when: tuple[int, int] = (1, 1234)

    def topic(self) -> str:
        return self.at.topic

    def partition(self) -> int:
        return self.at.number

    def offset(self) -> int:
        return self.number

    def error(self) -> KafkaError | None:
        return self.failure

    def timestamp(self) -> tuple[int, int]:
        return self.when

    def key(self) -> bytes | None:
        return b"k"

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[tuple[str, str | bytes | None]] | None:
        self.header_calls += 1
        if self.unreadable:
            raise SystemError("error return without exception set")
        return [("h", b"1"), ("h", None)]


def given(*raws: Raw) -> list[ClientMessage]:
    return cast(list[ClientMessage], list(raws))


def end(at: Partition, offset: int) -> Raw:
    return Raw(at, offset, failure=KafkaError(KafkaError._PARTITION_EOF))


def inbox_of(most_messages: int = 100) -> tuple[Inbox, Flow]:
    flow = Flow(most_messages, 1_000_000)
    inbox = Inbox(flow)
    inbox.opened(A)
    inbox.opened(B)
    return inbox, flow


def offsets(inbox: Inbox) -> list[Any]:
    intake = inbox.release()
    return [] if intake is None else [message.offset for message in intake.messages]


def test_messages_are_handed_over_in_order_with_the_ends_reached() -> None:
    inbox, _ = inbox_of()
    inbox.take(given(Raw(A[0], 1), Raw(B[0], 7), Raw(A[0], 2), end(A[0], 3)))

    intake = inbox.release()

    assert intake is not None
    assert [(m.partition, m.offset) for m in intake.messages] == [(A[0], 1), (B[0], 7), (A[0], 2)]
    assert [(e.owned, e.position) for e in intake.ends] == [(A, 3)]
    assert inbox.release() is None


def test_an_end_that_was_followed_by_messages_is_none() -> None:
    inbox, _ = inbox_of()
    inbox.take(given(end(A[0], 1), Raw(A[0], 1)))

    intake = inbox.release()

    assert intake is not None
    assert intake.ends == []


def test_what_does_not_fit_waits_in_order_and_its_end_waits_behind_it() -> None:
    inbox, flow = inbox_of(most_messages=2)
    inbox.take(given(*(Raw(A[0], at) for at in range(5)), end(A[0], 5), Raw(B[0], 0)))

    assert offsets(inbox) == [0, 1, 0]
    assert list(inbox.blocked) == [A]
    flow.settled(A, 2, 0)
    assert offsets(inbox) == [2, 3]
    flow.settled(A, 2, 0)
    intake = inbox.release()
    assert intake is not None
    assert [message.offset for message in intake.messages] == [4]
    assert [e.position for e in intake.ends] == [5]
    assert not inbox.is_blocked(A)


def test_messages_of_partitions_that_are_gone_or_not_open_are_dropped() -> None:
    inbox, flow = inbox_of(most_messages=2)
    inbox.take(given(*(Raw(A[0], at) for at in range(5)), Raw(Partition("c", 0), 1)))
    inbox.closed(A)
    inbox.take(given(Raw(A[0], 5), end(A[0], 6)))

    assert inbox.release() is None
    assert flow.held_bytes == 0


def test_a_partition_that_came_back_has_messages_of_its_new_generation_only() -> None:
    inbox, _ = inbox_of()
    inbox.take(given(Raw(A[0], 8)))
    inbox.closed(A)
    inbox.opened(Owned(A[0], Generation(9)))
    inbox.take(given(Raw(A[0], 5)))

    intake = inbox.release()

    assert intake is not None
    assert [(m.offset, m.generation) for m in intake.messages] == [(5, 9)]


def test_errors_are_kept_apart() -> None:
    inbox, _ = inbox_of()
    failure = Raw(A[0], 3, failure=KafkaError(KafkaError._AUTO_OFFSET_RESET))
    inbox.take(given(failure))

    assert inbox.release() is None
    assert inbox.take_errors() == given(failure)
    assert inbox.take_errors() == []


def test_headers_are_read_once_and_what_cannot_be_read_is_said() -> None:
    raw = Raw(A[0], 1, unreadable=True)

    message = read_message(raw, A)

    assert (message.headers, message.headers_readable, raw.header_calls) == ((), False, 1)


def test_a_message_keeps_its_bytes_headers_and_timestamp() -> None:
    message = read_message(Raw(A[0], 1, body=None), A)

    assert (message.key, message.value, message.timestamp_ms) == (b"k", None, 1234)
    assert message.headers == (("h", b"1"), ("h", None))
    assert read_message(Raw(A[0], 1, when=(0, 0)), A).timestamp_ms == -1
