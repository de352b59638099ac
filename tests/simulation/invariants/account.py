"""At the end: is nothing lost, and did cancels do what they should, and nothing else?"""

from collections import defaultdict

from streamer.model import LaneKey
from tests.simulation.invariants.broken import Broken
from tests.simulation.invariants.settlements import Settled
from tests.simulation.kafka import Broker, Record, Spec
from tests.simulation.platform import Platform

Entity = tuple[LaneKey, str, str | None]


def check_account(broker: Broker, platform: Platform, settled: Settled) -> None:
    for log in broker.log.values():
        alive: dict[Entity, list[str]] = defaultdict(list)
        for record in log:
            for spec in record.specs if record.kind != "bad" else ():
                if not settled.report(record, spec):
                    raise Broken(f"lost: {record.name_of(spec)}")
                _replay(record, spec, alive, platform)
        _check_alive(platform, alive)


def _replay(record: Record, spec: Spec, alive: dict[Entity, list[str]], platform: Platform) -> None:
    """What of each entity should be alive, were everything done once and in its order."""
    name = record.name_of(spec)
    of_entity = alive[spec.lane, spec.trigger, spec.entity]
    if not spec.cancel:
        of_entity.append(name)
    elif name in platform.cancels:  # it may stand in a dead letter too: nobody was told
        of_entity.clear()


def _check_alive(platform: Platform, alive: dict[Entity, list[str]]) -> None:
    for names in alive.values():
        for name in names:
            activation = platform.activations.get(name)
            if activation is not None and activation.cancelled:
                raise Broken(f"{name} was cancelled by a cancel from before it")
