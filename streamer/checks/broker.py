"""Do the brokers answer, do they let us in, and are the topics there?"""

import difflib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from streamer.checks.probes import PROBE_S, warning
from streamer.config.settings import KafkaSettings
from streamer.dead_letters.client_properties import shared_properties
from streamer.errors import Finding
from streamer.source.topics import is_pattern, matches

_WHERE = "kafka"
_STEP_S = 0.5  # between two looks at what the client said
_WORDS_MOST = 100  # a broker that is away is complained of many times a second

_IsTopic = Callable[[str], bool]


class _Said:
    """What the client said by its callback and by its log, which tell of different faults."""

    def __init__(self) -> None:
        self.codes: set[int] = set()
        self._lines: set[str] = set()

    @property
    def words(self) -> str:
        return " ".join(self._lines)

    def error(self, error: KafkaError) -> None:
        self.codes.add(error.code())
        self._keep(error.str())

    def log(self, level: int, text: str, *values: object) -> None:
        """In the place of a `logging.Logger`: nothing is written."""
        self._keep(text % values if values else text)

    def _keep(self, line: str) -> None:
        if len(self._lines) < _WORDS_MOST:
            self._lines.add(line)


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """What the brokers told of the topics that the routes read."""

    findings: tuple[Finding, ...]
    topics: tuple[str, ...] = ()
    """Those that exist."""


def ask_brokers(
    settings: KafkaSettings, wanted: Sequence[str], is_dead_letter: _IsTopic
) -> BrokerAnswer:
    """Blocks for `PROBE_S` at most. `wanted` are names and patterns of topics."""
    said = _Said()
    try:
        properties: dict[str, Any] = {
            **shared_properties(settings.librdkafka_properties()),
            "bootstrap.servers": settings.bootstrap_servers,
            "error_cb": said.error,
        }
        client = AdminClient(properties, logger=said)
    except (KafkaException, TypeError, ValueError) as error:
        return BrokerAnswer((_bad_property(error),))
    topics = _topics(client, said)
    if topics is None:
        return BrokerAnswer((_unreachable(settings, said),))
    names = [name for name in topics if not name.startswith("__") and not is_dead_letter(name)]
    return BrokerAnswer(
        tuple(_missing(wanted, topics, names)),
        tuple(name for name in names if any(matches(topic, name) for topic in wanted)),
    )


def _topics(client: Any, said: _Said) -> Mapping[str, Any] | None:
    """Metadata of all topics; None after a refusal or without an answer in time."""
    deadline = time.monotonic() + PROBE_S
    while time.monotonic() < deadline:
        try:
            topics: Mapping[str, Any] = client.list_topics(timeout=_STEP_S).topics
        except KafkaException as error:
            # That there is no answer says nothing; why, the client tells by its callback.
            if error.args[0].code() not in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT):
                said.error(error.args[0])
        else:
            return topics
        client.poll(0)
        if said.codes & _FINAL:
            break
    return None


_FINAL = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._SSL,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
"""Errors that waiting does not mend."""


_LOGIN = "mend sasl.username, sasl.password or sasl.mechanism in kafka.properties"
_ADDRESS = "mend kafka.bootstrap_servers, or the way to them"
_PROTOCOL = "set security.protocol in kafka.properties to what this port speaks"

_CAUSES = (
    ("Unsupported SASL mechanism", "do not know this mechanism of login", _LOGIN),
    ("not valid in current SASL state", "know no login at this port", _PROTOCOL),
    ("Authentication failed", "refuse the login", _LOGIN),
    ("PLAINTEXT broker listener", "do not speak TLS at this port", _PROTOCOL),
    ("wrong version number", "do not speak TLS at this port", _PROTOCOL),
    (
        "certificate verify failed",
        "have a certificate that is not trusted",
        "set ssl.ca.location in kafka.properties to the file of its certificate authority",
    ),
    (
        "SSL handshake failed",
        "and this process do not agree on TLS",
        "look at security.protocol and the ssl properties in kafka.properties",
    ),
    ("Invalid response size", "answer in no Kafka protocol (HTTP, or TLS?)", _PROTOCOL),
    ("Failed to resolve", "have an unknown host name", "mend kafka.bootstrap_servers"),
    ("Connection refused", "do not answer (connection refused)", _ADDRESS),
    ("closed by peer", "end the connection at once", _PROTOCOL),
)
"""What librdkafka 2.16 says of a fault, what that is in an operator's words, and what to do."""


def _unreachable(settings: KafkaSettings, said: _Said) -> Finding:
    servers = settings.bootstrap_servers
    for words, found, do in _CAUSES:
        if words in said.words:
            return Finding(_WHERE, f"the brokers at {servers} {found}", do)
    if said.codes & _FINAL:
        return Finding(_WHERE, f"the brokers at {servers} refuse the login", _LOGIN)
    return Finding(_WHERE, f"the brokers at {servers} do not answer", _ADDRESS)


def _bad_property(error: Exception) -> Finding:
    """Names the property and never its value, which the client's own text may hold."""
    name = re.search(r'configuration property[: ]*"([a-z0-9._]{1,80})"', str(error))
    if name is None:
        return Finding(
            "kafka.properties",
            "the client does not take these properties",
            "look the properties up in librdkafka's CONFIGURATION.md",
        )
    return Finding(
        f"kafka.properties.{name[1]}",
        "the client does not know this property, or not this value of it",
        "look it up in librdkafka's CONFIGURATION.md",
    )


def _missing(
    wanted: Sequence[str], topics: Mapping[str, Any], names: Sequence[str]
) -> list[Finding]:
    findings: list[Finding] = []
    for topic in wanted:
        if is_pattern(topic):
            if not any(matches(topic, name) for name in names):
                do = "make the topic, or mend the route's pattern; until then nothing comes of it"
                findings.append(warning(f"topic {topic}", "no topic matches", do))
        elif topic not in topics:
            findings.append(_no_topic(topic, names))
        elif topics[topic].error is not None:
            reason = topics[topic].error.str().rstrip(".")
            do = "give this user the right to describe and read it"
            findings.append(Finding(f"topic {topic}", f"the broker says: {reason}", do))
    return findings


def _no_topic(topic: str, names: Sequence[str]) -> Finding:
    near = difflib.get_close_matches(topic, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return Finding(
        f"topic {topic}",
        "there is no such topic, or this user may not see it",
        f"make it, mend the route's `topic`{meant}, or give the right to describe it",
    )
