"""A whole bridge for a test: topics, schemas, events, a configuration, and the account at the end.

Events are of three types in one topic, in the registry's wire format, some of them bad on purpose
and each in its own way. Every good event's payload holds its key and its number within the key,
so that the sandbox's ledger alone tells what was lost, doubled or out of order.
"""

import io
import json
import struct
import urllib.request
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro

from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, StoredRecord, committed, end_offsets, produce, read_all
from tests.servers.registry import ApicurioRegistry
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_process import StreamerProcess
from tests.servers.waiting import wait_until

SITES = 7
FIELDS: list[dict[str, Any]] = [
    {"name": "site", "type": "string"},
    {"name": "key", "type": "string"},
    {"name": "number", "type": "long"},
    {"name": "amount", "type": ["null", "double"], "default": None},
]
TYPES = ("InvoiceOverdue", "MemberJoined", "OrderPlaced")
TRIGGERS = {"InvoiceOverdue": "overdue", "MemberJoined": "joined", "OrderPlaced": "placed"}


def schema_of(name: str, namespace: str) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": namespace, "fields": FIELDS}


@dataclass
class Account:
    """What the ledgers say, against what was produced."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    missing_letters: list[int] = field(default_factory=list)
    changed_letters: list[int] = field(default_factory=list)
    unexpected_letters: list[str] = field(default_factory=list)
    sent_again: int = 0

    @property
    def faults(self) -> dict[str, list[Any]]:
        """Everything that must be empty; `sent_again` is allowed."""
        named = {name: value for name, value in vars(self).items() if isinstance(value, list)}
        return {name: value[:5] for name, value in named.items() if value}


class Bridge:
    """One topic, its events, and the processes around them."""

    def __init__(
        self,
        kafka: KafkaCluster,
        registry: ApicurioRegistry,
        sandbox: SandboxProcess,
        *,
        partitions: int = 12,
        topic: str | None = None,
    ) -> None:
        """With a `topic`, none is made."""
        self.kafka = kafka
        self.registry = registry
        self.sandbox = sandbox
        self.topic = topic or kafka.create_topic(partitions=partitions)
        self.group = f"group-{uuid.uuid4().hex[:12]}"
        self.namespace = f"com.acme.n{uuid.uuid4().hex[:12]}"
        self._ids: dict[str, int] = {}
        self._parsed = {
            name: fastavro.parse_schema(schema_of(name, self.namespace)) for name in TYPES
        }
        self.good: dict[str, int] = defaultdict(int)
        """By message key, how many good events were written: numbered from 0."""
        self.bad: list[tuple[tuple[int, int], Record]] = []
        """Where each bad record stands, and what it is."""

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.topic}.dlq"

    # --- configuration -------------------------------------------------------------------------

    def config(self, **more: Mapping[str, Any]) -> dict[str, Any]:
        """For `streamer run`; `more` goes over the sections by name."""
        sections: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap,
                "group_id": self.group,
                "start": "earliest",
                # The broker's least, so that it misses a killed process soon.
                "properties": {"session.timeout.ms": 6000},
            },
            "schemas": {"registry": {"url": self.registry.url}},
            "endpoint": {
                "base_url": self.sandbox.url,
                "app": {"id": "app", "secret": "secret"},
                "quota": "none",
            },
            "routes": [self._route(name) for name in TYPES],
            "delivery": {},
            "log": {"format": "json"},
        }
        for name, section in more.items():
            sections[name] = {**sections.get(name, {}), **section}
        return sections

    def _route(self, name: str) -> dict[str, Any]:
        return {
            "name": TRIGGERS[name],
            "topic": self.topic,
            "event": f"{self.namespace}.{name}",
            "trigger": TRIGGERS[name],
            "instance": "event.site",
            "payload": {
                "key": "event.key",
                "number": "event.number",
                # A null that no default takes: the expression fails on this event.
                "amount": "event.amount + 0.0",
            },
        }

    # --- producing -----------------------------------------------------------------------------

    def register(self) -> None:
        """Write the schemas to the registry."""
        for name in TYPES:
            body = json.dumps({"schema": json.dumps(schema_of(name, self.namespace))}).encode()
            request = urllib.request.Request(
                f"{self.registry.url}/subjects/{self.topic}-{self.namespace}.{name}/versions",
                data=body,
                headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                self._ids[name] = json.load(answer)["id"]

    def produce(
        self, events: int, *, keys: int = 200, first_key: int = 0, bad_every: int = 0
    ) -> None:
        """Write so many events; every `bad_every`-th is followed by a bad one (0: none)."""
        if not self._ids:
            self.register()
        records: list[Record] = []
        bad: list[int] = []
        for number in range(events):
            key = f"k{first_key + number % keys}"
            records.append(self._good(key))
            if bad_every and number % bad_every == bad_every - 1:
                bad.append(len(records))
                records.append(self._bad(len(bad)))
        places = self.write(records)
        self.bad += [(places[index], records[index]) for index in bad]

    def write(self, records: Sequence[Record]) -> Sequence[tuple[int, int]]:
        """Their (partition, offset), all confirmed."""
        return produce(self.kafka.bootstrap, self.topic, records)

    def write_letter(self, headers: tuple[tuple[str, bytes | None], ...]) -> None:
        """A record of another tool's in the dead letter topic."""
        record = Record(value=b"{}", key=b"k", headers=headers)
        produce(self.kafka.bootstrap, self.dead_letter_topic, [record])

    def _good(self, key: str) -> Record:
        number = self.good[key]
        self.good[key] += 1
        name = self._type_of(key, number)
        value = self._encoded(name, key, number, 1.5 * number)
        return Record(value=value, key=key.encode(), headers=(("trace", b"\x00\xff"),))

    def _type_of(self, key: str, number: int) -> str:
        """A key's events are of all types in turn."""
        return TYPES[number % len(TYPES)]

    def _encoded(self, name: str, key: str, number: int, amount: float | None) -> bytes:
        out = io.BytesIO()
        out.write(struct.pack(">bI", 0, self._ids[name]))
        site = f"site-{int(key[1:]) % SITES}"
        event = {"site": site, "key": key, "number": number, "amount": amount}
        fastavro.schemaless_writer(out, self._parsed[name], event)
        return out.getvalue()

    def _bad(self, number: int) -> Record:
        """Not Avro; an id that nobody knows; cut; an expression that fails; in turn."""
        whole = self._encoded("OrderPlaced", "k0", 10**9, None)
        value = [
            b"\xffnot avro " + str(number).encode(),
            struct.pack(">bI", 0, 2_000_000_000) + b"\x00",
            whole[:-9],
            whole,
        ][number % 4]
        headers = (("trace", str(number).encode()), ("trace", None), ("other", b"\xfe"))
        return Record(value=value, key=f"bad-{number}".encode(), headers=headers)

    # --- the account ---------------------------------------------------------------------------

    @property
    def produced(self) -> int:
        return sum(self.good.values())

    def delivered(self) -> int:
        """Reports that the sandbox accepted, repeats left out."""
        triggers = self.sandbox.summary()["by_trigger"]
        return sum(counts["reports"] for counts in triggers.values())

    def is_committed(self) -> bool:
        """Whether the group's positions are at the topic's end."""
        ends = end_offsets(self.kafka.bootstrap, self.topic)
        done = committed(self.kafka.bootstrap, self.group)
        return all(
            end == 0 or ((self.topic, number) in done and done[self.topic, number].offset == end)
            for number, end in ends.items()
        )

    def wait_until_done(self, streamers: Sequence[StreamerProcess], timeout_s: float = 120) -> None:
        """Everything produced is delivered or dead-lettered, and committed."""

        def is_done() -> bool:
            for streamer in streamers:
                assert streamer.process.alive, streamer.process.log()[-3000:]
            return self.delivered() >= self.produced and self.is_committed()

        wait_until(is_done, lambda: f"{self.delivered()} of {self.produced} delivered", timeout_s)

    def account(self) -> Account:
        """Compare the sandbox's ledger and the dead letter topic with what was produced."""
        account = Account()
        numbers: dict[str, list[int]] = defaultdict(list)
        last: dict[str, Mapping[str, Any]] = {}
        for entry in self.sandbox.reports():
            key = entry["payload"]["key"]
            numbers[key].append(entry["payload"]["number"])
            account.sent_again += entry["came"] - 1
            before = last.get(key)
            if before is not None and overlap(before, entry):
                account.out_of_order.append(f"{key}: {entry['payload']['number']} too early")
            last[key] = entry
        for key, count in self.good.items():
            seen = numbers.pop(key, [])
            account.lost += [f"{key}:{n}" for n in sorted(set(range(count)) - set(seen))]
            account.doubled += [f"{key}:{n}" for n, times in Counter(seen).items() if times > 1]
            if seen != sorted(seen):
                account.out_of_order.append(f"{key}: {seen[:20]}")
        account.doubled += [f"{key}: never written" for key in numbers]
        self.compare_letters(account)
        return account

    def compare_letters(self, account: Account) -> int:
        """Gives how many messages have a dead letter."""
        letters: dict[tuple[int, int], StoredRecord] = {}
        if self.dead_letter_topic in self.kafka.admin.list_topics(timeout=30).topics:
            for letter in read_all(self.kafka.bootstrap, self.dead_letter_topic):
                ours = dict(letter.headers)
                if "streamer-mark" in ours:
                    continue  # what became of a letter
                partition = ours["streamer-origin-partition"]
                offset = ours["streamer-origin-offset"]
                assert partition is not None
                assert offset is not None
                letters[int(partition), int(offset)] = letter
        found_in_all = len(letters)
        for number, (place, record) in enumerate(self.bad):
            found = letters.pop(place, None)
            if found is None:
                account.missing_letters.append(number)
            elif (found.key, found.value, found.headers[: len(record.headers)]) != (
                record.key,
                record.value,
                record.headers,
            ):
                account.changed_letters.append(number)
        for place, letter in letters.items():
            account.unexpected_letters.append(f"{place}: {dict(letter.headers)}")
        return found_in_all


def overlap(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the later report was started before the earlier one's answer.

    Of one that came again (its process was killed before the answer) the ledger knows the first
    coming only: that it was accepted before is all that can be told.
    """
    if before["came"] > 1:
        return False
    return before["answered"] is None or bool(before["answered"] > after["started"])


def trigger_schemas(folder: Path) -> Path:
    """A folder of trigger schemas for the sandbox, which every good payload fits."""
    folder.mkdir()
    properties = {
        "key": {"type": "string"},
        "number": {"type": "integer"},
        "amount": {"type": "number"},
    }
    for trigger in TRIGGERS.values():
        text = json.dumps({"type": "object", "properties": properties, "required": ["key"]})
        (folder / f"{trigger}.json").write_text(text)
    return folder
