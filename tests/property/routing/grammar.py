"""Which expressions can be written? Strategies that follow the grammar, not the semantics: most of
what they give fails on the event, and none of it may do harm."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from streamer.decoding.values import Record
from streamer.routing.language.whitelist import CALLABLE

EVENT: dict[str, Any] = {
    "text": "Some text, with words",
    "long": "x" * 50_000,
    "empty": "",
    "whole": 9,
    "huge": 2**63 - 1,
    "real": 0.5,
    "infinite": float("inf"),
    "exact": Decimal("12.50"),
    "wide": Decimal("123456789012345678901234567890.123456789"),
    "yes": True,
    "null": None,
    "raw": b"\x00\xff",
    "day": date(2026, 11, 1),
    "moment": datetime(2026, 10, 2, 8, 30, tzinfo=UTC),
    "id": UUID(int=7),
    "record": {"name": "Ada", "null": None},
    "branch": Record("com.acme.Branch", {"text": "b"}),
    "map": {"a": 1, "b": 2},
    "texts": ["a", "b"],
    "lines": [{"sku": "a", "qty": 2, "price": Decimal("0.5")}, {"sku": "b", "qty": 0}],
    "many": list(range(2_000)),
    "nested": [[1, 2], [3, 4]],
}

_FIELDS = [f"event.{name}" for name in EVENT] + ["event.nope", "event.record.name"]
_MESSAGE = ["key", "headers", "topic", "partition", "offset", "timestamp", "event"]
_LITERALS = [
    "0", "1", "-1", "7", "1000000", "2.5", "1e300", "'a'", "''", "'%Y'", "b'x'", "True", "None",
    "[]", "{}", "'2026-11-01T00:00:00Z'", "'1E+999999'", "'99999999999'", "10 ** 60",
]  # fmt: skip
_BINARY = [
    "+", "-", "*", "/", "//", "%", "**", "<<", ">>", "|", "&", "^", "and", "or",
    "==", "!=", "<", "<=", ">", ">=", "in", "not in",
]  # fmt: skip
_FORMATS = ["", ":>10", ":.2f", ":,", ":200", ":%Y-%m-%d", ":x", ":e"]


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    function = st.sampled_from(sorted(CALLABLE))
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(_BINARY), inner),
        st.builds("({} {} {} < {})".format, inner, st.sampled_from(["<", "=="]), inner, inner),
        st.builds("({}{})".format, st.sampled_from(["-", "+", "~", "not "]), inner),
        st.builds("({} is None)".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("{}({})".format, function, inner),
        st.builds("{}({}, {})".format, function, inner, inner),
        st.builds("replace({}, {}, {})".format, inner, inner, inner),
        st.builds("default({}, {})".format, inner, inner),
        st.builds("({}).{}".format, inner, st.sampled_from(["name", "sku", "nope", "null"])),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[{}:{}]".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("[{} for x in {}]".format, inner, inner),
        st.builds("[{} for x in {} for y in {} if {}]".format, inner, inner, inner, inner),
        st.builds("[{} for y in {}]".format, st.just("y"), inner),
        st.builds("[x + x for x in [y * 9 for y in {}]]".format, inner),
        st.builds("{{{}: {} for k, v in {}}}".format, st.just("k"), st.just("v"), inner),
        st.builds("f'a {{{}{}}}'".format, _plain, st.sampled_from(_FORMATS)),
    )


_plain = st.sampled_from(_FIELDS)
_atoms = st.one_of(_plain, st.sampled_from(_MESSAGE), st.sampled_from(_LITERALS))

expressions = st.recursive(_atoms, _combined, max_leaves=12)
"""Texts that follow the grammar; a few name a loop's variable where there is no loop."""

_TOKENS = [
    "event", "key", "x", "_", "__class__", "__globals__", "__builtins__", "_scope_", "_f_len_",
    "_add_", "len", "default", "lambda", "for", "in", "if", "else", "import", "os", "not", "and",
    "is", "None", "yield", "await", "async", ".", ",", ":", ":=", "=", "==", "(", ")", "[", "]",
    "{", "}", "*", "**", "@", "f'", "'", '"', "!r", "1", "1j", "...", "\\", "\n", "#", " ", "\0",
    "é", "\ud800",
]  # fmt: skip

texts = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(_TOKENS), max_size=25).map("".join),
    st.lists(st.sampled_from(_TOKENS), max_size=25).map(" ".join),
)
"""Texts that are seldom expressions."""
