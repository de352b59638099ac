"""Is every event of the demo a value of its schema, and does its ledger entry say what it is?"""

import io
import itertools
from collections import Counter
from random import Random
from typing import Any

import fastavro
import pytest

from streamer.demo.account import Kind
from streamer.demo.scenario import DemoEvent, Scenario, dead_letter
from streamer.demo.setting import DEAD_LETTER_TOPICS, TOPICS, TRIGGERS
from streamer.demo.wire import WriterSchema, load, schema_directory

NOW_MS = 1_800_000_000_000


@pytest.fixture(scope="module")
def schemas() -> dict[str, list[WriterSchema]]:
    return load(schema_directory())


@pytest.fixture(scope="module")
def story(schemas: dict[str, list[WriterSchema]]) -> list[DemoEvent]:
    scenario = Scenario(schemas, Random(7), lambda: NOW_MS, spoil_every=50)
    return [scenario.next() for _ in range(3_000)]


def _decode(event: DemoEvent, schemas: dict[str, list[WriterSchema]]) -> Any:
    value = event.value or b""
    schema = next(it for it in itertools.chain(*schemas.values()) if value[:10] == it.header)
    stream = io.BytesIO(value[10:])
    decoded = fastavro.schemaless_reader(stream, schema.parsed, None)
    assert stream.read() == b""
    return decoded


def test_events_are_values_of_their_schemas(
    story: list[DemoEvent], schemas: dict[str, list[WriterSchema]]
) -> None:
    fine = [
        it
        for it in story
        if it.value and all(outcome.kind is not Kind.DEAD_LETTER for outcome in it.outcomes)
    ]

    decoded = [_decode(event, schemas) for event in fine]

    assert len(decoded) > 2_500
    assert all(fields["site_instance_id"] for fields in decoded)


def test_every_type_and_every_version_happens(
    story: list[DemoEvent], schemas: dict[str, list[WriterSchema]]
) -> None:
    written = {(event.value or b"")[:10] for event in story}

    events = [it for name, them in schemas.items() for it in them if ".common." not in name]
    assert {schema.header for schema in events} <= written


def test_reports_are_expected_of_triggers_that_are_set_up(story: list[DemoEvent]) -> None:
    outcomes = [outcome for event in story for outcome in event.outcomes]

    by_kind = Counter(outcome.kind for outcome in outcomes)
    assert set(by_kind) == set(Kind)
    reported = {outcome.where for outcome in outcomes if outcome.kind is Kind.REPORT}
    assert reported == set(TRIGGERS)
    dead = {outcome.where for outcome in outcomes if outcome.kind is Kind.DEAD_LETTER}
    assert dead <= set(DEAD_LETTER_TOPICS)


def test_one_in_so_many_goes_wrong_and_is_known_by_its_bytes(story: list[DemoEvent]) -> None:
    wrong = [it for it in story if any(outcome.kind is Kind.DEAD_LETTER for outcome in it.outcomes)]

    assert len(wrong) == 3_000 // 50
    assert all(it.outcomes == (dead_letter(f"{it.topic}.dlq", it.value),) for it in wrong)


def test_what_is_cancelled_was_reported_before_under_the_same_key(story: list[DemoEvent]) -> None:
    reported: set[tuple[str, bytes]] = set()
    for event in story:
        for outcome in event.outcomes:
            if outcome.kind is Kind.REPORT:
                reported.add((outcome.where, event.key))
            elif outcome.kind is Kind.CANCEL:
                assert (outcome.where, event.key) in reported
                assert outcome.what == event.key.decode()


def test_nothing_is_expected_twice(story: list[DemoEvent]) -> None:
    outcomes = Counter(outcome for event in story for outcome in event.outcomes)

    assert set(outcomes.values()) == {1}


def test_the_story_uses_every_topic_and_has_tombstones(story: list[DemoEvent]) -> None:
    assert {event.topic for event in story} == set(TOPICS)
    assert any(event.value is None for event in story)


def test_the_same_seed_tells_the_same_story(schemas: dict[str, list[WriterSchema]]) -> None:
    first, second = (Scenario(schemas, Random(3), lambda: NOW_MS, spoil_every=50) for _ in range(2))

    for _ in range(200):
        assert first.next() == second.next()
