"""What does every campaign do around its fault: produce, wait, compare the three ledgers?"""

import io
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, cast

import fastavro
from confluent_kafka import KafkaException

from tests.chaos.ledgers import MOST_SAMPLES, Accepted
from tests.chaos.outcome import Counts, Outcome
from tests.chaos.stage import Stage
from tests.chaos.writing import write_through
from tests.integration.bridge import Account, Bridge
from tests.servers.kafka import KafkaCluster
from tests.servers.records import Record, read_all
from tests.servers.registry import ApicurioRegistry
from tests.servers.sandbox_process import SandboxProcess
from tests.servers.streamer_process import StreamerProcess
from tests.servers.waiting import WaitedInVain

LOOK_EVERY_S = 0.25
STUCK_AFTER_S = 150.0
"""Without progress. A member that was killed is missed after 6 s, a broken one of three brokers
after some 20, a call that hangs after 10; the breaker and the retries wait up to a minute."""
KEYS = 200
NOBODY = 999_999
"""The number of a key whose events are not to arrive."""


class Job(Bridge):
    """A topic of numbered events, and the account of what became of them.

    Its writer goes on through any outage, and writes nothing twice.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        kafka: KafkaCluster | None = None,
        registry: ApicurioRegistry | None = None,
        sandbox: SandboxProcess | None = None,
        partitions: int = 12,
        topic: str | None = None,
        one_type_a_key: bool = False,
    ) -> None:
        """The shared servers and a sandbox of its own, where none are given."""
        self._one_type_a_key = one_type_a_key
        self.letters_topic = ""
        """Empty: the source's name and `.dlq`."""
        super().__init__(
            kafka or stage.kafka,
            registry or stage.registry,
            sandbox or stage.sandbox(),
            partitions=partitions,
            topic=topic,
        )
        self._traffic_ms = (0.0, math.inf)

    @property
    def dead_letter_topic(self) -> str:
        return self.letters_topic or super().dead_letter_topic

    def _type_of(self, key: str, number: int) -> str:
        # What is held of one type then holds nothing of another.
        return super()._type_of(key, int(key[1:]) if self._one_type_a_key else number)

    def write(self, records: Sequence[Record]) -> Sequence[tuple[int, int]]:
        return write_through(self.kafka.bootstrap, self.topic, records)

    def records(self, count: int, *, keys: int = KEYS, first_key: int = 0) -> list[Record]:
        """Events that count as produced, for whoever writes them in another way."""
        if not self._ids:
            self.register()
        return [self._good(f"k{first_key + number % keys}") for number in range(count)]

    def records_of_nobody(self, count: int) -> list[Record]:
        """Events that nobody may ever deliver: they do not count as produced."""
        key = f"k{NOBODY}"
        return [
            Record(self._encoded("OrderPlaced", key, number, 1.0), key.encode())
            for number in range(count)
        ]

    def decoded(self, value: bytes) -> Mapping[str, Any]:
        """The fields of one of the job's good events."""
        # Five bytes of the registry's wire format; the types differ in their names alone.
        schema = self._parsed["OrderPlaced"]
        event = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
        return cast(Mapping[str, Any], event)

    def adopt(self, other: "Job") -> None:
        """Count the events of another job as this one's: its keys are others, and all else is the
        same topic, group and sandbox."""
        assert not set(self.good) & set(other.good), "each key is numbered by one job"
        self.good.update(other.good)

    def mirror_to(self, other: KafkaCluster) -> None:
        """Copy the topic, each message to the partition and offset where it stands; from then on
        this is a job of the other cluster. The topic is there and empty."""
        records = read_all(self.kafka.bootstrap, self.topic)
        copies = [
            Record(it.value, it.key, it.headers, it.partition, it.timestamp_ms) for it in records
        ]
        places = write_through(other.bootstrap, self.topic, copies)
        assert list(places) == [(it.partition, it.offset) for it in records]
        if self.dead_letter_topic in self.kafka.admin.list_topics(timeout=30).topics:
            letters = read_all(self.kafka.bootstrap, self.dead_letter_topic)
            other.create_topic(self.dead_letter_topic, partitions=12)
            again = [Record(it.value, it.key, it.headers, it.partition) for it in letters]
            write_through(other.bootstrap, self.dead_letter_topic, again)
        self.kafka = other

    # --- while it runs ---------------------------------------------------------------------------

    def seen(self) -> int:
        """Reports that the sandbox accepted, repeats left out; -1 where it does not answer."""
        try:
            return self.delivered()
        except OSError:
            return -1

    def has_settled(self) -> bool:
        """Everything produced is delivered, and everything in the topic is committed."""
        return self.seen() >= self.produced and self._is_committed_now()

    def until_settled(self, streamers: Sequence[StreamerProcess]) -> None:
        """Wait for it as long as there is progress."""
        until(
            self.has_settled,
            lambda: f"{self.seen()} of {self.produced} delivered, and all committed",
            progress=self.seen,
            streamers=streamers,
        )

    def until_committed(self, streamers: Sequence[StreamerProcess]) -> None:
        """All that the topic has is committed, however little of what was produced that is."""
        until(
            self._is_committed_now,
            lambda: f"the topic's end to be committed; {self.seen()} delivered",
            progress=self.seen,
            streamers=streamers,
        )

    def _is_committed_now(self) -> bool:
        try:
            return self.is_committed()
        except (KafkaException, AssertionError, KeyError):
            return False  # the brokers do not answer now

    def until_delivered(self, count: int, streamers: Sequence[StreamerProcess] = ()) -> None:
        until(
            lambda: self.seen() >= count,
            lambda: f"{self.seen()} of {count} deliveries",
            progress=self.seen,
            streamers=streamers,
        )

    @contextmanager
    def traffic(self, per_s: int, *, keys: int = KEYS, bad_every: int = 0) -> Iterator["Traffic"]:
        """Events come at this rate until it is left."""
        traffic = Traffic(self, per_s, keys, bad_every)
        began_ms = time.time() * 1000
        traffic.start()
        try:
            yield traffic
        finally:
            traffic.stop()
            self._traffic_ms = (began_ms, time.time() * 1000)

    # --- the end ---------------------------------------------------------------------------------

    def outcome(
        self,
        *,
        faults: Sequence[str] = (),
        figures: Mapping[str, object] | None = None,
        may_be_lost: Mapping[str, set[int]] | None = None,
        keeps_order: bool = True,
    ) -> Outcome:
        """Compare the ledgers. `may_be_lost`: by key, numbers that were taken away on purpose;
        not `keeps_order`: what is out of order is a figure and no fault."""
        return self.compared(
            self.accepted(),
            faults=faults,
            figures=figures,
            may_be_lost=may_be_lost,
            keeps_order=keeps_order,
        )

    def accepted(self) -> Accepted:
        return self.taken(self.sandbox.reports())

    def taken(self, entries: Iterable[Mapping[str, Any]]) -> Accepted:
        accepted = Accepted(self._traffic_ms)
        accepted.take(entries)
        return accepted

    def compared(
        self,
        accepted: Accepted,
        *,
        faults: Sequence[str] = (),
        figures: Mapping[str, object] | None = None,
        may_be_lost: Mapping[str, set[int]] | None = None,
        keeps_order: bool = True,
    ) -> Outcome:
        letters = Account()
        found = self.compare_letters(letters)
        taken = may_be_lost or {}
        missing = accepted.lost(self.good)
        lost = [
            name
            for name in missing
            if int(name.partition(":")[2]) not in taken.get(name.partition(":")[0], ())
        ]
        doubled = [*accepted.doubled.first, *accepted.never_written(self.good)]
        said = [*faults, *(f"{name}: {value}" for name, value in letters.faults.items())]
        said += [f"lost: {', '.join(lost[:MOST_SAMPLES])}"] if lost else []
        said += [f"doubled: {', '.join(doubled[:MOST_SAMPLES])}"] if doubled else []
        out_of_order = accepted.out_of_order.count
        if out_of_order and keeps_order:
            said.append(f"out of order: {'; '.join(accepted.out_of_order.first)}")
        counts = Counts(
            produced=self.produced + len(self.bad),
            accepted=accepted.count,
            dead_letters=found,
            lost=len(lost) + len(letters.missing_letters),
            doubled=accepted.doubled.count,
            out_of_order=out_of_order,
            sent_again=accepted.sent_again,
        )
        written = {name: str(value) for name, value in (figures or {}).items()}
        if not keeps_order:
            written["out of order, as it may be here"] = f"{accepted.out_of_order.count:,}"
        if may_be_lost is not None:
            written["taken away by Kafka before they were read"] = f"{len(missing) - len(lost):,}"
        return Outcome(counts, said, written)


class Traffic:
    """Writes events of a job, evenly, in a thread of its own, until it is stopped."""

    def __init__(self, job: Job, per_s: int, keys: int, bad_every: int) -> None:
        self._job = job
        self._per_s = per_s
        self._keys = keys
        self._bad_every = bad_every
        self._stop = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends when the last of it is confirmed. Raises what it died of."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        began, written = time.monotonic(), 0
        try:
            while not self._stop.wait(0.1):
                due = int((time.monotonic() - began) * self._per_s) - written
                # After an outage no more than a few seconds' worth at once.
                burst = min(due, 5 * self._per_s)
                if burst >= min(self._per_s / 4, 1000):
                    self._job.produce(burst, keys=self._keys, bad_every=self._bad_every)
                    written += due
        except BaseException as error:
            self._failure = error


def until(
    condition: Callable[[], bool],
    what: str | Callable[[], str],
    *,
    progress: Callable[[], Any] = lambda: None,
    streamers: Sequence[StreamerProcess] = (),
    stuck_after_s: float = STUCK_AFTER_S,
) -> None:
    """Wait for a condition as long as `progress()` changes. Raises WaitedInVain.

    Raises an AssertionError at once if one of the streamers has ended.
    """
    last, since = progress(), time.monotonic()
    pause = Event()
    while not condition():
        for streamer in streamers:
            assert streamer.running, f"streamer ended: {streamer.process.log()[-3000:]}"
        if (now := progress()) != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > stuck_after_s:
            text = what if isinstance(what, str) else what()
            raise WaitedInVain(f"no progress in {stuck_after_s:g} s: {text}")
        pause.wait(LOOK_EVERY_S)


def let_run(seconds: float) -> None:
    """A span of the campaign's own weather: how long a fault lasts."""
    Event().wait(seconds)
