"""What does a person hear of what goes wrong with Kafka?"""

from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError

from streamer.errors import Finding, Severity, SourceError
from streamer.source.complaints import Complaints
from streamer.source.explain import explain, fatal_sentence, is_about_connections

log = structlog.get_logger()

# A commit that a rebalance overtook is made again from the state of then: nobody has to act.
_ORDINARY_FOR_COMMITS = {
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._NO_OFFSET,
}


class Troubles:
    """Turns errors of the client into sentences in the log, and remembers which are current."""

    def __init__(self, bootstrap_servers: str, now: Callable[[], float]) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._now = now
        self._complaints = Complaints()
        self.fatal: SourceError | None = None
        """Why the client ended for good."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong now. From any thread."""
        return self._complaints.current(self._now())

    def raised(self, kind: str, finding: Finding) -> None:
        """Something is wrong; said when it is new, and again from time to time."""
        if self._complaints.raised(kind, finding, self._now()):
            write = log.error if finding.severity is Severity.ERROR else log.warning
            write("kafka_trouble", where=finding.where, found=finding.found, do=finding.do)

    def failed(self, error: KafkaError) -> None:
        """The client reported an error."""
        # The client's callback names a fatal error so, without its flag.
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.fatal = SourceError(fatal_sentence(error.name(), error.str()))
            return
        self.raised(error.name(), explain(error.name(), error.str(), self._bootstrap_servers))

    def commit_failed(self, error: KafkaError) -> None:
        """A commit failed, or a part of it."""
        if error.code() not in _ORDINARY_FOR_COMMITS:
            self.failed(error)

    def no_answer(self, error: KafkaError) -> None:
        """The cluster did not answer: said only where the client does not tell why by itself."""
        if not any(finding.severity is Severity.ERROR for finding in self.findings):
            self.failed(error)

    def answered(self) -> None:
        """The cluster answered: what was said of connections is over."""
        self._complaints.over(is_about_connections)
