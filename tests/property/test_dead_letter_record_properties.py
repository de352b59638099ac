"""Does a dead letter bring everything back, whatever the message was?"""

import sys

from hypothesis import given
from hypothesis import strategies as st

from streamer.dead_letters.record import Letter, letter_id, read_record, write_record
from streamer.model import (
    DeadLetter,
    Generation,
    Message,
    Offset,
    Partition,
    Reason,
    Refusal,
)

payloads = st.none() | st.binary(max_size=50)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
headers = st.lists(st.tuples(names, payloads), max_size=8).map(tuple)
texts = st.text(st.characters(max_codepoint=sys.maxunicode, categories=None), max_size=20)
numbers = st.none() | st.integers(0, 2**63 - 1)
moments = st.none() | st.integers(0, 253_370_764_800_000)
"""Until the year 9999."""
optional = st.none() | texts.filter(bool)

messages = st.builds(
    Message,
    partition=st.builds(Partition, texts.filter(bool), st.integers(0, 2**31 - 1)),
    generation=st.just(Generation(0)),
    offset=st.integers(0, 2**63 - 1).map(Offset),
    timestamp_ms=st.integers(-1, 2**63 - 1),
    key=payloads,
    value=payloads,
    headers=headers,
    headers_readable=st.booleans(),
)
letters = st.builds(
    DeadLetter,
    message=messages,
    refusal=st.builds(
        Refusal,
        reason=st.sampled_from(Reason),
        detail=texts,
        status=numbers,
        code=optional,
        request_id=optional,
    ),
    route=texts,
    trigger=texts,
    action=st.sampled_from(["", "report", "cancel"]),
    instance=texts,
    entity=texts,
    schema=texts,
    idempotency_key=names,
    attempts=st.integers(0, 2**31),
    first_attempt_ms=moments,
    last_attempt_ms=moments,
)


def fields(some: DeadLetter) -> list[object]:
    message = some.message
    inner = [getattr(message, name) for name in message.__struct_fields__]
    outer = [getattr(some, name) for name in some.__struct_fields__ if name != "message"]
    return inner + outer


@given(letters)
def test_a_letter_comes_back_as_it_was_written(letter: DeadLetter) -> None:
    record = write_record(letter, "{topic}.dlq", "cluster", 5)
    back = read_record(record.key, record.value, record.headers)
    assert isinstance(back, Letter)
    assert fields(back.letter) == fields(letter)
    assert back.id == letter_id(letter) == letter_id(back.letter)
    assert (back.written_ms, back.cluster_id, back.shrunk) == (5, "cluster", False)


@given(letters)
def test_a_shrunk_letter_keeps_what_is_the_messages(letter: DeadLetter) -> None:
    record = write_record(letter, "{topic}.dlq", "cluster", 5, shrunk=True)
    back = read_record(record.key, record.value, record.headers)
    assert isinstance(back, Letter)
    assert fields(back.letter)[:8] == fields(letter)[:8]
    assert back.letter.refusal.reason is letter.refusal.reason
    assert back.id == letter_id(letter)


@given(
    payloads,
    st.lists(
        st.tuples(
            names
            | st.sampled_from(
                ["streamer-version", "streamer-reason", "streamer-origin-offset", "streamer-status"]
            ),
            payloads | st.sampled_from([b"1", b"refused"]),
        ),
        max_size=8,
    ).map(tuple),
)
def test_any_record_is_read(
    value: bytes | None, some: tuple[tuple[str, bytes | None], ...]
) -> None:
    read_record(None, value, some)
