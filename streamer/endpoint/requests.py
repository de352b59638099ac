"""Which path and which body does a batch become, as the endpoint documents them?"""

from msgspec import Raw, Struct
from msgspec.json import Encoder

from streamer.model import Action, Batch, Report

REPORT_PATH = "/automations/v1/events/report"
BULK_REPORT_PATH = "/automations/v1/events/bulk-report"
CANCEL_PATH = "/automations/v1/events/cancel"
BULK_CANCEL_PATH = "/automations/v1/events/bulk-cancel"
ITEMS_MOST = 100  # of a bulk call
KEY_CHARACTERS_MOST = 80  # of idempotency.key
TRIGGER_CHARACTERS_MOST = 100  # of triggerKey


class Request(Struct, frozen=True, eq=False):
    path: str
    body: bytes
    """JSON, in UTF-8."""


class _Idempotency(Struct, omit_defaults=True):
    key: str
    ttlInMilliseconds: str | None = None
    """A number in a string: the endpoint's type is a 64-bit integer, which JSON cannot hold."""


class _ReportEvent(Struct, omit_defaults=True):
    triggerKey: str
    payload: Raw
    externalEntityId: str | None = None
    idempotency: _Idempotency | None = None


class _EventInfo(Struct, omit_defaults=True):
    payload: Raw
    externalEntityId: str | None = None
    idempotency: _Idempotency | None = None


class _BulkReportEvent(Struct):
    triggerKey: str
    eventsInfo: list[_EventInfo]


class _CancelEvent(Struct):
    triggerKey: str
    externalEntityId: str


class _BulkCancelEvent(Struct):
    triggerKey: str
    externalEntityIds: list[str]


_encode = Encoder().encode


def compose(batch: Batch) -> Request:
    """The call of a batch: a single one for one report or cancel, a bulk call for more.

    The payload's bytes go out as they are. Raises ValueError for what the endpoint does not take
    and no route may make: it never goes out.
    """
    trigger, reports = batch.trigger, batch.reports
    if not 1 <= len(reports) <= ITEMS_MOST:
        raise ValueError(f"a call takes 1 to {ITEMS_MOST} reports, not {len(reports)}")
    if not 1 <= len(trigger) <= TRIGGER_CHARACTERS_MOST:
        raise ValueError(f"a trigger key of {len(trigger)} characters")
    if batch.action is Action.CANCEL:
        entities = [_entity(report) for report in reports]
        if len(entities) == 1:
            return Request(CANCEL_PATH, _encode(_CancelEvent(trigger, entities[0])))
        return Request(BULK_CANCEL_PATH, _encode(_BulkCancelEvent(trigger, entities)))
    if len(reports) == 1:
        report = reports[0]
        entity, idempotency = report.entity or None, _idempotency(report)
        event = _ReportEvent(trigger, _payload(report), entity, idempotency)
        return Request(REPORT_PATH, _encode(event))
    events = [
        _EventInfo(_payload(report), report.entity or None, _idempotency(report))
        for report in reports
    ]
    return Request(BULK_REPORT_PATH, _encode(_BulkReportEvent(trigger, events)))


def _entity(report: Report) -> str:
    if not report.entity:
        raise ValueError("a cancel without an entity")
    return report.entity


def _payload(report: Report) -> Raw:
    if report.payload[:1] != b"{":
        raise ValueError("a payload that is no JSON object")
    return Raw(report.payload)


def _idempotency(report: Report) -> _Idempotency:
    key, ttl_ms = report.idempotency_key, report.idempotency_ttl_ms
    if not 1 <= len(key) <= KEY_CHARACTERS_MOST:
        raise ValueError(f"an idempotency key of {len(key)} characters")
    if ttl_ms is None:
        return _Idempotency(key)
    if ttl_ms < 1:
        raise ValueError(f"an idempotency time to live of {ttl_ms} ms")
    return _Idempotency(key, str(ttl_ms))
