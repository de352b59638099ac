"""Which of the operator's `kafka.properties` also hold for a producer and an admin client?

They are written for the consumer. What says how to reach the cluster and who we are (security,
TLS, sockets, addresses) holds for all; what steers consuming would only be warned about.
"""

from collections.abc import Mapping

# librdkafka's CONFIGURATION.md, column C/P: those marked C, global and by topic, and the binding's
# own callbacks; and what these clients set themselves or have no use for.
CONSUMER_ONLY = frozenset(
    {
        "allow.auto.create.topics",
        "auto.commit.enable",
        "auto.commit.interval.ms",
        "auto.offset.reset",
        "check.crcs",
        "client.rack",
        "consume.callback.max.messages",
        "coordinator.query.interval.ms",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.partition.eof",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "group.protocol.type",
        "group.remote.assignor",
        "heartbeat.interval.ms",
        "isolation.level",
        "max.partition.fetch.bytes",
        "max.poll.interval.ms",
        "offset.store.method",
        "offset.store.path",
        "offset.store.sync.interval.ms",
        "on_commit",
        "partition.assignment.strategy",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "receive.message.max.bytes",
        "session.timeout.ms",
        "statistics.interval.ms",
        "stats_cb",
    }
)


def shared_properties(consumer_properties: Mapping[str, object]) -> dict[str, object]:
    """Those that hold for every client of the cluster."""
    return {name: value for name, value in consumer_properties.items() if name not in CONSUMER_ONLY}
