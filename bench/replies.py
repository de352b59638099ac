"""What does the benchmark's endpoint say to a request?

Two platforms. One takes everything and counts it, at the least cost. The other knows app instances:
it gives each a token, holds it to its quota in a sliding minute, refuses those that it was told to
refuse, and keeps how long each event was on its way. Neither looks into an event for more than its
stamp: to judge requests is the sandbox's affair.
"""

import re
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

import msgspec
from msgspec import Struct, field

BULK_PATH = b"POST /automations/v1/events/bulk-"
TOKEN_PATH = b"POST /oauth2/token "
REFUSE_PATH = b"POST /refuse "
SEEN_PATH = b"GET /seen "
AGAIN_PATH = b"GET /again "
STAMP = "placedAt"
"""The payload's key with the producer's wall clock in milliseconds, which is the record's
timestamp as well."""
ITEMS_MOST = 100
MINUTE_S = 60.0

_HEAD = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_AUTHORIZATION = re.compile(rb"\r\nauthorization: *([^\r]*)", re.IGNORECASE)
_STAMPED = re.compile(rb'"' + STAMP.encode() + rb'":(\d+)')
_EVENT = b'"payload":'
_KEY = re.compile(rb'"key":"([0-9a-f]{64})"')


class Reply(Struct, frozen=True, eq=False):
    """An answer, and how many events were accepted with it."""

    answer: bytes
    events: int


class Seen(Struct):
    """What one app instance's calls came to since the last look."""

    calls: int = 0
    """Accepted ones."""
    events: int = 0
    throttled: int = 0
    refused: int = 0
    most_in_a_minute: int = 0
    """The most calls in any sliding minute, by their arrival."""
    waits_ms: dict[int, int] = field(default_factory=dict)
    """How many accepted events arrived so long after their record's timestamp."""


class Refusal(Struct, frozen=True):
    """From now on the instance's calls are answered so; 0: no more."""

    instance: str
    status: int


class Platform(Protocol):
    def call(self, request: bytes, start: int, end: int) -> Reply:
        """To a report; its body is `request[start:end]`. It goes out after the latency."""
        ...

    def aside(self, request: bytes, start: int, end: int) -> bytes:
        """The whole answer to anything else, at once."""
        ...


def answer_of(body: bytes, status: int = 200, reason: bytes = b"OK") -> bytes:
    """The whole answer with such a JSON body."""
    return _HEAD % (status, reason, len(body)) + body


def _bulk_answer(items: int) -> bytes:
    results = [
        {
            "itemMetadata": {"originalIndex": index, "success": True},
            "activationIds": ["5b1c9d64-3f7f-4d0c-9f3e-6a3f6f1e9b50"],
        }
        for index in range(items)
    ]
    totals = {"totalSuccesses": items, "totalFailures": 0, "undetailedFailures": 0}
    return answer_of(msgspec.json.encode({"results": results, "bulkActionMetadata": totals}))


_SINGLE = Reply(answer_of(b"{}"), 1)
_BULK = [Reply(_bulk_answer(items), items) for items in range(ITEMS_MOST + 1)]
_NOT_FOUND = answer_of(b'{"message":"no such path"}', 404, b"Not Found")


class Again(Struct, frozen=True):
    """How many events came, by their idempotency keys."""

    distinct: int
    again: int
    """Those that had come before."""


class TakesAll:
    """Counts events, and knows no instance."""

    def call(self, request: bytes, start: int, end: int) -> Reply:
        if request.startswith(BULK_PATH):
            return _BULK[request.count(_EVENT, start, end)]
        return _SINGLE

    def aside(self, request: bytes, start: int, end: int) -> bytes:
        return _NOT_FOUND


class ByKey(TakesAll):
    """Knows each event's idempotency key."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._again = 0

    def call(self, request: bytes, start: int, end: int) -> Reply:
        for key in _KEY.findall(request, start, end):
            self._again += key in self._keys
            self._keys.add(key)
        return super().call(request, start, end)

    def aside(self, request: bytes, start: int, end: int) -> bytes:
        if request.startswith(AGAIN_PATH):
            return answer_of(msgspec.json.encode(Again(len(self._keys), self._again)))
        return _NOT_FOUND


def _error(code: str) -> bytes:
    details = {"applicationError": {"code": code, "description": code.lower()}}
    return msgspec.json.encode({"message": code.lower(), "details": details})


_THROTTLED = Reply(answer_of(_error("RESOURCE_EXHAUSTED"), 429, b"Too Many Requests"), 0)
_UNAUTHENTICATED = Reply(answer_of(_error("UNAUTHENTICATED"), 401, b"Unauthorized"), 0)
_REFUSALS = {
    403: Reply(answer_of(_error("PERMISSION_DENIED"), 403, b"Forbidden"), 0),
    503: Reply(answer_of(_error("UNAVAILABLE"), 503, b"Service Unavailable"), 0),
}


class _Instance:
    __slots__ = ("refused_with", "seen", "starts", "waits_ms")

    def __init__(self) -> None:
        self.starts: deque[float] = deque()
        self.refused_with = 0
        self.forget()

    def forget(self) -> None:
        """Begin to count anew; the calls of the last minute stay."""
        self.waits_ms: Counter[int] = Counter()
        self.seen = Seen(waits_ms=self.waits_ms)

    def may_call(self, now: float, quota: int) -> bool:
        """Whether the sliding minute has room for a call at `now`, which is then in it."""
        starts = self.starts
        while starts and starts[0] <= now - MINUTE_S:
            starts.popleft()
        if quota and len(starts) >= quota:
            return False
        starts.append(now)
        self.seen.most_in_a_minute = max(self.seen.most_in_a_minute, len(starts))
        return True


class ByInstance:
    """An instance's token is its id."""

    def __init__(self, quota: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`quota`: accepted calls in any sliding minute, for each instance; 0: without."""
        self._quota = quota
        self._clock = clock
        self._instances: dict[bytes, _Instance] = {}

    def call(self, request: bytes, start: int, end: int) -> Reply:
        token = _AUTHORIZATION.search(request, 0, start)
        if token is None:
            return _UNAUTHENTICATED
        instance = self._instance(token[1])
        seen = instance.seen
        if instance.refused_with:
            seen.refused += 1
            return _REFUSALS[instance.refused_with]
        if not instance.may_call(self._clock(), self._quota):
            seen.throttled += 1
            return _THROTTLED
        now_ms = time.time_ns() // 1_000_000
        waits_ms = [now_ms - int(stamp) for stamp in _STAMPED.findall(request, start, end)]
        seen.calls += 1
        seen.events += len(waits_ms)
        instance.waits_ms.update(waits_ms)
        return _BULK[len(waits_ms)] if request.startswith(BULK_PATH) else _SINGLE

    def aside(self, request: bytes, start: int, end: int) -> bytes:
        if request.startswith(TOKEN_PATH):
            asked = msgspec.json.decode(request[start:end], type=_TokenCall)
            token = {"access_token": asked.instance_id, "token_type": "Bearer", "expires_in": 14400}
            return answer_of(msgspec.json.encode(token))
        if request.startswith(REFUSE_PATH):
            refusal = msgspec.json.decode(request[start:end], type=Refusal)
            self._instance(refusal.instance.encode()).refused_with = refusal.status
            return answer_of(b"{}")
        if request.startswith(SEEN_PATH):
            return self._seen()
        return _NOT_FOUND

    def _instance(self, token: bytes) -> _Instance:
        instance = self._instances.get(token)
        if instance is None:
            instance = self._instances[token] = _Instance()
        return instance

    def _seen(self) -> bytes:
        looks = {token.decode(): instance.seen for token, instance in self._instances.items()}
        answer = answer_of(msgspec.json.encode(looks))
        for instance in self._instances.values():
            instance.forget()
        return answer


class _TokenCall(Struct):
    instance_id: str
