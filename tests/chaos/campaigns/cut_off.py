"""Does a process that is cut off from its group cancel what another has reported since?

It has a full window of reports and cancels, and goes on with them: nobody can tell it that its
partitions belong to another process by now. That one makes an entity's cancel and reports it again,
and then the first comes to the same cancel, since its own way to the endpoint is slow.
"""

from collections.abc import Iterator
from functools import partial

from tests.chaos.campaigns.cancels import CancelJob, wrong_ends
from tests.chaos.footprints import not_hit
from tests.chaos.job import let_run, until
from tests.chaos.members import SESSION_MS, Kind
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.proxy import Network, TcpProxy
from tests.chaos.stage import Stage
from tests.servers.kafka import Listener

KINDS = (Kind("consumer", static=False), Kind("classic", static=False))
PROXIED = "PROXIED"
PARTITIONS = 12
SLOW_S = 0.7
LATENCY = ("--latency", "50ms")
FEW = {"max_in_flight": 16, "batch": {"max": 1}}


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    network = Network()
    stage.at_end(network.close)
    for kind in KINDS:
        yield Part(
            f"{kind.protocol} protocol", partial(_part, size=size, network=network, kind=kind)
        )


def _part(stage: Stage, size: Size, network: Network, kind: Kind) -> Outcome:
    proxies: list[TcpProxy] = []

    def advertised(number: int, port: int) -> int:
        proxies.append(TcpProxy(network, port))
        return proxies[-1].port

    cluster = stage.own_kafka(listeners=[Listener(PROXIED, advertised=advertised)])
    job = CancelJob(stage, kafka=cluster, sandbox=stage.sandbox(LATENCY))
    slow = TcpProxy(network, job.sandbox.port)
    slow.slow(SLOW_S)
    entities = size.of(2_000, 600)
    job.write(job.entities(entities))
    config = kind.config(
        job,
        "cut-off",
        kafka={"bootstrap_servers": cluster.bootstrap_of(PROXIED)},
        endpoint={"base_url": f"http://127.0.0.1:{slow.port}"},
        delivery={**FEW, "stall_after": "4s"},
    )
    cut_off = stage.streamer({**config, "routes": job.routes()})
    until(lambda: job.seen() >= 20, "deliveries", streamers=[cut_off])
    other = stage.streamer(
        {**kind.config(job, "other", delivery=FEW), "routes": job.routes()}, start=False
    )
    proxies[0].cut()
    other.start()
    let_run(size.of(60, 30))
    meanwhile = cut_off.total("streamer_calls_total")
    let_run(10)
    after = cut_off.total("streamer_calls_total")
    took_over = other.total("streamer_partitions_assigned")
    proxies[0].mend()
    slow.mend()
    job.until_settled([cut_off, other])
    codes = [streamer.terminate() for streamer in (cut_off, other)]
    entries = list(job.sandbox.reports())
    accepted = job.taken(entry for entry in entries if entry["action"] == "report")
    faults = wrong_ends(entries, job)
    faults += not_hit(
        {
            "bytes that waited for a session": proxies[0].longest_held_s >= SESSION_MS / 1000,
            "all partitions with the other process": took_over == PARTITIONS,
        }
    )
    faults += [] if codes == [0, 0] else [f"the processes ended with exit codes {codes}"]
    figures = {
        "calls of the process that was cut off, long after its session": f"{after - meanwhile:g}",
        "partitions with the other process by then": f"{took_over:g}",
    }
    return job.compared(accepted, faults=faults, figures=figures)
