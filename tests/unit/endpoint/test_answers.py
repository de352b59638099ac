"""How an answer's headers are read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.endpoint.http import read_answer, retry_after_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("31536000", 31_536_000.0),
        ("9" * 400, None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:16:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:16:50 -0000", 10.0),
        ("Thu, 01 Jan 1970 01:16:50 +0100", 10.0),
        ("Thursday, 01-Jan-70 00:16:50 GMT", 10.0),
        ("Thu, 32 Jan 1970 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_from_now(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text, now=1000.0) == seconds


@given(
    st.text("0123456789 :,+-.GMTJanThu", max_size=40)
    | st.builds("Thu, {} Jan {} {}:16:50 {}".format, *[st.integers(-1, 99_999)] * 4)
)
def test_any_retry_after_is_read_as_none_or_a_finite_wait(text: str) -> None:
    wait_s = retry_after_s(text, now=1000.0)
    assert wait_s is None or (wait_s >= 0 and math.isfinite(wait_s))


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        ("1700000000.42-abc", "1700000000.42-abc"),
        ("", None),
        ("two words", None),
        ("a\x1b[31m", None),
        ("a" * 201, None),
        ("caf\xe9", None),
    ],
)
def test_a_request_id_that_could_deface_a_log_is_left_out(
    text: str, request_id: str | None
) -> None:
    answer = read_answer(200, {"x-wix-request-id": text}.get, b"{}", lambda: 0.0)
    assert answer.request_id == request_id
