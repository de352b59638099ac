"""What does one route make of one event?

In this order: is it matched, is it too old, for which instance, about which entity, with which
key, with which payload. The first that fails is the refusal.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from streamer.model import (
    Action,
    Event,
    LaneKey,
    Message,
    Reason,
    Refusal,
    RefusedReport,
    Report,
    Skipped,
    Tombstone,
)
from streamer.routing import keys
from streamer.routing.keys import Unusable
from streamer.routing.language.expressions import Expression
from streamer.routing.language.failures import Failure, Kind, clipped
from streamer.routing.language.scope import KeyFailure, Scope
from streamer.routing.payload import Invalid, encode_payload

AsIs = Literal[False, True, "shared"]


class PayloadMap:
    """A payload of one expression a key: worked out in one go, and one by one where that fails."""

    __slots__ = ("_parts", "_whole")

    def __init__(self, whole: Expression, parts: Mapping[str, Expression]) -> None:
        self._whole = whole
        self._parts = parts

    def __call__(self, event: Mapping[str, Any], scope: Scope) -> Any:
        """The payload's values by key. Raises `Refused`."""
        try:
            return self._whole(event, scope)
        except Failure:
            return {
                key: asked(part, f"payload.{key}", event, scope)
                for key, part in self._parts.items()
            }


class Refused(Exception):
    """Ends the making of a report; inside this module and `PayloadMap` only."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def asked(expression: Expression, place: str, event: Mapping[str, Any], scope: Scope) -> Any:
    """The expression's value; `Refused` where it fails."""
    try:
        return expression(event, scope)
    except Failure as failure:
        raise Refused(_told(failure, place, expression.text)) from None


def _told(failure: Failure, place: str, text: str) -> Refusal:
    if isinstance(failure, KeyFailure):
        return failure.refusal
    words = f"{place}: `{clipped(text)}`: {failure.found}; {failure.do}"
    return Refusal(Reason.EXPRESSION_FAILED, words)


class TombstoneParts(Struct, frozen=True, kw_only=True):
    """The cancel that a route makes of a tombstone."""

    trigger: str
    instance: Expression | str
    entity: Expression


class RouteParts(Struct, frozen=True, kw_only=True):
    """A route as it was compiled; `table.py` says what each of them is."""

    name: str
    topics: tuple[str, ...]
    event: str | None
    action: Action
    trigger: str
    endpoint: str
    when: Expression | None
    instance: Expression | str
    entity: Expression | None
    idempotency: Expression | None
    as_is: AsIs
    idempotency_ttl_ms: int | None
    max_age_ms: int | None
    payload: Expression | PayloadMap | None
    """None for a cancel."""
    key_avro: bool
    on_tombstone: TombstoneParts | None = None


_NO_FIELDS: Mapping[str, Any] = {}
"""What a tombstone has; its expressions were checked not to ask for any."""


class Route:
    """A row of the routing table, ready to be asked about events."""

    __slots__ = ("_of", "_unmatched", "key_avro", "name")

    def __init__(self, parts: RouteParts) -> None:
        self._of = parts
        self.name = parts.name
        self.key_avro = parts.key_avro
        # A route for every event of a topic asks about fields that only some of them have.
        self._unmatched = parts.event is None

    @property
    def parts(self) -> RouteParts:
        return self._of

    def made_of(
        self, event: Event, scope: Scope, now_ms: int
    ) -> Report | RefusedReport | Skipped | None:
        """What comes of the event; None where the route does not match it."""
        parts = self._of
        message = event.message
        old = self._is_old(message, now_ms)
        try:
            if parts.when is not None and not self._matches(parts.when, event, scope):
                return None
        except Refused as refused:
            if not old:
                return self._refused(message, refused.refusal, None)
        if old:
            return Skipped(parts.name, "max-age")
        instance: str | None = None
        entity: str | None = None
        try:
            instance = _instance(parts.instance, "instance", event.fields, scope)
            if parts.key_avro:
                self._check_key(scope)
            if parts.entity is not None:
                entity = _entity(parts.entity, "entity", event.fields, scope)
            return self._report(event, scope, instance, entity)
        except Refused as refused:
            return self._refused(message, refused.refusal, instance, entity)

    def made_of_tombstone(
        self, tombstone: Tombstone, scope: Scope, now_ms: int
    ) -> Report | RefusedReport | Skipped | None:
        """The cancel that comes of a message without a value; `event` and `when` do not count.

        None where the route has no `on_tombstone`.
        """
        parts, message = self._of, tombstone.message
        cancel = parts.on_tombstone
        if cancel is None:
            return None
        if self._is_old(message, now_ms):
            return Skipped(parts.name, "max-age")
        instance: str | None = None
        try:
            if parts.key_avro:
                self._check_key(scope)
            instance = _instance(cancel.instance, "on_tombstone.instance", _NO_FIELDS, scope)
            entity = _entity(cancel.entity, "on_tombstone.entity", _NO_FIELDS, scope)
        except Refused as refused:
            return RefusedReport(
                message,
                parts.name,
                cancel.trigger,
                Action.CANCEL,
                self._told(refused.refusal),
                instance,
                parts.endpoint,
                any_entity=True,
            )
        lane = LaneKey(parts.endpoint, instance)
        return Report(message, parts.name, lane, cancel.trigger, Action.CANCEL, entity, b"", "")

    def _is_old(self, message: Message, now_ms: int) -> bool:
        max_age_ms = self._of.max_age_ms
        if max_age_ms is None or message.timestamp_ms < 0:
            return False
        return now_ms - message.timestamp_ms > max_age_ms

    def _matches(self, when: Expression, event: Event, scope: Scope) -> bool:
        try:
            return bool(when(event.fields, scope))
        except Failure as failure:
            if self._unmatched and failure.kind is Kind.MISSING and failure.by_field:
                return False
            raise Refused(_told(failure, "when", when.text)) from None

    def _report(self, event: Event, scope: Scope, instance: str, entity: str | None) -> Report:
        parts = self._of
        reports = parts.payload is not None
        return Report(
            event.message,
            parts.name,
            LaneKey(parts.endpoint, instance),
            parts.trigger,
            parts.action,
            entity,
            self._payload(event, scope) if reports else b"",
            self._key(event, scope, instance) if reports else "",
            parts.idempotency_ttl_ms if reports else None,
        )

    def _check_key(self, scope: Scope) -> None:
        """A key that does not decode refuses the report, whether an expression reads it or not."""
        try:
            _ = scope.key
        except KeyFailure as failure:
            raise Refused(failure.refusal) from None

    def _key(self, event: Event, scope: Scope, instance: str) -> str:
        parts = self._of
        if parts.idempotency is None:
            return keys.message_key(instance, parts.name, event.message)
        value = asked(parts.idempotency, "idempotency", event.fields, scope)
        made = keys.own_key(value) if parts.as_is else keys.key_text(value)
        if isinstance(made, Unusable):
            raise _unusable(made, Reason.BAD_KEY)
        return made if parts.as_is else keys.hashed_key(instance, parts.name, made)

    def _payload(self, event: Event, scope: Scope) -> bytes:
        payload = self._of.payload
        if isinstance(payload, PayloadMap):
            made = encode_payload(payload(event.fields, scope), keys_checked=True)
        else:
            assert payload is not None
            made = encode_payload(asked(payload, "payload", event.fields, scope))
        if isinstance(made, Invalid):
            raise Refused(Refusal(Reason.PAYLOAD_INVALID, f"{made.found}; {made.do}"))
        return made

    def _refused(
        self,
        message: Message,
        refusal: Refusal,
        instance: str | None,
        entity: str | None = None,
    ) -> RefusedReport:
        parts = self._of
        return RefusedReport(
            message,
            parts.name,
            parts.trigger,
            parts.action,
            self._told(refusal),
            instance,
            parts.endpoint,
            entity,
            any_entity=parts.entity is not None and entity is None,
        )

    def _told(self, refusal: Refusal) -> Refusal:
        return Refusal(
            refusal.reason,
            f"route {self.name}: {refusal.detail}",
            refusal.status,
            refusal.code,
            refusal.request_id,
        )


def _instance(
    instance: Expression | str, place: str, fields: Mapping[str, Any], scope: Scope
) -> str:
    if isinstance(instance, str):
        return instance
    made = keys.instance_id(asked(instance, place, fields, scope))
    if isinstance(made, Unusable):
        raise _unusable(made, Reason.EXPRESSION_FAILED)
    return made


def _entity(entity: Expression, place: str, fields: Mapping[str, Any], scope: Scope) -> str:
    made = keys.entity_id(asked(entity, place, fields, scope))
    if isinstance(made, Unusable):
        raise _unusable(made, Reason.BAD_KEY)
    return made


def _unusable(value: Unusable, reason: Reason) -> Refused:
    return Refused(Refusal(reason, f"{value.found}; {value.do}"))
