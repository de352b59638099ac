"""How calls, clients and processes end, for every HTTP client of the delivery path."""

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from streamer.endpoint.http import HttpClient, HttpOptions
from streamer.endpoint.tls import read_tls
from streamer.model import Answer, Exchange
from tests.servers.certificates import Authority, server_context
from tests.servers.waiting import wait_until
from tests.unit.endpoint.contract import (
    BRIEF,
    DROPPED,
    HEADERS,
    PATIENT,
    Make,
    MakeDroppable,
    eventually,
    every_client,
    every_droppable,
    kind,
    using,
)
from tests.unit.endpoint.misbehaving_server import MisbehavingServer, serving


async def start_waiting(
    client: HttpClient, server: MisbehavingServer, count: int
) -> list[asyncio.Task[Exchange]]:
    before = len(server.calls)
    tasks = [asyncio.create_task(_exchange(client, server.url("/wait"))) for _ in range(count)]
    await eventually(lambda: len(server.calls) == before + count)
    return tasks


async def _exchange(client: HttpClient, url: str) -> Exchange:
    return await client.post(url, HEADERS, b"{}")


@every_client
async def test_a_cancelled_call_ends_at_once_and_its_connection_with_the_time_out(
    make: Make,
) -> None:
    async with serving() as server, using(make, BRIEF) as client:
        (task,) = await start_waiting(client, server, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await eventually(lambda: server.open_connections == 0)
        assert isinstance(await client.post(server.url("/ok"), HEADERS, b"{}"), Answer)
    assert len(server.calls) == 2


@every_client
async def test_closing_ends_calls_in_flight_as_dropped(make: Make) -> None:
    async with serving() as server:
        client = make(BRIEF)
        tasks = await start_waiting(client, server, 8)
        await client.aclose()
        exchanges = await asyncio.gather(*tasks)

        assert [kind(exchange) for exchange in exchanges] == [DROPPED] * 8
        await eventually(lambda: server.open_connections == 0)


@every_droppable
async def test_dropping_ends_calls_in_flight_and_closes_every_connection_at_once(
    make: MakeDroppable,
) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        await client.post(server.url("/ok"), HEADERS, b"{}")
        tasks = await start_waiting(client, server, 16)
        started = monotonic()
        await client.drop()

        assert all(task.done() for task in tasks)
        assert [kind(task.result()) for task in tasks] == [DROPPED] * 16
        await eventually(lambda: server.open_connections == 0)
        assert monotonic() - started < PATIENT.timeout_s / 4
        assert isinstance(await client.post(server.url("/ok"), HEADERS, b"{}"), Answer)


@every_droppable
async def test_dropping_ends_calls_on_connections_that_went_from_call_to_call(
    make: MakeDroppable,
) -> None:
    async with serving() as server, using(make, PATIENT) as client:

        async def caller() -> Exchange:
            await client.post(server.url("/wait"), HEADERS, b"{}")
            return await client.post(server.url("/stalls-before"), HEADERS, b"{}")

        def came(path: str) -> int:
            return [call.path for call in server.calls].count(path)

        tasks = [asyncio.create_task(caller()) for _ in range(16)]
        await eventually(lambda: came("/wait") == 16)
        server.released.set()  # all are answered together, and each takes any one's connection
        await eventually(lambda: came("/stalls-before") == 16)
        await asyncio.wait_for(client.drop(), 10)

        assert [kind(task.result()) for task in tasks] == [DROPPED] * 16


@every_droppable
async def test_a_call_dropped_while_it_connects_is_never_sent(
    make: MakeDroppable, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "own")
    options = HttpOptions(20.0, read_tls(ca=authority.ca))
    context = server_context(authority.issue("server"))
    async with serving(context) as server, Gate() as gate, using(make, options) as client:
        task = asyncio.create_task(_exchange(client, f"https://localhost:{gate.port}/ok"))
        await gate.first_bytes  # the client is amid its TLS handshake
        await client.drop()
        assert kind(task.result()) is DROPPED

        # Were anyone still there, the handshake would now go on, and the request follow it.
        await gate.open_to(server.port, at_most_s=0.3)
    assert server.calls == []


@every_droppable
async def test_nothing_is_sent_once_dropping_began_however_far_a_call_had_come(
    make: MakeDroppable,
) -> None:
    """Turn by turn of the loop: at each, what is not in the kernel's hands never comes there."""
    async with using(make, PATIENT) as client:
        for turns in range(1, 25):
            with socket.create_server(("127.0.0.1", 0)) as listener, Kernel(listener) as kernel:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/ok"
                task = asyncio.create_task(_exchange(client, url))
                for _ in range(turns):
                    await asyncio.sleep(0)
                before = kernel.has()
                await client.drop()

                assert kernel.has() == before, f"after {turns} turns"
                assert kind(await task) is DROPPED


SYN_SENT = "02"  # proc(5), net/tcp


class Kernel:
    """What was sent to a port so far, without a turn of the loop."""

    def __init__(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._connections: list[socket.socket] = []
        self._bytes = b""

    def has(self) -> bytes:
        # On a busy machine it takes its time even on the loopback.
        wait_until(self._is_at_rest, "what was sent to arrive")
        with suppress(BlockingIOError):
            while True:
                self._connections.append(self._listener.accept()[0])
        for connection in self._connections:
            connection.setblocking(False)
            with suppress(BlockingIOError, ConnectionResetError):
                while part := connection.recv(65_536):
                    self._bytes += part
        return self._bytes

    def _is_at_rest(self) -> bool:
        """No connection to the port is half made, and nothing sent on one is not acknowledged."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, state, queues, *_ = line.split()
            is_to_us = int(remote.rpartition(":")[2], 16) == self._port
            if is_to_us and (state == SYN_SENT or int(queues.partition(":")[0], 16)):
                return False
        return True

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()


class Gate:
    """A relay that shows that bytes came and holds them until it is opened."""

    async def __aenter__(self) -> "Gate":
        self.first_bytes: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        self._writer.close()

    async def open_to(self, port: int, at_most_s: float) -> None:
        """Relays until a side ends or the time is over."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(self.first_bytes.result())
        ways = [
            asyncio.create_task(_relay(self._reader, writer)),
            asyncio.create_task(_relay(reader, self._writer)),
        ]
        await asyncio.wait(ways, timeout=at_most_s)
        for way in ways:
            way.cancel()
        await asyncio.wait(ways)
        writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.first_bytes.set_result(await reader.read(65_536))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()


@every_droppable
async def test_a_cancelled_call_closes_its_connection_at_once(make: MakeDroppable) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        (task,) = await start_waiting(client, server, 1)
        started = monotonic()
        task.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        await eventually(lambda: server.open_connections == 0)
        assert monotonic() - started < PATIENT.timeout_s / 4


@every_droppable
async def test_dropping_when_nothing_is_in_flight_is_no_event(make: MakeDroppable) -> None:
    async with serving() as server, using(make, PATIENT) as client:
        await client.drop()
        await client.drop()
        assert isinstance(await client.post(server.url("/ok"), HEADERS, b"{}"), Answer)


EXITING = """
import asyncio, sys
from streamer.endpoint.exit import leave
from streamer.endpoint.http import HttpOptions
from streamer.endpoint.pyreqwest_client import PyreqwestClient

async def main():
    client = PyreqwestClient(HttpOptions(timeout_s=5.0))
    await client.post(sys.argv[1], (), b"x")
    {last}

asyncio.run(main())
print("to the end")
{end}
"""


@pytest.mark.parametrize(
    ("last", "end", "runs"),
    [
        # Without the wait at the end about one in ten of these aborts.
        ("pass", "sys.exit(7)", 10),
        ("await client.aclose()", "sys.exit(7)", 4),
        ('asyncio.ensure_future(client.post(sys.argv[2], (), b"x"))', "sys.exit(7)", 3),
        ("await client.aclose()", "leave(7)", 3),
    ],
    ids=["not closed", "closed", "a call in flight", "without a tear-down"],
)
async def test_a_process_that_used_pyreqwest_ends_with_its_own_exit_code(
    last: str, end: str, runs: int
) -> None:
    script = EXITING.format(last=last, end=end)
    async with serving() as server:
        urls = (server.url("/ok"), server.url("/stalls-before"))
        ends = await asyncio.gather(*[_run(script, *urls) for _ in range(runs)])

    assert ends == [(7, b"to the end\n")] * runs


async def _run(script: str, *arguments: str) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return process.returncode, output
