"""How many calls does the benchmark's endpoint take by itself?

So many connections, one call at a time on each, from a caller that neither writes nor reads HTTP:
the request's bytes are made once and answers are counted by their length.
"""

import argparse
import asyncio
from typing import cast

import uvloop

_BODY = b'{"triggerKey":"order_placed","payload":{"orderId":"' + b"x" * 300 + b'"}}'
_REQUEST = (
    b"POST /automations/v1/events/report HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    b"authorization: token\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
) % len(_BODY) + _BODY


class _Caller(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one by its methods, not by its class.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        # Answers are so short that each comes whole.
        self._transport.write(_REQUEST)


async def _drive(port: int, connections: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(_Caller, "127.0.0.1", port)
    await asyncio.sleep(seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    asked = parser.parse_args()
    uvloop.run(_drive(asked.port, asked.connections, asked.seconds))
