"""What answers the benchmark's calls, and counts them?

It costs a fraction of what its callers do; what it costs is measured by driving it alone
(`bench/driving.py`). Every report is answered after a fixed latency, as `bench/replies.py` has it;
all else is answered at once. `GET /count` gives a `Count`.
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

from bench.replies import ByInstance, Platform, Refusal, Reply, Seen, TakesAll, answer_of
from tests.servers.process import ServerProcess

_REPORTS = b"POST /automations/"
_COUNT = b"GET /count "
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
    cpu_s: float
    """The endpoint's own processor time."""


class _Answers:
    """Answers that wait for their latency. All wait equally long, so the first is due first."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._waiting: deque[tuple[float, asyncio.Transport, Reply]] = deque()
        self._loop = asyncio.get_running_loop()
        self._timer_is_set = False
        self._calls = 0
        self._events = 0
        self._sum_s = 0.0

    def answer(self, to: asyncio.Transport, reply: Reply) -> None:
        if not self._latency_s:
            self._calls += 1
            self._events += reply.events
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
            self._calls += 1
            self._events += reply.events
            self._sum_s += now - came
            to.write(reply.answer)

    def count(self) -> Count:
        now, cpu_s = time.monotonic(), time.process_time()
        return Count(now, self._calls, self._events, self._sum_s, cpu_s)


class _Connection(asyncio.Protocol):
    def __init__(self, answers: _Answers, platform: Platform) -> None:
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
                self._answers.answer(self._transport, self._platform.call(buffer, end + 4, size))
            elif buffer.startswith(_COUNT):
                self._transport.write(answer_of(msgspec.json.encode(self._answers.count())))
            else:
                self._transport.write(self._platform.aside(buffer, end + 4, size))
            buffer = buffer[size:]
        self._buffer = buffer


async def _serve(port: int, latency_s: float, platform: Platform) -> None:
    answers = _Answers(latency_s)
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

    def refuse(self, instance: str, status: int) -> None:
        """Answer the instance's calls with 403 or 503 from now on; 0: no more."""
        body = msgspec.json.encode(Refusal(instance, status))
        with urlopen(Request(f"{self.url}/refuse", body), timeout=30):
            pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--by-instance", action="store_true")
    parser.add_argument("--quota", type=int, default=0, help="calls a minute and instance")
    asked = parser.parse_args()
    chosen: Platform = ByInstance(asked.quota) if asked.by_instance else TakesAll()
    uvloop.run(_serve(asked.port, asked.latency_ms / 1000, chosen))
