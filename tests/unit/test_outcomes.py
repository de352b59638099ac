"""The table of outcomes, row by row, and how answers and error bodies are read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.delivery.outcomes import (
    Accepted,
    Denied,
    Outcome,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
    judge,
    judge_item,
)
from streamer.model import Action, Answer, NoAnswer, NoAnswerKind, Reason

REPORT, CANCEL = Action.REPORT, Action.CANCEL


def answer(status: int, body: object = None, code: str | None = None) -> Answer:
    if code is not None:
        body = {"message": "no", "details": {"applicationError": {"code": code}}}
    encoded = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return Answer(status, encoded, 3.0, "request-1", "application/json")


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (200, None, Accepted),
        (201, None, Accepted),
        (400, "INVALID_ARGUMENT", Refused),
        (401, "UNAUTHENTICATED", Unauthorized),
        (403, "PERMISSION_DENIED", Denied),
        (405, None, Refused),
        (407, None, Unavailable),
        (408, None, Unavailable),
        (409, "ABORTED", Unavailable),
        (409, "ALREADY_EXISTS", Refused),
        (409, None, Refused),
        (413, None, Refused),
        (422, None, Refused),
        (425, None, Unavailable),
        (428, "SCHEMA_VALIDATION_FAILED", Refused),
        (429, "RESOURCE_EXHAUSTED", Throttled),
        (499, None, Refused),
        (300, None, Unavailable),
        (301, None, Unavailable),
        (304, None, Unavailable),
        (307, None, Unavailable),
        (500, None, Unavailable),
        (501, None, Unavailable),
        (503, None, Unavailable),
        (504, None, Unavailable),
        (599, None, Unavailable),
        (101, None, Unavailable),
        (999, None, Unavailable),
    ],
)
def test_a_status_has_its_outcome(
    action: Action, status: int, code: str | None, expected: type[Outcome]
) -> None:
    assert type(judge(action, answer(status, code=code))) is expected


def test_a_404_refuses_a_report_and_accepts_a_cancel() -> None:
    assert isinstance(judge(REPORT, answer(404, code="NOT_FOUND")), Refused)
    assert judge(CANCEL, answer(404, code="NOT_FOUND")) == Accepted(
        request_id="request-1", nothing_to_cancel=True
    )
    assert judge(CANCEL, answer(200)) == Accepted(request_id="request-1")


@pytest.mark.parametrize("kind", NoAnswerKind)
def test_a_call_without_an_answer_may_have_been_accepted_unless_it_never_left(
    kind: NoAnswerKind,
) -> None:
    outcome = judge(REPORT, NoAnswer(kind, "why"))

    assert isinstance(outcome, Unavailable)
    assert outcome.maybe_accepted is (kind is not NoAnswerKind.NOT_SENT)
    assert outcome.detail == f"no answer ({kind}): why"
    assert outcome.status is None


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
def test_what_failed_at_the_endpoint_may_have_been_accepted(status: int) -> None:
    outcome = judge(REPORT, answer(status, code="ABORTED"))

    assert isinstance(outcome, Unavailable)
    assert outcome.maybe_accepted
    assert outcome.retry_after_s == 3.0
    assert outcome.status == status
    assert outcome.request_id == "request-1"
    assert outcome.finding is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 407, 425])
def test_what_never_reached_the_endpoint_was_not_accepted(status: int) -> None:
    outcome = judge(REPORT, answer(status))

    assert isinstance(outcome, Unavailable)
    assert not outcome.maybe_accepted


def test_a_redirect_is_a_finding_that_names_the_setting() -> None:
    outcome = judge(REPORT, answer(302))

    assert isinstance(outcome, Unavailable)
    assert outcome.finding is not None
    assert "302" in outcome.finding
    assert "`base_url` of the endpoint" in outcome.finding


def test_a_proxy_that_wants_a_login_is_a_finding_that_names_the_setting() -> None:
    outcome = judge(REPORT, answer(407))

    assert isinstance(outcome, Unavailable)
    assert outcome.finding is not None
    assert "`proxy` of the endpoint" in outcome.finding


def test_throttled_says_for_how_long() -> None:
    assert judge(REPORT, answer(429)) == Throttled(3.0)


# --- a success's body ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "activations"),
    [
        (b'{"activationIds":["a","b","c"]}', 3),
        (b'{"activationIds":[]}', 0),
        (b'{"activationIds":null}', 0),
        (b'{"activationIds":"a"}', 0),
        (b'{"activationIds":[1,2]}', 0),
        (b'{"more":{"deep":[1]},"activationIds":["a"]}', 1),
        (b" \n{ } ", 0),
        (b'{"a":"\xff"}', 0),
        (b"{}", 0),
    ],
)
def test_a_success_with_an_object_is_accepted(body: bytes, activations: int) -> None:
    assert judge(REPORT, answer(200, body)) == Accepted(activations, "request-1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"1",
        b'"ok"',
        b"<html>fine</html>",
        b'{"activationIds":["a"',
        b'{"activationIds":["a"]} and more',
        b"{}{}",
        b'{"a":\xff}',
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_success_with_anything_else_may_have_been_accepted(body: bytes) -> None:
    outcome = judge(REPORT, answer(200, body))

    assert isinstance(outcome, Unavailable)
    assert outcome.maybe_accepted
    assert outcome.status == 200


# --- an error's body ----------------------------------------------------------------------------


def violations(*items: object) -> bytes:
    details = {"validationError": {"fieldViolations": list(items)}}
    return json.dumps({"message": "value 4711 is wrong", "details": details}).encode()


def refusal_detail(body: bytes, status: int = 400) -> str:
    outcome = judge(REPORT, answer(status, body))
    assert isinstance(outcome, Refused)
    assert outcome.refusal.reason is Reason.REFUSED
    assert outcome.refusal.status == status
    assert outcome.refusal.request_id == "request-1"
    return outcome.refusal.detail


def test_a_refusal_names_the_code_and_what_to_do() -> None:
    outcome = judge(REPORT, answer(428, code="SCHEMA_VALIDATION_FAILED"))

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "SCHEMA_VALIDATION_FAILED"
    assert outcome.refusal.detail == (
        "the endpoint answered 428 SCHEMA_VALIDATION_FAILED; "
        "change the route's payload or the trigger's schema so that they fit"
    )


def test_a_refusal_names_fields_and_rules_and_no_value() -> None:
    detail = refusal_detail(
        violations(
            {
                "field": "payload.lines[3].qty",
                "description": "value 4711 must be a number",
                "violatedRule": "OTHER",
                "ruleName": "INVALID_TYPE",
                "data": {"value": 4711},
            },
            {"field": "triggerKey", "violatedRule": "MAX_LENGTH"},
        )
    )

    assert "(payload.lines[3].qty: OTHER, INVALID_TYPE; triggerKey: MAX_LENGTH)" in detail
    assert "4711" not in detail


def test_many_violations_are_counted() -> None:
    detail = refusal_detail(violations(*[{"field": f"f{number}"} for number in range(100)]))

    assert "(f0; f1; f2; f3; f4; and 95 more)" in detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"details": 1}',
        b'{"details": {"applicationError": "x", "validationError": []}}',
        b'{"details": {"applicationError": {"code": ["x"]}}}',
        b'{"details": {"applicationError": {"code": "joe\'s card 4711"}}}',
        b'{"details": {"validationError": {"fieldViolations": {}}}}',
        b'{"x":' * 20_000,
        b'{"a": "' + b"x" * 1_000_000 + b'"}',
    ],
)
def test_an_error_body_that_is_not_as_documented_says_nothing(body: bytes) -> None:
    assert refusal_detail(body) == (
        "the endpoint answered 400; look at what the route makes of this event"
    )


@pytest.mark.parametrize("item", [None, 1, "text", [], {}, {"field": 1}, {"field": "a b's 4711"}])
def test_a_violation_that_is_not_as_documented_is_a_field(item: object) -> None:
    assert "(a field)" in refusal_detail(violations(item))


def test_unauthorized_and_denied_say_what_was_answered() -> None:
    assert judge(REPORT, answer(401, code="UNAUTHENTICATED")) == Unauthorized(
        "the endpoint answered 401 UNAUTHENTICATED", "request-1"
    )
    denied = judge(REPORT, answer(403, code="PERMISSION_DENIED"))
    assert isinstance(denied, Denied)
    assert denied.code == "PERMISSION_DENIED"
    assert denied.request_id == "request-1"
    assert "Set Up Automations" in denied.detail


SECRET = "Xq7Zp"
texts = st.sampled_from(["", SECRET, f"is {SECRET}!", "field", "code", "message"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["details", "applicationError", "validationError", "fieldViolations", "description"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from(Action), st.integers(100, 999), json_values | st.binary(max_size=64))
def test_any_answer_has_an_outcome_that_quotes_no_free_text(
    action: Action, status: int, body: object
) -> None:
    assert SECRET not in repr(judge(action, answer(status, body)))


# --- a bulk item's error ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (None, Unavailable),
        ("UNAVAILABLE", Unavailable),
        ("INTERNAL", Unavailable),
        ("UNKNOWN", Unavailable),
        ("DEADLINE_EXCEEDED", Unavailable),
        ("ABORTED", Unavailable),
        ("RESOURCE_EXHAUSTED", Throttled),
        ("UNAUTHENTICATED", Unauthorized),
        ("PERMISSION_DENIED", Denied),
        ("ALREADY_EXISTS", Refused),
        ("INVALID_ARGUMENT", Refused),
        ("SCHEMA_VALIDATION_FAILED", Refused),
        ("", Refused),
        (503, Unavailable),
        ("503", Unavailable),
        (429, Throttled),
        (401, Unauthorized),
        (403, Denied),
        (400, Refused),
        (200, Unavailable),
        ("302", Unavailable),
        (-5, Refused),
        ("what's this 4711", Refused),
    ],
)
def test_an_items_error_counts_as_the_status_that_its_code_names(
    code: str | int | None, expected: type[Outcome]
) -> None:
    outcome = judge_item(REPORT, code, "request-1")

    assert type(outcome) is expected
    assert "4711" not in repr(outcome)


@pytest.mark.parametrize("code", ["NOT_FOUND", 404, "404"])
def test_an_items_404_is_as_a_calls(code: str | int) -> None:
    assert isinstance(judge_item(REPORT, code), Refused)
    assert judge_item(CANCEL, code) == Accepted(nothing_to_cancel=True)
