"""Does the account hold when the network between a process and a broker is slow, or is cut?

One of two processes reaches each of three brokers through a proxy, the other one directly. The
proxies are slowed, cut longer than a session, or cut for a moment only; each broker leads a third
of the partitions, and one of them coordinates the group. What the other process and the other
brokers' partitions do must not wait for it.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from tests.chaos.job import Job, let_run
from tests.chaos.members import SESSION_MS, Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.proxy import Network, TcpProxy
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaCluster, Listener

NODES = 3
KINDS = (Kind("classic", static=False), Kind("consumer", static=False))
PROXIED = "PROXIED"
PAST_SESSION_S = 2.5 * SESSION_MS / 1000

Weather = Callable[[Sequence[TcpProxy], Size], None]


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    network = Network()
    stage.at_end(network.close)
    proxies: list[TcpProxy] = []

    def advertised(number: int, port: int) -> int:
        proxies.append(TcpProxy(network, port))
        return proxies[-1].port

    cluster = stage.own_kafka(nodes=NODES, listeners=[Listener(PROXIED, advertised=advertised)])
    weathers: dict[str, Weather] = {
        "half a second to one broker": _slow,
        "each broker cut in turn, longer than a session": _each_cut,
        "all brokers cut, longer than a session": _all_cut,
        "all connections reset again and again": _reset,
    }
    for says, weather in weathers.items():
        for kind in KINDS:
            run = partial(
                _part, size=size, cluster=cluster, proxies=proxies, kind=kind, weather=weather
            )
            yield Part(f"{says}, {kind.protocol} protocol", run)


def _part(
    stage: Stage,
    size: Size,
    cluster: KafkaCluster,
    proxies: Sequence[TcpProxy],
    kind: Kind,
    weather: Weather,
) -> Outcome:
    topic = cluster.create_topic(partitions=12, replication=NODES)
    job = Job(stage, kafka=cluster, topic=topic)
    job.produce(2_000)
    proxied = {"bootstrap_servers": cluster.bootstrap_of(PROXIED)}
    cut = stage.streamer(kind.config(job, "cut", kafka=proxied))
    direct = stage.streamer(kind.config(job, "direct"))
    job.until_delivered(1_000, [cut, direct])
    with job.traffic(size.of(1000, 300), bad_every=500):
        let_run(2)
        before = job.seen()
        weather(proxies, size)
        during = job.seen() - before
        for proxy in proxies:
            proxy.mend()
    job.until_settled([cut, direct])
    faults = [] if during else ["nothing was delivered meanwhile, by the other process neither"]
    codes = [streamer.terminate() for streamer in (cut, direct)]
    faults += [] if codes == [0, 0] else [f"the processes ended with exit codes {codes}"]
    accepted = job.accepted()
    figures = {
        "delivered meanwhile": f"{during:,}",
        "longest time without a delivery": f"{accepted.longest_pause_ms / 1000:.1f} s",
    }
    return job.compared(accepted, faults=faults, figures=figures)


def _slow(proxies: Sequence[TcpProxy], size: Size) -> None:
    proxies[0].slow(0.5)
    let_run(size.of(60, 10))


def _each_cut(proxies: Sequence[TcpProxy], size: Size) -> None:
    for proxy in proxies[: size.of(3, 1)]:
        proxy.cut()
        let_run(PAST_SESSION_S)
        proxy.mend()
        let_run(3)


def _all_cut(proxies: Sequence[TcpProxy], size: Size) -> None:
    for proxy in proxies:
        proxy.cut()
    let_run(size.of(60, int(PAST_SESSION_S)))


def _reset(proxies: Sequence[TcpProxy], size: Size) -> None:
    for _ in range(size.of(20, 5)):
        for proxy in proxies:
            proxy.reset()
        let_run(1)
