"""How are answers read off a connection, whatever pieces their bytes come in?"""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.endpoint.answer_reader import HEAD_BYTES_MOST, AnswerReader, Complete, Read
from streamer.model import NoAnswer, NoAnswerKind

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\ncontent-length: 11\r\n\r\nhello world"
CHUNKED = (
    b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nretry-after: 7\r\n\r\n"
    b"6;name=value\r\nhello \r\n5\r\nworld\r\n0\r\ntrailer: 1\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + LENGTH


def read(pieces: list[bytes], most: int = 1_000) -> Read:
    reader = AnswerReader(most)
    for piece in pieces:
        result = reader.feed(piece)
        if result is not None:
            return result
    return None


def cut(whole: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % len(whole) for place in places} | {0, len(whole)})
    return [whole[a:b] for a, b in pairwise(ends)]


@pytest.mark.parametrize(
    ("whole", "status", "header"),
    [
        (LENGTH, 200, ("content-type", "a/b")),
        (CHUNKED, 503, ("retry-after", "7")),
        (INTERIM, 200, ("content-type", "a/b")),
    ],
)
@given(places=st.lists(st.integers(0, 10_000), max_size=12))
def test_an_answer_reads_the_same_in_whatever_pieces_it_comes(
    whole: bytes, status: int, header: tuple[str, str], places: list[int]
) -> None:
    answer = read(cut(whole, places))

    assert isinstance(answer, Complete)
    assert (answer.status, answer.body, answer.keeps_alive) == (status, b"hello world", True)
    assert answer.header(header[0]) == header[1]
    assert answer.header("link") is None


@given(junk=st.binary(max_size=400), places=st.lists(st.integers(0, 10_000), max_size=5))
def test_any_bytes_end_in_an_answer_or_in_none(junk: bytes, places: list[int]) -> None:
    reader = AnswerReader(100)
    for piece in cut(junk, places) if junk else []:
        if reader.feed(piece) is not None:
            return
    assert isinstance(reader.ended(None), Complete | NoAnswer)


def test_one_reader_reads_answer_after_answer() -> None:
    reader = AnswerReader(1_000)
    for whole, status in ((LENGTH, 200), (CHUNKED, 503), (LENGTH, 200)):
        reader.begin()
        answer = reader.feed(whole)
        assert isinstance(answer, Complete)
        assert (answer.status, answer.body) == (status, b"hello world")


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\n\r\n", b"x", LENGTH])
def test_a_connection_with_bytes_beyond_its_answer_is_not_used_again(surplus: bytes) -> None:
    answer = read([LENGTH + surplus])

    assert isinstance(answer, Complete)
    assert answer.body == b"hello world"
    assert not answer.keeps_alive


@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
def test_a_connection_that_the_server_will_close_is_not_used_again(whole: bytes) -> None:
    answer = read([whole])

    assert isinstance(answer, Complete)
    assert not answer.keeps_alive


def test_a_head_without_end_is_given_up() -> None:
    line = b"x: " + b"y" * 1_000 + b"\r\n"
    pieces = [b"HTTP/1.1 200 OK\r\n", *[line] * (HEAD_BYTES_MOST // len(line) + 1)]

    result = read(pieces)

    assert isinstance(result, NoAnswer)
    assert result.kind is NoAnswerKind.BROKEN


CHUNK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: head\r\n\r\n2\r\n{}\r\n"


def test_a_trailer_says_nothing() -> None:
    answer = read([CHUNK, b"0\r\nretry-after: 7\r\nx: trailer\r\n\r\n"])

    assert isinstance(answer, Complete)
    assert answer.header("retry-after") is None
    assert answer.header("x") == "head"


@pytest.mark.parametrize(
    "endless", [b"x: " + b"y" * 1_000 + b"\r\n", b"y" * 1_000], ids=["many", "one"]
)
@pytest.mark.parametrize("begin", [b"0\r\nx: y\r\nz: ", b"5;name="], ids=["trailers", "chunk"])
def test_what_stands_beside_a_body_without_end_is_given_up(begin: bytes, endless: bytes) -> None:
    result = read([CHUNK, begin, *[endless] * (HEAD_BYTES_MOST // len(endless) + 2)])

    assert isinstance(result, NoAnswer)
    assert result.kind is NoAnswerKind.BROKEN


def test_a_long_body_in_small_pieces_is_no_trailer() -> None:
    pieces = [b"1\r\n", b"x", b"\r\n"] * HEAD_BYTES_MOST

    answer = read([CHUNK, *pieces, b"0\r\n\r\n"], most=2 * HEAD_BYTES_MOST)

    assert isinstance(answer, Complete)
    assert len(answer.body) == 2 + HEAD_BYTES_MOST


@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n65\r\n" + b"x" * 101,
    ],
)
def test_a_body_beyond_the_limit_is_given_up(whole: bytes) -> None:
    result = read([whole], most=100)

    assert isinstance(result, NoAnswer)
    assert result.kind is NoAnswerKind.BROKEN


@pytest.mark.parametrize("size", [1, 2, 3, 16])
def test_a_body_in_tiny_chunks_takes_no_more_memory_than_its_bytes(size: int) -> None:
    most = 100_000
    reader = AnswerReader(most)
    assert reader.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n") is None
    chunks = (b"%x\r\n" % size + b"a" * size + b"\r\n") * (most // size)
    tracemalloc.start()
    try:
        assert reader.feed(chunks) is None
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 1.5 * most
    answer = reader.feed(b"0\r\n\r\n")
    assert isinstance(answer, Complete)
    assert answer.body == b"a" * (most // size * size)
