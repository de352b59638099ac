"""Which librdkafka properties may the operator set, and what does `streamer` set itself?"""

from collections.abc import Callable, Mapping
from typing import Any

from streamer.errors import Finding

OWNED = {
    "bootstrap.servers": "set `kafka.bootstrap_servers` instead",
    "metadata.broker.list": "set `kafka.bootstrap_servers` instead",
    "group.id": "set `kafka.group_id` instead",
    "enable.auto.commit": "leave it out: an offset is committed when all that came of its message"
    " is settled; `delivery.commit_interval` says how often",
    "auto.commit.enable": "leave it out: an offset is committed when all that came of its message"
    " is settled; `delivery.commit_interval` says how often",
    "auto.commit.interval.ms": "set `delivery.commit_interval` instead",
    "enable.auto.offset.store": "leave it out: an offset is committed when all that came of its"
    " message is settled",
    "auto.offset.reset": "set `kafka.start` instead",
    "enable.partition.eof": "leave it out: the end of a partition is always asked for",
    "allow.auto.create.topics": "leave it out: reading never makes a topic; create the topic first",
    "statistics.interval.ms": "leave it out: membership and lag are read from the statistics",
    "offset.store.method": "leave it out: offsets are kept in Kafka",
    "offset.store.path": "leave it out: offsets are kept in Kafka",
}

_NOT_UNDER_KIP_848 = {
    "session.timeout.ms": "leave it out and set the broker's `group.consumer.session.timeout.ms`"
    " (or the group's `consumer.session.timeout.ms`)",
    "heartbeat.interval.ms": "leave it out and set the broker's"
    " `group.consumer.heartbeat.interval.ms` (or the group's `consumer.heartbeat.interval.ms`)",
    "group.protocol.type": "leave it out",
    "partition.assignment.strategy": "leave it out; `group.remote.assignor` names the broker's"
    " assignor",
}

_PROTOCOLS = ("classic", "consumer")

# What librdkafka would prefetch (64 MiB) is not needed beside a window of the same size.
_PREFETCH_KBYTES = "16384"

# Once that much is prefetched, how long until more is fetched (librdkafka's default: 1 s, in which
# large messages would run out).
_PREFETCH_BACKOFF_MS = "100"

# How soon a topic that comes later is seen (librdkafka's default: 5 minutes).
_TOPICS_REFRESH = "topic.metadata.refresh.interval.ms"
_TOPICS_REFRESH_MS = "30000"

# A partition that begins or goes on to be read waits for the fetch that is under way on its broker
# (librdkafka's default: 500 ms).
_FETCH_WAIT_MS = "200"

STATISTICS_INTERVAL_MS = 1000
"""How often librdkafka tells the state of the group and the marks of the partitions."""


def property_findings(properties: Mapping[str, str]) -> list[Finding]:
    """What is wrong with the operator's properties, each with what to set instead."""
    findings = [
        Finding(_where(name), "is set by streamer itself", OWNED[name])
        for name in properties
        if name in OWNED
    ]
    refresh_ms = _number(properties.get(_TOPICS_REFRESH, _TOPICS_REFRESH_MS))
    if refresh_ms is not None and refresh_ms < 1:
        found = "turns off that topics which come later are found"
        findings.append(Finding(_where(_TOPICS_REFRESH), found, "write milliseconds above 0"))
    protocol = properties.get("group.protocol", "classic")
    if protocol.lower() not in _PROTOCOLS:
        findings.append(
            Finding(
                _where("group.protocol"), "is no group protocol", "write `classic` or `consumer`"
            )
        )
    if protocol.lower() == "consumer":
        return findings + _kip_848_findings(properties)
    strategy = properties.get("partition.assignment.strategy", "cooperative-sticky")
    if strategy.strip() != "cooperative-sticky":
        findings.append(
            Finding(
                _where("partition.assignment.strategy"),
                "is not `cooperative-sticky`, the one strategy that takes single partitions away",
                "leave it out",
            )
        )
    if "group.remote.assignor" in properties:
        findings.append(
            Finding(
                _where("group.remote.assignor"),
                "belongs to the group protocol `consumer`, and this is `classic`",
                "leave it out, or set `group.protocol: consumer`",
            )
        )
    return findings


def _kip_848_findings(properties: Mapping[str, str]) -> list[Finding]:
    found = "is unknown to the group protocol `consumer`"
    return [
        Finding(_where(name), found, do)
        for name, do in _NOT_UNDER_KIP_848.items()
        if name in properties
    ]


def _where(name: str) -> str:
    return f"kafka.properties.{name}"


def topics_refresh_s(properties: Mapping[str, str]) -> float:
    """How often the cluster is asked for its topics. librdkafka asks for those with a name in the
    configuration, `streamer` for those of a pattern; one property rules both."""
    given = _number(properties.get(_TOPICS_REFRESH, _TOPICS_REFRESH_MS))
    return (given or int(_TOPICS_REFRESH_MS)) / 1000


def _number(text: str) -> int | None:
    """None where it is none: librdkafka says so itself."""
    try:
        return int(text)
    except ValueError:
        return None


def client_properties(
    bootstrap_servers: str, group_id: str, properties: Mapping[str, str]
) -> dict[str, Any]:
    """All properties of the consumer, without callbacks. Holds secrets."""
    ours: dict[str, Any] = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # An offset that is out of range is an event to tell of, not to pass over in silence.
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
        "statistics.interval.ms": STATISTICS_INTERVAL_MS,
    }
    if properties.get("group.protocol", "classic").lower() == "classic":
        ours["partition.assignment.strategy"] = "cooperative-sticky"
    defaults = {
        "client.id": "streamer",
        "fetch.wait.max.ms": _FETCH_WAIT_MS,
        "queued.max.messages.kbytes": _PREFETCH_KBYTES,
        "fetch.queue.backoff.ms": _PREFETCH_BACKOFF_MS,
        _TOPICS_REFRESH: _TOPICS_REFRESH_MS,
    }
    return {**defaults, **properties, **ours}


Callbacks = Mapping[str, Callable[..., None]]
