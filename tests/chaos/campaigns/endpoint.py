"""Does an endpoint that is away, slow, broken in part or silent lose or dead-letter anything?

Each part has its own weather for a minute during traffic, and then the endpoint is well again.
Nothing is dead-lettered, since nothing of it is the message's fault, and what does not depend on
the fault goes on.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from tests.chaos.job import Job, let_run
from tests.chaos.outcome import Outcome, Part, Size
from tests.chaos.stage import Stage
from tests.integration.bridge import TRIGGERS
from tests.servers.streamer_process import StreamerProcess

ONE = "overdue"
assert ONE in TRIGGERS.values()

TENTH = (
    *("500=3%", "503=2% after", "drop=1%", "drop=1% after", "cut=1%", "429=1% retry_after=1"),
    *("item:UNAVAILABLE=1%", "item:INTERNAL=1% after", "results:missing=1%", "html=1%"),
)

Check = Callable[[Job, StreamerProcess], Sequence[str]]
"""Called at the end of the weather; says what is wrong."""


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    span_s = size.of(60, 12)

    def part(says: str, weather: Sequence[str], check: Check = _nothing) -> Part:
        run = partial(_part, size=size, weather=weather, span_s=span_s, check=check)
        return Part(says, run)

    yield part("down: nobody listens", [f"refuse for={span_s}s", "latency=20ms"])
    yield part("answers 503", ["503 call=all"])
    yield part("slow: 2 s an answer", ["latency=2s"], _delivers)
    yield part("failing for one trigger", [f"503 trigger={ONE}", "latency=20ms"], _others_go_on)
    yield part("failing for a tenth", [*TENTH, "latency=20ms"], _delivers)
    yield part("hanging without an answer", ["hang", "hang call=token"])
    yield part("hanging, and taken in", ["hang after"])


def _part(
    stage: Stage,
    size: Size,
    weather: Sequence[str],
    span_s: float,
    check: Check,
) -> Outcome:
    job = Job(stage, one_type_a_key=True)
    job.produce(1_000)
    streamer = stage.streamer(job.config(endpoint={"timeout": "5s"}))
    job.until_delivered(500, [streamer])
    with job.traffic(size.of(1000, 300)):
        before = job.seen()
        job.sandbox.faults(*weather)
        let_run(span_s)
        faults = list(check(job, streamer))
        if streamer.health("live") != 200 or streamer.health("ready") != 200:
            faults.append("the process was not ready and live meanwhile: a fix could not roll out")
        during = max(0, job.seen() - before)
        if not weather[0].startswith("refuse"):
            job.sandbox.faults("latency=20ms")
    job.until_settled([streamer])
    openings = streamer.total("streamer_breaker_openings_total")
    retried = streamer.total("streamer_attempts_retried_total")
    streamer.terminate()
    figures = {
        "delivered during the fault": f"{during:,}",
        "attempts made again": f"{retried:,.0f}",
        "breakers opened": f"{openings:g}",
    }
    return job.outcome(faults=faults, figures=figures)


def _nothing(job: Job, streamer: StreamerProcess) -> Sequence[str]:
    return ()


def _delivers(job: Job, streamer: StreamerProcess) -> Sequence[str]:
    before = job.seen()
    job.until_delivered(before + 100, [streamer])
    return ()


def _others_go_on(job: Job, streamer: StreamerProcess) -> Sequence[str]:
    def counts() -> dict[str, int]:
        by_trigger = job.sandbox.summary()["by_trigger"]
        return {trigger: by_trigger[trigger]["reports"] for trigger in by_trigger}

    before = counts()
    job.until_delivered(sum(before.values()) + 1, [streamer])
    after = counts()
    grown = {trigger for trigger in after if after[trigger] > before.get(trigger, 0)}
    return () if ONE not in grown else (f"{ONE} was delivered during its fault",)
