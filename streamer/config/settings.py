"""Which keys does the configuration have, and what do they mean?

`docs/configuration.md` and the JSON Schema are made from these models: the description of a field
is what an operator reads.
"""

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from streamer.config.connections import (
    DEFAULT_ENDPOINT,
    AppSettings,
    BasicSettings,
    EndpointSettings,
    EntryName,
    KafkaSettings,
    RegistrySettings,
    SchemaSettings,
    TlsSettings,
)
from streamer.config.quantities import Duration, Size, between, fault
from streamer.config.routes import (
    MAP_FORM,
    TEXT_FORM,
    IdempotencySettings,
    RouteSettings,
    TombstoneSettings,
    form,
)
from streamer.config.section import Section

__all__ = [
    "AppSettings",
    "BasicSettings",
    "BatchSettings",
    "DeadLetterSettings",
    "DeliverySettings",
    "EndpointSettings",
    "HoldSettings",
    "IdempotencySettings",
    "KafkaSettings",
    "LogSettings",
    "RegistrySettings",
    "RouteSettings",
    "SchemaSettings",
    "ServerSettings",
    "Settings",
    "TlsSettings",
    "TombstoneSettings",
]


def _parsed(text: str) -> Duration:
    return Duration.parse(text)


def _bounds(low: str, high: str) -> AfterValidator:
    return between(Duration.parse(low), Duration.parse(high))


# --- delivery ---------------------------------------------------------------------------------


class BatchSettings(Section):
    """Reports that share a call."""

    max: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Most reports in one call; 1: single calls only.",
        examples=[100],
    )
    linger: Annotated[Duration, _bounds("0s", "1m")] = Field(
        default=_parsed("0s"),
        description="How long a report may wait for others to share its call. `0s`: a call takes"
        " what is waiting when it may be made, and waits for nothing more. Not with `max: 1`.",
        examples=["50ms"],
    )
    max_bytes: Annotated[Size, between(Size.parse("1KiB"), Size.parse("64MiB"))] = Field(
        default=Size.parse("1MiB"),
        description="Most bytes of a call's body; a report that has more alone goes alone.",
        examples=["1MiB"],
    )

    @field_validator("linger")
    @classmethod
    def _waits_for_company(cls, value: Duration, info: ValidationInfo) -> Duration:
        if value.ms and info.data.get("max") == 1:
            raise fault(
                "makes reports wait for others to share their call, and with `max: 1` none do",
                "take `linger` out, or write a `max` above 1",
            )
        return value


class HoldSettings(Section):
    """The long form of `delivery.hold`."""

    after: Annotated[Duration, _bounds("1s", "365d")] = Field(
        description="How long a report waits while its instance or trigger is held.",
        examples=["6h"],
    )
    then: Literal["dead-letter"] = Field(
        description="What becomes of it then: a dead letter with the reason `lane-held`.",
        examples=["dead-letter"],
    )


class DeliverySettings(Section):
    """How reports are delivered."""

    ordering: Literal["key", "partition", "none"] = Field(
        default="key",
        description="What is kept in order: reports of one message key, of one partition, or"
        " nothing.",
        examples=["key"],
    )
    max_in_flight: int = Field(
        default=256,
        ge=1,
        le=10_000,
        description="Most calls in flight at once; how many there really are adapts below it.",
        examples=[256],
    )
    batch: BatchSettings = Field(
        default_factory=BatchSettings, description="Reports that share a call."
    )
    window: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Most unsettled messages of a partition that are held.",
        examples=[10_000],
    )
    window_bytes: Annotated[Size, between(Size.parse("1MiB"), Size.parse("64GiB"))] = Field(
        default=Size.parse("64MiB"),
        description="Most unsettled bytes that the process holds, and as many of the payloads that"
        " were made of them; each partition always has a share.",
        examples=["64MiB"],
    )
    commit_interval: Annotated[Duration, _bounds("10ms", "1m")] = Field(
        default=_parsed("200ms"),
        description="Time between two commits, if anything changed.",
        examples=["200ms"],
    )
    revoke_timeout: Annotated[Duration, _bounds("0s", "1m")] = Field(
        default=_parsed("5s"),
        description="How long a rebalance waits for the calls in flight of a partition that goes.",
        examples=["5s"],
    )
    stall_after: Annotated[Duration, _bounds("1s", "1h")] = Field(
        default=_parsed("15s"),
        description="A process that stood still for so long makes no call before a commit has"
        " shown that its partitions are still its own.",
        examples=["15s"],
    )
    drain_timeout: Annotated[Duration, _bounds("0s", "10m")] = Field(
        default=_parsed("20s"),
        description="How long a stopping process waits for its calls in flight. The grace period"
        " of the container must be longer by 15 s.",
        examples=["20s"],
    )
    retry_for: Annotated[Duration, _bounds("1s", "30d")] = Field(
        default=_parsed("15m"),
        description="How long a report is tried while others of its instance and trigger are"
        " accepted; then it is dead-lettered.",
        examples=["15m"],
    )
    hold: Annotated[
        Annotated[Literal["wait"], Tag(TEXT_FORM)] | Annotated[HoldSettings, Tag(MAP_FORM)],
        Discriminator(form),
    ] = Field(
        default="wait",
        description="What becomes of reports whose instance or trigger is held (it cannot be"
        " delivered to): they wait without end, or for a time.",
        examples=["wait", {"after": "6h", "then": "dead-letter"}],
    )


# --- dead letters, server, log ----------------------------------------------------------------


def _dead_letter_topic(value: str) -> str:
    wanted = "write a topic name in which `{topic}` stands for the source's, such as `{topic}.dlq`"
    rest = value.replace("{topic}", "")
    if value == "{topic}":
        raise fault("is the source topic itself", wanted)
    if rest != value and not rest.strip("."):
        raise fault("differs from the source topic's name by full stops only", wanted)
    if not value or not all(c.isascii() and (c.isalnum() or c in "._-") for c in rest):
        raise fault("is no topic name (letters, digits, `.`, `_` and `-`)", wanted)
    if len(rest) > 249 or value in (".", ".."):  # Kafka's limits of a topic's name
        raise fault("is no topic name (too long, or dots only)", wanted)
    return value


def _sensitive(value: list[str]) -> list[str]:
    for path in value:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", path):
            raise fault(
                f"names {path!r}, which is no field",
                "write a field's name, or a path of names such as `card.number`",
            )
    return value


class DeadLetterSettings(Section):
    """Where messages and reports go that cannot be delivered."""

    topic: Annotated[str, AfterValidator(_dead_letter_topic)] = Field(
        default="{topic}.dlq",
        description="The dead letter topic; `{topic}` stands for the source topic's name.",
        examples=["{topic}.dlq"],
    )
    create: bool = Field(
        default=True,
        description="Make the dead letter topic where it is missing, with the source's"
        " partitions and replication.",
        examples=[True],
    )
    flood: Literal["hold", "pass"] = Field(
        default="hold",
        description="What a flood of refusals on one route does: the route is held and probed"
        " (`hold`), or all go to the dead letter topic (`pass`).",
        examples=["hold"],
    )
    sensitive: Annotated[list[str], AfterValidator(_sensitive)] = Field(
        default=[],
        description="Fields whose values `streamer dead-letters show` hides, and what a route's"
        " payload makes of them: a name hides it wherever it stands, a path where it ends so.",
        examples=[["email", "card.number"]],
    )


class ServerSettings(Section):
    """Metrics and health."""

    host: str = Field(
        default="0.0.0.0",
        min_length=1,
        description="Address to listen at.",
        examples=["0.0.0.0"],
    )
    port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        description="Port to listen at; 0: a free one, which is logged.",
        examples=[9464],
    )


class LogSettings(Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is written.", examples=["info"]
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="JSON lines, or coloured lines for a person; `auto`: by whether there is a"
        " terminal.",
        examples=["json"],
    )


# --- all of it --------------------------------------------------------------------------------


class Settings(Section):
    """The whole configuration."""

    kafka: KafkaSettings = Field(description="Where the events come from.")
    schemas: SchemaSettings = Field(
        description="Where the writer schemas come from: `registry` or `directory`."
    )
    endpoint: EndpointSettings | None = Field(
        default=None,
        description="The automation platform's report endpoint; with `app` or `token`. Its name is"
        " `default`.",
    )
    endpoints: dict[EntryName, EndpointSettings] | None = Field(
        default=None,
        min_length=1,
        description="Several endpoints by name, in place of `endpoint`: several apps, or base"
        " addresses. Each has the keys of `endpoint`.",
        examples=[{"billing": {"token": "file:/run/secrets/billing"}}],
    )
    routes: list[RouteSettings] = Field(
        min_length=1,
        description="The routing table: routes, and names of files with routes (`routes/*.yaml`).",
    )
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings, description="How reports are delivered."
    )
    dead_letters: DeadLetterSettings = Field(
        default_factory=DeadLetterSettings,
        description="Where messages and reports go that cannot be delivered.",
    )
    server: ServerSettings = Field(
        default_factory=ServerSettings, description="Metrics and health."
    )
    log: LogSettings = Field(default_factory=LogSettings, description="The log, on standard error.")

    @property
    def entries(self) -> dict[str, EndpointSettings]:
        """The endpoints by name."""
        if self.endpoints is not None:
            return self.endpoints
        assert self.endpoint is not None, "the configuration has an endpoint or endpoints"
        return {DEFAULT_ENDPOINT: self.endpoint}

    def section_of(self, entry: str) -> str:
        """Where the configuration has the endpoint of this name."""
        return "endpoint" if self.endpoints is None else f"endpoints.{entry}"
