"""Fuzzed: does every answer of endpoint, token call and registry mean one of a few known things?"""

import asyncio
from typing import assert_never

import httpx

from streamer.decoding.fetched import RegistryUnavailable, SchemaText, SchemaUnknown
from streamer.decoding.registry import RegistryAccess, RegistryClient, in_order
from streamer.decoding.registry_answers import Reference, SchemaAnswer, read_answer
from streamer.decoding.registry_schemas import RegistrySchemas
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
from streamer.endpoint.answer_reader import AnswerReader, Complete, Read
from streamer.endpoint.token_client import (
    LIFE_LEAST_S,
    LIFE_MOST_S,
    TokenGranted,
    TokenRefused,
    TokenUnavailable,
    read_token_answer,
)
from streamer.model import Action, Answer, NoAnswer, Refusal, SchemaRef
from tests.fuzz.drawing import Drawn

TOLD_MOST = 2_000
_STATUSES = [200, 400, 401, 403, 404, 408, 409, 413, 425, 428, 429, 500, 503, 301, 407, 201, 204]


def _status(drawn: Drawn) -> int:
    choice = drawn.byte()
    return _STATUSES[choice] if choice < len(_STATUSES) else 100 + drawn.number(2) % 500


# --- the endpoint -----------------------------------------------------------------------------


def calls(data: bytes) -> None:
    """The answer to a call of one or many."""
    drawn = Drawn(data)
    action = drawn.one_of(list(Action))
    count = drawn.one_of([1, 2, 3, 100])
    status = _status(drawn)
    judged = judge_call(action, count, Answer(status, drawn.rest()))
    if isinstance(judged, CallRefused):
        assert count > 1
        for index, refusal in judged.named.items():
            assert 0 <= index < count
            _is_told(refusal)
        return
    assert len(judged) == count
    for outcome in judged:
        _means(outcome, status)


def _means(outcome: Outcome, status: int) -> None:
    match outcome:
        case Accepted():
            assert 200 <= status < 300 or (status == 404 and outcome.nothing_to_cancel)
            assert outcome.activations >= 0
        case Refused():
            _is_told(outcome.refusal)
        case Throttled():
            assert outcome.retry_after_s is None
        case Unauthorized() | Denied() | Unavailable():
            assert 0 < len(outcome.detail) <= TOLD_MOST
        case _:
            assert_never(outcome)


def _is_told(refusal: Refusal) -> None:
    assert 0 < len(refusal.detail) <= TOLD_MOST, f"{len(refusal.detail)} characters"
    assert refusal.detail.isprintable(), ascii(refusal.detail)
    assert refusal.code is None or refusal.code.isascii()


# --- the token call ---------------------------------------------------------------------------

_SECRET = "s3cret"


def tokens(data: bytes) -> None:
    drawn = Drawn(data)
    said = read_token_answer(Answer(_status(drawn), drawn.rest()), _SECRET)
    match said:
        case TokenGranted():
            assert said.token.isascii()
            assert said.token.isprintable(), "it goes into a header"
            assert LIFE_LEAST_S <= said.expires_in_s <= LIFE_MOST_S
        case TokenRefused():
            assert _SECRET not in str(said)
            assert str(said).isprintable(), ascii(str(said))
            assert len(str(said)) < TOLD_MOST
        case TokenUnavailable():
            assert 0 < len(said.detail) < TOLD_MOST
        case _:
            assert_never(said)


# --- the registry -----------------------------------------------------------------------------

_REF = SchemaRef("id", "1")


def registry(data: bytes) -> None:
    """An answer for a schema; a second one stands in for all that it builds on."""
    drawn = Drawn(data)
    status = _status(drawn)
    part = drawn.some()
    answer = _answered(status, drawn.rest())
    if not isinstance(answer, SchemaAnswer):
        return
    other = _answered(200, part)
    parts: dict[Reference, SchemaAnswer] = {}
    waiting = list(answer.references)
    while waiting and len(parts) < 50:
        reference = waiting.pop()
        if reference not in parts:
            part_of = other if isinstance(other, SchemaAnswer) else SchemaAnswer('"int"', ())
            parts[reference] = part_of
            waiting += parts[reference].references
    if waiting:
        return
    schemas = RegistrySchemas()
    schemas.learn(_REF, SchemaText(answer.text, in_order(answer, parts)), 0)


def _answered(status: int, body: bytes) -> SchemaAnswer | SchemaUnknown | RegistryUnavailable:
    said = read_answer("schema id 1", status, body)
    match said:
        case SchemaAnswer():
            assert status == 200
            for subject, version in said.references:
                assert isinstance(subject, str)
                assert isinstance(version, int)
        case SchemaUnknown():
            assert status in (200, 404)
            _is_told(said.refusal)
        case RegistryUnavailable():
            assert 0 < len(said.detail) < TOLD_MOST
        case _:
            assert_never(said)
    return said


# --- all that is asked of a registry for one schema ------------------------------------------


class _Drawn(httpx.AsyncBaseTransport):
    """Answers whatever is drawn, whatever is asked for."""

    drawn = Drawn(b"")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.drawn.is_over:
            return _answer(404, b"", b'{"error_code":40403}')
        return _answer(_status(self.drawn), self.drawn.some(), self.drawn.some())


def _answer(status: int, cookie: bytes, body: bytes) -> httpx.Response:
    headers = [(b"Set-Cookie", cookie)]
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


_TRANSPORT = _Drawn()
_CLIENT = RegistryClient(RegistryAccess("http://registry"), transport=_TRANSPORT)
_REFS = [_REF, SchemaRef("guid", "3f0c1a52-1111-4000-8000-00000000000a")]


def fetches(data: bytes) -> None:
    """The first byte chooses id or GUID; the rest are the answers, one after the other."""
    _TRANSPORT.drawn = drawn = Drawn(data)
    ref = drawn.one_of(_REFS)
    fetched = asyncio.run(_CLIENT.fetch(ref))
    match fetched:
        case SchemaText():
            RegistrySchemas().learn(ref, fetched, 0)
        case SchemaUnknown():
            _is_told(fetched.refusal)
        case RegistryUnavailable():
            assert fetched.status is not None, fetched.detail
            assert 0 < len(fetched.detail) < TOLD_MOST
        case _:
            assert_never(fetched)


# --- HTTP -------------------------------------------------------------------------------------

_BODY_MOST = 4_096


def http(data: bytes) -> None:
    """Whatever comes on a connection is an answer or none, in whatever pieces it comes."""
    drawn = Drawn(data)
    step = 1 + drawn.byte()
    sent = drawn.rest()
    whole = _read([sent])
    pieces = _read([sent[at : at + step] for at in range(0, len(sent), step)])
    for read in (whole, pieces):
        if isinstance(read, Complete):
            # What is no status of HTTP counts as one of 5xx (RFC 9110, 15).
            assert 0 <= read.status <= 999
            assert len(read.body) <= _BODY_MOST
    if isinstance(whole, Complete) and isinstance(pieces, Complete):
        assert (whole.status, whole.body) == (pieces.status, pieces.body)


def _read(pieces: list[bytes]) -> Complete | NoAnswer:
    reader = AnswerReader(_BODY_MOST)
    for piece in pieces:
        read: Read = reader.feed(piece)
        if read is not None:
            return read
    return reader.ended(None)


WORDS = [
    *(f'"{word}":' for word in ("results", "itemMetadata", "originalIndex", "success", "error")),
    *(f'"{word}":' for word in ("code", "details", "applicationError", "validationError")),
    *(f'"{word}":' for word in ("fieldViolations", "field", "violatedRule", "ruleName")),
    *(f'"{word}":' for word in ("access_token", "expires_in", "error_description")),
    *(f'"{word}":' for word in ("schema", "schemaType", "references", "subject", "version")),
    '"RESOURCE_EXHAUSTED"',
    '"eventsInfo[1].payload"',
    "1e400",
    "\\ud800",
]
HTTP_WORDS = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 \r\n\r\n",
    "HTTP/1.0 204 No\r\n",
    "content-length: ",
    "transfer-encoding: chunked\r\n",
    "connection: upgrade\r\nupgrade: x\r\n",
    "connection: close\r\n",
    "\r\n\r\n",
    "0\r\n\r\n",
    "ffffffffffffffff\r\n",
]


def _saying(status: int, body: bytes, cookie: bytes = b"") -> bytes:
    """An answer as `fetches` draws it."""
    return bytes([_STATUSES.index(status), len(cookie)]) + cookie + bytes([len(body)]) + body


def _referring(subject: bytes, version: bytes) -> bytes:
    return b'{"schema":"x","references":[{"subject":"%b","version":%b}]}' % (subject, version)


SEEDS = {
    "calls": [
        b'\0\2\0{"results":[{"itemMetadata":{"originalIndex":0,"success":true}},{"itemMetadata":'
        b'{"originalIndex":1,"success":false,"error":{"code":"RESOURCE_EXHAUSTED"}}}]}',
        b'\0\1\1{"message":"no","details":{"validationError":{"fieldViolations":[{"field":'
        b'"eventsInfo[1].payload","violatedRule":"MAX"}]}}}',
        b'\1\0\1{"details":{"applicationError":{"code":"ABORTED"}}}',
    ],
    "tokens": [
        b'\0{"access_token":"abc","token_type":"Bearer","expires_in":14400}',
        b'\2{"error":"invalid_client","error_description":"s3cret is wrong"}',
    ],
    "registry": [
        b'\0\0{"schema":"\\"int\\"","references":[{"name":"a","subject":"a-value","version":1}]}',
        b'\4\0{"error_code":40403,"message":"Schema not found"}',
        b'\0\0{"schema":"message A {}","schemaType":"PROTOBUF"}',
    ],
    "fetches": [
        b"\0" + _saying(200, b'{"schema":"x"}', b"a=b"),
        b"\0" + _saying(200, _referring(b"s", b"1")) + _saying(200, b'{"schema":"\\"int\\""}'),
        b"\0" + _saying(200, _referring(b"\\ud800", b"1")),
        b"\0" + _saying(200, _referring(b"..", b"1")) + _saying(500, b""),
        b"\0" + _saying(200, _referring(b"s", b"9" * 99)),
        b"\1" + _saying(404, b"") + _saying(200, b"[]"),
    ],
    "http": [
        b"\x09HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"\x03HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2;a=b\r\n{}\r\n0\r\nt: 1\r\n\r\n",
        b"\x20HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}",
    ],
}
