"""What does a service do that someone writes in an afternoon?

`confluent-kafka` and `aiohttp`: take some messages, decode them, send all of them at once (one by
one, or cut into bulk calls), wait for all answers, commit. No order by key, no retries, no dead
letters: what does not decode is dropped. As fast as such a loop gets: the schema is parsed once,
JSON is written by `msgspec`, the event loop is uvloop.
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
BULK_PATH = "/automations/v1/events/bulk-report"


def schema_of(registry_url: str, topic: str) -> Any:
    url = f"{registry_url}/subjects/{topic}-value/versions/latest"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return fastavro.parse_schema(json.loads(json.load(answer)["schema"]))


async def _run(asked: argparse.Namespace) -> None:
    schema = schema_of(asked.registry, asked.topic)
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
    headers = {"authorization": "token", "content-type": "application/json"}

    def report(message: Any) -> dict[str, Any]:
        event: Any = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), schema, None)
        return {
            "payload": {key: event[field] for key, field in PAYLOAD.items()},
            "idempotency": {"key": f"{message.partition()}-{message.offset()}"},
        }

    async def post(path: str, body: dict[str, Any]) -> None:
        url = asked.endpoint + path
        async with http.post(url, data=encode(body), headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()

    async def deliver(messages: list[Any]) -> None:
        reports = []
        for message in messages:
            try:
                reports.append(report(message))
            except (EOFError, IndexError):
                continue
        if asked.batch > 1:
            await post(BULK_PATH, {"triggerKey": TRIGGER, "eventsInfo": reports})
        elif reports:
            await post(REPORT_PATH, {"triggerKey": TRIGGER, **reports[0]})

    connector = aiohttp.TCPConnector(limit=asked.in_flight)
    async with aiohttp.ClientSession(connector=connector) as http:
        while True:
            messages = [it for it in consumer.consume(asked.poll, 1.0) if it.error() is None]
            parts = range(0, len(messages), asked.batch)
            await asyncio.gather(*[deliver(messages[at : at + asked.batch]) for at in parts])
            if messages:
                consumer.commit(asynchronous=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry", "topic", "group", "endpoint"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("in-flight", "poll", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    uvloop.run(_run(parser.parse_args()))
