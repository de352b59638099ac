"""What did a replay do, letter by letter in the end, and what is left?"""

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from streamer.model import Action, Report
from streamer.replay.prepared import Left, LeftOut, Ready, would_end
from streamer.replay.shown import ShownValues

NAMED_MOST = 20
"""Of each kind, so many are named; all are counted."""


class Again(Struct, frozen=True):
    """A report, or what did not decode, that was refused and written again."""

    id: str
    """Of the new letter; in a dry run, of the one that is there."""
    reason: str
    route: str


class Account:
    """Counts while it goes on; `lines` tells it."""

    def __init__(self, chosen: int) -> None:
        self.chosen = chosen
        """How many were to be replayed, as far as it was known at the start."""
        self.found: int | None = None
        """How many there were, where only the reading tells; None: as many as were chosen."""
        self.passed = 0
        """Records that were read on the way, and not asked for."""
        self.replayed = 0
        """Accepted by the endpoint, every report of theirs."""
        self.failed = 0
        """Those of which something failed again,"""
        self.again: Counter[str] = Counter()
        """and what that was, by its reason and route: one letter may be refused by several."""
        self.again_named: list[str] = []
        self.left: Counter[LeftOut] = Counter()
        self.no_report: Counter[str] = Counter()
        """Why those made none that make no report."""
        self.left_named: dict[LeftOut, list[Left]] = {}
        self.expired = 0
        self.expired_named: list[str] = []
        self.stopped = ""
        """Why it ended before its end; empty: it did not."""
        self.stood_at: list[str] = []
        """Where it stopped, by partition."""
        self.unmarked = 0
        """Marks that are not known to stand: what they were for may still be open."""
        self.elsewhere = 0
        """Partitions that another replay has."""
        self.is_dry = False
        self.is_surveyed = True
        """Whether it was known what there is before it ended."""
        self.found_none = False
        """A filter was given, and there is nothing at all that it asks for."""
        self.noun = "letters"
        self.after_stop = "what is not replayed is as it was: the same command goes on with it"

    def leave(self, left: Left) -> None:
        self.left[left.why] += 1
        if left.why is LeftOut.NO_REPORT:
            self.no_report[left.detail] += 1
            return
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

    def failed_again(self, refusals: Sequence[Again]) -> None:
        """One of them failed again, in at least one of its reports."""
        self.failed += 1
        for it in refusals:
            self.again[f"{it.reason} by {it.route}" if it.route else it.reason] += 1
            if len(self.again_named) < NAMED_MOST and it.id not in self.again_named:
                self.again_named.append(it.id)

    @property
    def done(self) -> int:
        """How far it is in what was chosen."""
        return self.replayed + self.failed + sum(self.left.values()) + self.passed

    @property
    def meanwhile(self) -> int:
        """Those chosen that were not there any more when it was their turn."""
        if self.found is not None or self.stopped or self.elsewhere:
            return 0
        return max(0, self.chosen - self.done)

    @property
    def is_clean(self) -> bool:
        """Whether all that was asked for was sent and accepted."""
        left = sum(self.left.values()) - self.left[LeftOut.NO_REPORT]
        is_left = bool(self.stopped or self.failed or left or self.elsewhere or self.meanwhile)
        return not (is_left or self.unmarked or self.found_none)

    def lines(self) -> Iterator[str]:
        verb = "would be sent" if self.is_dry else "replayed"
        of = self.chosen if self.found is None else self.found
        so_far = " that were read" if self.found is not None and self.stopped else ""
        if self.is_surveyed:
            yield f"{self.replayed} of {of} {self.noun}{so_far} {verb}"
        else:
            yield f"no {self.noun} {verb}: it was still looking for what there is"
        if self.found == 0 and not self.stopped and not self.elsewhere:
            yield f"there are no {self.noun} of that time"
        if self.passed:
            yield f"{self.passed} of another time were passed over"
        if self.again:
            how = "would be refused again" if self.is_dry else "failed again and were written again"
            refusals = sum(self.again.values())
            several = f", by {refusals} refusals" if refusals != self.failed else ""
            yield f"{self.failed} {how}{several}:"
            for what, number in self.again.most_common():
                yield f"  {number} {what}"
            yield from _named(self.again_named, self.failed if self.is_dry else refusals)
        for why, number in self.left.most_common():
            if why is LeftOut.NO_REPORT:
                reasons = (f"{n} {detail}" for detail, n in self.no_report.most_common())
                yield f"{number} make no report ({', '.join(reasons)})"
                continue
            yield f"{number} left out ({why.value}):"
            for left in self.left_named[why]:
                yield f"  {left.id}: {left.detail}"
            if number > NAMED_MOST:
                yield f"  and {number - NAMED_MOST} more"
        if self.meanwhile:
            yield (
                f"{self.meanwhile} were dealt with by others meanwhile (another replay, or a drop),"
                " or are gone: the same command again shows whether any are open"
            )
        yield from self.warnings()
        if self.unmarked:
            yield (
                f"of {self.unmarked} of them it could not be remembered that they were dealt with:"
                " they may be open still, and the same command sends them again, under the same"
                " keys"
            )
        if self.elsewhere:
            yield (
                f"{self.elsewhere} partitions were not replayed by this command, since another"
                " replay has them: run it again when that has ended"
            )
        if self.stopped:
            yield f"stopped: {self.stopped}"
            for place in self.stood_at:
                yield f"  at {place}"
            yield self.after_stop

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


def line_of(ready: Ready, shown: ShownValues) -> Iterator[str]:
    """What a dry run prints of one letter: its reports, without values."""
    for report in ready.reports:
        if isinstance(report, Report):
            what = "cancel of" if report.action is Action.CANCEL else "report to"
            told = shown.entity(report.route, report.entity or "")
            entity = f", entity {told}" if told else ""
            shown_key = shown.key(report.route, report.idempotency_key)
            key = f", key {shown_key}" if shown_key else ""
            size = f", {len(report.payload)} bytes" if report.payload else ""
            warned = " (its key may have expired)" if ready.is_expired else ""
            if report.action is Action.CANCEL:
                ends = would_end(report.trigger, told, report.lane.instance)
                warned += f": {ends}"
            yield (
                f"{ready.item.id}: {what} {report.trigger} by {report.route}, instance"
                f" {report.lane.instance}{entity}{key}{size}{warned}"
            )
        else:
            yield f"{ready.item.id}: refused again: {report.refusal.detail}"
    if ready.bad is not None:
        yield f"{ready.item.id}: does not decode: {ready.bad.detail}"
