"""What does an error of the Kafka client mean for the operator?"""

from confluent_kafka import KafkaError

from streamer.errors import Finding, Severity

_UNREACHABLE = {"_ALL_BROKERS_DOWN", "_RESOLVE", "_TIMED_OUT", "_TRANSPORT"}
_LOGIN = {
    "SASL_AUTHENTICATION_FAILED",
    "UNSUPPORTED_SASL_MECHANISM",
    "ILLEGAL_SASL_STATE",
    "_AUTHENTICATION",
}
_DENIED = {
    "TOPIC_AUTHORIZATION_FAILED": (
        "this user may not read a topic",
        "give it the rights Read and Describe on the topics of `routes`",
    ),
    "GROUP_AUTHORIZATION_FAILED": (
        "this user may not use the consumer group",
        "give it the right Read on the group that `kafka.group_id` names",
    ),
    "CLUSTER_AUTHORIZATION_FAILED": (
        "this user may not do that on the cluster",
        "give it the rights that docs/configuration.md lists",
    ),
}
_FATAL = {
    "FENCED_INSTANCE_ID": (
        "another process joined with the same `group.instance.id`",
        "give each process its own `kafka.properties.group.instance.id`, such as `${HOSTNAME}`",
    ),
    "_FENCED": (
        "another process joined with the same `group.instance.id`",
        "give each process its own `kafka.properties.group.instance.id`, such as `${HOSTNAME}`",
    ),
    "UNRELEASED_INSTANCE_ID": (
        "another process holds the same `group.instance.id`",
        "give each process its own `kafka.properties.group.instance.id`, such as `${HOSTNAME}`;"
        " that of a process that was killed is free again once its session has ended",
    ),
    "GROUP_MAX_SIZE_REACHED": (
        "the group has as many members as the broker allows",
        "run fewer processes, or raise the broker's `group.max.size`",
    ),
    "INCONSISTENT_GROUP_PROTOCOL": (
        "other members of the group use another assignment strategy or group protocol",
        "stop them, or choose another `kafka.group_id`",
    ),
    "GROUP_ID_NOT_FOUND": (
        "the group has members of the protocol `classic`, beside which none of `consumer` can be",
        "stop all processes of the group before the first one with `group.protocol: consumer`"
        " starts; what is committed stays",
    ),
    "UNSUPPORTED_VERSION": (
        "the brokers do not know the group protocol `consumer`",
        "leave `kafka.properties.group.protocol` out; it needs Kafka 4.0 or later",
    ),
    "UNSUPPORTED_ASSIGNOR": (
        "the brokers do not know the assignor",
        "correct `kafka.properties.group.remote.assignor`, or leave it out",
    ),
    "INVALID_SESSION_TIMEOUT": (
        "the brokers do not allow this session time-out",
        "set `kafka.properties.session.timeout.ms` within the broker's"
        " `group.min.session.timeout.ms` and `group.max.session.timeout.ms`",
    ),
}


def explain(code: str, text: str, bootstrap_servers: str) -> Finding:
    """A sentence for an error of librdkafka, by its name and its own words."""
    if code in _LOGIN:
        return Finding(
            "kafka",
            f"the brokers at {bootstrap_servers} refuse the login ({_short(text)})",
            "check `sasl.mechanism`, `sasl.username` and `sasl.password` in `kafka.properties`",
        )
    if code == "_SSL" or "SSL" in text or "ssl" in text:
        return _tls(text, bootstrap_servers)
    if code in _UNREACHABLE:
        return _unreachable(code, text, bootstrap_servers)
    if code in _DENIED or code in _FATAL:
        found, do = {**_DENIED, **_FATAL}[code]
        return Finding("kafka", f"{found} ({_short(text)})", do)
    if code in {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"}:
        return Finding(
            "kafka",
            f"a topic does not exist, or this user may not see it ({_short(text)})",
            "create it, or correct the topics of `routes`",
        )
    if code == "OFFSET_METADATA_TOO_LARGE":
        return Finding(
            "kafka",
            "the broker refuses a commit's metadata as too large",
            "raise the broker's `offset.metadata.max.bytes` to its default of 4096 or more; until"
            " then a restart has more messages to read again",
            Severity.WARNING,
        )
    return Finding(
        "kafka",
        f"the client reports {code}: {_short(text)}",
        "see the broker's log; reading goes on as soon as it can",
        Severity.WARNING,
    )


def _tls(text: str, bootstrap_servers: str) -> Finding:
    if "verify failed" in text:
        do = (
            "set `ssl.ca.location` in `kafka.properties` to the authority that signed the broker's"
            " certificate, and use the host names that stand in it"
        )
    elif "PLAINTEXT" in text or "wrong version number" in text:
        do = (
            "the listener does not speak TLS: set `security.protocol` in `kafka.properties`, or the"
            " port in `kafka.bootstrap_servers`, to match it"
        )
    else:
        do = (
            "check `security.protocol` and the `ssl.` settings in `kafka.properties`, and the port"
            " in `kafka.bootstrap_servers`"
        )
    return Finding("kafka", f"no TLS connection to {bootstrap_servers} ({_short(text)})", do)


def _unreachable(code: str, text: str, bootstrap_servers: str) -> Finding:
    if code == "_RESOLVE" or "resolve" in text:
        found = f"a name in {bootstrap_servers} cannot be resolved ({_short(text)})"
    else:
        found = f"no answer from a broker at {bootstrap_servers} ({_short(text)})"
    do = (
        "check `kafka.bootstrap_servers`, the addresses that the brokers advertise, and the"
        " network; it is tried again until one answers"
    )
    if "security.protocol" in text or "APIVERSION" in text:
        do = (
            "set `security.protocol` in `kafka.properties` to what the listener speaks, or choose"
            " another port in `kafka.bootstrap_servers`"
        )
    # One broker that goes is an ordinary event; all of them are not.
    severity = Severity.WARNING if code == "_TRANSPORT" else Severity.ERROR
    return Finding("kafka", found, do, severity)


def fatal_sentence(code: str, text: str) -> str:
    """Why the client ended for good, and what to do."""
    if code == "_FATAL":
        code = _named_in(text)
    found, do = _FATAL.get(
        code, ("the Kafka client ended", "start streamer again once the cause is gone")
    )
    return f"kafka: {found} ({code}: {_short(text)}); {do}"


def _named_in(text: str) -> str:
    """The client's callback has the fatal error's code in its text only, in librdkafka's words."""
    words = {name: KafkaError(getattr(KafkaError, name)).str() for name in _FATAL}
    unnamed = "FENCED_INSTANCE_ID" if "fenced" in text else "_FATAL"
    return next((name for name, said in words.items() if said in text), unnamed)


def wrong_properties(text: str) -> Finding:
    """What the client says of properties that it cannot start with. It quotes no values."""
    return Finding(
        "kafka.properties",
        f"the Kafka client refuses them: {_short(text)}",
        "correct the property that it names, or leave it out",
    )


def is_about_connections(code: str) -> bool:
    """Whether an answer of the cluster shows that this is over."""
    return code in _UNREACHABLE or code in _LOGIN or code == "_SSL"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:297]}..."
