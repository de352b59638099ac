"""What is written to the topic, and what do decoder and routes make of it?"""

from collections.abc import Callable
from random import Random

from streamer.model import (
    Action,
    BadMessage,
    Decoded,
    Event,
    LaneKey,
    Message,
    Offset,
    Owned,
    Partition,
    Reason,
    Refusal,
    RefusedReport,
    Report,
    Routed,
    SchemaNeeded,
    SchemaRef,
    Tombstone,
)
from tests.simulation.clock import Clock
from tests.simulation.kafka import NOBODY, Broker, Record, Spec
from tests.simulation.plan import Plan

LARGE = "site-0"
"""Its payloads are so large that few share a call: who counts calls and not reports is unfair."""
LATE = SchemaRef("id", "7")
MARKERS_AFTER_S = (2.0, 200.0)
"""At most: soon, or when most worlds have settled all that was written."""
CANCELLED = "due"
"""The trigger that a route cancels."""


class Traffic:
    """Writes the plan's messages at random moments."""

    def __init__(self, plan: Plan, clock: Clock, broker: Broker) -> None:
        self._plan = plan
        self._clock = clock
        self._broker = broker
        self._markers = Random(f"{plan.seed}/markers")
        self._markers_to_come = 0
        self.produced = 0
        self.cancels = 0
        """Messages with a cancel."""
        at = 0.0
        for _ in range(plan.messages):
            at += clock.random.expovariate(1 / plan.gap_s)
            clock.at(at, self._produce)
        self.last_produced_s = at

    @property
    def is_over(self) -> bool:
        return self.produced == self._plan.messages and not self._markers_to_come

    def _produce(self) -> None:
        random = self._clock.random
        partition = random.choice(list(self._broker.ends))
        offset = self._broker.ends[partition] + (random.random() < 0.03) * random.randint(1, 5)
        number = random.randrange(self._plan.keys)
        key = None if random.random() < 0.1 else f"{partition.number}-{number}".encode()
        kind = random.choices(["event", "bad", "late"], [0.93, 0.03, 0.04])[0]
        record = Record(partition, offset, key, kind, self._specs(partition, number, random))
        self._broker.append(record)
        self.cancels += any(spec.cancel and not spec.refused for spec in record.specs)
        if self._markers.random() < self._plan.markers:
            # It may come when all before it is settled.
            later_s = self._markers.uniform(0, self._markers.choice(MARKERS_AFTER_S))
            self._markers_to_come += 1
            self._clock.at(self._clock.now + later_s, lambda: self._mark(partition))
        self.produced += 1

    def _mark(self, partition: Partition) -> None:
        self._markers_to_come -= 1
        self._broker.mark(partition)

    def _specs(self, partition: Partition, number: int, random: Random) -> tuple[Spec, ...]:
        """Reports, cancels, both, or nothing, of an entity that stays in its partition."""
        entity = f"{partition.number}-{number % 5}"
        names, sites = self._plan.endpoints, self._plan.instances
        lane = LaneKey(names[number // len(sites) % len(names)], sites[number % len(sites)])
        size = random.choices([20, 700, 2500], [0.9, 0.08, 0.02])[0]
        if lane.instance == LARGE:
            size = 1800
        report = Spec("reporting", CANCELLED, lane, entity=entity, size=size)
        cancel = Spec("cancelling", CANCELLED, lane, cancel=True, entity=entity)
        another = LaneKey("default", sites[(number + 1) % len(sites)])
        other = Spec("other", "welcome", another, size=1800 if another.instance == LARGE else 20)
        broken = _refused_spec(lane, entity, random)
        return random.choices(
            [
                (report,),
                (cancel,),
                (cancel, report),
                (other,),
                (report, other),
                (broken, other),
                (),
            ],
            [0.3, 0.15, 0.1, 0.2, 0.15, 0.05, 0.05],
        )[0]

    # --- decoding and routing ------------------------------------------------------------------

    def decoder(self, known: set[SchemaRef]) -> Callable[[Message], Decoded]:
        """The decoder of a process that has these schemas."""

        def decode(message: Message) -> Decoded:
            record = self._record(message)
            if record.kind == "bad":
                return BadMessage(message, Refusal(Reason.UNDECODABLE, "bad"), "none")
            if record.kind == "late" and LATE not in known:
                return SchemaNeeded(message, LATE)
            return Event(message, "t", {})

        return decode

    def route(self, event: Event | Tombstone) -> Routed:
        message = event.message
        specs = self._record(message).specs
        return Routed(tuple(_report(message, spec, self._plan.key_life_s) for spec in specs))

    def _record(self, message: Message) -> Record:
        return self._broker.at[message.partition, message.offset]


def message_of(record: Record, owned: Owned) -> Message:
    return Message(
        partition=record.partition,
        generation=owned.generation,
        offset=Offset(record.offset),
        timestamp_ms=0,
        key=record.key,
        value=b"",
    )


def _refused_spec(lane: LaneKey, entity: str, random: Random) -> Spec:
    """What a route cannot make: of nobody knows whom, of no known entity, or just refused."""
    nobody = LaneKey(lane.endpoint, NOBODY)
    return random.choice(
        [
            Spec("broken", "welcome", nobody, refused=True),
            Spec("broken-cancelling", CANCELLED, nobody, cancel=True, refused=True),
            Spec("broken-entity", CANCELLED, lane, cancel=True, refused=True),
            Spec("broken-payload", CANCELLED, lane, entity=entity, refused=True),
        ]
    )


def _report(message: Message, spec: Spec, key_life_s: float | None) -> Report | RefusedReport:
    action = Action.CANCEL if spec.cancel else Action.REPORT
    if spec.refused:
        return RefusedReport(
            message,
            spec.route,
            spec.trigger,
            action,
            Refusal(Reason.EXPRESSION_FAILED, "broken"),
            instance=spec.lane.instance or None,
            endpoint=spec.lane.endpoint,
            entity=spec.entity,
            any_entity=spec.trigger == CANCELLED and spec.entity is None,
        )
    return Report(
        message=message,
        route=spec.route,
        lane=spec.lane,
        trigger=spec.trigger,
        action=action,
        entity=spec.entity,
        payload=b"" if spec.cancel else b'{"t":"%s"}' % (b"x" * (spec.size - 8)),
        idempotency_key="" if spec.cancel else f"{message}/{spec.route}",
        idempotency_ttl_ms=None if key_life_s is None or spec.cancel else int(key_life_s * 1000),
    )
