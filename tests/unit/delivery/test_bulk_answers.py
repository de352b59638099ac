"""What an answer to a bulk call says of each item: a table, and what must hold for any answer."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.delivery.bulk_answers import CallRefused, judge_call
from streamer.delivery.outcomes import (
    Accepted,
    Denied,
    Outcome,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from streamer.model import Action, Answer, NoAnswer, NoAnswerKind
from tests.effort import examples
from tests.unit.delivery.bench_core import bulk_answer, json_answer, result

REPORT, CANCEL = Action.REPORT, Action.CANCEL
FINE = Accepted(0, "request-1")


def items(answer: Answer, count: int = 3, action: Action = REPORT) -> Sequence[Outcome]:
    judged = judge_call(action, count, answer)
    assert not isinstance(judged, CallRefused)
    return judged


def accepted(answer: Answer, count: int = 3) -> list[bool]:
    return [isinstance(outcome, Accepted) for outcome in items(answer, count)]


def is_open(outcome: Outcome) -> bool:
    """It is tried again, and may have been accepted."""
    return isinstance(outcome, Unavailable) and outcome.maybe_accepted


# --- which result is whose ----------------------------------------------------------------------


def test_each_item_has_the_result_with_its_index_whatever_the_order() -> None:
    answer = bulk_answer(result(2), result(0, code="INVALID_ARGUMENT"), result(1))

    refused, *rest = items(answer)

    assert isinstance(refused, Refused)
    assert rest == [FINE, FINE]


def test_activations_are_counted_by_item() -> None:
    first = {**result(0), "activationIds": ["a", "b"]}
    assert items(bulk_answer(first, result(1)), 2) == [Accepted(2, "request-1"), FINE]


@pytest.mark.parametrize(
    "index", [-1, 3, 99, 10**9, 10**30, 0.5, True, False, None, "", "-1", "x", "3", "¹", "9" * 5000]
)
def test_an_index_that_is_no_items_says_nothing_of_any(index: object) -> None:
    outcomes = items(bulk_answer(result(1), result(2), result(index)))

    assert is_open(outcomes[0])
    assert outcomes[1:] == [FINE, FINE]


@pytest.mark.parametrize("index", [1.0, 1.5, [], {}, [1], {"value": 1}])
def test_an_index_of_another_type_says_nothing(index: object) -> None:
    assert accepted(bulk_answer(result(0), result(index), result(2))) == [True, False, True]


def test_an_index_may_be_a_number_in_a_string() -> None:
    assert accepted(bulk_answer(result("0"), result("2"), result("01"))) == [True, True, True]


@pytest.mark.parametrize("again", [result(1), result("1"), result(1, code="INTERNAL")])
def test_an_item_with_two_results_is_tried_again(again: object) -> None:
    answer = bulk_answer(result(0), result(1), result(2), again)

    assert accepted(answer) == [True, False, True]
    assert is_open(items(answer)[1])


def test_items_without_a_result_are_tried_again_and_those_with_one_are_not() -> None:
    answer = bulk_answer(result(0), result(2, code="NOT_FOUND"), undetailed=3)

    first, second, third, fourth = items(answer, 4)

    assert first == FINE
    assert is_open(second)
    assert isinstance(third, Refused)
    assert is_open(fourth)


def test_more_results_than_items_change_nothing() -> None:
    assert accepted(bulk_answer(*[result(index) for index in range(200)]), 2) == [True, True]


# --- encoders that leave out what is zero, false or empty ---------------------------------------


def without_index(**metadata: object) -> dict[str, object]:
    return {"itemMetadata": metadata}


def test_the_first_item_may_be_the_one_without_an_index_if_all_others_have_theirs() -> None:
    assert accepted(bulk_answer(result(2), without_index(success=True), result(1))) == [True] * 3

    error = {"code": "SCHEMA_VALIDATION_FAILED"}
    outcomes = items(bulk_answer(without_index(error=error), result(1), result(2)))
    assert isinstance(outcomes[0], Refused)


@pytest.mark.parametrize(
    "results",
    [
        [without_index(success=True), result(1)],
        [without_index(success=True), without_index(success=True), result(1), result(2)],
        [without_index(success=True), without_index(success=True), without_index(success=True)],
        [without_index(success=True, originalIndex=None), result(1), result(2)],
        [{"success": True}, result(1), result(2)],
        [{}, result(1), result(2)],
        [without_index(error={"code": "NOT_FOUND"}), result(0), result(1), result(2)],
    ],
    ids=["another-missing", "two", "all", "null", "no-metadata", "empty", "contradiction"],
)
def test_a_result_without_an_index_is_nobodys_where_it_is_not_clear_whose(
    results: list[object],
) -> None:
    assert accepted(bulk_answer(*results))[0] is False


def test_a_failure_may_leave_out_that_it_is_none() -> None:
    failed = {"itemMetadata": {"originalIndex": 1, "error": {"code": "UNAVAILABLE"}}}
    outcomes = items(bulk_answer(result(0), failed), 2)
    assert isinstance(outcomes[1], Unavailable)
    assert outcomes[1].status == 503


# --- success, or which error --------------------------------------------------------------------


@pytest.mark.parametrize("success", [None, False, 0, 1, "true", "", [], {}, [True], 1.0])
def test_only_true_is_a_success(success: object) -> None:
    (outcome, other) = items(bulk_answer(result(0, success), result(1)), 2)

    assert is_open(outcome), "it says neither success nor error"
    assert other == FINE


@pytest.mark.parametrize(
    "more",
    [
        {"activationIds": None},
        {"activationIds": "a"},
        {"activationIds": {"a": 1}},
        {"eventInfo": None},
        {"eventInfo": {"payload": {"deep": [[[1]]]}}},
        {"externalEntityId": 17},
        {"unknown": True},
    ],
)
def test_what_else_stands_in_a_result_is_no_reason_to_send_an_accepted_report_again(
    more: dict[str, object],
) -> None:
    assert items(bulk_answer({**result(0), **more}, result(1)), 2) == [FINE, FINE]


@pytest.mark.parametrize("error", [None, "", [], 0, "UNAVAILABLE", {"code": None}, {}])
def test_a_success_with_an_odd_error_is_a_success(error: object) -> None:
    odd = {"itemMetadata": {"originalIndex": 0, "success": True, "error": error}}
    assert items(bulk_answer(odd, result(1)), 2) == [FINE, FINE]


@pytest.mark.parametrize("error", [None, "UNAVAILABLE", 503, [], {}, {"code": None}])
def test_a_failure_without_a_code_is_tried_again(error: object) -> None:
    failed = {"itemMetadata": {"originalIndex": 0, "success": False, "error": error}}
    outcome, other = items(bulk_answer(failed, result(1)), 2)
    assert is_open(outcome)
    assert other == FINE


CODES = [
    ("UNAVAILABLE", Unavailable),
    ("INTERNAL", Unavailable),
    ("UNKNOWN", Unavailable),
    ("DEADLINE_EXCEEDED", Unavailable),
    ("ABORTED", Unavailable),
    ("RESOURCE_EXHAUSTED", Throttled),
    ("UNAUTHENTICATED", Unauthorized),
    ("PERMISSION_DENIED", Denied),
    ("INVALID_ARGUMENT", Refused),
    ("REQUIRED_PROPERTY", Refused),
    ("ALREADY_EXISTS", Refused),
    ("FAILED_PRECONDITION", Refused),
    ("SCHEMA_VALIDATION_FAILED", Refused),
    ("anything else", Refused),
    ("unavailable", Refused),
    ("", Refused),
    (500, Unavailable),
    (501, Unavailable),
    (503.0, Unavailable),
    (408, Unavailable),
    (425, Unavailable),
    (429, Throttled),
    (401, Unauthorized),
    (403, Denied),
    (400, Refused),
    (409, Refused),
    (413, Refused),
    (428, Refused),
    ("400", Refused),
    ("503", Unavailable),
    (200, Unavailable),
    (302, Unavailable),
    (True, Unavailable),
    (400.5, Unavailable),
    ([400], Unavailable),
    ({"name": "X"}, Unavailable),
]


@pytest.mark.parametrize(("code", "expected"), CODES)
def test_an_items_error_has_the_outcome_of_the_status_that_its_code_names(
    code: object, expected: type[Outcome]
) -> None:
    outcome, other = items(bulk_answer(result(0, code=code), result(1)), 2)
    assert type(outcome) is expected
    assert other == FINE


@pytest.mark.parametrize("code", ["NOT_FOUND", 404, "404"])
def test_there_is_nothing_to_cancel_where_an_item_of_a_cancel_is_not_found(code: object) -> None:
    answer = bulk_answer(result(0, code=code), result(1))
    assert items(answer, 2, CANCEL) == [
        Accepted(request_id="request-1", nothing_to_cancel=True),
        FINE,
    ]
    assert isinstance(items(answer, 2)[0], Refused)


# --- answers that are no bulk answer ------------------------------------------------------------

NO_BULK_ANSWERS = {
    "empty": b"",
    "html": b"<!doctype html><title>Welcome</title>",
    "text": b"OK",
    "ten-megabytes-of-text": b"all is well " * 850_000,
    "ten-megabytes-in-json": b'{"results":["' + b"x" * 10_000_000 + b'"]}',
    "ten-megabytes-of-results": b'{"results":[' + b"{}," * 3_000_000 + b"{}]}",
    "null": b"null",
    "a-list": b"[]",
    "a-number": b"17",
    "results-null": b'{"results":null}',
    "results-object": b'{"results":{"0":{"itemMetadata":{"originalIndex":0,"success":true}}}}',
    "no-results": b"{}",
    "results-of-other-types": b'{"results":[1,"x",null,[],true,[[]]]}',
    "cut-short": bulk_answer(result(0), result(1), result(2)).body[:-1],
    "something-after-it": bulk_answer(result(0), result(1), result(2)).body + b"]",
    "two-answers": bulk_answer(result(0)).body + bulk_answer(result(1)).body,
    "no-utf8": b'{"results":[\xff]}',
    "utf16": bulk_answer(result(0), result(1), result(2)).body.decode().encode("utf-16"),
    "nested-without-end": b'{"results":' + b"[" * 200_000,
    "a-result-nested-deeply": b'{"results":[' + b"[" * 200_000 + b"]" * 200_000 + b"]}",
    "objects-nested-deeply": b'{"results":[' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"]}",
    "single-answer": b'{"activationIds":["a"]}',
    "not-a-number": b'{"results":[{"itemMetadata":{"originalIndex":NaN,"success":true}}]}',
}


@pytest.mark.parametrize("body", NO_BULK_ANSWERS.values(), ids=NO_BULK_ANSWERS)
@pytest.mark.parametrize("action", Action)
def test_an_answer_that_is_no_bulk_answer_says_nothing_of_any_item(
    body: bytes, action: Action
) -> None:
    outcomes = items(json_answer(200, body), 3, action)
    assert len(outcomes) == 3
    assert all(is_open(outcome) for outcome in outcomes)


def test_a_result_that_cannot_be_read_leaves_the_others_as_they_are() -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    results = [
        json.dumps(result(0)).encode(),
        b'{"itemMetadata":{"originalIndex":1,"success":true,"error":{"data":"\xff"}}}',
        b'{"itemMetadata":{"originalIndex":' + b"9" * 5000 + b',"success":true}}',
        json.dumps(result(2)).encode(),
        b'{"itemMetadata":' + b'{"a":' * 50 + b"1" + b"}" * 50 + b"}",
    ]
    body = b'{"results":[' + b",".join(results) + b"]}"
    assert accepted(json_answer(200, body)) == [True, False, True]
    assert accepted(json_answer(200, body[:-2] + b"," + deep + b"]}")) == [False] * 3


# --- whole calls --------------------------------------------------------------------------------

ABOUT_ITEMS = [400, 409, 410, 413, 422, 428]
ABOUT_ALL = {401: Unauthorized, 403: Denied, 404: Refused, 429: Throttled}
ABOUT_THE_ENDPOINT = [302, 407, 408, 425, 500, 501, 502, 503, 504, 599]


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", ABOUT_ITEMS)
def test_a_bulk_call_that_is_refused_because_of_an_item_is_to_be_taken_apart(
    action: Action, status: int
) -> None:
    assert judge_call(action, 2, json_answer(status, {})) == CallRefused()


@pytest.mark.parametrize("status", [*ABOUT_ALL, *ABOUT_THE_ENDPOINT])
def test_what_is_not_about_items_never_takes_a_call_apart(status: int) -> None:
    outcomes = items(json_answer(status, {}), 100)
    assert len(outcomes) == 100
    assert {type(outcome) for outcome in outcomes} == {ABOUT_ALL.get(status, Unavailable)}


def test_an_aborted_call_is_tried_again_whole() -> None:
    body = {"details": {"applicationError": {"code": "ABORTED"}}}
    assert all(is_open(outcome) for outcome in items(json_answer(409, body)))


def test_a_bulk_cancel_that_is_not_found_had_nothing_to_cancel() -> None:
    outcomes = items(json_answer(404, {}), 2, CANCEL)
    assert outcomes == [Accepted(request_id="request-1", nothing_to_cancel=True)] * 2


@pytest.mark.parametrize("kind", NoAnswerKind)
def test_a_bulk_call_without_an_answer_is_tried_again_whole(kind: NoAnswerKind) -> None:
    outcomes = judge_call(REPORT, 3, NoAnswer(kind, "why"))
    assert not isinstance(outcomes, CallRefused)
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert isinstance(outcome, Unavailable)
        assert outcome.maybe_accepted is (kind is not NoAnswerKind.NOT_SENT)


@pytest.mark.parametrize("status", ABOUT_ITEMS)
def test_a_call_of_one_is_refused_itself(status: int) -> None:
    (outcome,) = items(json_answer(status, violations("payload.a")), 1)
    assert isinstance(outcome, Refused)


# --- items that a refusal of the whole names ----------------------------------------------------


def violations(*fields: object) -> dict[str, object]:
    found = [
        {"field": field, "violatedRule": "OTHER", "description": "is 4711"} for field in fields
    ]
    error = {"code": "SCHEMA_VALIDATION_FAILED"}
    return {
        "message": "4711 is wrong",
        "details": {"applicationError": error, "validationError": {"fieldViolations": found}},
    }


def named(*fields: object, count: int = 10, status: int = 428) -> dict[int, str]:
    judged = judge_call(REPORT, count, json_answer(status, violations(*fields)))
    assert isinstance(judged, CallRefused)
    return {index: refusal.detail for index, refusal in judged.named.items()}


@pytest.mark.parametrize(
    "path",
    [
        "eventsInfo[3].payload.amount",
        "eventsInfo[3]",
        "eventsInfo.3.payload",
        "eventsInfo.3",
        "events_info[3].payload.lines[7].qty",
        "events_info.3.payload",
        "eventsInfo[03].payload",
        "externalEntityIds[3]",
        "externalEntityIds.3",
        "external_entity_ids[3]",
        "external_entity_ids.3",
    ],
)
def test_an_item_is_named_by_the_path_of_its_field(path: str) -> None:
    assert list(named(path)) == [3]


@pytest.mark.parametrize(
    "path",
    [
        "triggerKey",
        "eventsInfo",
        "eventsInfo[]",
        "eventsInfo[x].payload",
        "eventsInfo[-1].payload",
        "eventsInfo[10].payload",
        "eventsInfo[1000].payload",
        "eventsInfo[3x].payload",
        "eventsInfo 3",
        "payload.eventsInfo[3].qty",
        "myeventsInfo[3]",
        "",
        None,
        17,
        ["eventsInfo[3]"],
    ],
)
def test_a_path_that_is_no_items_names_nobody(path: object) -> None:
    assert named(path) == {}


def test_all_and_some_items_may_be_named_each_with_what_is_said_of_it() -> None:
    told = named("eventsInfo[4].payload.b", "triggerKey", "eventsInfo[1].payload.a", count=5)

    assert list(told) == [1, 4]
    assert "SCHEMA_VALIDATION_FAILED (eventsInfo[1].payload.a: OTHER)" in told[1]
    assert "(eventsInfo[4].payload.b: OTHER)" in told[4]
    assert "4711" not in "".join(told.values())
    assert list(named(*[f"eventsInfo[{index}]" for index in range(100)], count=100)) == [
        *range(100)
    ]


def test_a_refusal_of_one_item_stays_short_however_much_is_said_of_it() -> None:
    told = named(*[f"eventsInfo[3].payload.f{number}" for number in range(5000)])
    assert "and 4995 more)" in told[3]
    assert len(told[3]) < 500


@pytest.mark.parametrize("body", NO_BULK_ANSWERS.values(), ids=NO_BULK_ANSWERS)
def test_a_refusal_with_a_body_that_says_nothing_names_nobody(body: bytes) -> None:
    assert judge_call(REPORT, 3, json_answer(400, body)) == CallRefused()


# --- for any answer -----------------------------------------------------------------------------

indices = st.integers(-2, 6) | st.sampled_from(["0", "1", "2", "x", None, 1.0, True, 10**30])
metadata = st.fixed_dictionaries(
    {},
    optional={
        "originalIndex": indices,
        "success": st.sampled_from([True, True, False, None, "true", 1]),
        "error": st.none()
        | st.just("odd")
        | st.fixed_dictionaries({}, optional={"code": st.sampled_from([c for c, _ in CODES])}),
    },
)
results = st.lists(
    st.fixed_dictionaries({}, optional={"itemMetadata": metadata, "activationIds": indices})
    | st.none()
    | st.integers()
    | st.lists(st.integers(), max_size=2),
    max_size=8,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=100)
    | results.map(lambda found: json.dumps({"results": found}).encode())
    | json_values.map(lambda value: json.dumps({"results": value}).encode())
    | json_values.map(lambda value: json.dumps(value).encode())
)


def claims(body: bytes, index: int) -> list[object]:
    """What the results with this index say of success, read independently and tolerantly."""
    try:
        found = json.loads(body)["results"]
    except (ValueError, TypeError, KeyError, IndexError):
        return []
    said, without_index = [], []
    for one in found if isinstance(found, list) else []:
        about = one.get("itemMetadata") if isinstance(one, dict) else None
        if isinstance(about, dict) and "originalIndex" not in about:
            without_index.append(about.get("success"))
        elif isinstance(about, dict) and not isinstance(place := about["originalIndex"], bool):
            said += [about.get("success")] if place in (index, str(index)) else []
    return said or (without_index if index == 0 else [])


@settings(max_examples=examples(100))
@given(st.sampled_from(Action), st.integers(2, 5), bodies)
def test_any_success_gives_an_outcome_for_each_item_and_accepts_only_what_one_result_accepts(
    action: Action, count: int, body: bytes
) -> None:
    outcomes = items(json_answer(200, body), count, action)

    assert len(outcomes) == count
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, Accepted) and not outcome.nothing_to_cancel:
            assert claims(body, index) == [True]
        if not isinstance(outcome, Unavailable):
            assert len(claims(body, index)) == 1


@settings(max_examples=examples(100))
@given(
    st.sampled_from(Action),
    st.integers(1, 5),
    st.integers(100, 999),
    bodies | json_values.map(lambda value: json.dumps(violations(value)).encode()),
)
def test_any_answer_gives_an_outcome_for_each_item_or_takes_the_call_apart(
    action: Action, count: int, status: int, body: bytes
) -> None:
    judged = judge_call(action, count, json_answer(status, body))
    if isinstance(judged, CallRefused):
        assert count > 1
        assert 400 <= status < 500
        assert set(judged.named) <= set(range(count))
    else:
        assert len(judged) == count
