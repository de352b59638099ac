"""What answers the benchmark's calls, and counts them?

It judges nothing and keeps nothing, so that it costs a fraction of what its callers do; what it
costs is measured by driving it alone (`bench/driving.py`). Every POST is answered with an empty
object after a fixed latency. `GET /count` gives a `Count`.
"""

import argparse
import asyncio
import re
import time
from collections import deque
from typing import cast
from urllib.request import urlopen

import msgspec
import uvloop
from msgspec import Struct

from tests.servers.process import ServerProcess

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_ANSWER = _HEAD % 2 + b"{}"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

_EARLY_S = 0.0005
"""The loop's timers count whole milliseconds: answering to the nearest half keeps the mean
latency, which is measured, at what was asked for."""


class Count(Struct, frozen=True):
    """What was answered so far."""

    at_s: float
    """When it was counted, by the endpoint's monotonic clock."""
    calls: int
    latency_s: float
    """The sum over all calls, from the request's last byte to its answer."""
    cpu_s: float
    """The endpoint's own processor time."""


class _Answers:
    """Answers that wait for their latency. All wait equally long, so the first is due first."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._waiting: deque[tuple[float, asyncio.Transport]] = deque()
        self._loop = asyncio.get_running_loop()
        self._timer_is_set = False
        self._calls = 0
        self._sum_s = 0.0

    def answer(self, to: asyncio.Transport) -> None:
        if not self._latency_s:
            self._calls += 1
            to.write(_ANSWER)
            return
        self._waiting.append((time.monotonic(), to))
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
            came, to = self._waiting.popleft()
            self._calls += 1
            self._sum_s += now - came
            to.write(_ANSWER)

    def count(self) -> Count:
        return Count(time.monotonic(), self._calls, self._sum_s, time.process_time())


class _Connection(asyncio.Protocol):
    def __init__(self, answers: _Answers) -> None:
        self._answers = answers
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
            if buffer.startswith(b"GET "):
                body = msgspec.json.encode(self._answers.count())
                self._transport.write(_HEAD % len(body) + body)
            else:
                self._answers.answer(self._transport)
            buffer = buffer[size:]
        self._buffer = buffer


async def _serve(port: int, latency_s: float) -> None:
    answers = _Answers(latency_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", port, backlog=1024)
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    asked = parser.parse_args()
    uvloop.run(_serve(asked.port, asked.latency_ms / 1000))
