"""Does the account hold when the network between a process and a broker is slow, or is cut?

One of two processes reaches each of three brokers through a proxy, the other one directly. The
proxies are slowed, cut longer than a session, or cut for a moment only; each broker leads a third
of the partitions, and one of them coordinates the group. What the other process and the other
brokers' partitions do must not wait for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct

from tests.chaos.footprints import not_hit
from tests.chaos.job import Job, let_run
from tests.chaos.members import SESSION_MS, Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.proxy import Network, TcpProxy
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaCluster, Listener

NODES = 3
PARTITIONS = 12
KINDS = (Kind("classic", static=False), Kind("consumer", static=False))
PROXIED = "PROXIED"
SLOW_S = 0.5
PAST_SESSION_S = 2.5 * SESSION_MS / 1000

Signs = Mapping[str, bool]
SignsOfProxies = Callable[[Sequence[TcpProxy], Size], Signs]


class Fault(Struct, frozen=True):
    weather: Callable[[Sequence[TcpProxy], Size], None]
    signs: SignsOfProxies
    """What it leaves at the proxies, and whether it is there."""
    is_missed: bool = False
    """The group gives the partitions of the process to the other one meanwhile."""


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    network = Network()
    stage.at_end(network.close)
    proxies: list[TcpProxy] = []

    def advertised(number: int, port: int) -> int:
        proxies.append(TcpProxy(network, port))
        return proxies[-1].port

    cluster = stage.own_kafka(nodes=NODES, listeners=[Listener(PROXIED, advertised=advertised)])
    faults: dict[str, Fault] = {
        "half a second to one broker": Fault(_slow, _is_slowed),
        "each broker cut in turn, longer than a session": Fault(_each_cut, _are_cut),
        "all brokers cut, longer than a session": Fault(_all_cut, _are_cut, is_missed=True),
        "all connections reset again and again": Fault(_reset, _are_reset),
    }
    for says, fault in faults.items():
        for kind in KINDS:
            run = partial(
                _part, size=size, cluster=cluster, proxies=proxies, kind=kind, fault=fault
            )
            yield Part(f"{says}, {kind.protocol} protocol", run)


def _part(
    stage: Stage,
    size: Size,
    cluster: KafkaCluster,
    proxies: Sequence[TcpProxy],
    kind: Kind,
    fault: Fault,
) -> Outcome:
    for proxy in proxies:
        proxy.forget()
    topic = cluster.create_topic(partitions=PARTITIONS, replication=NODES)
    job = Job(stage, kafka=cluster, topic=topic)
    job.produce(2_000)
    proxied = {"bootstrap_servers": cluster.bootstrap_of(PROXIED)}
    cut = stage.streamer(kind.config(job, "cut", kafka=proxied))
    direct = stage.streamer(kind.config(job, "direct"))
    job.until_delivered(1_000, [cut, direct])
    with job.traffic(size.of(1000, 300), bad_every=500):
        let_run(2)
        before = job.seen()
        fault.weather(proxies, size)
        during = job.seen() - before
        took_over = direct.total("streamer_partitions_assigned")
        for proxy in proxies:
            proxy.mend()
    job.until_settled([cut, direct])
    faults = [] if during else ["nothing was delivered meanwhile, by the other process neither"]
    signs = dict(fault.signs(proxies, size))
    if fault.is_missed:
        signs["all partitions with the other process"] = took_over == PARTITIONS
    faults += not_hit(signs)
    codes = [streamer.terminate() for streamer in (cut, direct)]
    faults += [] if codes == [0, 0] else [f"the processes ended with exit codes {codes}"]
    accepted = job.accepted()
    figures = {
        "delivered meanwhile": f"{during:,}",
        "bytes that waited in the network": f"{sum(it.held_bytes for it in proxies):,}",
        "connections that were reset": f"{sum(it.ended for it in proxies):,}",
        "partitions with the other process at the end of it": f"{took_over:g}",
        "longest time without a delivery": f"{accepted.longest_pause_ms / 1000:.1f} s",
    }
    return job.compared(accepted, faults=faults, figures=figures)


def _slow(proxies: Sequence[TcpProxy], size: Size) -> None:
    proxies[0].slow(SLOW_S)
    let_run(size.of(60, 10))


def _is_slowed(proxies: Sequence[TcpProxy], size: Size) -> Signs:
    return {"half a second in the network": proxies[0].longest_held_s >= SLOW_S}


def _each_cut(proxies: Sequence[TcpProxy], size: Size) -> None:
    for proxy in proxies[: size.of(NODES, 1)]:
        proxy.cut()
        let_run(PAST_SESSION_S)
        proxy.mend()
        let_run(3)


def _all_cut(proxies: Sequence[TcpProxy], size: Size) -> None:
    for proxy in proxies:
        proxy.cut()
    let_run(size.of(60, int(PAST_SESSION_S)))


def _are_cut(proxies: Sequence[TcpProxy], size: Size) -> Signs:
    """What its consumer asked and was not answered for longer than a session."""
    session_s = SESSION_MS / 1000
    # At the least the first of them is cut.
    waited = [proxy.longest_held_s for proxy in proxies[: size.of(NODES, 1)]]
    return {"bytes that waited for a session at each broker": min(waited) >= session_s}


def _are_reset(proxies: Sequence[TcpProxy], size: Size) -> Signs:
    return {"connections that ended": all(proxy.ended for proxy in proxies)}


def _reset(proxies: Sequence[TcpProxy], size: Size) -> None:
    for _ in range(size.of(20, 5)):
        for proxy in proxies:
            proxy.reset()
        let_run(1)
