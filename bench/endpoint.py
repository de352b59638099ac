"""What answers the benchmark's calls, and counts them?

It costs a fraction of what its callers do; what it costs is measured by driving it alone
(`bench/driving.py`). Every report is answered after a fixed latency, as `bench/replies.py` has it,
with `--slow-ms` those of one customer in a hundred after a longer one; all else is answered at
once. `GET /count` gives a `Count`.
"""

import argparse
import asyncio
import re
import time
from collections import deque
from collections.abc import Mapping
from typing import cast
from urllib.request import Request, urlopen

import msgspec
import uvloop
from msgspec import Struct

from bench.replies import (
    Again,
    ByInstance,
    ByKey,
    Platform,
    Refusal,
    Reply,
    Seen,
    TakesAll,
    answer_of,
)
from bench.topic import CUSTOMER
from tests.servers.process import ServerProcess

_REPORTS = b"POST /automations/"
_COUNT = b"GET /count "
_CUSTOMER = re.compile(b'"%s(\\d+)"' % CUSTOMER.encode())
SLOW_EVERY = 100
"""Of so many customers one is slow."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

_EARLY_S = 0.0005
"""The loop's timers count whole milliseconds: answering to the nearest half keeps the mean
latency, which is measured, at what was asked for."""


class Count(Struct, frozen=True):
    """What was answered so far."""

    at_s: float
    """When it was counted, by the endpoint's monotonic clock."""
    calls: int
    events: int
    """Accepted; a bulk call has several."""
    latency_s: float
    """The sum over all calls, from the request's last byte to its answer."""
    slow_events: int
    """Of the events, those of slow customers; and the sum over their calls."""
    slow_latency_s: float
    cpu_s: float
    """The endpoint's own processor time."""


class _Answers:
    """Answers that wait for their latency. All wait equally long, so the first is due first."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._waiting: deque[tuple[float, asyncio.Transport, Reply]] = deque()
        self._loop = asyncio.get_running_loop()
        self._timer_is_set = False
        self.calls = 0
        self.events = 0
        self.sum_s = 0.0

    def answer(self, to: asyncio.Transport, reply: Reply) -> None:
        if not self._latency_s:
            self.calls += 1
            self.events += reply.events
            to.write(reply.answer)
            return
        self._waiting.append((time.monotonic(), to, reply))
        self._set_timer()

    def _set_timer(self) -> None:
        if self._waiting and not self._timer_is_set:
            self._timer_is_set = True
            due = self._waiting[0][0] + self._latency_s
            self._loop.call_later(max(0.001, due - time.monotonic()), self._ring)

    def _ring(self) -> None:
        self._timer_is_set = False
        self.release()
        self._set_timer()

    def release(self) -> None:
        """Send what is due."""
        now = time.monotonic()
        until = now - self._latency_s + _EARLY_S
        while self._waiting and self._waiting[0][0] <= until:
            came, to, reply = self._waiting.popleft()
            self.calls += 1
            self.events += reply.events
            self.sum_s += now - came
            # Whoever was killed meanwhile is not there any more; what it sent was taken.
            if not to.is_closing():
                to.write(reply.answer)


class _AllAnswers:
    """Those of all customers, and of the slow ones."""

    def __init__(self, latency_s: float, slow_s: float) -> None:
        self._usual = _Answers(latency_s)
        self._slow = _Answers(slow_s) if slow_s else None

    def answer(self, to: asyncio.Transport, reply: Reply, request: bytes, start: int) -> None:
        if self._slow is not None and _is_slow(request, start):
            self._slow.answer(to, reply)
        else:
            self._usual.answer(to, reply)

    def release(self) -> None:
        self._usual.release()

    def count(self) -> Count:
        usual, slow = self._usual, self._slow
        calls, events, sum_s = (slow.calls, slow.events, slow.sum_s) if slow else (0, 0, 0.0)
        return Count(
            time.monotonic(),
            usual.calls + calls,
            usual.events + events,
            usual.sum_s + sum_s,
            events,
            sum_s,
            time.process_time(),
        )


def _is_slow(request: bytes, start: int) -> bool:
    customer = _CUSTOMER.search(request, start)
    return customer is not None and int(customer[1]) % SLOW_EVERY == 0


class _Connection(asyncio.Protocol):
    def __init__(self, answers: _AllAnswers, platform: Platform) -> None:
        self._answers = answers
        self._platform = platform
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one by its methods, not by its class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._answers.release()
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(buffer) < size:
                break
            if buffer.startswith(_REPORTS):
                reply = self._platform.call(buffer, end + 4, size)
                self._answers.answer(self._transport, reply, buffer, end)
            elif buffer.startswith(_COUNT):
                self._transport.write(answer_of(msgspec.json.encode(self._answers.count())))
            else:
                self._transport.write(self._platform.aside(buffer, end + 4, size))
            buffer = buffer[size:]
        self._buffer = buffer


async def _serve(port: int, latency_s: float, slow_s: float, platform: Platform) -> None:
    answers = _AllAnswers(latency_s, slow_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(answers, platform), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


class Endpoint:
    """A running endpoint, seen from the benchmark."""

    def __init__(self, process: ServerProcess, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def count(self) -> Count:
        with urlopen(f"{self.url}/count", timeout=30) as answer:
            return msgspec.json.decode(answer.read(), type=Count)

    def seen(self) -> Mapping[str, Seen]:
        """What came since this was asked last, by app instance; only with `--by-instance`, as
        `refuse` is."""
        with urlopen(f"{self.url}/seen", timeout=30) as answer:
            return msgspec.json.decode(answer.read(), type=dict[str, Seen])

    def again(self) -> Again:
        """What came, and what came again; only with `--by-key`."""
        with urlopen(f"{self.url}/again", timeout=30) as answer:
            return msgspec.json.decode(answer.read(), type=Again)

    def refuse(self, instance: str, status: int) -> None:
        """Answer the instance's calls with 403 or 503 from now on; 0: no more."""
        body = msgspec.json.encode(Refusal(instance, status))
        with urlopen(Request(f"{self.url}/refuse", body), timeout=30):
            pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--slow-ms", type=float, default=0.0)
    parser.add_argument("--by-instance", action="store_true")
    parser.add_argument("--by-key", action="store_true")
    parser.add_argument("--quota", type=int, default=0, help="calls a minute and instance")
    asked = parser.parse_args()
    chosen: Platform = ByKey() if asked.by_key else TakesAll()
    if asked.by_instance:
        chosen = ByInstance(asked.quota)
    uvloop.run(_serve(asked.port, asked.latency_ms / 1000, asked.slow_ms / 1000, chosen))
