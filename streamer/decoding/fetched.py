"""What can come of asking a registry for a schema?"""

from msgspec import Struct

from streamer.model import Refusal


class SchemaText(Struct, frozen=True):
    """The schema's text, with all that it builds on."""

    text: str
    references: tuple[str, ...] = ()
    """Texts of the schemas that it refers to, each after those that it refers to itself."""


class SchemaUnknown(Struct, frozen=True):
    """The registry answered: it has no such schema, or none of Avro. The message is bad."""

    refusal: Refusal


class RegistryUnavailable(Struct, frozen=True):
    """The registry gave no answer about the schema: an outage, the message waits."""

    detail: str
    """What happened and which setting to look at; holds no secret."""
    status: int | None = None
    """The HTTP status, where there was one."""
    denied: bool = False
    """It refused us (401, 403, a certificate that we do not trust): a person must act."""


Fetched = SchemaText | SchemaUnknown | RegistryUnavailable
