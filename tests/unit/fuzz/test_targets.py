"""Does each target of `make fuzz` take its seeds, and what was found once, and refuse a lie?"""

import pytest

from streamer.model import BadMessage, Event, Reason, Refusal
from tests.fuzz import decoding, schemas
from tests.fuzz.catalogue import KEPT, TARGETS, inputs
from tests.fuzz.drawing import Drawn

INPUTS = [
    pytest.param(name, data, id=f"{name}: {told}")
    for name, target in TARGETS.items()
    for told, data in inputs(target).items()
]


@pytest.mark.parametrize(("name", "data"), INPUTS)
def test_what_is_promised_becomes_of_each_input(name: str, data: bytes) -> None:
    TARGETS[name].load()(data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_no_bytes_and_many(name: str) -> None:
    run = TARGETS[name].load()
    for data in (b"", b"\0", b"\xff" * 1_000, bytes(range(256)) * 4):
        run(data)


def test_whatever_is_kept_is_of_a_target() -> None:
    kept = {path.name for path in KEPT.iterdir()} if KEPT.is_dir() else set()

    assert kept <= set(TARGETS)


def test_an_input_is_used_up_from_its_front_and_then_gives_zeros() -> None:
    drawn = Drawn(b"\x02\x01\x00\x03abcde")

    assert drawn.one_of("xyz") == "z"
    assert drawn.number(2) == 256
    assert drawn.some() == b"abc"
    assert drawn.rest() == b"de"
    assert drawn.is_over
    assert (drawn.byte(), drawn.number(4), drawn.some(), drawn.rest()) == (0, 0, b"", b"")


def test_a_refusal_without_a_word_and_one_that_quotes_bytes_are_seen() -> None:
    message = decoding.message(b"", None)
    for detail in ("", "x" * 5_000, "it is \0"):
        with pytest.raises(AssertionError):
            decoding.check(BadMessage(message, Refusal(Reason.UNDECODABLE, detail), "none"))


def test_an_event_without_a_name_is_seen() -> None:
    with pytest.raises(AssertionError):
        decoding.check(Event(decoding.message(b"", None), "", {}))


def test_a_schema_that_takes_too_long_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MOST_S", -1.0)
    with pytest.raises(AssertionError, match="5 characters took"):
        schemas.read_by('"int"', [], b"")
