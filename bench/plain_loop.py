"""What does a service do that someone writes in an afternoon?

`confluent-kafka` and `aiohttp`: take a batch, decode it, send all of it at once, wait for all
answers, commit. No order by key, no retries, no dead letters. As fast as such a loop gets: the
schema is parsed once, JSON is written by `msgspec`, the event loop is uvloop.
"""

import argparse
import asyncio
import io
import json
import urllib.request
from typing import Any

import aiohttp
import fastavro
import msgspec
import uvloop
from confluent_kafka import Consumer

from bench.topic import PAYLOAD, TRIGGER

REPORT_PATH = "/automations/v1/events/report"


def _schema(registry_url: str, topic: str) -> Any:
    url = f"{registry_url}/subjects/{topic}-value/versions/latest"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return fastavro.parse_schema(json.loads(json.load(answer)["schema"]))


async def _run(asked: argparse.Namespace) -> None:
    schema = _schema(asked.registry, asked.topic)
    encode = msgspec.json.Encoder().encode
    consumer = Consumer(
        {
            "bootstrap.servers": asked.bootstrap,
            "group.id": asked.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([asked.topic])
    url = asked.endpoint + REPORT_PATH
    headers = {"authorization": "token", "content-type": "application/json"}

    async def deliver(message: Any) -> None:
        event: Any = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), schema, None)
        body = {
            "triggerKey": TRIGGER,
            "payload": {key: event[field] for key, field in PAYLOAD.items()},
            "idempotency": {"key": f"{message.partition()}-{message.offset()}"},
        }
        async with http.post(url, data=encode(body), headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()

    connector = aiohttp.TCPConnector(limit=asked.in_flight)
    async with aiohttp.ClientSession(connector=connector) as http:
        while True:
            messages = consumer.consume(asked.in_flight, 1.0)
            if messages:
                await asyncio.gather(*[deliver(it) for it in messages if it.error() is None])
                consumer.commit(asynchronous=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry", "topic", "group", "endpoint"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--in-flight", type=int, required=True)
    uvloop.run(_run(parser.parse_args()))
