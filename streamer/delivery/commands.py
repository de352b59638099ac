"""What does the core ask its edge to do?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from streamer.delivery.channels import Channel, Trust
from streamer.delivery.jobs import Job
from streamer.errors import Severity
from streamer.model import Batch, DeadLetter, Owned
from streamer.source.handover import CommitPlan


class Call(Struct, frozen=True, eq=False):
    """One call to the endpoint. The edge sends `batch` with `token` and reports how it ended."""

    batch: Batch
    token: str
    jobs: tuple[Job, ...]
    """The batch's reports in its order, as the core knows them."""
    channel: Channel
    is_probe: bool
    trust: Trust
    """The channel's when it started."""
    started_at: float


class LetterOrder(Struct, frozen=True, eq=False):
    """A dead letter to be written and confirmed."""

    job: Job
    letter: DeadLetter


class TokenOrder(Struct, frozen=True):
    """A token to be asked for."""

    endpoint: str
    scope: str


class Finished(Struct, frozen=True, eq=False):
    """No call of a revocation's partitions is in flight any more; what to commit last."""

    ticket: object
    plans: tuple[CommitPlan, ...]


class Alert(Struct, frozen=True):
    """Something that a person must look at; the edge logs it."""

    event: str
    fields: Mapping[str, object]
    about: str = ""
    """Where it is not empty: alerts of one event about the same are logged once in a while."""
    severity: Severity = Severity.WARNING


@dataclass(slots=True)
class Commands:
    """Everything that came of the facts since it was taken last, in order of kind."""

    letters: list[LetterOrder] = field(default_factory=list)
    commit: list[CommitPlan] = field(default_factory=list)
    tokens: list[TokenOrder] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    freed: dict[Owned, list[int]] = field(default_factory=dict)
    """Settled since: [messages, bytes] by partition, for flow control."""
    drop_cancels: bool = False
    """Let go of the connections of all cancels in flight."""

    def free(self, owned: Owned, size: int) -> None:
        counts = self.freed.get(owned)
        if counts is None:
            self.freed[owned] = [1, size]
        else:
            counts[0] += 1
            counts[1] += size
