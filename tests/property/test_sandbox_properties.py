"""Whatever comes in a body: does the sandbox answer as documented, and take in what it says?"""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.fuzz.sandbox import sandbox


def _object(fields: st.SearchStrategy[dict[str, str]]) -> st.SearchStrategy[str]:
    def written(fields: dict[str, str]) -> str:
        return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in fields.items()) + "}"

    return fields.map(written)


_NUMBERS = st.sampled_from(
    [
        *("0", "-1", "1.5", "1e400", "1e-400", "9" * 400, "9" * 5_000, "0." + "9" * 5_000),
        *("1e99999999999999999999", "1e-99999999999999999999", "-0e99999999999999999999"),
    ]
)
_NAMES = st.sampled_from(["amount", "days", "due", "contact", "lines", "a b", "_x", ""])
_TEXTS = st.text(max_size=10) | st.sampled_from(
    ["2026-11-24T10:00:00Z", "0000-99-99T", "2c6a3f0e-5d4b-4c1a-9b7e-0a1b2c3d4e5f"]
)
_JSON = st.recursive(
    _NUMBERS | _TEXTS.map(json.dumps) | st.sampled_from(["null", "true", "[]", "{}", "nan"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | _object(st.dictionaries(_NAMES, inner, max_size=3))
    ),
    max_leaves=6,
)


def _fields(**fields: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return _object(st.fixed_dictionaries({}, optional=fields))


_PAYLOADS = _object(st.dictionaries(_NAMES, _JSON, max_size=4))
_TRIGGERS = st.sampled_from(['"s"', '"t"']) | _JSON
_ENTITIES = st.just('"2C6a3f0e-5d4b-4c1a-9b7e-0a1b2c3d4e5f"') | _JSON
_KEYS = st.sampled_from(['{"key":"k"}', '{"key":"k","ttlInMilliseconds":"1"}']) | _JSON
_EVENT: dict[str, Any] = {
    "payload": _PAYLOADS | _JSON,
    "externalEntityId": _ENTITIES,
    "idempotency": _KEYS,
}


def _some(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, max_size=8).map(lambda given: f"[{','.join(given)}]")


_CALLS = {
    0: _fields(triggerKey=_TRIGGERS, **_EVENT),
    1: _fields(triggerKey=_TRIGGERS, eventsInfo=_some(_fields(**_EVENT))),
    2: _fields(triggerKey=_TRIGGERS, externalEntityId=_ENTITIES),
    3: _fields(triggerKey=_TRIGGERS, externalEntityIds=_some(_ENTITIES)),
    4: _fields(grant_type=st.just('"client_credentials"'), client_id=_JSON, instance_id=_JSON),
}


@st.composite
def _calls(draw: st.DrawFn) -> bytes:
    """As the fuzzer's target takes them: call, rules and content type by a byte each."""
    call = draw(st.sampled_from(list(_CALLS)))
    body = draw(_CALLS[call].map(str.encode) | _JSON.map(str.encode) | st.binary(max_size=50))
    return bytes([call, draw(st.integers(0, 255)), 0]) + body


@settings(max_examples=examples(300))
@given(_calls())
def test_any_body_is_answered_as_documented_and_taken_in_as_answered(call: bytes) -> None:
    sandbox(call)
