"""What does a service on FastStream do, as its documentation has it?

One handler, one call for each message by `httpx`, so that what is awaited is done one after the
other. It is measured where `faststream[confluent]` is installed, which `make setup` does not do.
"""

import argparse
import asyncio
import io
from typing import Any

import fastavro
import httpx
import uvloop
from faststream import FastStream
from faststream.confluent import KafkaBroker

from bench.plain_loop import REPORT_PATH, schema_of
from bench.topic import PAYLOAD, TRIGGER


async def _run(asked: argparse.Namespace) -> None:
    schema = schema_of(asked.registry, asked.topic)
    limits = httpx.Limits(max_connections=asked.in_flight)
    broker = KafkaBroker(asked.bootstrap)
    async with httpx.AsyncClient(base_url=asked.endpoint, limits=limits, timeout=30) as http:

        async def deliver(value: bytes) -> None:
            try:
                event: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
            except (EOFError, IndexError):
                return
            body = {
                "triggerKey": TRIGGER,
                "payload": {key: event[field] for key, field in PAYLOAD.items()},
                "idempotency": {"key": event["order_id"]},
            }
            answer = await http.post(REPORT_PATH, json=body, headers={"authorization": "token"})
            answer.raise_for_status()

        reads = broker.subscriber(asked.topic, group_id=asked.group, auto_offset_reset="earliest")
        reads(deliver)
        await FastStream(broker).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry", "topic", "group", "endpoint"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(_run(parser.parse_args()))
