"""Does a registry that is away, at the start or in the middle, lose or dead-letter anything?

A schema that is known needs no registry: its events go on. What needs one that is not known waits,
with what is behind it in its key, and nothing is dead-lettered for it.
"""

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct

from tests.chaos.job import Job, let_run, until
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.proxy import Network, TcpProxy
from tests.chaos.stage import Stage
from tests.servers.registry import ApicurioRegistry


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    registry = stage.own_registry()
    network = Network()
    stage.at_end(network.close)
    proxy = TcpProxy(network, registry.port)
    there = ApicurioRegistry(stage.folder("registry"), proxy.port)
    ways = {
        "stands still": Away(registry, registry.suspend, registry.resume),
        "refuses connections": Away(there, proxy.refuse, proxy.listen),
    }
    for says, away in ways.items():
        yield Part(f"{says} at the start", partial(_at_start, size=size, away=away))
        middle = f"{says} in the middle, when a new schema comes"
        yield Part(middle, partial(_in_the_middle, size=size, away=away))


class Away(Struct, frozen=True):
    """A registry, and how it is taken away and given back; it keeps its schemas."""

    registry: ApicurioRegistry
    begin: Callable[[], None]
    end: Callable[[], None]


def _at_start(stage: Stage, size: Size, away: Away) -> Outcome:
    job = Job(stage, registry=away.registry)
    job.produce(size.of(20_000, 2_000), bad_every=500)
    away.begin()
    streamer = stage.streamer(job.config())
    until(
        lambda: streamer.total("streamer_held_reports", kind="schema") > 0,
        "messages that wait for a schema",
        streamers=[streamer],
    )
    let_run(size.of(60, 8))
    early = job.seen()
    faults = [f"{early} were delivered without a schema"] if early else []
    if streamer.health("ready") != 200:
        faults.append("a registry that does not answer made the process unready")
    away.end()
    job.until_settled([streamer])
    streamer.terminate()
    return job.outcome(faults=faults)


def _in_the_middle(stage: Stage, size: Size, away: Away) -> Outcome:
    """Two jobs share a topic: one whose schemas are known by then, and one that comes new."""
    known = Job(stage, registry=away.registry)
    fresh = Job(stage, registry=away.registry, sandbox=known.sandbox, topic=known.topic)
    fresh.register()
    known.produce(1_000)
    config = known.config()
    routes = [*known.config()["routes"], *_renamed(fresh.config()["routes"])]
    streamer = stage.streamer({**config, "routes": routes})
    known.until_delivered(1_000, [streamer])
    away.begin()
    # Keys of their own: what waits for a schema holds the later ones of its key.
    fresh.produce(size.of(5_000, 500), keys=50, first_key=1_000)
    with known.traffic(size.of(1000, 300)):
        let_run(size.of(60, 10))
        before = known.seen()
        known.until_delivered(before + 100, [streamer])
    waits = streamer.total("streamer_held_reports", kind="schema")
    faults = [] if waits else ["nothing waited for the schema that is not known"]
    away.end()
    known.adopt(fresh)
    known.until_settled([streamer])
    streamer.terminate()
    return known.outcome(
        faults=faults,
        figures={"messages of the new schema that waited": f"{waits:,.0f}"},
    )


def _renamed(routes: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**route, "name": f"fresh-{route['name']}"} for route in routes]
