"""Are the dead letter topics of what is read there, and what is done until they are?

They are looked at, and made where that is wished, when a topic is first assigned and when a dead
letter found none. Where something is wrong they are looked at again, so that what a person mends
needs no restart.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from streamer.dead_letters.topics import TopicAdmin, ensure, refusals
from streamer.edge.clock import Clock
from streamer.edge.dependencies import Dependencies
from streamer.errors import Finding, Severity
from streamer.source.complaints import Complaints

log = structlog.get_logger()

LOOK_AGAIN_S = 10.0

Sleep = Callable[[float], Awaitable[object]]


class LetterTopics:
    """Looks after the dead letter topics of one process's topics."""

    def __init__(
        self,
        connect: Callable[[], TopicAdmin],
        template: str,
        create: bool,
        dependencies: Dependencies,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`dependencies` is told of a dead letter topic that is missing or refuses us."""
        self._connect = connect
        self._template = template
        self._create = create
        self._dependencies = dependencies
        self._clock = clock
        self._sleep = sleep
        self._looked_after: set[str] = set()
        self._complaints = Complaints()
        self._warned: set[Finding] = set()

    async def look_after(self, topics: Iterable[str]) -> None:
        """Until all dead letter topics of these source topics are as they should be. Those that
        are looked after already are left to whoever does."""
        mine = set(topics) - self._looked_after
        self._looked_after |= mine
        try:
            while mine:
                mine -= await self._fine(tuple(sorted(mine)))
                if mine:
                    await self._sleep(LOOK_AGAIN_S)
        finally:
            self._looked_after -= mine

    async def _fine(self, topics: Sequence[str]) -> set[str]:
        """Look once; gives those of which nothing more is to be done."""
        findings = await ensure(self._connect(), self._template, topics, self._create)
        if any(_is_no_answer(finding) for finding in findings):
            # The source tells of that, as long as it lasts.
            return set()
        self._say(findings)
        refused = refusals(self._template, topics, findings)
        for topic, why in refused.items():
            self._dependencies.letters_refused(topic, why)
        fine = set(topics) - refused.keys()
        for topic in fine:
            self._dependencies.letters_fine(topic)
        self._looked_after -= fine
        return fine

    def _say(self, findings: Iterable[Finding]) -> None:
        now = self._clock.now()
        for finding in findings:
            if finding.severity is Severity.WARNING:
                if finding not in self._warned:
                    self._warned.add(finding)
                    log.warning("finding", **_fields(finding))
            elif self._complaints.raised(finding.where, finding, now):
                log.error("finding", **_fields(finding))


def _is_no_answer(finding: Finding) -> bool:
    return finding.where == "kafka" and finding.severity is Severity.ERROR


def _fields(finding: Finding) -> dict[str, str]:
    return {"where": finding.where, "found": finding.found, "do": finding.do}
