"""What holds for every expression that can be written, and every text that cannot?"""

import time
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from RestrictedPython.compile import compile_restricted_eval

from streamer.decoding.values import Record
from streamer.model import Generation, Message, Offset, Partition
from streamer.routing.language.budget import CHARACTERS_A_STEP, STEPS
from streamer.routing.language.expressions import Language
from streamer.routing.language.failures import Failure
from streamer.routing.language.scope import Scope
from streamer.routing.language.syntax import Checked, check
from streamer.routing.language.texts import NAMESPACE, version_5
from tests.effort import examples
from tests.property.routing.grammar import EVENT, expressions, texts

SCOPE = Scope(
    Message(Partition("t", 1), Generation(1), Offset(5), 1_000, b"k", b"v", (("h", b"1"),)),
    None,
    decoded_key=False,
)
VALUES = (str, bytes, int, float, Decimal, date, timedelta, UUID, type(None))
# Ten times what the slowest expression takes here; one that cannot be stopped takes for ever.
LONGEST_S = 5.0


def checked_or_none(text: str) -> Checked | None:
    outcome = check(text)
    return outcome if isinstance(outcome, Checked) else None


def evaluated(language: Language, checked: Checked, *, careful: bool) -> Any:
    """The value by one of the two codes, or the error that it raised."""
    language.budget.left = STEPS
    try:
        return language.compile(checked.tree, careful=careful)(EVENT, SCOPE)
    except Exception as error:
        return error


def value_or_failure(checked: Checked) -> Any:
    """What an expression gives; anything but its named failure is let through as an error."""
    try:
        return Language().expression(checked)(EVENT, SCOPE)
    except Failure as failure:
        return failure


def size_of(value: Any) -> int:
    """Objects and characters of a value, each where it was made only: what memory holds."""
    seen: set[int] = set()
    waiting, total = [value], 0
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        assert type(item) in (list, tuple, dict, Record) or isinstance(item, VALUES), type(item)
        total += 1
        if isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            total += len(item)
            waiting += item
        elif isinstance(item, str | bytes):
            total += len(item)
    return total


@settings(max_examples=examples(500))
@given(expressions)
@example("[z + z for x in ['a' * 9000] for y in [x * 99] for z in [y + y]]")
@example("sorted([event.long * 9 for x in event.many])")
@example("[event.long == event.long + 'x' for x in event.many for y in event.many]")
@example("{k: v for k, v in items(event.map)}")
def test_an_expression_gives_a_plain_value_or_its_named_failure_and_ends(text: str) -> None:
    checked = checked_or_none(text)
    assume(checked is not None)
    assert checked is not None
    started = time.monotonic()
    value = value_or_failure(checked)
    assert time.monotonic() - started < LONGEST_S
    if isinstance(value, Failure):
        assert value.found
        assert value.do
    else:
        assert size_of(value) < 2 * STEPS * CHARACTERS_A_STEP


@settings(max_examples=examples(500))
@given(expressions)
@example("event.nope is None or default(event.null, 1)")
@example("{event.real: 1}")
@example("event.exact in [0.5]")
def test_plain_and_careful_code_agree(text: str) -> None:
    checked = checked_or_none(text)
    assume(checked is not None)
    assert checked is not None
    language = Language()
    plain = evaluated(language, checked, careful=False)
    careful = evaluated(language, checked, careful=True)
    assert not isinstance(careful, Exception) or isinstance(careful, Failure), careful
    if not isinstance(plain, Exception):
        assert repr(plain) == repr(careful)


@settings(max_examples=examples(200))
@given(expressions)
def test_an_event_is_never_changed_and_gives_the_same_again(text: str) -> None:
    checked = checked_or_none(text)
    assume(checked is not None)
    assert checked is not None
    before = repr(EVENT)
    language = Language()
    first, second = (evaluated(language, checked, careful=False) for _ in range(2))
    assert repr(first) == repr(second)
    assert repr(EVENT) == before


@settings(max_examples=examples(500))
@given(texts)
def test_any_text_is_an_expression_or_has_problems(text: str) -> None:
    outcome = check(text)
    assert isinstance(outcome, Checked) or outcome
    if isinstance(outcome, Checked):
        evaluated(Language(), outcome, careful=False)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=examples(300))
@given(st.one_of(expressions, texts))
def test_what_is_taken_here_is_taken_by_restricted_python_too(text: str) -> None:
    """An independent judge of what is harmless: RestrictedPython's own policy."""
    outcome = check(text)
    assume(isinstance(outcome, Checked))
    result = compile_restricted_eval(f"({text.strip()}\n)")
    assert not result.errors


@given(st.text(), st.uuids())
def test_version_5_uuids_are_those_of_the_standard_library(text: str, namespace: UUID) -> None:
    assume(not any("\ud800" <= character <= "\udfff" for character in text))
    for space in (NAMESPACE, namespace):
        assert version_5(space.bytes, text) == str(uuid5(space, text))
