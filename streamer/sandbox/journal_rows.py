"""How is a line of the journal written down, row by row?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from streamer.sandbox.answering import Outcome
from streamer.sandbox.answers import CODE_OF_STATUS, ApiError, Details
from streamer.sandbox.bulk_answers import Item
from streamer.sandbox.faults import CallKind
from streamer.sandbox.ledger import Entry
from streamer.sandbox.platform import Accepted
from streamer.sandbox.tokens import Caller, TokenRefusal

_fields = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)

OUTCOMES = ("accepted", "ignored", "refused", "not-taken-in")

Fields = Mapping[str, Raw]


class Line(Struct, frozen=True, gc=False):
    """A call that has ended."""

    number: int
    """Of its first row."""
    at_ms: int
    kind: CallKind
    caller: Caller | None
    """None where the token was not good, or a token call could not be read."""
    body: bytes
    """Empty where the outcome has all of it."""
    size: int
    """Bytes that the body had."""
    outcome: Outcome | None
    """None where a fault came before the platform saw the call."""
    ending: str
    request_id: str

    @property
    def rows(self) -> int:
        return len(self.outcome) if isinstance(self.outcome, list) else 1


class Row(Struct, kw_only=True):
    """One event, cancel or token call, or a whole call that was refused."""

    number: int
    """From 1, in the order in which the calls ended."""
    at_ms: int
    """When its call ended, since 1970."""
    call: str
    """`report`, `bulk-report`, `cancel`, `bulk-cancel` or `token`."""
    bulk_index: int | None
    """The item's place in its bulk call; None for a call as a whole."""
    trigger: str | None
    app: str | None
    instance: str | None
    entity: str | None
    idempotency_key: str | None
    payload: Any
    """As it came, digit for digit; None where there is none or it cannot be read."""
    outcome: str
    """`accepted`, `ignored` (its key was known), `refused`, or `not-taken-in`: a fault came
    before."""
    ending: str
    """What the caller of the whole call got: a status, or `dropped`, `cut`, `hung`,
    `caller-left`."""
    error: Any
    """`{code, description, data}` that it was told; None for none, or one that a fault made up."""
    ledger_number: int | None
    """Its entry in the ledger, where it was accepted."""
    repeat_of: int | None
    """Of one that was ignored: the ledger's number of what was accepted under its key."""
    came: int | None
    """How often the key has come by now, the first time included; None where nothing was accepted
    under it."""
    cancelled_by: int | None
    """The ledger's number of the cancel that has ended its activation by now."""
    request_id: str


def rows_of(line: Line, may_fit: Callable[[Item], bool]) -> Iterator[Row]:
    """The rows of a line in the order of their numbers, without items that cannot fit."""
    outcome = line.outcome
    if isinstance(outcome, list):
        for place, item in enumerate(outcome):
            if may_fit(item):
                yield _item_row(line, line.number + place, item)
    else:
        yield _call_row(line)


def _call_row(line: Line) -> Row:
    outcome = line.outcome
    if isinstance(outcome, Accepted) and outcome.entry is not None:
        return _entry_row(line, line.number, outcome.entry, None)
    fields = _read(line.body)
    return _row(
        line,
        line.number,
        trigger=_text_of(fields, "triggerKey"),
        event=fields,
        entity=_text_of(fields, "externalEntityId"),
        outcome=outcome,
        error=_error(outcome),
    )


def _item_row(line: Line, number: int, item: Item) -> Row:
    error = None if item.error is None else _error(item.error)
    if item.entry is not None:
        return _entry_row(line, number, item.entry, error)
    of_events = line.kind is CallKind.BULK_REPORT
    event = _read(item.raw) if of_events else {}
    row = _row(
        line,
        number,
        trigger=item.trigger,
        event=event,
        entity=_text_of(event, "externalEntityId") if of_events else _as_text(Raw(item.raw)),
        outcome=item.outcome,
        error=error,
    )
    row.bulk_index = item.index
    return row


def _entry_row(line: Line, number: int, entry: Entry, error: Details | None) -> Row:
    return Row(
        number=number,
        at_ms=line.at_ms,
        call=line.kind,
        bulk_index=entry.bulk_index,
        trigger=entry.trigger,
        app=entry.app,
        instance=entry.instance,
        entity=entry.entity,
        idempotency_key=entry.idempotency_key,
        payload=entry.payload,
        outcome="accepted",
        ending=line.ending,
        error=error,
        ledger_number=entry.number,
        repeat_of=None,
        came=None if entry.idempotency_key is None else entry.came,
        cancelled_by=entry.cancelled_by,
        request_id=line.request_id,
    )


def _row(
    line: Line,
    number: int,
    *,
    trigger: str | None,
    event: Fields,
    entity: str | None,
    outcome: Outcome | None,
    error: Details | None,
) -> Row:
    caller = line.caller
    repeats = outcome.repeats if isinstance(outcome, Accepted) else None
    idempotency = _read(event.get("idempotency", b""))
    return Row(
        number=number,
        at_ms=line.at_ms,
        call=line.kind,
        bulk_index=None,
        trigger=trigger,
        app=None if caller is None else caller.app,
        instance=None if caller is None else caller.instance,
        entity=entity,
        idempotency_key=_text_of(idempotency, "key"),
        payload=event.get("payload"),
        outcome=outcome_word(outcome),
        ending=line.ending,
        error=error,
        ledger_number=None,
        repeat_of=None if repeats is None else repeats.number,
        came=None if repeats is None else repeats.came,
        cancelled_by=None,
        request_id=line.request_id,
    )


def outcome_word(outcome: Outcome | None) -> str:
    """One of `OUTCOMES`."""
    match outcome:
        case None:
            return "not-taken-in"
        case Accepted(entry=None):
            return "ignored"
        case ApiError() | TokenRefusal():
            return "refused"
        case _:
            return "accepted"


def _error(outcome: Outcome | None) -> Details | None:
    if isinstance(outcome, ApiError):
        code = outcome.code or CODE_OF_STATUS.get(outcome.status, str(outcome.status))
        return outcome.application_error(code)
    if isinstance(outcome, TokenRefusal):
        return {"code": outcome.error, "description": outcome.description, "data": {}}
    return None


def _read(raw: bytes | Raw) -> Fields:
    """The fields of a JSON object; none where it is none."""
    try:
        return _fields.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}


def _text_of(fields: Fields, name: str) -> str | None:
    raw = fields.get(name)
    return None if raw is None else _as_text(raw)


def _as_text(raw: Raw) -> str | None:
    try:
        return _text.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
