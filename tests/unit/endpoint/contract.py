"""What the suites of the HTTP clients share."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TypeVar

import pytest

from streamer.endpoint.aiohttp_client import AiohttpClient
from streamer.endpoint.http import DroppableClient, HttpClient, HttpOptions
from streamer.endpoint.httptools_client import HttptoolsClient
from streamer.endpoint.httpx_client import HttpxClient
from streamer.endpoint.pyreqwest_client import PyreqwestClient
from streamer.model import Exchange, NoAnswer, NoAnswerKind

NOT_SENT = NoAnswerKind.NOT_SENT
TIMEOUT = NoAnswerKind.TIMEOUT
RESET = NoAnswerKind.RESET
BROKEN = NoAnswerKind.BROKEN
DROPPED = NoAnswerKind.DROPPED

HEADERS = (("authorization", "a-token"), ("content-type", "application/json"))
PATIENT = HttpOptions(timeout_s=20.0)
HASTY = HttpOptions(timeout_s=0.3)
# Gives up soon while it connects, and has time to say so however slow the machine is.
UNCONNECTED_SOON = HttpOptions(timeout_s=20.0, connect_share=0.015)
BRIEF = HttpOptions(timeout_s=1.0)


C = TypeVar("C", bound=HttpClient)
Make = Callable[[HttpOptions], HttpClient]
MakeDroppable = Callable[[HttpOptions], DroppableClient]

every_client = pytest.mark.parametrize(
    "make", [HttptoolsClient, PyreqwestClient, HttpxClient, AiohttpClient]
)
every_droppable = pytest.mark.parametrize("make", [HttptoolsClient, HttpxClient, AiohttpClient])


@asynccontextmanager
async def using(make: Callable[[HttpOptions], C], options: HttpOptions) -> AsyncIterator[C]:
    client = make(options)
    try:
        yield client
    finally:
        await client.aclose()


async def call(make: Make, url: str, options: HttpOptions = PATIENT) -> Exchange:
    async with using(make, options) as client:
        return await client.post(url, HEADERS, b"{}")


async def eventually(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 15
    while not condition():
        assert monotonic() < deadline, "the condition did not come true in 15 s"
        await asyncio.sleep(0.005)


def kind(exchange: Exchange) -> NoAnswerKind:
    assert isinstance(exchange, NoAnswer), exchange
    return exchange.kind


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
