"""Which keys say how Kafka, the schemas and the endpoint are reached?"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from streamer.config.quantities import Duration, Quota, between, fault, start_moment
from streamer.config.secrets import Secret
from streamer.config.section import FilePath, PropertyText, Section, Url
from streamer.endpoint.request_head import proxy_of
from streamer.routing.keys import LONGEST_INSTANCE

# --- kafka ------------------------------------------------------------------------------------


_PROPERTY = WithJsonSchema({"type": ["string", "number", "boolean"]})


class KafkaSettings(Section):
    """Where the events come from."""

    bootstrap_servers: str = Field(
        min_length=1,
        description="Addresses of some brokers, `host:port` with commas between them.",
        examples=["kafka-1:9092,kafka-2:9092"],
    )
    group_id: str = Field(
        min_length=1,
        max_length=249,
        description="The consumer group. Processes of one group share the work.",
        examples=["automations"],
    )
    start: Annotated[str, AfterValidator(start_moment)] = Field(
        default="latest",
        description="Where reading starts where the group has no offset: `latest`, `earliest`, a"
        " span before now, or a moment with its zone.",
        examples=["-2h", "2026-11-01T00:00:00Z"],
    )
    properties: dict[str, Annotated[Secret, PropertyText, _PROPERTY]] = Field(
        default_factory=dict,
        description="Further consumer properties of librdkafka: security, static membership,"
        " `group.protocol`, ... A value may be `file:PATH`.",
        examples=[{"security.protocol": "SASL_SSL", "sasl.password": "${KAFKA_PASSWORD}"}],
    )

    def librdkafka_properties(self) -> dict[str, str]:
        """The further properties in plain text, for the client only.

        Raises SecretUnreadable where the file of one cannot be read any more.
        """
        return {name: value.reveal() for name, value in self.properties.items()}


# --- schemas ----------------------------------------------------------------------------------


class TlsSettings(Section):
    """Trust and identity of a TLS connection."""

    ca: FilePath | None = Field(
        default=None,
        description="File of certificate authorities to trust (PEM), beside the system's.",
        examples=["/etc/streamer/ca.pem"],
    )
    cert: FilePath | None = Field(
        default=None,
        description="File of the client certificate (PEM), for mutual TLS.",
        examples=["/etc/streamer/tls.crt"],
    )
    key: FilePath | None = Field(
        default=None,
        description="File of its key (PEM, without a password); not needed if `cert` holds it.",
        examples=["/etc/streamer/tls.key"],
    )


class BasicSettings(Section):
    """Basic authentication."""

    username: str = Field(min_length=1, description="User name.", examples=["streamer"])
    password: Secret = Field(description="Password.", examples=["${REGISTRY_PASSWORD}"])


class RegistrySettings(Section):
    """A schema registry with Confluent's API."""

    url: Url = Field(
        description="Base address of the registry's API.", examples=["http://localhost:8081"]
    )
    basic: BasicSettings | None = Field(
        default=None, description="User name and password for the registry."
    )
    bearer: Secret | None = Field(
        default=None,
        description="Bearer token for the registry, in place of `basic`.",
        examples=["file:/run/secrets/registry-token"],
    )
    tls: TlsSettings = Field(default_factory=TlsSettings, description="TLS to the registry.")


class SchemaSettings(Section):
    """Where the writer schemas come from: a registry or a directory."""

    registry: RegistrySettings | None = Field(
        default=None, description="A schema registry: messages in its wire format."
    )
    directory: FilePath | None = Field(
        default=None,
        description="A folder of `.avsc` files: messages in single-object encoding, or bare Avro"
        " of the topics in `topics`.",
        examples=["avro"],
    )
    topics: dict[str, str] = Field(
        default_factory=dict,
        description="With `directory`: topics of bare Avro, each with the full name of its one"
        " schema.",
        examples=[{"billing.invoices": "com.acme.billing.InvoiceOverdue"}],
    )


# --- endpoint ---------------------------------------------------------------------------------

DEFAULT_ENDPOINT = "default"
"""The name of the one `endpoint`, and of the entry for routes that name none."""

_ENTRY = re.compile(r"[a-z](_?[a-z0-9]){0,49}\Z")


def _entry_name(value: str) -> str:
    if not _ENTRY.match(value):
        raise fault(
            "is no name of an endpoint",
            "write a lower-case letter, then lower-case letters, digits and single `_`, at most 50:"
            " a variable must be able to name it (`STREAMER__ENDPOINTS__NAME__QUOTA`)",
        )
    return value


EntryName = Annotated[
    str,
    AfterValidator(_entry_name),
    WithJsonSchema({"type": "string", "pattern": "^[a-z](_?[a-z0-9]){0,49}$"}),
]


class AppSettings(Section):
    """The app's client credentials."""

    id: str = Field(min_length=1, description="App id.", examples=["${APP_ID}"])
    secret: Secret = Field(
        description="App secret. A `file:` secret is read again before each token call.",
        examples=["${APP_SECRET}"],
    )


def _instance(value: str) -> str:
    do = "write the id that the platform gave the app's installation, a GUID of 36 characters"
    if len(value) > LONGEST_INSTANCE:
        raise fault(f"has over {LONGEST_INSTANCE} characters", do)
    if value != value.strip() or not value.isprintable():
        raise fault("begins or ends with a blank, or holds a line break or the like", do)
    return value


class EndpointSettings(Section):
    """The automation platform's report endpoint."""

    base_url: Url = Field(
        default="https://www.wixapis.com",
        description="Base address of the platform's API.",
        examples=["https://www.wixapis.com"],
    )
    app: AppSettings | None = Field(
        default=None,
        description="The app that owns the triggers: a token is asked for each app instance.",
    )
    token: Secret | None = Field(
        default=None,
        description="One ready token for all calls, in place of `app`.",
        examples=["file:/run/secrets/token"],
    )
    instance: Annotated[str, Field(min_length=1), AfterValidator(_instance)] | None = Field(
        default=None,
        description="App instance of routes without `instance`.",
        examples=["1d1c3f2e-9c0c-4f5e-8d3a-2b7a90c0f3aa"],
    )
    quota: Quota = Field(
        default=Quota(200),
        description="Calls a minute that each app instance gets, counted in any sliding minute of"
        " this process (a bulk call is one); `none`: no limit but the endpoint's answers.",
        examples=["200/min", "none"],
    )
    unknown_instance: Literal["dead-letter", "skip", "hold"] = Field(
        default="dead-letter",
        description="What becomes of reports to an app instance that is refused a token again and"
        " again while others get theirs (the app was uninstalled): they go to the dead letter"
        " topic, are skipped and counted, or wait.",
        examples=["dead-letter"],
    )
    http_client: Literal["httptools", "pyreqwest", "httpx"] = Field(
        default="httptools",
        description="What makes the calls: `httptools` (a client of our own on that parser) is the"
        " fastest, `httpx` is slow with many calls in flight.",
        examples=["httptools"],
    )
    timeout: Annotated[Duration, between(Duration.parse("100ms"), Duration.parse("5m"))] = Field(
        default=Duration.parse("10s"),
        description="Total time of one call, from connecting to the end of its answer.",
        examples=["10s"],
    )
    tls: TlsSettings = Field(default_factory=TlsSettings, description="TLS to the endpoint.")
    proxy: Secret | None = Field(
        default=None,
        description="HTTP proxy for all calls; may hold a user name and a password. Proxies of"
        " the environment are not used.",
        examples=["http://proxy.example:3128"],
    )

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        """What the client of the entry takes; its login is not shown."""
        if value is None:
            return None
        url = value.reveal()
        if info.data.get("http_client") != "httptools" and url.startswith("https://"):
            url = url.replace("https", "http", 1)
        if proxy_of(url) is None:
            do = "write `http://HOST:PORT`, with `USER:PASSWORD@` before HOST if it wants them"
            raise fault("is no address of a proxy", do)
        return value
