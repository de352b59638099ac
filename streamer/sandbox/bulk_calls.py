"""What does a bulk request ask for, and which of its items break the documented limits?

What is wrong with the call itself (no trigger key, no items, too many) refuses it whole. What is
wrong with an item stays with the item: what becomes of the others is the platform's affair.
"""

import msgspec
from msgspec import Raw, Struct

from streamer.sandbox.answers import ApiError, Violation, invalid_fields
from streamer.sandbox.calls import (
    TRIGGER_KEY_MAX,
    CancelCall,
    FieldReader,
    Fields,
    ReportCall,
    read_event,
    read_fields,
)

ITEMS_MAX = 100  # report endpoint: Bulk Report Event and Bulk Cancel Event take 1 to 100 items

EVENTS = "eventsInfo"
ENTITIES = "externalEntityIds"

_items = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)


class BulkItem(Struct, frozen=True):
    raw: bytes
    """The item's JSON text as it came: an event or an entity."""
    asked: ReportCall | CancelCall | ApiError
    """The paths of an error's fields begin at the item, as those of a single call do."""


class BulkCall(Struct, frozen=True):
    trigger: str
    items: tuple[BulkItem, ...]
    field: str
    """`eventsInfo` of reports, `externalEntityIds` of cancels: where the items stand."""

    @property
    def of_events(self) -> bool:
        return self.field == EVENTS

    @property
    def entities(self) -> list[str | None]:
        """Of each item; None where it has none, or one that cannot be read."""
        return [
            None if isinstance(item.asked, ApiError) else item.asked.entity for item in self.items
        ]


def parse_bulk_report(body: bytes) -> BulkCall | ApiError:
    """A Bulk Report Event body, or the 400 that the call as a whole deserves."""
    read = _trigger_and_items(body, EVENTS)
    if isinstance(read, ApiError):
        return read
    trigger, raws = read
    reader = FieldReader()
    items: list[BulkItem] = []
    for index, raw in enumerate(raws):
        try:
            fields = _object.decode(raw)
        except msgspec.DecodeError:
            reader.blame(f"{EVENTS}[{index}]", "must be an object with a payload", "FORMAT")
        else:
            items.append(BulkItem(bytes(raw), _report_item(fields, trigger)))
    if reader.violations:
        return invalid_fields(tuple(reader.violations))
    return BulkCall(trigger, tuple(items), EVENTS)


def _report_item(fields: Fields, trigger: str) -> ReportCall | ApiError:
    reader = FieldReader()
    call = read_event(reader, fields, trigger)
    return invalid_fields(tuple(reader.violations)) if reader.violations else call


def parse_bulk_cancel(body: bytes) -> BulkCall | ApiError:
    """A Bulk Cancel Event body, or the 400 that the call as a whole deserves."""
    read = _trigger_and_items(body, ENTITIES)
    if isinstance(read, ApiError):
        return read
    trigger, raws = read
    whole = FieldReader()
    items: list[BulkItem] = []
    for index, raw in enumerate(raws):
        try:
            _text.decode(raw)
        except msgspec.DecodeError:
            whole.blame(f"{ENTITIES}[{index}]", "must be a string", "FORMAT")
            continue
        reader = FieldReader()
        entity = reader.guid(raw, "externalEntityId")
        error = invalid_fields(tuple(reader.violations)) if reader.violations else None
        items.append(BulkItem(bytes(raw), error or CancelCall(trigger, entity)))
    if whole.violations:
        return invalid_fields(tuple(whole.violations))
    return BulkCall(trigger, tuple(items), ENTITIES)


def _trigger_and_items(body: bytes, field: str) -> tuple[str, list[Raw]] | ApiError:
    fields = read_fields(body)
    if isinstance(fields, ApiError):
        return fields
    reader = FieldReader()
    trigger = reader.required_text(fields, "triggerKey", "triggerKey", TRIGGER_KEY_MAX)
    items = _read_items(reader, fields.get(field), field)
    return invalid_fields(tuple(reader.violations)) if reader.violations else (trigger, items)


def _read_items(reader: FieldReader, raw: Raw | None, field: str) -> list[Raw]:
    if raw is None:
        reader.blame(field, "is required", "REQUIRED_FIELD")
        return []
    try:
        items = _items.decode(raw)
    except msgspec.DecodeError:
        reader.blame(field, "must be an array", "FORMAT")
        return []
    if not items:
        reader.blame(field, "must have at least 1 item", "MIN_SIZE", 1)
    elif len(items) > ITEMS_MAX:
        reader.blame(field, f"must have at most {ITEMS_MAX} items", "MAX_SIZE", ITEMS_MAX)
    return items


def at_item(violation: Violation, index: int, field: str) -> Violation:
    """The violation with its path from the bulk body's root."""
    # An entity stands in the array itself, an event's fields are in the array's object.
    path = f"{field}[{index}]" if field == ENTITIES else f"{field}[{index}].{violation.field}"
    return Violation(
        path, violation.description, violation.rule, violation.name, violation.threshold
    )
