"""Which requests the parser finds in bytes, in whatever pieces they come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.sandbox.http_parser import BODY_MAX, HEAD_MAX, Malformed, Request, RequestParser

PLAIN = b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Two: 1\r\nx-two: 2\r\n\r\nhello"
CHUNKED = (
    b"POST /c HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b'5;ext="x"\r\nhello\r\nA \r\n, big\r\nand\r\n0\r\nTrailer: t\r\nOther: u\r\n\r\n'
)
BARE = b"\r\n\r\nGET /d HTTP/1.0\r\n\r\n"
CLOSING = b"POST http://host:1/e?f HTTP/1.1\r\nconnection: Close\r\ncontent-length:0\r\n\r\n"
STREAM = PLAIN + CHUNKED + BARE + CLOSING


def read_all(pieces: list[bytes]) -> list[Request | Malformed]:
    parser = RequestParser()
    found: list[Request | Malformed] = []
    for piece in pieces:
        parser.feed(piece)
        while (request := parser.next_request()) is not None:
            found.append(request)
            if isinstance(request, Malformed):
                return found
    return found


def test_requests_come_out_one_after_the_other() -> None:
    plain, chunked, bare, closing = read_all([STREAM])
    assert isinstance(plain, Request)
    assert (plain.method, plain.path, plain.query) == ("POST", "/a", {"b": "c"})
    assert plain.headers == {"host": "h", "content-length": "5", "x-two": "2"}
    assert (plain.body, plain.keep_alive) == (b"hello", True)
    assert isinstance(chunked, Request)
    assert chunked.body == b"hello, big\r\nand"
    assert isinstance(bare, Request)
    assert (bare.method, bare.body, bare.keep_alive) == ("GET", b"", False)
    assert isinstance(closing, Request)
    assert (closing.target, closing.keep_alive) == ("/e?f", False)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_pieces_in_which_bytes_come_make_no_difference(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(ends)]
    assert read_all(pieces) == read_all([STREAM])


def test_single_bytes_give_the_same_requests() -> None:
    assert read_all([STREAM[i : i + 1] for i in range(len(STREAM))]) == read_all([STREAM])


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET https://host/ HTTP/1.1\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX + 1), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_MAX, 431),
    ],
)
def test_what_is_no_request_is_named_with_a_status(raw: bytes, status: int) -> None:
    (found,) = read_all([raw])
    assert isinstance(found, Malformed)
    assert found.status == status
    assert found.message


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda tail: STREAM[:90] + tail))
def test_any_bytes_are_requests_or_malformed(raw: bytes) -> None:
    read_all([raw])


def test_a_caller_that_waits_to_send_its_body_is_seen_once() -> None:
    parser = RequestParser()
    parser.feed(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert parser.next_request() is None
    assert parser.continue_wanted()
    assert not parser.continue_wanted()
    parser.feed(b"ok")
    request = parser.next_request()
    assert isinstance(request, Request)
    assert request.body == b"ok"
