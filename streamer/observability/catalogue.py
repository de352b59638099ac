"""Which metrics are there, of which type, with which labels, and what does each mean?

The only list. `metrics.py` makes them from it, `docs/metrics.md` is written from it, and a
dashboard or an alert that names one that is not here fails the tests.
"""

from dataclasses import dataclass
from enum import StrEnum

CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the last is the default `endpoint.timeout`."""
BATCH_BUCKETS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0)
"""Reports; a bulk call takes 100 at most."""
AGE_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric. A counter's name gets `_total` when it is exposed."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def exposed(self) -> tuple[str, ...]:
        """The names of its samples, as a query writes them."""
        match self.kind:
            case Kind.COUNTER:
                return (f"{self.name}_total",)
            case Kind.GAUGE:
                return (self.name,)
            case Kind.HISTOGRAM:
                return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))


def _counter(name: str, labels: tuple[str, ...], meaning: str) -> Spec:
    return Spec(name, Kind.COUNTER, labels, meaning)


def _gauge(name: str, labels: tuple[str, ...], meaning: str) -> Spec:
    return Spec(name, Kind.GAUGE, labels, meaning)


CONSUMED = _counter(
    "streamer_messages_consumed",
    ("topic",),
    "Messages taken in from Kafka, those that come again after a restart included.",
)
SKIPPED = _counter(
    "streamer_messages_skipped",
    ("topic", "route", "reason"),
    "Messages (route empty) or single routes of one of which nothing is reported: `no-route`, "
    "`tombstone`, `max-age`, `unknown-instance` (`unknown_instance: skip` of the endpoint).",
)
DELIVERED = _counter(
    "streamer_reports_delivered",
    ("route", "action"),
    "Reports and cancels that the endpoint accepted.",
)
NOTHING_TO_CANCEL = _counter(
    "streamer_cancels_of_nothing",
    ("route",),
    "Cancels that were answered 404: accepted, there was nothing to cancel.",
)
RETRIED = _counter(
    "streamer_attempts_retried",
    ("route", "reason"),
    "Attempts that ended without a settlement and are made again: `unavailable`, `throttled`, "
    "`unauthorized`, `denied`, `refused-item` (one item of a bulk call that got through), "
    "`taken-apart` (a bulk call that was refused because of an item in it).",
)
DEAD_LETTERED = _counter(
    "streamer_dead_letters",
    ("topic", "route", "reason"),
    "Dead letters whose write was confirmed, by the source's topic (route empty: not decoded).",
)
LETTER_FAILED = _counter(
    "streamer_dead_letter_write_failures",
    ("topic", "kind"),
    "Dead letters that could not be written at a try; each is tried again and holds its offset.",
)
AGE = Spec(
    "streamer_delivery_age_seconds",
    Kind.HISTOGRAM,
    ("route",),
    "From the record's timestamp to the endpoint's acceptance.",
    AGE_BUCKETS,
)
CALLS = _counter(
    "streamer_calls",
    ("action", "status"),
    "Calls to the endpoint by how they ended: `2xx` to `5xx`, or `not-sent`, `timeout`, `reset`, "
    "`broken`, `dropped`.",
)
CALL_SECONDS = Spec(
    "streamer_call_seconds",
    Kind.HISTOGRAM,
    ("action",),
    "How long calls to the endpoint take.",
    CALL_BUCKETS,
)
CALL_REPORTS = Spec(
    "streamer_call_reports",
    Kind.HISTOGRAM,
    ("action",),
    "How many reports or cancels a call carries: 1 is a single call, more a bulk call.",
    BATCH_BUCKETS,
)
IN_FLIGHT = _gauge("streamer_calls_in_flight", (), "Calls to the endpoint that are under way.")
LIMIT = _gauge(
    "streamer_calls_limit",
    (),
    "How many calls may be in flight: adapts to the endpoint, up to `delivery.max_in_flight`.",
)
LAG = _gauge(
    "streamer_lag_messages",
    ("topic", "partition"),
    "Offsets from the committed position to the partition's end.",
)
LAG_SECONDS = _gauge(
    "streamer_lag_seconds",
    ("topic", "partition"),
    "Age of the oldest message that is taken in and not settled, or, where that is more, for how"
    " long something was unread and nothing was read; 0 where all is settled.",
)
UNDELIVERED = _gauge(
    "streamer_undelivered_messages",
    ("topic", "partition"),
    "Messages that are not settled: those not read yet and those in the window. Below the "
    "committed lag where much is settled beyond a message that waits.",
)
WINDOW = _gauge(
    "streamer_window_messages",
    ("topic", "partition"),
    "Messages of the partition that are taken in and not settled.",
)
PAUSED = _gauge(
    "streamer_partition_paused",
    ("topic", "partition"),
    "1 while the partition is paused because its window is full.",
)
COMMITS = _counter(
    "streamer_commits",
    ("result",),
    "Partition commits by result: `ok`, or librdkafka's name of the error.",
)
REBALANCES = _counter(
    "streamer_rebalances",
    ("kind",),
    "Partitions `assigned`, `revoked` in an orderly way, or `lost`.",
)
READING_STUCK = _gauge(
    "streamer_reading_stuck",
    (),
    "1 while nothing is read at all: the cluster does not answer, this process is not in the group,"
    " no topic matches, or all windows are full. `/status` says which.",
)
ASSIGNED = _gauge("streamer_partitions_assigned", (), "Partitions that this process owns.")
BREAKER_OPENINGS = _counter(
    "streamer_breaker_openings",
    ("kind",),
    "Times that a breaker of a lane's trigger opened: `outage` or `denied` (403).",
)
BREAKERS = _gauge(
    "streamer_breakers_open",
    ("kind",),
    "Triggers of lanes that are held by a breaker: `outage` or `denied` (403).",
)
HELD = _gauge(
    "streamer_held_reports",
    ("kind",),
    "Reports that wait for something other than their turn: `breaker`, `token`, `throttled` "
    "(429), `quota` (the lane's minute is used up or spread), `doubted` (its last call hung: its "
    "turn among those of which the same is true), `flood`, `commit` (a cancel's settlement), "
    "`dead-letter` (cannot be written), `schema`, `retry` (the next attempt, while its trigger "
    "goes on).",
)
LANES = _gauge(
    "streamer_lanes",
    (),
    "App instances of which something is remembered: what waits, is in flight or was sent lately.",
)
LANES_HELD = _gauge(
    "streamer_lanes_held",
    ("kind",),
    "Triggers of lanes that are held, by what holds them, as in `streamer_held_reports`; a `retry` "
    "holds none.",
)
STOPPED_BY = _gauge(
    "streamer_partition_stopped_by",
    ("topic", "partition", "endpoint", "app_instance", "trigger", "kind"),
    "1 for a partition that is paused because its window is full, while the report at its position "
    "waits in a held lane or for its next attempt: the lane that stops it.",
)
FLOODS = _gauge(
    "streamer_flood_guard_holds",
    ("name",),
    "1 while a route, or a topic's schema, is held because it refuses too much.",
)
APP_HELD = _gauge(
    "streamer_app_held",
    ("endpoint",),
    "1 while no token is to be had for the app: see `endpoint.app`.",
)
STALLS = _counter("streamer_stalls", (), "Times that the process did not run for too long.")
STUCK = _gauge(
    "streamer_commit_stuck",
    ("topic", "partition"),
    "1 while no commit can be made, since what must be carried has no room in its metadata.",
)
METADATA_REJECTED = _counter(
    "streamer_commit_metadata_rejected",
    ("reason",),
    "Committed metadata that was read as empty: `foreign`, `corrupt`, `version`, `cluster`, "
    "`partition`, `position`.",
)
OFFSET_RESETS = _counter(
    "streamer_offset_resets",
    ("topic",),
    "Times that the committed offset was out of range and reading went to the earliest: messages "
    "may have been deleted before they were read.",
)
DELETED_UNREAD = _counter(
    "streamer_offsets_deleted_unread",
    ("topic",),
    "Offsets that were deleted before they were read: at most so many messages are lost (gaps and "
    "control records have offsets too).",
)
MADE_ANEW = _counter(
    "streamer_partitions_made_anew",
    ("topic",),
    "Partitions that were begun from their first message, since their topic was deleted and made "
    "again.",
)
POLL_AGE = _gauge("streamer_poll_thread_turn_age_seconds", (), "Since the poll thread turned last.")
LOOP_AGE = _gauge("streamer_event_loop_turn_age_seconds", (), "Since the event loop turned last.")
TASKS = _gauge("streamer_event_loop_tasks", (), "Tasks of the event loop.")
BUILD = _gauge("streamer_build_info", ("version",), "1; the version is the label.")

ALL: tuple[Spec, ...] = tuple(value for value in globals().values() if isinstance(value, Spec))
