"""What did a replay do, letter by letter in the end, and what is left?"""

from collections import Counter
from collections.abc import Iterator

from streamer.model import Action, Report
from streamer.replay.prepared import Left, LeftOut, Ready

NAMED_MOST = 20
"""Of each kind, so many are named; all are counted."""


class Account:
    """Counts while it goes on; `lines` tells it."""

    def __init__(self, chosen: int) -> None:
        self.chosen = chosen
        """How many were to be replayed, as far as it was known at the start."""
        self.replayed = 0
        """Accepted by the endpoint, every report of theirs."""
        self.again: Counter[str] = Counter()
        """What failed again and was written again, by its reason and route."""
        self.again_named: list[str] = []
        self.left: Counter[LeftOut] = Counter()
        self.left_named: dict[LeftOut, list[Left]] = {}
        self.expired = 0
        self.expired_named: list[str] = []
        self.stopped = ""
        """Why it ended before its end; empty: it did not."""
        self.stood_at: list[str] = []
        """Where it stopped, by partition."""
        self.elsewhere = 0
        """Partitions that another replay has."""
        self.is_dry = False
        self.noun = "letters"

    def leave(self, left: Left) -> None:
        self.left[left.why] += 1
        named = self.left_named.setdefault(left.why, [])
        if len(named) < NAMED_MOST:
            named.append(left)

    def expect(self, ready: Ready) -> None:
        """It is going to be sent."""
        if ready.is_expired:
            self.expired += 1
            if len(self.expired_named) < NAMED_MOST:
                self.expired_named.append(ready.item.id)

    def sent(self) -> None:
        self.replayed += 1

    def failed_again(self, id: str, reason: str, route: str) -> None:
        self.again[f"{reason} by {route}" if route else reason] += 1
        if len(self.again_named) < NAMED_MOST:
            self.again_named.append(id)

    @property
    def done(self) -> int:
        return self.replayed + sum(self.again.values()) + sum(self.left.values())

    @property
    def is_clean(self) -> bool:
        """Whether all that was asked for was sent and accepted."""
        left = sum(self.left.values()) - self.left[LeftOut.NO_REPORT]
        return not (self.stopped or self.again or left or self.elsewhere)

    def lines(self) -> Iterator[str]:
        verb = "would be sent" if self.is_dry else "replayed"
        yield f"{self.replayed} of {self.chosen} {self.noun} {verb}"
        if self.again:
            yield f"{sum(self.again.values())} failed again and were written again:"
            for what, number in self.again.most_common():
                yield f"  {number} {what}"
            yield from _named(self.again_named, sum(self.again.values()))
        for why, number in self.left.most_common():
            if why is LeftOut.NO_REPORT:
                yield f"{number} make no report"
                continue
            yield f"{number} left out ({why.value}):"
            for left in self.left_named[why]:
                yield f"  {left.id}: {left.detail}"
            if number > NAMED_MOST:
                yield f"  and {number - NAMED_MOST} more"
        yield from self.warnings()
        if self.elsewhere:
            yield f"{self.elsewhere} partitions are replayed by somebody else: see their account"
        if self.stopped:
            yield f"stopped: {self.stopped}"
            for place in self.stood_at:
                yield f"  at {place}"
            yield "what is not replayed is as it was: the same command goes on with it"

    def warnings(self) -> Iterator[str]:
        if not self.expired:
            return
        yield (
            f"warning: of {self.expired} the endpoint may have forgotten the key since it was"
            " first sent: if it was accepted then, it runs twice now"
        )
        yield from _named(self.expired_named, self.expired)


def _named(ids: list[str], of: int) -> Iterator[str]:
    if ids:
        more = f" and {of - len(ids)} more" if of > len(ids) else ""
        yield f"  {', '.join(ids)}{more}"


def line_of(ready: Ready) -> Iterator[str]:
    """What a dry run prints of one letter: its reports, without values."""
    for report in ready.reports:
        if isinstance(report, Report):
            what = "cancel of" if report.action is Action.CANCEL else "report to"
            entity = f", entity {report.entity}" if report.entity else ""
            key = f", key {report.idempotency_key}" if report.idempotency_key else ""
            size = f", {len(report.payload)} bytes" if report.payload else ""
            warned = " (its key may have expired)" if ready.is_expired else ""
            yield (
                f"{ready.item.id}: {what} {report.trigger} by {report.route}, instance"
                f" {report.lane.instance}{entity}{key}{size}{warned}"
            )
        else:
            yield f"{ready.item.id}: refused again: {report.refusal.detail}"
    if ready.bad is not None:
        yield f"{ready.item.id}: does not decode: {ready.bad.detail}"
