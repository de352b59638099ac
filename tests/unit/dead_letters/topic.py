"""A dead letter topic in memory, read as the real one is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from streamer.dead_letters.marks import Handling, Mark, write_mark
from streamer.dead_letters.reader import Span, TopicReader
from streamer.dead_letters.record import Record, letter_id, write_record
from streamer.model import (
    DeadLetter,
    Generation,
    Headers,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
)

SOURCE = "billing.invoices"
LETTERS = f"{SOURCE}.dlq"
AT_ONCE = 7


def letter(
    number: int,
    *,
    route: str = "overdue",
    reason: Reason = Reason.REFUSED,
    detail: str = "the endpoint answered 428 SCHEMA_VALIDATION_FAILED (amount)",
    instance: str = "site",
    value: bytes = b"value",
) -> DeadLetter:
    message = Message(
        Partition(SOURCE, 0), Generation(1), Offset(number), 1_000 + number, b"k", value
    )
    return DeadLetter(
        message,
        Refusal(reason, detail, 428, "SCHEMA_VALIDATION_FAILED"),
        route=route,
        trigger="overdue",
        action="report",
        instance=instance,
        idempotency_key=f"key-{number}",
        attempts=1,
    )


@dataclass
class Topic:
    """Records by partition; a record's time is its number in the order of writing."""

    partitions: dict[Partition, list[Message]] = field(default_factory=dict)
    written: int = 0
    offsets_read: list[int] = field(default_factory=list)

    def letter(self, some: DeadLetter, partition: int = 0, group: str = "") -> str:
        written_ms = 1_000_000 + self.written
        record = write_record(some, "{topic}.dlq", "cluster", written_ms, group=group)
        self._put(record, partition)
        return letter_id(some)

    def mark(
        self,
        id: str,
        handling: Handling = Handling.REPLAYED,
        partition: int = 0,
        group: str = "",
    ) -> None:
        mark = Mark(id, handling, "why", 5, group=group)
        self._put(write_mark(mark, LETTERS, partition), partition)

    def other(self, headers: Headers, partition: int = 0) -> None:
        self._put(Record(LETTERS, b"k", b"v", headers), partition)

    def _put(self, record: Record, number: int) -> None:
        partition = Partition(LETTERS, number)
        records = self.partitions.setdefault(partition, [])
        records.append(
            Message(
                partition,
                Generation(0),
                Offset(len(records)),
                1_000_000 + self.written,
                record.key,
                record.value,
                record.headers,
            )
        )
        self.written += 1

    @property
    def spans(self) -> Sequence[tuple[Partition, Span]]:
        return [(it, Span(0, len(records))) for it, records in self.partitions.items()]

    @property
    def reader(self) -> TopicReader:
        return cast(TopicReader, self)

    def read(self, partition: Partition, span: Span) -> Iterator[list[Message]]:
        """As `TopicReader` does."""
        messages = self.partitions[partition][span.start : span.end]
        self.offsets_read += [message.offset for message in messages]
        for start in range(0, len(messages), AT_ONCE):
            yield messages[start : start + AT_ONCE]
