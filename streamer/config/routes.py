"""Which keys does a route have?"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from streamer.config.quantities import Duration, between, fault
from streamer.config.section import Expression, Section

TEXT_FORM = "<text>"
MAP_FORM = "<map>"
"""How pydantic's error paths name the two forms of a key; such a step is no key of the file."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")  # Kafka's rule
_FULL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")  # Avro's rule


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise fault(
            "is no route name",
            "write 1 to 100 letters, digits, `.`, `_` and `-`: it stands in metrics and keys",
        )
    return value


def _topic(value: str) -> str:
    if value.startswith("^"):
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError):
            raise fault(
                "is no regular expression", r"write one as in Python, such as `^billing\..*`"
            ) from None
    elif not _TOPIC.match(value) or value in (".", ".."):
        raise fault(
            "is no topic name",
            "write letters, digits, `.`, `_` and `-`, or begin a regular expression with `^`",
        )
    return value


def _full_name(value: str) -> str:
    if not _FULL_NAME.match(value):
        raise fault(
            "is no full name of an Avro type",
            "write namespace and name, such as `com.acme.billing.InvoiceOverdue`",
        )
    return value


def form(value: Any) -> str:
    """Which form a key has that may be written in short or as a map."""
    return MAP_FORM if isinstance(value, dict | Section) else TEXT_FORM


Topic = Annotated[str, AfterValidator(_topic)]
TriggerKey = Annotated[str, Field(min_length=1, max_length=100)]  # the endpoint's limit


class IdempotencySettings(Section):
    """The long form of a route's `idempotency`."""

    value: Expression = Field(
        description="Expression of the value that names the event.", examples=["event.event_id"]
    )
    as_is: Literal[False, True, "shared"] = Field(
        default=False,
        description="Send the value itself, a text or a UUID, as the key. `shared`: other routes"
        " or instances are meant to share it.",
        examples=[True],
    )


class TombstoneSettings(Section):
    """What a tombstone (a message that has a key and no value) does: it cancels."""

    cancel: TriggerKey = Field(
        description="Key of the trigger to cancel.", examples=["invoice_overdue"]
    )
    entity: Expression = Field(
        description="Expression of what is cancelled: the same value as the report's `entity`, of"
        " `key`, `headers`, `topic`, `partition`, `offset` or `timestamp`.",
        examples=["key.invoice_id"],
    )
    instance: Expression | None = Field(
        default=None,
        description="Expression of the app instance, of the same; without it the route's own, if"
        " that does not read `event`.",
        examples=['headers["instance"]'],
    )


class RouteSettings(Section):
    """A row of the routing table: which events, which trigger, and how."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        description="Name of the route, once in the table; a part of its idempotency keys.",
        examples=["invoice-overdue"],
    )
    topic: Topic | None = Field(
        default=None,
        description="Topic, or a regular expression that begins with `^`.",
        examples=["billing.invoices", r"^billing\..*"],
    )
    topics: list[Topic] | None = Field(
        default=None,
        min_length=1,
        description="Several topics or regular expressions, in place of `topic`.",
        examples=[["billing.invoices", "billing.reminders"]],
    )
    event: Annotated[str, AfterValidator(_full_name)] | None = Field(
        default=None,
        description="Full name of the event's Avro type; without it every event of the topic.",
        examples=["com.acme.billing.InvoiceOverdue"],
    )
    when: Expression | None = Field(
        default=None,
        description="Expression that must be true for the route to match.",
        examples=["event.days_overdue > 7"],
    )
    trigger: TriggerKey | None = Field(
        default=None, description="Key of the trigger to report.", examples=["invoice_overdue"]
    )
    cancel: TriggerKey | None = Field(
        default=None,
        description="Key of the trigger to cancel for `entity`, in place of `trigger`.",
        examples=["invoice_overdue"],
    )
    endpoint: str | None = Field(
        default=None,
        description="Name of the entry of `endpoints` that it goes to. It can be left out where"
        " there is one endpoint, or an entry `default`.",
        examples=["billing"],
    )
    instance: Expression | None = Field(
        default=None,
        description="Expression of the app instance; without it the endpoint's `instance`.",
        examples=["event.site_instance_id"],
    )
    entity: Expression | None = Field(
        default=None,
        description="Expression of what the event is about: a GUID goes as it is, anything else"
        " as a stable v5 UUID. Needed by `cancel`.",
        examples=["event.invoice_id"],
    )
    idempotency: (
        Annotated[
            Annotated[Expression, Tag(TEXT_FORM)] | Annotated[IdempotencySettings, Tag(MAP_FORM)],
            Discriminator(form),
        ]
        | None
    ) = Field(
        default=None,
        description="Expression of the value that names the event; without it, topic, partition,"
        " offset and timestamp do.",
        examples=["event.event_id"],
    )
    idempotency_ttl: (
        Annotated[Duration, between(Duration.parse("1s"), Duration.parse("3650d"))] | None
    ) = Field(
        default=None,
        description="How long the platform remembers the key; without it, its default (a week).",
        examples=["7d"],
    )
    max_age: Annotated[Duration, between(Duration.parse("1s"), Duration.parse("3650d"))] | None = (
        Field(
            default=None,
            description="Events that are older by Kafka's timestamp are skipped and counted.",
            examples=["6h"],
        )
    )
    payload: (
        Annotated[
            Annotated[Expression, Tag(TEXT_FORM)] | Annotated[dict[str, Expression], Tag(MAP_FORM)],
            Discriminator(form),
        ]
        | None
    ) = Field(
        default=None,
        description="The trigger's payload: a map of expressions, or one expression that gives a"
        " map. Without it, the payload is empty.",
        examples=[{"invoiceId": "event.invoice_id"}],
    )
    key: Literal["avro"] | None = Field(
        default=None,
        description="`avro`: `key` is the decoded key in this route's expressions.",
        examples=["avro"],
    )
    on_tombstone: TombstoneSettings | None = Field(
        default=None,
        description="A cancel that each tombstone of the route's topics makes, whatever `event`"
        " and `when` say. Without it tombstones are skipped and counted.",
    )
