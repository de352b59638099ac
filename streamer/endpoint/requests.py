"""Which path and which body does a batch become, as the endpoint documents them?"""

from msgspec import Raw, Struct
from msgspec.json import Encoder

from streamer.model import Action, Batch, Report

REPORT_PATH = "/automations/v1/events/report"
CANCEL_PATH = "/automations/v1/events/cancel"
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


class _CancelEvent(Struct):
    triggerKey: str
    externalEntityId: str


_encode = Encoder().encode


def compose(batch: Batch) -> Request:
    """The call of a batch of one report or cancel.

    The payload's bytes go out as they are. Raises ValueError for what the endpoint does not take
    and no route may make: it never goes out.
    """
    if len(batch.reports) != 1:
        raise ValueError(f"a call takes one report, not {len(batch.reports)}")
    if not 1 <= len(batch.trigger) <= TRIGGER_CHARACTERS_MOST:
        raise ValueError(f"a trigger key of {len(batch.trigger)} characters")
    report = batch.reports[0]
    if batch.action is Action.CANCEL:
        return Request(CANCEL_PATH, _encode(_CancelEvent(batch.trigger, _entity(report))))
    return Request(REPORT_PATH, _encode(_report_event(batch.trigger, report)))


def _entity(report: Report) -> str:
    if not report.entity:
        raise ValueError("a cancel without an entity")
    return report.entity


def _report_event(trigger: str, report: Report) -> _ReportEvent:
    if report.payload[:1] != b"{":
        raise ValueError("a payload that is no JSON object")
    return _ReportEvent(trigger, Raw(report.payload), report.entity or None, _idempotency(report))


def _idempotency(report: Report) -> _Idempotency:
    key, ttl_ms = report.idempotency_key, report.idempotency_ttl_ms
    if not 1 <= len(key) <= KEY_CHARACTERS_MOST:
        raise ValueError(f"an idempotency key of {len(key)} characters")
    if ttl_ms is None:
        return _Idempotency(key)
    if ttl_ms < 1:
        raise ValueError(f"an idempotency time to live of {ttl_ms} ms")
    return _Idempotency(key, str(ttl_ms))
