"""Which routes do not go together?

Errors: keys that the platform would take for one another. Warnings: an order between a report and
its cancel that cannot be kept.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from streamer.errors import Finding, Severity
from streamer.model import Action
from streamer.routing.route import RouteParts
from streamer.routing.specs import RouteSpec
from streamer.routing.topics import is_pattern, matches

Pair = tuple[RouteSpec, RouteParts]


def conflicts(specs: Sequence[RouteSpec], parts: Sequence[RouteParts]) -> list[Finding]:
    """What is wrong between the routes, and between the parts of one."""
    by_trigger: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    by_tombstone: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for spec, row in zip(specs, parts, strict=True):
        by_trigger[row.endpoint, row.trigger].append((spec, row))
        if row.on_tombstone is not None:
            by_tombstone[row.endpoint, row.on_tombstone.trigger].append((spec, row))
    findings: list[Finding] = []
    for trigger, group in by_trigger.items():
        reports = [pair for pair in group if pair[1].action is Action.REPORT]
        cancels = [pair for pair in group if pair[1].action is Action.CANCEL]
        findings += _shared_keys(reports)
        findings += _parted(trigger[1], reports, cancels, "topic")
        findings += _parted(trigger[1], reports, by_tombstone[trigger], "on_tombstone")
        findings += _misplaced(group)
    return findings


def _shared_keys(reports: list[Pair]) -> Iterator[Finding]:
    for spec, row in reports:
        if row.as_is is not True:
            continue
        if not isinstance(row.instance, str):
            yield Finding(
                spec.place("idempotency"),
                "as_is is set where instance is an expression, and the platform knows a key by"
                " trigger and app, not by instance: a second instance's report would be ignored",
                "leave out as_is, or write as_is: shared if that is meant",
            )
        if len(reports) > 1:
            yield Finding(
                spec.place("idempotency"),
                f"as_is is set where {len(reports)} routes report the trigger {row.trigger}, and"
                " the platform knows a key by trigger and app: another route's report would be"
                " ignored",
                "leave out as_is, or write as_is: shared if that is meant",
            )


def _parted(
    trigger: str, reports: list[Pair], cancels: list[Pair], field: str
) -> Iterator[Finding]:
    """A cancel keeps its order to a report within one partition, so within one topic only."""
    for spec, row in cancels:
        apart = [other for _, other in reports if set(other.topics) != set(row.topics)]
        if apart:
            yield Finding(
                spec.place(field),
                f"the trigger {trigger} is cancelled from other topics than route"
                f" {apart[0].name} reports it from, and no order is kept between topics",
                "write both events to one topic with one key, if a report must not come after"
                " its cancel",
                Severity.WARNING,
            )


def _misplaced(group: list[Pair]) -> Iterator[Finding]:
    """One event's report before its cancel: what was just reported is cancelled."""
    for position, (spec, cancel) in enumerate(group):
        if cancel.action is not Action.CANCEL:
            continue
        for _, report in group[:position]:
            if report.action is Action.REPORT and _may_meet(report, cancel):
                yield Finding(
                    spec.place("cancel"),
                    f"one event may make route {report.name}'s report of {cancel.trigger} and"
                    " then this cancel of it",
                    f"move this route above {report.name}, or let their event or when differ",
                    Severity.WARNING,
                )
                break


def _may_meet(one: RouteParts, other: RouteParts) -> bool:
    """Whether an event may be both routes'; a `when` is not looked into."""
    if one.event is not None and other.event is not None and one.event != other.event:
        return False
    return any(_overlap(topic, second) for topic in one.topics for second in other.topics)


def _overlap(one: str, other: str) -> bool:
    if is_pattern(one) and is_pattern(other):
        return one == other
    return matches(one, other) or matches(other, one)
