"""What stands in the network between a process and a server, and can make it slow or cut it?

A TCP proxy on loopback. What is cut is not refused: connections stay open, new ones are taken, and
nothing passes, as where a cable is out or a firewall drops. What was under way passes when it is
mended, as TCP's repetition would bring it.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

from tests.servers.process import free_port

CHUNK = 65_536
Given = TypeVar("Given")


class Network:
    """An event loop in a thread of its own, for servers inside this process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Given]) -> Given:
        """Run it there, and wait for its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class TcpProxy:
    """One port in front of another. Used from any thread but the network's."""

    def __init__(self, network: Network, target_port: int, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self._target_port = target_port
        self._network = network
        self._delay_s = 0.0
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.held_bytes = 0
        """That waited here, since it was slow or cut."""
        self.longest_held_s = 0.0
        """How long any of them waited."""
        self.ended = 0
        """Connections that it reset."""
        network.do(self._listen())

    def slow(self, delay_s: float) -> None:
        """Each piece of up to 64 KiB takes so long, in each direction."""
        self._delay_s = delay_s

    def cut(self) -> None:
        self._network.do(self._change(passes=False))

    def mend(self) -> None:
        """Neither cut nor slow."""
        self._delay_s = 0.0
        self._network.do(self._change(passes=True))

    def forget(self) -> None:
        """What it has counted."""
        self.held_bytes = self.ended = 0
        self.longest_held_s = 0.0

    def reset(self) -> None:
        """End all connections that are open now."""
        self._network.do(self._reset())

    def refuse(self) -> None:
        """Nothing listens here: connections are refused, and those that are open end."""
        self._network.do(self._refuse())

    def listen(self) -> None:
        """After `refuse`."""
        self._network.do(self._listen())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", self.port)

    async def _refuse(self) -> None:
        assert self._server is not None, "it listens"
        self._server.close()
        await self._reset()

    async def _change(self, *, passes: bool) -> None:
        if passes:
            self._passes.set()
        else:
            self._passes.clear()

    async def _reset(self) -> None:
        self.ended += len(self._writers) // 2
        for writer in self._writers:
            writer.transport.abort()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passes.wait()
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there[1]}
        await asyncio.gather(self._pipe(reader, there[1]), self._pipe(there[0], writer))
        self._writers -= {writer, there[1]}

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                began = time.monotonic()
                if self._delay_s or not self._passes.is_set():
                    self.held_bytes += len(data)
                await self._passes.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                self.longest_held_s = max(self.longest_held_s, time.monotonic() - began)
                writer.write(data)
                await writer.drain()
        writer.close()
