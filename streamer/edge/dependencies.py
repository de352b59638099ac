"""What does a person hear of what the delivery depends on, and which of that refuses us?

What goes wrong with it is tried again without end, so it is said when it is new and again every
half a minute while it lasts: neither in silence nor at every try.
"""

from collections import Counter
from collections.abc import Sequence

import structlog

from streamer.dead_letters.record import letter_id
from streamer.decoding.fetched import RegistryUnavailable
from streamer.delivery.bulk_answers import CallRefused
from streamer.delivery.commands import Alert
from streamer.delivery.outcomes import Outcome, Throttled, Unavailable
from streamer.delivery.retry import RETRY_AFTER_MOST_S
from streamer.edge.clock import Clock
from streamer.endpoint.token_client import TokenRefused
from streamer.errors import Finding, Severity
from streamer.model import Batch, DeadLetter
from streamer.observability.newest_letters import NewestLetters
from streamer.source.complaints import REPEAT_S, Complaints

log = structlog.get_logger()

REGISTRY = "registry"

SHORT_WAIT_S = 60.0
"""As long as the longest pause of our own: a longer `Retry-After` is worth a line."""
NAMED_MOST = 5
"""Instances whose refused token has a line of its own, in each half minute."""

_APP = (
    "mend `app.id` or `app.secret` of the endpoint; if they are right, see whether the app is"
    " installed where this instance is"
)
_ASKED_TO_WAIT = (
    "nothing, if the endpoint means it; otherwise see what stands before it and says `Retry-After`"
)
_UNAVAILABLE = "look at the `base_url` of the endpoint, or wait: it is asked again"


def letters_of(topic: str) -> str:
    """What the refusals of a source topic's dead letters are called."""
    return f"dead letters of {topic}"


class _Few:
    """Who is named of many that have the same trouble: a few in each half minute. The others are
    counted."""

    def __init__(self) -> None:
        self._since = float("-inf")
        self._named: set[str] = set()
        self._unsaid = 0

    def may_be_said(self, name: str, now: float) -> int | None:
        """None: not now. Otherwise how often it was not said since the last line."""
        if now - self._since >= REPEAT_S:
            self._since = now
            self._named.clear()
        if name in self._named:
            return None
        if len(self._named) == NAMED_MOST:
            self._unsaid += 1
            return None
        self._named.add(name)
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid


class Dependencies:
    """One process's; used in the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._complaints = Complaints()
        self._unsaid: Counter[str] = Counter()
        """Alerts since the last line of their kind."""
        self._tokens_refused: dict[str, _Few] = {}
        self.refusals: dict[str, str] = {}
        """Why a dependency refuses us, by its name; absent while it does not. Readiness."""
        self.newest_letters = NewestLetters()

    def _is_due(self, kind: str, found: str) -> bool:
        return self._complaints.raised(kind, Finding(kind, found, ""), self._clock.now())

    def alert(self, alert: Alert) -> None:
        """What the core has to say."""
        unsaid = 0
        if alert.about:
            kind = f"{alert.event} {alert.about}"
            if not self._is_due(kind, ""):
                self._unsaid[kind] += 1
                return
            unsaid = self._unsaid.pop(kind, 0)
        more = {"others_since": unsaid} if unsaid else {}
        write = log.error if alert.severity is Severity.ERROR else log.warning
        write(alert.event, **alert.fields, **more)

    # --- the endpoint --------------------------------------------------------------------------

    def asked_to_wait(self, batch: Batch, answer: Sequence[Outcome] | CallRefused) -> None:
        """The answer came with `Retry-After`. Of a long one a person hears: what looks dead waits
        because it was told to."""
        if isinstance(answer, CallRefused):
            return
        asked = [
            (it.retry_after_s, isinstance(it, Throttled))
            for it in answer
            if isinstance(it, Throttled | Unavailable) and it.retry_after_s is not None
        ]
        # Whatever stands first in a bulk answer; and a 429 holds more than a report.
        asked_s, is_throttled = max(asked, default=(0.0, False))
        if asked_s <= SHORT_WAIT_S:
            return
        holds = "the instance" if is_throttled else "the report, or its trigger"
        lane = batch.lane
        fields: dict[str, object] = {
            "endpoint": lane.endpoint,
            "instance": lane.instance,
            "trigger": batch.trigger,
            "asked_s": round(asked_s),
            "held_s": round(min(asked_s, RETRY_AFTER_MOST_S)),
            "held": holds,
            "do": _ASKED_TO_WAIT,
        }
        self.alert(Alert("asked_to_wait", fields, f"{lane.endpoint} {holds}"))

    # --- the registry --------------------------------------------------------------------------

    def registry_failed(self, answer: RegistryUnavailable, asked_for: str) -> None:
        if answer.denied:
            self.refusals[REGISTRY] = answer.detail
        if self._is_due(REGISTRY, answer.detail):
            write = log.error if answer.denied else log.warning
            write("registry_unavailable", asked_for=asked_for, why=answer.detail)

    def registry_answered(self) -> None:
        self.refusals.pop(REGISTRY, None)

    # --- tokens --------------------------------------------------------------------------------

    def token_refused(self, endpoint: str, instance: str, answer: TokenRefused) -> None:
        """The token call was refused. Of thousands of instances a few are named."""
        few = self._tokens_refused.setdefault(endpoint, _Few())
        unsaid = few.may_be_said(instance, self._clock.now())
        if unsaid is None:
            return
        more = {"others_since": unsaid} if unsaid else {}
        log.error(
            "token_refused", endpoint=endpoint, instance=instance, why=str(answer), do=_APP, **more
        )

    def token_unavailable(self, endpoint: str, why: str) -> None:
        """The token call was not answered: much the same for every instance."""
        if self._is_due(f"unavailable {endpoint}", why):
            log.warning("token_unavailable", endpoint=endpoint, why=why, do=_UNAVAILABLE)

    # --- dead letters --------------------------------------------------------------------------

    def letter_written(self, letter: DeadLetter) -> None:
        """A message or report went to the dead letter topic."""
        refusal = letter.refusal
        self.newest_letters.add(letter, self._clock.wall_ms())
        if self._is_due(f"letter {letter.route} {refusal.reason}", ""):
            log.warning(
                "dead_lettered",
                route=letter.route,
                reason=refusal.reason.value,
                message=str(letter.message),
                letter=letter_id(letter),
                why=refusal.detail,
                request_id=refusal.request_id,
            )

    def letters_refused(self, topic: str, why: str) -> None:
        """The dead letter topic of this source topic is missing, or refuses us."""
        self.refusals[letters_of(topic)] = why

    def letters_fine(self, topic: str) -> None:
        self.refusals.pop(letters_of(topic), None)
