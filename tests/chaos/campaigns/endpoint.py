"""Does an endpoint that is away, slow, broken in part or silent lose or dead-letter anything?

Each part has its own weather for a minute during traffic, and then the endpoint is well again.
Nothing is dead-lettered, since nothing of it is the message's fault, and what does not depend on
the fault goes on.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct

from tests.chaos.footprints import accepted_between, not_hit
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
SETTLES_MS = 1000
"""At both ends of the weather: calls that were under way before it, and its own end."""


class Seen(Struct, frozen=True):
    """What the weather may have left."""

    delivered: int
    """At its height."""
    retried: float
    openings: float
    timeouts: float
    """Calls that had no answer in time."""
    mean_call_s: float
    """While it lasted."""
    sent_again: int


Signs = Callable[[Seen], Mapping[str, bool]]


def parts(stage: Stage, size: Size) -> Iterator[Part]:
    span_s = size.of(60, 12)

    def part(says: str, weather: Sequence[str], signs: Signs, check: Check = _nothing) -> Part:
        run = partial(_part, size=size, weather=weather, span_s=span_s, signs=signs, check=check)
        return Part(says, run)

    yield part("down: nobody listens", [f"refuse for={span_s}s", "latency=20ms"], _is_down)
    yield part("answers 503", ["503 call=all"], _is_down)
    yield part("slow: 2 s an answer", ["latency=2s"], _is_slow, _delivers)
    one = [f"503 trigger={ONE}", "latency=20ms"]
    yield part("failing for one trigger", one, _is_held, _others_go_on)
    yield part("failing for a tenth", [*TENTH, "latency=20ms"], _fails_in_part, _delivers)
    yield part("hanging without an answer", ["hang", "hang call=token"], _hangs)
    yield part("hanging, and taken in", ["hang after"], _hangs_and_takes)


def _part(
    stage: Stage,
    size: Size,
    weather: Sequence[str],
    span_s: float,
    signs: Signs,
    check: Check,
) -> Outcome:
    job = Job(stage, one_type_a_key=True)
    job.produce(1_000)
    streamer = stage.streamer(job.config(endpoint={"timeout": "5s"}))
    job.until_delivered(500, [streamer])
    with job.traffic(size.of(1000, 300)):
        before = job.seen()
        # What lasts for a time of its own ends no earlier than this, and let_run no earlier either.
        ends_ms = (time.time() + span_s) * 1000
        job.sandbox.faults(*weather)
        began_ms, calls = time.time() * 1000, _calls(streamer)
        let_run(span_s)
        more_calls = _calls(streamer)
        faults = list(check(job, streamer))
        if streamer.health("live") != 200 or streamer.health("ready") != 200:
            faults.append("the process was not ready and live meanwhile: a fix could not roll out")
        during = max(0, job.seen() - before)
        if not weather[0].startswith("refuse"):
            job.sandbox.faults("latency=20ms")
    job.until_settled([streamer])
    openings = streamer.total("streamer_breaker_openings_total")
    retried = streamer.total("streamer_attempts_retried_total")
    timeouts = streamer.total("streamer_calls_total", status="timeout")
    streamer.terminate()
    entries = list(job.sandbox.reports())
    accepted = job.taken(entries)
    count, seconds = (after - at for at, after in zip(calls, more_calls, strict=True))
    seen = Seen(
        delivered=accepted_between(entries, began_ms + SETTLES_MS, ends_ms - SETTLES_MS),
        retried=retried,
        openings=openings,
        timeouts=timeouts,
        mean_call_s=seconds / count if count else 0.0,
        sent_again=accepted.sent_again,
    )
    faults += not_hit(signs(seen))
    figures = {
        "delivered during the fault": f"{during:,}",
        "attempts made again": f"{retried:,.0f}",
        "breakers opened": f"{openings:g}",
        "calls without an answer in time": f"{timeouts:g}",
    }
    return job.compared(accepted, faults=faults, figures=figures)


def _calls(streamer: StreamerProcess) -> tuple[float, float]:
    """How many calls have ended, and how many seconds they took together."""
    return (
        streamer.total("streamer_call_seconds_count"),
        streamer.total("streamer_call_seconds_sum"),
    )


# --- what each weather leaves -------------------------------------------------------------------


def _is_down(seen: Seen) -> Mapping[str, bool]:
    return {
        "no delivery at its height": seen.delivered == 0,
        "attempts made again, or breakers that opened": seen.retried + seen.openings > 0,
    }


def _is_slow(seen: Seen) -> Mapping[str, bool]:
    return {"calls that took a second and more": seen.mean_call_s > 1}


def _is_held(seen: Seen) -> Mapping[str, bool]:
    return {"breakers that opened": seen.openings > 0}


def _fails_in_part(seen: Seen) -> Mapping[str, bool]:
    return {"attempts made again": seen.retried > 0}


def _hangs(seen: Seen) -> Mapping[str, bool]:
    return {
        "no delivery at its height": seen.delivered == 0,
        "calls without an answer in time": seen.timeouts > 0,
    }


def _hangs_and_takes(seen: Seen) -> Mapping[str, bool]:
    return {
        "calls without an answer in time": seen.timeouts > 0,
        "reports that were sent again": seen.sent_again > 0,
    }


# --- what must be while it lasts ----------------------------------------------------------------


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
