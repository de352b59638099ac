"""Does the account hold when brokers die during traffic: one of three, and then all?

Topics have three replicas, of which two confirm. First each of the three brokers in turn is killed
(SIGKILL) and started again, so that it was leader, follower and the group's coordinator. Then all
three are killed at once, and started again after half a minute. At last they are stopped in order,
one after the other, as an upgrade of the cluster does it.
"""

from collections.abc import Callable, Iterator
from functools import partial

from tests.chaos.job import Job, let_run
from tests.chaos.members import SESSION_MS, Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.servers.kafka import KafkaCluster

NODES = (1, 2, 3)
KINDS = (Kind("classic", static=False), Kind("consumer", static=False))


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    cluster = stage.own_kafka(nodes=len(NODES), properties={"min.insync.replicas": "2"})
    breaks: dict[str, Callable[[KafkaCluster, Size], None]] = {
        "each broker killed in turn": _each_killed,
        "all brokers killed and started": _all_killed,
        "a rolling restart of the brokers": _rolled,
    }
    for says, breaking in breaks.items():
        for kind in KINDS[: size.of(2, 1)]:
            run = partial(_part, size=size, cluster=cluster, kind=kind, breaking=breaking)
            yield Part(f"{says}, {kind.protocol} protocol", run)


def _part(
    stage: Stage,
    size: Size,
    cluster: KafkaCluster,
    kind: Kind,
    breaking: Callable[[KafkaCluster, Size], None],
) -> Outcome:
    topic = cluster.create_topic(partitions=12, replication=len(NODES))
    job = Job(stage, kafka=cluster, topic=topic)
    job.produce(2_000, bad_every=200)
    streamers = [stage.streamer(kind.config(job, name)) for name in ("one", "two")]
    job.until_delivered(1_000, streamers)
    with job.traffic(size.of(1000, 300), bad_every=500):
        breaking(cluster, size)
        let_run(2)
    job.until_settled(streamers)
    codes = [streamer.terminate() for streamer in streamers]
    faults = [] if codes == [0, 0] else [f"the processes ended with exit codes {codes}"]
    accepted = job.accepted()
    figures = {"longest time without a delivery": f"{accepted.longest_pause_ms / 1000:.1f} s"}
    return job.compared(accepted, faults=faults, figures=figures)


def _each_killed(cluster: KafkaCluster, size: Size) -> None:
    for node in NODES[: size.of(3, 1)]:
        cluster.kill_node(node)
        # Longer than a session: the members look for another coordinator meanwhile.
        let_run(1.5 * SESSION_MS / 1000)
        cluster.start_node(node)
        let_run(2)


def _all_killed(cluster: KafkaCluster, size: Size) -> None:
    for node in NODES:
        cluster.kill_node(node)
    let_run(size.of(30, 8))
    for node in NODES:
        cluster.start_node(node, wait=False)
    cluster.wait_until_ready()


def _rolled(cluster: KafkaCluster, size: Size) -> None:
    for node in NODES:
        cluster.stop_node(node)
        cluster.start_node(node)
